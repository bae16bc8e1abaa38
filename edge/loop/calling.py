"""How long an engine may take for one call: as configured, or learnt from what it took before."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from types import TracebackType

from typing_extensions import Self

from edge.engines.base import Engine, EngineIdentity, Tensors
from edge.engines.preparing import BuildProgress, Preparable, quiet
from edge.supervision import ENGINE, Pulse

FIRST_S, LEAST_S, MOST_S = 30.0, 10.0, 300.0
FAULTS_IN_A_ROW = 10
TIMES_OPENING, TIMES_SLOWEST = 2.0, 20.0
IDLE_S = 1.0
"""After so long without a call, a GPU may have let its clock sink."""


@dataclass(frozen=True)
class CallLimits:
    """open_s: for loading an engine, and for building one, there from one of its reports to the next. call_s: for one call;
    None: learnt. progress: told how far a build is; Cancelled from it ends the build.
    """

    open_s: float = 3600.0
    call_s: float | None = None
    progress: BuildProgress = quiet

    def after_opening(self, opening_s: float) -> Patience:
        """For an engine whose opening, warm-up and golden vectors included, took so long."""
        return Patience(self.call_s, opening_s)


class Patience:
    """The limit of the next call. One that was never called may take twice as long as its opening, golden vectors included;
    then 20 times its slowest call. Never less than 10 s (30 s for the first), never more than 5 minutes.
    """

    def __init__(self, fixed_s: float | None, opening_s: float) -> None:
        self._fixed_s = fixed_s
        self._slowest_s: float | None = None
        self._first_s = min(max(FIRST_S, TIMES_OPENING * opening_s), MOST_S)

    @property
    def limit_s(self) -> float:
        """Seconds."""
        if self._fixed_s is not None:
            return self._fixed_s
        if self._slowest_s is None:
            return self._first_s
        return min(max(LEAST_S, TIMES_SLOWEST * self._slowest_s), MOST_S)

    def took(self, seconds: float) -> None:
        """A call came back."""
        self._slowest_s = max(self._slowest_s or 0.0, seconds)


@dataclass(frozen=True)
class Pace:
    """How fast an engine answers: its last call, the newest first call after a pause, and how long that pause was. fallbacks:
    how many better engines of `auto` could not be had.
    """

    call_s: float | None = None
    first_after_idle_s: float | None = None
    idle_s: float | None = None
    fallbacks: int = 0


class TimedEngine:
    """An opened engine whose every call is a step with a limit."""

    def __init__(self, engine: Engine, pulse: Pulse, patience: Patience, name: str) -> None:
        """name: of the engine, for messages."""
        self._engine = engine
        self._pulse = pulse
        self._patience = patience
        self._name = name
        self._faults = 0
        self._ended_s = time.monotonic()
        self._pace = Pace(fallbacks=len(self.fallbacks))

    @property
    def pace(self) -> Pace:
        """How fast it answers."""
        return self._pace

    @property
    def fallbacks(self) -> tuple[str, ...]:
        """The better engines of `auto` that could not be had, and why: empty for every other engine."""
        return tuple(getattr(self._engine, "fallbacks", ()))

    @property
    def identity(self) -> EngineIdentity:
        """As the engine says."""
        return self._engine.identity

    def __enter__(self) -> Self:
        """It is open already: nothing to do."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the engine."""
        self._engine.__exit__(kind, error, trace)

    def keep_warm(self) -> None:
        """No frame waits: an engine whose clock sinks while it idles may compute a little. EngineFault: the GPU is lost."""
        if isinstance(self._engine, Preparable):
            with self._pulse.step(f"keeping engine {self._name} warm", self._patience.limit_s, ENGINE):
                self._engine.keep_warm()

    def infer(self, inputs: Tensors) -> Tensors:
        """As the engine's."""
        began_s = time.monotonic()
        idle_s = began_s - self._ended_s
        with self._pulse.step(f"a call of engine {self._name}", self._patience.limit_s, ENGINE):
            self._faults += 1
            outputs = self._engine.infer(inputs)
            self._faults = 0
        self._ended_s = time.monotonic()
        took_s = self._ended_s - began_s
        self._patience.took(took_s)
        self._pace = replace(self._pace, call_s=took_s)
        if idle_s > IDLE_S:
            self._pace = replace(self._pace, first_after_idle_s=took_s, idle_s=idle_s)
        return outputs

    @property
    def is_lost(self) -> bool:
        """True for an engine on a GPU that fails again and again: what is in the process does not come back by itself."""
        return self._faults > FAULTS_IN_A_ROW and isinstance(self._engine, Preparable)
