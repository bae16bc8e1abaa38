"""The scores as bars with the threshold as a line: where everything lies in a picture of fixed size. Pure, no markup."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

WIDTH, HEIGHT = 720, 260
LEFT, RIGHT, TOP, BOTTOM = 16, 16, 30, 34
MOST_BARS: Final = 40
_ROOM: Final = 0.06


@dataclass(frozen=True)
class Bar:
    """One bar, in the picture's units. count: how many scores; low, high: between which."""

    x: float
    y: float
    width: float
    height: float
    count: int
    low: float
    high: float


@dataclass(frozen=True)
class Tick:
    """A round value on the axis."""

    x: float
    text: str


@dataclass(frozen=True)
class Chart:
    """Everything that the picture shows. low, high: the scores at its left and right edge."""

    good: tuple[Bar, ...]
    bad: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    low: float
    high: float

    @property
    def left(self) -> float:
        """Where `low` is."""
        return LEFT

    @property
    def right(self) -> float:
        """Where `high` is."""
        return WIDTH - RIGHT

    @property
    def base(self) -> float:
        """Where the bars stand."""
        return HEIGHT - BOTTOM

    @property
    def top(self) -> float:
        """Where the highest bar ends."""
        return TOP

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return WIDTH, HEIGHT

    def x(self, score: float) -> float:
        """Where a score lies; kept within the picture."""
        share = (score - self.low) / ((self.high - self.low) or 1.0)
        return round(LEFT + min(max(share, 0.0), 1.0) * (WIDTH - LEFT - RIGHT), 2)


def chart(good: Sequence[float], bad: Sequence[float] = (), marks: Sequence[float] = (), beside: Sequence[float] = ()) -> Chart:
    """Of these scores; marks: values that must be seen too (the threshold, the ends of its band). beside: bad scores of another
    picture that is to have the same scale.

    A defect may score a hundred times what a good frame does: what lies far above is gathered in the last bar, so that the
    place where the threshold is chosen stays readable.
    """
    seen = [*good, *marks] or [0.0, 1.0]
    low, high = min(seen), max(seen)
    others = (*bad, *beside)
    if others:
        low = min(low, *others)
        high = max(high, min(max(others), high + 2 * ((high - low) or 1.0)))
    room = ((high - low) or 1.0) * _ROOM
    low, high = low - room, high + room
    bars = min(MOST_BARS, max(12, math.ceil(2 * math.sqrt(len(good) + len(bad)))))
    edges = np.linspace(low, high, bars + 1)
    clipped = (np.clip(np.asarray(part, np.float64), low, high) for part in (good, bad))
    counts = [np.histogram(part, edges)[0].tolist() for part in clipped]
    tallest = max(1, *counts[0], *counts[1])
    made = [_bars(part, edges.tolist(), tallest, low, high) for part in counts]
    ticks = tuple(Tick(_x(value, low, high), f"{value:.4g}") for value in _round_values(low, high))
    return Chart(made[0], made[1], ticks, float(low), float(high))


def _bars(counts: Sequence[int], edges: Sequence[float], tallest: int, low: float, high: float) -> tuple[Bar, ...]:
    bars = []
    for number, count in enumerate(counts):
        if not count:
            continue
        left, right = _x(edges[number], low, high), _x(edges[number + 1], low, high)
        height = round((HEIGHT - TOP - BOTTOM) * count / tallest, 2)
        bars.append(
            Bar(left, HEIGHT - BOTTOM - height, round(right - left, 2), height, int(count), float(edges[number]),
                float(edges[number + 1]))
        )  # fmt: skip
    return tuple(bars)


def _round_values(low: float, high: float) -> list[float]:
    """Four to eight of them."""
    raw = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(size * power for size in (1, 2, 2.5, 5, 10) if size * power >= raw * 0.999)
    return [number * step for number in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def _x(value: float, low: float, high: float) -> float:
    return round(LEFT + (value - low) / ((high - low) or 1.0) * (WIDTH - LEFT - RIGHT), 2)
