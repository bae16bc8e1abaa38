"""Charts as inline SVG: axes, grid, lines, bars, direct labels. Colours come from the page's style sheet (light and dark)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calibration.report.markup import Markup, join, tag

WIDTH, HEIGHT = 480, 340
LEFT, RIGHT, TOP, BOTTOM = 54, 14, 12, 44
LABEL_GAP_PX = 19


@dataclass(frozen=True)
class Axis:
    """One axis: what it shows, from where to where, whether it is logarithmic, and whether it counts whole things."""

    label: str
    low: float
    high: float
    log: bool = False
    whole: bool = False

    def share(self, value: float) -> float:
        """Where the value lies on the axis, 0..1 inside."""
        low, high = (math.log10(self.low), math.log10(self.high)) if self.log else (self.low, self.high)
        place = math.log10(max(value, self.low * 1e-3)) if self.log else value
        return (place - low) / ((high - low) or 1.0)

    def ticks(self) -> list[float]:
        """Round values, four to eight of them."""
        if self.log:
            decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            steps = (1, 2, 5) if self.high / self.low <= 200 else (1,)
            return [each for power in decades for step in steps if self.low <= (each := step * 10.0**power) <= self.high]
        raw = (self.high - self.low) / 5 or 1.0
        power = 10.0 ** math.floor(math.log10(raw))
        step = next(size * power for size in (1, 2, 2.5, 5, 10) if size * power >= raw * 0.999)
        if self.whole:
            step = float(math.ceil(step))
        first = math.ceil(self.low / step - 1e-9)
        return [number * step for number in range(first, math.floor(self.high / step + 1e-9) + 1)]


@dataclass(frozen=True)
class Line:
    """A curve. look: the CSS class that colours it. dashed, thick: how it is drawn. label: written beside it, "" for none."""

    x: Sequence[float]
    y: Sequence[float]
    look: str
    name: str
    dashed: bool = False
    thick: bool = False


@dataclass(frozen=True)
class Mark:
    """A vertical line at a value, with its name."""

    value: float
    name: str


class Chart:
    """Pixels of one chart from values; `svg` puts it together."""

    def __init__(self, x: Axis, y: Axis, title: str) -> None:
        self.x, self.y, self.title = x, y, title
        self._parts: list[Markup] = []

    def px(self, value: float) -> float:
        """Pixels from the left."""
        return LEFT + (WIDTH - LEFT - RIGHT) * min(1.02, max(-0.02, self.x.share(value)))

    def py(self, value: float) -> float:
        """Pixels from the top."""
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * min(1.02, max(-0.02, self.y.share(value)))

    def line(self, line: Line) -> None:
        """Draw a curve; points closer than a quarter of a pixel are left out."""
        places: list[tuple[float, float]] = []
        for x, y in zip(line.x, line.y, strict=True):
            at = (round(self.px(x), 1), round(self.py(y), 1))
            if not places or abs(at[0] - places[-1][0]) + abs(at[1] - places[-1][1]) >= 0.25:
                places.append(at)
        points = " ".join(f"{x:g},{y:g}" for x, y in places)
        look = " ".join(("line", line.look, *(["dashed"] if line.dashed else []), *(["thick"] if line.thick else [])))
        self._parts.append(tag("polyline", points=points, class_=look))

    def bars(self, edges: Sequence[float], counts: Sequence[int], look: str, sign: int) -> None:
        """A histogram from the zero line up (sign 1) or down (-1)."""
        for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True):
            if count:
                left, right = self.px(low), self.px(high)
                top, bottom = sorted((self.py(0), self.py(sign * count)))
                width, height = max(1.0, right - left - 1), bottom - top
                self._parts.append(
                    tag("rect", x=round(left, 1), y=round(top, 1), width=round(width, 1), height=round(height, 1), class_=look)
                )

    def rug(self, values: Sequence[float], look: str) -> None:
        """A short stroke for each value, on the zero line."""
        for value in values:
            x, y = round(self.px(value), 1), self.py(0)
            self._parts.append(tag("line", x1=x, x2=x, y1=round(y - 5, 1), y2=round(y + 5, 1), class_=look))

    def marks(self, marks: Sequence[Mark]) -> None:
        """Vertical lines with their names beside them, one below the other so that none covers another."""
        for row, mark in enumerate(sorted(marks, key=lambda each: each.value)):
            x = round(self.px(mark.value), 1)
            y = TOP + 10 + LABEL_GAP_PX * row
            self._parts.append(tag("line", x1=x, x2=x, y1=TOP, y2=HEIGHT - BOTTOM, class_="mark"))
            right = x < LEFT + 0.62 * (WIDTH - LEFT - RIGHT)
            anchor, place = ("start", x + 4) if right else ("end", x - 4)
            self._parts.append(tag("text", mark.name, x=place, y=y, text_anchor=anchor, class_="label halo"))

    def text(self, words: str, x: float, y: float, anchor: str = "start", look: str = "label halo") -> None:
        """Words at a place in pixels."""
        self._parts.append(tag("text", words, x=round(x, 1), y=round(y, 1), text_anchor=anchor, class_=look))

    def svg(self) -> Markup:
        """The whole chart, with its frame behind and its title for those who cannot see it."""
        view = f"0 0 {WIDTH} {HEIGHT}"
        return tag("svg", tag("title", self.title), *self._frame(), *self._parts, viewBox=view, role="img", class_="chart")

    def _frame(self) -> list[Markup]:
        bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
        parts = []
        for value in self.x.ticks():
            at = round(self.px(value), 1)
            parts.append(tag("line", x1=at, x2=at, y1=TOP, y2=bottom, class_="grid"))
            parts.append(tag("text", _tick(value), x=at, y=bottom + 16, text_anchor="middle", class_="tick"))
        for value in self.y.ticks():
            at = round(self.py(value), 1)
            parts.append(tag("line", x1=LEFT, x2=right, y1=at, y2=at, class_="grid"))
            parts.append(
                tag(
                    "text",
                    _tick(abs(value) if self.y.low < 0 else value),
                    x=LEFT - 7,
                    y=at + 4,
                    text_anchor="end",
                    class_="tick",
                )
            )
        middle = LEFT + (right - LEFT) / 2
        parts.append(tag("text", self.x.label, x=middle, y=HEIGHT - 8, text_anchor="middle", class_="axis"))
        turn = f"rotate(-90 14 {TOP + (bottom - TOP) / 2:g})"
        parts.append(
            tag("text", self.y.label, x=14, y=TOP + (bottom - TOP) / 2, text_anchor="middle", transform=turn, class_="axis")
        )
        return parts


def span(values: Sequence[float], share: float = 0.04) -> tuple[float, float]:
    """Lowest and highest value with a little room around them; 0..1 where there is none."""
    finite = np.array([value for value in values if math.isfinite(value)])
    if not finite.size:
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    room = (high - low) * share if high > low else abs(high) * max(share, 0.04) or 1.0
    return low - room, high + room


def legend(lines: Sequence[Line]) -> Markup:
    """The names of the lines with a piece of each."""
    items = []
    for line in lines:
        look = " ".join(("line", line.look, *(["dashed"] if line.dashed else []), *(["thick"] if line.thick else [])))
        piece = tag(
            "svg", tag("polyline", points="1,6 33,6", class_=look), viewBox="0 0 34 12", class_="key", aria_hidden="true"
        )
        items.append(tag("li", piece, tag("span", line.name)))
    return tag("ul", join(*items), class_="legend")


def _tick(value: float) -> str:
    return f"{value:.4g}" if value else "0"
