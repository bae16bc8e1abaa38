"""How the camera stood over time: shift, turn and residual of the last results, and where it was moved.

A camera that is moved shifts every later picture; one that a person walked past shifts a few. So a step is looked for in
medians: the split of the row that separates two levels farthest, against how much the values scatter on each side of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from calibration.web.reference.aligning import motion_of
from edge.archive import ArchiveError, ArchiveReader

LEAST_EACH: Final = 4
SPREADS: Final = 6.0
FINEST_PX: Final = 0.7
FINEST_DEG: Final = 0.05
_NORMAL: Final = 1.4826


@dataclass(frozen=True)
class Stand:
    """One result: right, down (px) and turn (degrees) of the picture's middle against the reference, and residual (px).

    None where the picture could not be registered. shift_limit, residual_limit: the gates', None where it names none.
    """

    result_id: str
    at: datetime
    trusted: bool
    right_px: float | None = None
    down_px: float | None = None
    turn_deg: float | None = None
    residual_px: float | None = None
    shift_limit: float | None = None
    residual_limit: float | None = None

    @property
    def shift_px(self) -> float | None:
        """How far, whichever way."""
        return None if self.right_px is None or self.down_px is None else math.hypot(self.right_px, self.down_px)


@dataclass(frozen=True)
class Step:
    """The camera was moved between two results: when the first after it was taken, and by how much."""

    before: datetime
    at: datetime
    right_px: float
    down_px: float
    turn_deg: float

    @property
    def size_px(self) -> float:
        """How far, whichever way."""
        return math.hypot(self.right_px, self.down_px)


@dataclass(frozen=True)
class Trend:
    """Oldest first. step: the largest move among them, None if there is none."""

    stands: tuple[Stand, ...]
    step: Step | None

    @property
    def measured(self) -> tuple[Stand, ...]:
        """Those that could be registered."""
        return tuple(stand for stand in self.stands if stand.shift_px is not None)


def trend_of(archive: ArchiveReader, view: str, size_wh: tuple[int, int], limit: int) -> Trend:
    """Of the last results of a view that the archive has. A document that cannot be read is passed over."""
    stands = []
    try:
        entries = archive.find(view=view, kind="verdict", limit=limit)
    except ArchiveError:
        entries = []
    for entry in entries:
        try:
            stands.append(stand_of(archive.document(entry), entry.result_id, entry.decided_at, size_wh))
        except ArchiveError:
            continue
    row = tuple(stand for stand in reversed(stands) if stand is not None)
    return Trend(row, step_in(row))


def stand_of(document: Mapping[str, Any], result_id: str, at: datetime, size_wh: tuple[int, int]) -> Stand | None:
    """One `lineclear/result/1`; None where nothing was aligned (no frame, no recipe)."""
    alignment = document.get("alignment")
    if not isinstance(alignment, Mapping):
        return None
    gates = alignment.get("gates")
    limits = {
        str(gate.get("name")): _number(gate.get("limit"))
        for gate in (gates if isinstance(gates, list) else ())
        if isinstance(gate, Mapping)
    }
    known = {"shift_limit": limits.get("shift_px"), "residual_limit": limits.get("residual_px")}
    matrix = _matrix(alignment.get("frameToReference"))
    if not alignment.get("trusted") or matrix is None:
        return Stand(result_id, at, trusted=False, **known)
    (right, down), turn = motion_of(matrix, size_wh)
    residual = _number(alignment.get("residualPx"))
    return Stand(result_id, at, True, right, down, turn, residual, **known)


def step_in(stands: Sequence[Stand]) -> Step | None:
    """The largest lasting change of where the camera looks."""
    row = [stand for stand in stands if stand.shift_px is not None]
    if len(row) < 2 * LEAST_EACH:
        return None
    values = np.array([(stand.right_px, stand.down_px, stand.turn_deg) for stand in row], np.float64)
    splits = range(LEAST_EACH, len(row) - LEAST_EACH + 1)
    best = min(splits, key=lambda split: _scatter(values[:split]) + _scatter(values[split:]))
    if _clearness(values, best) < SPREADS:
        return None
    right, down, turn = np.median(values[best:], 0) - np.median(values[:best], 0)
    return Step(row[best - 1].at, row[best].at, float(right), float(down), float(turn))


def _clearness(values: NDArray[np.float64], split: int) -> float:
    """By how many spreads the two sides lie apart; shift and turn each, the larger."""
    sides = values[:split], values[split:]
    middles = [np.median(side, 0) for side in sides]
    gap = np.abs(middles[1] - middles[0])
    spread = max(
        (_NORMAL * np.median(np.abs(side - middle), 0) for side, middle in zip(sides, middles, strict=True)),
        key=lambda each: float(each.sum()),
    )
    apart, finest = math.hypot(gap[0], gap[1]), FINEST_PX / SPREADS
    by_shift = apart / max(math.hypot(spread[0], spread[1]), finest) if apart >= FINEST_PX else 0.0
    by_turn = float(gap[2]) / max(float(spread[2]), FINEST_DEG / SPREADS) if gap[2] >= FINEST_DEG else 0.0
    return max(by_shift, by_turn)


def _scatter(values: NDArray[np.float64]) -> float:
    """How far the values lie off their middle, added up, in pixels; a turn counts for what it moves at the rim."""
    return float(np.abs((values - np.median(values, 0)) * (1.0, 1.0, FINEST_PX / FINEST_DEG)).sum())


def _matrix(rows: object) -> NDArray[np.float64] | None:
    try:
        matrix = np.asarray(rows, np.float64)
    except (TypeError, ValueError):
        return None
    sound = matrix.shape == (3, 3) and bool(np.isfinite(matrix).all()) and abs(float(np.linalg.det(matrix))) > 1e-9
    return matrix if sound else None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None


def limit_of(stands: Iterable[Stand], name: str) -> float | None:
    """The newest limit of this name (shift_limit, residual_limit) among them."""
    limits = [getattr(stand, name) for stand in stands]
    return next((limit for limit in reversed(limits) if limit is not None), None)
