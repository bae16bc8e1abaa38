"""Small charts over time, as numbers for a template: nothing of them is drawn by script."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from calibration.web.reference.trend import Stand, Trend, limit_of

WIDTH, HEIGHT = 640.0, 150.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 8.0, 12.0, 8.0
_NICE: Final = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Mark:
    """One result: x, y on the chart; y None where it could not be registered."""

    x: float
    y: float | None
    result_id: str
    at: datetime
    value: float | None


@dataclass(frozen=True)
class Chart:
    """One quantity. top: the largest value on the axis. limit_y: of the limit line, None where there is none or it lies above.

    line: the points of a polyline through the marks. step_x: where the camera was moved.
    """

    name: str
    unit: str
    marks: tuple[Mark, ...]
    line: str
    top: float
    limit: float | None
    limit_y: float | None
    step_x: float | None
    newest: float | None


def charts_of(trend: Trend) -> tuple[Chart, ...]:
    """Shift, turn and residual, with the limits of the newest result."""
    shift, residual = limit_of(trend.stands, "shift_limit"), limit_of(trend.stands, "residual_limit")
    return (
        _chart("shift", "px", trend, lambda stand: stand.shift_px, shift),
        _chart("turn", "°", trend, lambda stand: None if stand.turn_deg is None else abs(stand.turn_deg), None),
        _chart("residual", "px", trend, lambda stand: stand.residual_px, residual),
    )


def nice_top(largest: float) -> float:
    """The end of an axis: a round number that is not below it."""
    if largest <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(largest))
    return next(nice * power for nice in _NICE if nice * power >= largest * (1 - 1e-9))


def _chart(name: str, unit: str, trend: Trend, value_of: Callable[[Stand], float | None], limit: float | None) -> Chart:
    values = [value_of(stand) for stand in trend.stands]
    known = [value for value in values if value is not None]
    largest = max(known, default=0.0)
    # A limit far above everything would press the values onto the axis: then it is only named.
    top = nice_top(max(largest, limit if limit is not None and limit <= 8 * max(largest, 1e-9) else largest))
    first, last = (trend.stands[0].at, trend.stands[-1].at) if trend.stands else (None, None)

    def x_of(at: datetime) -> float:
        span_s = (last - first).total_seconds() if first is not None and last is not None else 0.0
        share = (at - first).total_seconds() / span_s if first is not None and span_s > 0 else 1.0
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def y_of(value: float) -> float:
        return round(TOP + (1 - min(1.0, value / top)) * (HEIGHT - TOP - BOTTOM), 1)

    marks = tuple(
        Mark(x_of(stand.at), None if value is None else y_of(value), stand.result_id, stand.at, value)
        for stand, value in zip(trend.stands, values, strict=True)
    )
    return Chart(
        name,
        unit,
        marks,
        " ".join(f"{mark.x:g},{mark.y:g}" for mark in marks if mark.y is not None),
        top,
        limit,
        y_of(limit) if limit is not None and limit <= top else None,
        x_of(trend.step.at) if trend.step is not None else None,
        known[-1] if known and values[-1] is not None else None,
    )
