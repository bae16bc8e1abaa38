"""The station's output lines: told what happens, they show it, and release the line only after a fresh CLEAR."""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from types import TracebackType

from typing_extensions import Self

from edge.errors import LineclearError
from edge.io.keeper import STARTING, GuardState, Keeper
from edge.io.lines import require_gpiod
from edge.io.release import Permit, ReleaseGate
from edge.settings.io import Condition, GpioChip, OutputsConfig
from edge.types import Clearance, Outcome, Verdict

log = logging.getLogger(__name__)

ALARM = "outputs"
STOP_S = 6.0


@dataclass(frozen=True)
class OutputsState:
    """Whether the release is asked for, whether the guard says that it holds, and why it does not."""

    permitted: bool
    why_closed: str
    guard: GuardState


class Outputs:
    """Told by any thread; one thread of its own beats to the guard. Enter it before clearances are taken, exit it after.

    well: why the station cannot judge now ("" while it can): looked at with every beat, and what it says drops the release
    and shows as fault. If it hangs or fails, the beats stop, and the guard drops the release by itself. ConfigError where the
    chip is real and the package for it is missing.
    """

    def __init__(
        self,
        config: OutputsConfig,
        well: Callable[[], str] = str,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        if isinstance(config.chip, GpioChip):
            require_gpiod("outputs")
        self._gate = ReleaseGate(config)
        self._keeper = Keeper(config)
        self._well = well
        self._now = now
        self._silence_s = config.guard_ms / 1000
        self._beat_s = self._silence_s / 5
        self._beaten_s = math.inf
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._ailing = ""
        self._thread: threading.Thread | None = None
        self._bell_read = self._bell_write = -1

    def __enter__(self) -> Self:
        """Start; the lines are taken soon, all off. Never waits for them: `alarms` says what is wrong."""
        self._bell_read, self._bell_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._stop.clear()
        thread = threading.Thread(target=self._run, name="outputs", daemon=True)
        thread.start()
        self._thread = thread  # not before it is alive: one that is not counts as failed
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Everything off, then the lines are let go."""
        self.drop("the station stops")
        self._stop.set()
        self._ring()
        if self._thread is not None:
            self._thread.join(STOP_S)
            if self._thread.is_alive():
                log.error("thread_did_not_stop name=%s", "outputs")
                return  # it may still use the bell
        os.close(self._bell_read)
        os.close(self._bell_write)
        self._bell_read = self._bell_write = -1

    def clearance_started(self, request_id: str) -> None:
        """A clearance is at work; repeated calls for the same one change nothing but what they drop."""
        with self._lock:
            self._gate.started(request_id)
        self._ring()

    def clearance_done(self, clearance: Clearance) -> None:
        """A clearance has its answer, durably. The only thing that can release the line."""
        with self._lock:
            is_open = self._gate.done(clearance, self._now(), time.monotonic_ns())
            why = self._gate.why_closed
        if is_open:
            log.info("release sequence=%d batch=%s", clearance.sequence, clearance.batch)
        else:
            log.info("no_release sequence=%d why=%s", clearance.sequence, why)
        self._ring()

    def verdict(self, verdict: Verdict) -> None:
        """A view was judged outside a clearance: what does not pass ends the release."""
        if verdict.clearance_id is None and verdict.outcome is not Outcome.PASS:
            self.drop(f"view {verdict.view} is {verdict.outcome.value}")

    def drop(self, why: str) -> None:
        """End the release: changeover, reload, a fault, a person. It comes back only with a fresh CLEAR."""
        with self._lock:
            self._drop(why)
        self._ring()

    @property
    def state(self) -> OutputsState:
        """How it is now. Any thread may ask."""
        with self._lock:
            permit = self._gate.permit(time.monotonic_ns())
            return OutputsState(permit is not None, "" if permit else self._gate.why_closed, self._keeper.state)

    def alarms(self) -> dict[str, str | None]:
        """Alarm code -> text, None while there is nothing wrong, or nothing known yet of the first guard."""
        why = self._keeper.state.why
        why = "" if why == STARTING else why
        if self._thread is not None and not self._thread.is_alive() and not self._stop.is_set():
            why = "the thread of the outputs failed: see the log; the release stays off"
        return {ALARM: f"output lines: {why}" if why else None}

    def health(self) -> Mapping[str, float | int | str | bool | None]:
        """Values for the health message."""
        state = self.state
        return {
            "outputs.released": state.guard.released,
            "outputs.guard_restarts": state.guard.restarts,
            "outputs.why_closed": state.why_closed,
        }

    def _drop(self, why: str) -> None:
        if self._gate.permit(time.monotonic_ns()) is not None:
            log.info("release_dropped why=%s", why)
            self._gate.drop(why)

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._beat()
                self._keeper.wait(self._beat_s, self._bell_read)
                with suppress(BlockingIOError):
                    os.read(self._bell_read, 4096)
        finally:
            self._keeper.end()

    def _beat(self) -> None:
        self._ailing = self._look()
        now_s = time.monotonic()
        paused_s, self._beaten_s = now_s - self._beaten_s, now_s
        with self._lock:
            if paused_s >= self._silence_s:
                # The guard has dropped the release meanwhile, and takes it back for nothing but a higher sequence.
                self._drop(f"the station stood still for {paused_s:.1f} s")
            if self._ailing:
                self._drop(self._ailing)
            if not self._keeper.holds:
                self._drop("no guard holds the lines")
            permit: Permit | None = self._gate.permit(time.monotonic_ns())
            show = self._gate.conditions + ((Condition.FAULT,) if self._ailing else ())
        self._keeper.beat(permit, show)

    def _look(self) -> str:
        try:
            return self._well()
        except LineclearError as error:
            return str(error)

    def _ring(self) -> None:
        if self._bell_write >= 0:
            with suppress(BlockingIOError):
                os.write(self._bell_write, b"!")
