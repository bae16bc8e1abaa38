"""The station's side of the guard process: starts it, beats, notices when it hangs or dies, starts it again."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from edge.io.release import Permit
from edge.settings.io import Condition, OutputsConfig, ReleaseLine, SignalLine
from edge.sidecar import Sidecar, SidecarGone

log = logging.getLogger(__name__)

MODULE = "edge.io.guard_child"
START_S = 10.0
END_S = 2.0
RETRY_FIRST_S, RETRY_LAST_S = 0.2, 5.0
STARTING = "the guard of the outputs starts"


@dataclass(frozen=True)
class GuardState:
    """What is known of the guard. why: what is wrong, "" while it holds the lines. released: its own last word."""

    pid: int | None = None
    why: str = STARTING
    released: bool = False
    restarts: int = 0


class Keeper:
    """Keeps one guard alive; one thread uses it. A guard that does not answer is killed: the next one takes the lines and puts
    them all off.
    """

    def __init__(self, config: OutputsConfig) -> None:
        self._config = config
        self._orders = orders_of(config)
        self._guard: Sidecar | None = None
        self._taken = False
        self._beat = 0
        self._silent_since_s = 0.0
        self._due_s = 0.0
        self._pause_s = RETRY_FIRST_S
        self.state = GuardState()

    @property
    def holds(self) -> bool:
        """True while a guard holds the lines."""
        return self._guard is not None and self._taken

    def beat(self, permit: Permit | None, show: Iterable[Condition]) -> None:
        """Tell the guard what is so, and see how it is; start it where it is not there. Never blocks for long."""
        if self._guard is None:
            if time.monotonic() >= self._due_s:
                self._start()
            return
        try:
            self._listen(self._guard)
            if self._taken:
                self._beat += 1
                said = [permit.sequence, permit.until_ns] if permit is not None else None
                names = [condition.value for condition in show]
                self._guard.link.send({"beat": self._beat, "sent_ns": time.monotonic_ns(), "permit": said, "show": names})
        except SidecarGone:
            self._lose("the guard of the outputs is gone")
            return
        limit_s = self._config.guard_ms / 1000 if self._taken else START_S
        if time.monotonic() - self._silent_since_s > limit_s:
            self._lose("the guard of the outputs does not answer")

    def wait(self, timeout_s: float, bell: int) -> None:
        """Until the guard is over, the bell can be read, or timeout_s has passed. Its answers are read with the next beat."""
        if self._guard is not None:
            self._guard.wait(timeout_s, bell, messages=False)
        else:
            time.sleep(min(timeout_s, 0.05))

    def end(self) -> None:
        """Let the guard switch everything off and end."""
        if self._guard is not None:
            guard, self._guard = self._guard, None
            how = guard.end(END_S)
            self.state = GuardState(None, f"the guard of the outputs {how}", False, self.state.restarts)

    def _start(self) -> None:
        try:
            guard = Sidecar(MODULE, "outputs")
        except OSError as error:
            self._retry(f"the guard of the outputs cannot be started ({error.strerror})")
            return
        self._guard, self._taken, self._silent_since_s = guard, False, time.monotonic()
        self.state = GuardState(guard.pid, self.state.why, False, self.state.restarts)
        chip = self._config.chip.model_dump(mode="json")
        orders = {"chip": chip, "lines": self._orders, "guard_ms": self._config.guard_ms, "hold_s": self._config.hold_s}
        try:
            guard.link.send(orders)
        except SidecarGone:
            self._lose("the guard of the outputs is gone")

    def _listen(self, guard: Sidecar) -> None:
        while (message := guard.link.receive()) is not None:
            self._silent_since_s = time.monotonic()
            if "failed" in message:
                self._lose(str(message["failed"]), is_told=True)
                raise SidecarGone("it said so")
            self._taken = True
            self._pause_s = RETRY_FIRST_S
            self.state = GuardState(guard.pid, "", bool(message.get("released", False)), self.state.restarts)

    def _lose(self, what: str, *, is_told: bool = False) -> None:
        if self._guard is None:
            return  # told already, with a better reason
        guard, self._guard = self._guard, None
        # A guard that hangs must not keep the release while we wait for it politely.
        how = guard.end(END_S if is_told else 0.0)
        self._retry(what if is_told else f"{what}: it {how}")

    def _retry(self, why: str) -> None:
        log.error("outputs_lost why=%s", why)
        self.state = GuardState(None, why, False, self.state.restarts + 1)
        self._taken = False
        self._due_s = time.monotonic() + self._pause_s
        self._pause_s = min(2 * self._pause_s, RETRY_LAST_S)


def orders_of(config: OutputsConfig) -> list[dict[str, Any]]:
    """The lines as the guard is told to drive them."""
    return [_order(name, line) for name, line in config.lines.items()]


def _order(name: str, line: ReleaseLine | SignalLine) -> dict[str, Any]:
    on = [Condition.RELEASED.value] if isinstance(line, ReleaseLine) else [condition.value for condition in line.on]
    return {**line.model_dump(mode="json"), "name": name, "on": on}
