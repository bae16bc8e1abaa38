"""Signs of progress: every thread says what it is at and how long that may take at most."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

log = logging.getLogger(__name__)

THREAD_LIMIT_S: Final = 60.0
ENGINE: Final = "engine"
"""Kind of a step: a call of an engine."""
OPENING: Final = "opening"
"""Kind of a step: an engine is loaded, which may hold the interpreter for long."""
BUILDING: Final = "building"
"""Kind of a step: an engine is built, which says every few seconds how far it is."""


@dataclass(frozen=True)
class Late:
    """Something that should be done by now. name: of the thread or part; what: the step; kind: see ENGINE, OPENING."""

    name: str
    what: str
    for_s: float
    limit_s: float
    kind: str = ""
    is_fatal: bool = True

    def __str__(self) -> str:
        return f"{self.name} hangs: {self.what} for {self.for_s:.1f} s (limit {self.limit_s:g} s)"


@dataclass(frozen=True)
class Step:
    """What a thread is at since when, and how long it may take. kind: see ENGINE, OPENING."""

    what: str
    limit_s: float
    since_s: float
    kind: str = ""


class Pulse:
    """The progress of one thread, which alone calls `beat` and `step`; any thread may ask `late`.

    Steps nest, and only the innermost counts: its end is progress of the one around it. It is late when it took longer than it
    may without a beat.
    """

    def __init__(
        self,
        name: str,
        limit_s: float = THREAD_LIMIT_S,
        clock: Callable[[], float] = time.monotonic,
        on_step: Callable[[Step, bool], None] = lambda _step, _begins: None,
    ) -> None:
        """limit_s: from beat to beat while it is at no step. on_step: told that a step begins (True) or is over."""
        self.name = name
        self.limit_s = limit_s
        self._clock = clock
        self._on_step = on_step
        self._steps: tuple[Step, ...] = (Step("no sign of progress", limit_s, clock()),)
        self.has_worked = False
        """True once it beat: what it does first (opening a camera, engines) is behind it."""

    def beat(self) -> None:
        """Work gets done."""
        self.has_worked = True
        self._renew()

    def _renew(self) -> None:
        *outer, last = self._steps
        self._steps = (*outer, replace(last, since_s=self._clock()))

    @contextmanager
    def step(self, what: str, limit_s: float, kind: str = "") -> Iterator[None]:
        """Something that may take so long by itself."""
        step = Step(what, limit_s, self._clock(), kind)
        self._steps = (*self._steps, step)
        self._on_step(step, True)
        try:
            yield
        finally:
            self._steps = self._steps[:-1]
            self._renew()
            self._on_step(step, False)

    @property
    def step_now(self) -> Step:
        """What it is at."""
        return self._steps[-1]

    def late(self) -> Late | None:
        """What took too long, None if all is well."""
        step = self._steps[-1]
        age_s = self._clock() - step.since_s
        return Late(self.name, step.what, age_s, step.limit_s, step.kind) if age_s > step.limit_s else None


class Pulses:
    """All that makes progress in a station. Any thread."""

    def __init__(self, limit_s: float = THREAD_LIMIT_S, clock: Callable[[], float] = time.monotonic) -> None:
        """limit_s: of threads that name none."""
        self.limit_s = limit_s
        self._clock = clock
        self._lock = threading.Lock()
        self._pulses: dict[str, Pulse] = {}
        self._probes: dict[str, Callable[[], Late | None]] = {}
        self.on_step: Callable[[Step, bool], None] = lambda _step, _begins: None

    def pulse(self, name: str, limit_s: float | None = None) -> Pulse:
        """A new pulse; one of this name that was there before is forgotten."""
        limit_s = self.limit_s if limit_s is None else limit_s
        pulse = Pulse(name, limit_s, self._clock, self.on_step)
        with self._lock:
            self._pulses[name] = pulse
        return pulse

    def forget(self, name: str) -> None:
        """What has this name is over, and is missed no more."""
        with self._lock:
            self._pulses.pop(name, None)
            self._probes.pop(name, None)

    def probe(
        self, name: str, age_s: Callable[[], float], limit_s: float, what: str, *, kind: str = "", is_fatal: bool = True
    ) -> None:
        """Something that keeps its own clock. age_s: seconds since its last progress. not is_fatal: it is only told."""

        def late() -> Late | None:
            age = age_s()
            return Late(name, what, age, limit_s, kind, is_fatal) if age > limit_s else None

        with self._lock:
            self._probes[name] = late

    def late(self) -> tuple[Late, ...]:
        """Everything that should be done by now and is not."""
        with self._lock:
            asked = [pulse.late for pulse in self._pulses.values()] + list(self._probes.values())
        return tuple(late for ask in asked if (late := ask()) is not None)

    def at(self, *kinds: str) -> Step | None:
        """A step of one of these kinds that is being done now."""
        return next((step for pulse in self._all() if (step := pulse.step_now).kind in kinds), None)

    def ages(self) -> dict[str, float]:
        """`pulse.judge` -> seconds since its last progress, for the health message."""
        now = self._clock()
        return {f"pulse.{pulse.name}": round(now - pulse.step_now.since_s, 3) for pulse in self._all()}

    def _all(self) -> list[Pulse]:
        with self._lock:
            return list(self._pulses.values())
