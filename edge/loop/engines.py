"""The opened engines of a station: one thread owns them, and those of the last products stay warm within a budget."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from edge.engines.base import Engine
from edge.engines.preparing import Preparable
from edge.errors import EngineFault, LineclearError
from edge.loop.calling import CallLimits, Pace, TimedEngine
from edge.supervision import BUILDING, OPENING, Pulse

log = logging.getLogger(__name__)

_STATM = Path("/proc/self/statm")
_PAGE_BYTES = 4096


@dataclass(frozen=True, eq=False)
class EngineOffer:
    """An engine that may be opened. model_bytes: the size of its model, the least that it will need."""

    engine: Engine
    model_bytes: int = 0


@dataclass(frozen=True, eq=False)
class _Warm:
    engine: TimedEngine
    size_bytes: int


class EngineRoom:
    """Opens engines, keeps what is in use, and of the rest as many as fit, the last used longest.

    warm_bytes: what engines that no view uses may hold. An engine's size is what the process grew by while it opened, but at
    least its model's size: memory that was free in the process already is not seen growing. pulse: of the thread; limits: how
    long opening and calls may take.
    """

    def __init__(self, warm_bytes: int, limits: CallLimits | None = None, pulse: Pulse | None = None) -> None:
        self._warm_bytes = warm_bytes
        self._limits = limits or CallLimits()
        self.pulse = pulse or Pulse("judge")
        self._open: OrderedDict[str, _Warm] = OrderedDict()
        self._lost_at_s: float | None = None

    def open(self, key: str, offer: EngineOffer) -> TimedEngine:
        """The opened engine of `key`, opened now if need be. Raises what opening raises: BundleError, EngineFault."""
        if key not in self._open:
            before, began_s = _resident_bytes(), time.monotonic()
            if isinstance(offer.engine, Preparable):
                with self.pulse.step(f"building engine {key[:12]}", self._limits.open_s, BUILDING):
                    offer.engine.prepare(self._progress)
            with self.pulse.step(f"opening engine {key[:12]}", self._limits.open_s, OPENING):
                offer.engine.__enter__()
            patience = self._limits.after_opening(time.monotonic() - began_s)
            engine = TimedEngine(offer.engine, self.pulse, patience, key[:12])
            self._open[key] = _Warm(engine, max(_resident_bytes() - before, offer.model_bytes))
        self._open.move_to_end(key)
        return self._open[key].engine

    def _progress(self, phase: str, done: int, total: int) -> None:
        self.pulse.beat()
        self._limits.progress(phase, done, total)

    def keep_warm(self, in_use: Collection[str]) -> None:
        """No frame waits: see to it that the engines in use answer the next one as fast as the last."""
        for key in in_use:
            warm = self._open.get(key)
            if warm is None or self._lost_at_s is not None:
                continue
            try:
                warm.engine.keep_warm()
            except EngineFault as error:
                self._lost_at_s = time.monotonic()
                log.error("engine_lost key=%s why=%s", key[:12], error)

    @property
    def lost_s(self) -> float:
        """For how long an engine has been beyond help: only a new process gets its GPU back. 0 while all is well."""
        if self._lost_at_s is None and any(warm.engine.is_lost for warm in tuple(self._open.values())):
            self._lost_at_s = time.monotonic()
        return 0.0 if self._lost_at_s is None else time.monotonic() - self._lost_at_s

    def pace(self, key: str) -> Pace | None:
        """How fast this engine answers, None if it is not open. Any thread."""
        warm = self._open.get(key)
        return warm.engine.pace if warm is not None else None

    @property
    def keys(self) -> tuple[str, ...]:
        """Every opened engine, the last used at the end."""
        return tuple(self._open)

    def trim(self, in_use: Collection[str]) -> None:
        """Close what no view uses and the budget does not hold, the least recently used first. What cannot be closed is let
        go and logged: a changeover that has happened must not look as if it had not.
        """
        idle = [key for key in self._open if key not in in_use]
        held = sum(self._open[key].size_bytes for key in idle)
        for key in idle:
            if held <= self._warm_bytes:
                return
            held -= self._open[key].size_bytes
            self._close(key)

    def close(self) -> None:
        """Close every engine, the last opened first."""
        for key in reversed(tuple(self._open)):
            self._close(key)

    def _close(self, key: str) -> None:
        warm = self._open.pop(key)
        try:
            warm.engine.__exit__(None, None, None)
        except (LineclearError, OSError, RuntimeError) as error:
            log.error("engine_not_closed key=%s why=%s", key[:12], error)
            return
        log.info("engine_closed key=%s size_mb=%.0f", key[:12], warm.size_bytes / 1e6)


def _resident_bytes() -> int:
    try:
        return int(_STATM.read_text().split()[1]) * _PAGE_BYTES
    except (OSError, ValueError, IndexError):
        return 0
