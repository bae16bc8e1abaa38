"""What a person drew on a frame -> the pixels that are bad. Pure.

Coordinates are the browser's: pixels of the frame as grabbed, counted from the corner of the first. Shapes are painted one
after the other, so that an eraser takes away what was painted before it, and nothing else.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter, ValidationError

from calibration.labels.shapes import CORNER, Polygon, rasterise
from edge.errors import LineclearError
from edge.schema import Closed
from edge.types import ImageU8, MaskBool

MAX_SHAPES: Final = 400
MAX_POINTS: Final = 20_000
MAX_JSON_CHARS: Final = 900_000
_FRACTION_BITS: Final = 4
_FAR: Final = 100_000.0
_LEAST: Final = {"polygon": 3, "box": 2, "brush": 1, "erase": 1}

Coordinate = Annotated[float, Field(ge=-_FAR, le=_FAR, allow_inf_nan=False)]
Spot = tuple[Coordinate, Coordinate]


class DrawingError(LineclearError):
    """A drawing that cannot be used; nothing of it was kept."""


class Shape(Closed):
    """One thing that was drawn. polygon: its corners. box: two corners. brush, erase: the way of a tip `width` pixels wide."""

    kind: Literal["polygon", "box", "brush", "erase"]
    points: tuple[Spot, ...] = Field(min_length=1, max_length=MAX_POINTS)
    width: float = Field(0.0, ge=0, le=2000, allow_inf_nan=False)


_SHAPES: Final = TypeAdapter(tuple[Shape, ...])


def read_shapes(text: str) -> tuple[Shape, ...]:
    """The shapes of a page's JSON; "" is none. DrawingError: it is not what the page writes, or more than it can hold."""
    if not text.strip():
        return ()
    if len(text) > MAX_JSON_CHARS:
        raise DrawingError("the drawing is too large", remedy="draw fewer and simpler shapes")
    try:
        shapes = _SHAPES.validate_json(text)
    except (ValidationError, ValueError, RecursionError):
        raise DrawingError("the drawing cannot be read", remedy="load the page again and draw it once more") from None
    if len(shapes) > MAX_SHAPES or sum(len(shape.points) for shape in shapes) > MAX_POINTS:
        raise DrawingError("the drawing has too many shapes or points", remedy="draw fewer and simpler shapes")
    for shape in shapes:
        if len(shape.points) < _LEAST[shape.kind] or (shape.kind in ("brush", "erase") and shape.width <= 0):
            raise DrawingError(f"a {shape.kind} of the drawing is incomplete", remedy="take it back and draw it again")
    return shapes


def paint(shapes: tuple[Shape, ...], size_wh: tuple[int, int]) -> MaskBool:
    """True where the frame is bad: bool HxW."""
    width, height = size_wh
    mask = np.zeros((height, width), np.uint8)
    for shape in shapes:
        points = np.array(shape.points, np.float64) - CORNER
        if shape.kind in ("brush", "erase"):
            _stroke(mask, points, shape.width, int(shape.kind == "brush"))
        else:
            corners = points if shape.kind == "polygon" else _box(points)
            mask |= rasterise((Polygon("bad", corners),), size_wh).astype(np.uint8)
    return mask.astype(np.bool_)


def _box(points: NDArray[np.float64]) -> NDArray[np.float64]:
    (left, top), (right, bottom) = points[:2].min(axis=0), points[:2].max(axis=0)
    return np.array(((left, top), (right, top), (right, bottom), (left, bottom)))


def _stroke(mask: ImageU8, points: NDArray[np.float64], width: float, value: int) -> None:
    """A round tip along the points. What lies far outside is cut off by OpenCV itself."""
    scale = 1 << _FRACTION_BITS
    fixed = np.rint(points * scale).astype(np.int32)
    thickness = max(1, round(width))
    if len(fixed) == 1:
        centre = (int(fixed[0, 0]), int(fixed[0, 1]))
        cv2.circle(mask, centre, max(1, round(width / 2 * scale)), value, cv2.FILLED, cv2.LINE_8, _FRACTION_BITS)
        return
    cv2.polylines(mask, [fixed.reshape(-1, 1, 2)], False, value, thickness, cv2.LINE_8, _FRACTION_BITS)
