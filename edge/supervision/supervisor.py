"""Watches over the whole: feeds systemd's watchdog only while every part makes progress, and ends a station that hangs."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final

from typing_extensions import Self

from edge.supervision.bomb import Bomb
from edge.supervision.notify import Notifier
from edge.supervision.pulse import BUILDING, OPENING, Late, Pulses, Step

log = logging.getLogger(__name__)

HUNG: Final = 4
"""Exit status of a station that ended itself because a part of it hung."""
TICK_S: Final = 0.25
STATUS_EVERY_S: Final = 5.0
EXTEND_S: Final = 30.0
BOMB_S: Final = 60.0
LASTING_S: Final = 60.0
"""A station that was ready and is over sooner failed to start as well: one whose engine hangs at the first call, say."""
ENDING_S: Final = 20.0
"""How long a station whose part hangs may take to answer what waits and to close; then it is over all the same."""
SLACK_S: Final = 10.0


class Supervisor:
    """One thread that looks at all pulses. Enter it before the station opens.

    counts: a few words for the status line. lasting: called once the station was ready for lasting_s. failed: called once, in
    a thread of its own, with what hangs: it answers what waits and lets the process come to its end. Whatever it does, the
    process is over after ENDING_S: `exit_now` is called with HUNG.
    """

    def __init__(
        self,
        pulses: Pulses,
        notifier: Notifier,
        bomb: Bomb,
        *,
        exit_now: Callable[[int], None] = os._exit,
        ending_s: float = ENDING_S,
        lasting_s: float = LASTING_S,
    ) -> None:
        self.pulses = pulses
        self.fatal: Late | None = None
        self.failed: Callable[[Late], None] = lambda _late: None
        self.counts: Callable[[], str] = lambda: ""
        self.lasting: Callable[[], None] = lambda: None
        self._notifier = notifier
        self._bomb = bomb
        self._exit_now = exit_now
        self._ending_s = ending_s
        self._lasting_s = lasting_s
        self._ready_since_s: float | None = None
        self._state = "starting", ""
        self._building = ""
        self._is_open = self._is_ready = False
        self._said = ""
        self._said_s = float("-inf")
        self._told: frozenset[str] = frozenset()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)
        pulses.on_step = self._step

    def __enter__(self) -> Self:
        """Begin to watch."""
        self._bomb.arm(BOMB_S)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Watch no more; a station that is past saving still ends in time."""
        if self.fatal is None:
            self._stopped.set()
            self._thread.join(2.0)
            self._bomb.disarm()

    def opened(self) -> None:
        """Every part of the station is open: it is ready once its views are, or say why not."""
        self._is_open = True

    def told(self, status: str, why: str) -> None:
        """The station's state changed: starting, ready, degraded or safe_mode. why: what is wrong."""
        self._state = status, why
        self._said_s = float("-inf")

    def progress(self, phase: str, done: int, total: int) -> None:
        """An engine is being built: `edge.engines.preparing.BuildProgress`'s form. Called in the thread that asked for it."""
        self._building = f"{phase} {done}/{total}" if total else phase

    def stopping(self) -> None:
        """The station was asked to stop: what ends now is no fault."""
        self._notifier.stopping()
        self._stopped.set()

    def leave(self) -> None:
        """Everything is closed. Where a part hangs, the process ends here: the interpreter would wait for it."""
        if self.fatal is not None:
            self._end_now(self.fatal)

    def health(self) -> dict[str, float | int | str | bool | None]:
        """Seconds since each part's last progress."""
        return dict(self.pulses.ages())

    def alarms(self) -> dict[str, str | None]:
        """`supervision`: what hangs, None if nothing does."""
        late = self.pulses.late()
        return {"supervision": "; ".join(map(str, late)) or None}

    def _run(self) -> None:
        while not self._stopped.wait(TICK_S):
            late = self.pulses.late()
            self._tell(late)
            self.fatal = next((one for one in late if one.is_fatal), None)
            if self.fatal is not None:
                self._end(self.fatal)
                return
            self._feed()

    def _feed(self) -> None:
        """Reached only where everything made progress."""
        if self.pulses.at(OPENING) is None:
            self._bomb.arm(BOMB_S)
        self._notifier.alive()
        if not self._is_ready:
            self._notifier.extend(EXTEND_S)
            if self._is_open and self._state[0] != "starting":
                self._is_ready = True
                self._say()
                self._notifier.ready()
                self._ready_since_s = time.monotonic()
                log.info("ready status=%s", self._state[0])
        if self._ready_since_s is not None and time.monotonic() - self._ready_since_s >= self._lasting_s:
            self._ready_since_s = None
            self.lasting()
        if time.monotonic() - self._said_s >= STATUS_EVERY_S or not self._is_ready:
            self._say()

    def _say(self) -> None:
        status, why = self._state
        opening = self.pulses.at(OPENING, BUILDING)
        parts = [status + (f": {why}" if why else "")]
        if opening is not None:
            parts.append(f"{opening.what} since {time.monotonic() - opening.since_s:.0f} s" + f" {self._building}".rstrip())
        parts.append(self.counts())
        text = "; ".join(part for part in parts if part)
        self._said_s = time.monotonic()
        if text != self._said:
            self._said = text
            self._notifier.status(text)

    def _tell(self, late: tuple[Late, ...]) -> None:
        names = frozenset(one.name for one in late)
        for one in late:
            if one.name not in self._told:
                log.error("part_hangs name=%s what=%r for_s=%.1f limit_s=%g", one.name, one.what, one.for_s, one.limit_s)
        for name in self._told - names:
            log.info("part_goes_on name=%s", name)
        self._told = names

    def _end(self, late: Late) -> None:
        """From here on nobody feeds the watchdog: if even this fails, systemd or the bomb ends the process."""
        self._notifier.status(f"ending: {late}")
        self._bomb.arm(self._ending_s + SLACK_S)
        threading.Thread(target=self._fail, args=(late,), name="ending", daemon=True).start()
        time.sleep(self._ending_s)
        self._end_now(late)

    def _end_now(self, late: Late) -> None:
        log.critical("station_ends_now status=%d why=%s", HUNG, late)
        logging.shutdown()
        self._exit_now(HUNG)

    def _fail(self, late: Late) -> None:
        try:
            self.failed(late)
        finally:
            log.critical("station_fails why=%s", late)

    def _step(self, step: Step, begins: bool) -> None:
        """An engine that opens may hold the interpreter: whoever waits for signs of life is told before, not meanwhile."""
        if step.kind in (OPENING, BUILDING):
            self._building = ""
        if step.kind != OPENING:
            return
        watchdog_s = self._notifier.watchdog_s
        if begins:
            self._bomb.arm(step.limit_s + SLACK_S)
            self._notifier.extend(step.limit_s + SLACK_S)
            self._notifier.watch_every(step.limit_s + SLACK_S)
        else:
            self._bomb.arm(BOMB_S)
            self._notifier.extend(EXTEND_S)
            if watchdog_s is not None:
                self._notifier.watch_every(watchdog_s)
