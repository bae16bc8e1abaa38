"""The opened engines of a station: one thread owns them, and those of the last products stay warm within a budget."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from edge.engines.base import Engine
from edge.errors import LineclearError

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
    engine: Engine
    size_bytes: int


class EngineRoom:
    """Opens engines, keeps what is in use, and of the rest as many as fit, the last used longest.

    warm_bytes: what engines that no view uses may hold. An engine's size is what the process grew by while it opened, but at
    least its model's size: memory that was free in the process already is not seen growing.
    """

    def __init__(self, warm_bytes: int) -> None:
        self._warm_bytes = warm_bytes
        self._open: OrderedDict[str, _Warm] = OrderedDict()

    def open(self, key: str, offer: EngineOffer) -> Engine:
        """The opened engine of `key`, opened now if need be. Raises what opening raises: BundleError, EngineFault."""
        if key not in self._open:
            before = _resident_bytes()
            offer.engine.__enter__()
            self._open[key] = _Warm(offer.engine, max(_resident_bytes() - before, offer.model_bytes))
        self._open.move_to_end(key)
        return self._open[key].engine

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
