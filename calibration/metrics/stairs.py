"""Curves of pixels from the counts around each anomalous score."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from calibration.metrics.curves import Curve, Pen
from calibration.metrics.steps import Steps
from edge.errors import ConfigError

Float64s = NDArray[np.float64]
Rising = Literal["found", "overlap"]


def check_limit(limit: float) -> None:
    """Raise ConfigError unless 0 < limit <= 1."""
    if not 0 < limit <= 1:
        raise ConfigError(
            f"the limit of the false-positive rate is {limit}", remedy="write a rate above 0 and at most 1; usual is 0.3"
        )


def stairs(steps: Steps, rising: Rising) -> Iterator[tuple[Float64s, Float64s, Float64s]]:
    """Vertices (false-positive rate, share found or mean overlap, threshold) from (0, 0) to (1, 1), in pieces.

    Two for each score: background above it moves along, then what ties with it moves along and up together. Each piece
    starts with the last vertex of the one before.
    """
    whole = steps.anomalous if rising == "found" else steps.regions
    last = (0.0, 0.0, np.inf)
    for block in steps.falling():
        height = (block.found if rising == "found" else block.overlap) / whole
        rates, heights, thresholds = (np.empty(2 * len(height) + 1) for _ in range(3))
        rates[0], heights[0], thresholds[0] = last
        rates[1::2], rates[2::2] = block.above / steps.background, block.reached / steps.background
        heights[2::2] = height
        heights[1::2] = heights[:-1:2]
        thresholds[1::2], thresholds[2::2] = block.values, block.just_under
        last = rates[-1], heights[-1], thresholds[-1]
        yield rates, heights, thresholds
    yield np.array([last[0], 1.0]), np.array([last[1], 1.0]), np.array([last[2], -np.inf])


def area_up_to(x: Float64s, y: Float64s, limit: float) -> float:
    """Area under straight lines between vertices with x ascending, up to x = limit or to the last vertex."""
    inside = int(np.searchsorted(x, limit))
    area = float(np.dot(np.diff(x[:inside]), y[1:inside] + y[: max(inside - 1, 0)])) / 2
    if 0 < inside < len(x):  # cut by hand: np.interp would take the top of a step that stands at the limit
        (left, right), (low, high) = x[inside - 1 : inside + 1], y[inside - 1 : inside + 1]
        at_limit = low + (high - low) * (limit - left) / (right - left)
        area += float((limit - left) * (low + at_limit)) / 2
    return area


def draw_stairs(steps: Steps, rising: Rising, points: int | None, limit: float = 1.0) -> Curve:
    """The curve of `stairs` up to the first vertex past the limit, with about `points` points (None: every vertex)."""
    pen = Pen(points)
    start = 0
    for rates, heights, thresholds in stairs(steps, rising):
        past = int(np.searchsorted(rates, limit, "right")) + 1
        part = slice(start, past)
        pen.add(rates[part], heights[part], thresholds[part], np.minimum(rates[part] / limit, 1) + heights[part])
        if past <= len(rates):
            break
        start = 1
    return pen.curve()


def draw_precision(steps: Steps, points: int | None) -> Curve:
    """Precision over recall, with about `points` points: spread over recall and over the logarithm of what is predicted."""
    pen = Pen(points)
    pen.add(np.zeros(1), np.ones(1), np.full(1, np.inf), np.zeros(1))
    logarithm_of_all = np.log(steps.anomalous + steps.background)
    for block in steps.falling():
        recall, predicted = block.found / steps.anomalous, block.found + block.reached
        pen.add(recall, block.found / predicted, block.just_under, recall + np.log(predicted) / logarithm_of_all)
    return pen.curve()
