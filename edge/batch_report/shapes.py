"""Outcomes as shapes, told apart without colour: tick in a circle, cross in an octagon, question mark in a diamond, a person in
a square for a release. The first three are those of the overlays (edge/banner.py).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

Look = Literal["good", "bad", "open", "person"]
Point = tuple[float, float]


@dataclass(frozen=True)
class Shape:
    """Strokes on 24 x 24 units. lines: corners and whether they close. circles: centre and radius."""

    lines: tuple[tuple[tuple[Point, ...], bool], ...]
    circles: tuple[tuple[float, float, float], ...] = ()


def look_of(outcome: str) -> Look:
    """What an outcome looks like; one that is not known like UNDECIDED, never like a pass."""
    looks: dict[str, Look] = {"PASS": "good", "CLEAR": "good", "FAIL": "bad", "NOT_CLEAR": "bad", "RELEASED_BY": "person"}
    return looks.get(outcome, "open")


def _corners(sides: int, turn: float, radius: float) -> tuple[Point, ...]:
    angles = [(place + turn) * 2 * math.pi / sides for place in range(sides)]
    return tuple((round(12 + radius * math.cos(angle), 2), round(12 + radius * math.sin(angle), 2)) for angle in angles)


def _arc(x: float, y: float, radius: float, start: float, end: float) -> tuple[Point, ...]:
    angles = [math.radians(start + (end - start) * step / 12) for step in range(13)]
    return tuple((round(x + radius * math.cos(angle), 2), round(y + radius * math.sin(angle), 2)) for angle in angles)


SHAPES: Final[dict[Look, Shape]] = {
    "good": Shape(((((7, 12.5), (10.6, 16), (17, 8.6)), False),), ((12, 12, 10.4),)),
    "bad": Shape(((_corners(8, 0.5, 11), True), (((8, 8), (16, 16)), False), (((16, 8), (8, 16)), False))),
    "open": Shape(
        (
            (_corners(4, 0, 11.2), True),
            ((*_arc(12, 9.6, 2.6, -180, 60), (12, 13.6)), False),
            (((12, 16.4), (12, 16.5)), False),
        )
    ),
    "person": Shape(
        ((((1.6, 1.6), (22.4, 1.6), (22.4, 22.4), (1.6, 22.4)), True), (_arc(12, 19.4, 6, -180, 0), False)), ((12, 8.4, 3.4),)
    ),
}
