"""Curves, exact or thinned for drawing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.errors import ConfigError

Float64s = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Curve:
    """Points (x, y) in the order of falling thresholds, straight lines between them; arrays read-only float64.

    thresholds: what lies *above* thresholds[i] is anomalous at point i, as the station judges it (+inf: nothing is).
    vertices: how many points the exact curve has; where fewer are here, it was thinned for drawing. Areas are never
    taken from a thinned curve.
    """

    x: Float64s
    y: Float64s
    thresholds: Float64s
    vertices: int

    def __post_init__(self) -> None:
        for array in (self.x, self.y, self.thresholds):
            array.flags.writeable = False

    def __len__(self) -> int:
        return len(self.x)

    @property
    def thinned(self) -> bool:
        """True if points were left out."""
        return len(self.x) < self.vertices


@dataclass(frozen=True)
class Peak:
    """The best value of a figure and the highest threshold that gives it."""

    value: float
    threshold: float


class Pen:
    """Draws a curve from its vertices, piece by piece, keeping about one for every equal stretch of its way.

    The way is a figure that only grows along the curve, from 0 to 2 at most: for one that only rises, how far it has
    gone along and across, so that no vertex is further than 2 / (points - 1) from what is drawn. points None keeps all.
    """

    def __init__(self, points: int | None) -> None:
        if points is not None and points < 2:
            raise ConfigError(f"a curve of {points} points", remedy="write 2 or more")
        self._stretch = None if points is None else 2 / (points - 1)
        self._kept: list[tuple[Float64s, Float64s, Float64s]] = []
        self._last: tuple[Float64s, Float64s, Float64s] | None = None
        self._at = -1.0
        self._vertices = 0

    def add(self, x: Float64s, y: Float64s, thresholds: Float64s, way: Float64s) -> None:
        """The next vertices, at least one."""
        self._vertices += len(x)
        if self._stretch is None:
            self._kept.append((x, y, thresholds))
            return
        stretches = np.floor(way / self._stretch)
        keep = np.flatnonzero(np.diff(stretches, prepend=self._at))
        self._at = float(stretches[-1])
        self._kept.append((x[keep], y[keep], thresholds[keep]))
        self._last = None if len(keep) and keep[-1] == len(x) - 1 else (x[-1:], y[-1:], thresholds[-1:])

    def curve(self) -> Curve:
        """What was drawn; its last vertex is always the last of the curve."""
        parts = self._kept if self._last is None else [*self._kept, self._last]
        x, y, thresholds = (np.concatenate(each) for each in zip(*parts, strict=True))
        return Curve(x, y, thresholds, self._vertices)
