"""Regions of labels, and their exact raster. Pure.

Coordinates are those of `edge.types`: (0, 0) is the centre of the top-left pixel. Label files count from that pixel's
corner, as browsers, Qt and COCO do; `CORNER` is the difference, and the readers apply it. A pixel belongs to an area if
its centre lies inside (polygons: even-odd), which is the rule of `edge.masks`. A point marks the pixel that it falls on,
a line a stroke of one pixel.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from edge.types import MaskBool

CORNER = 0.5
_AT_ONCE = 2_000_000  # row crossings worked on at a time: hostile polygons cost time, not memory

Points = NDArray[np.float64]
Window: TypeAlias = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class Polygon:
    """points: float64 Nx2 (x, y), closed by itself whether or not the first point is repeated."""

    kind: str
    points: Points

    def __post_init__(self) -> None:
        object.__setattr__(self, "points", _frozen(self.points))


@dataclass(frozen=True, eq=False)
class Polyline:
    """An open line; marks a stroke of one pixel. points: float64 Nx2 (x, y)."""

    kind: str
    points: Points

    def __post_init__(self) -> None:
        object.__setattr__(self, "points", _frozen(self.points))


@dataclass(frozen=True)
class Ellipse:
    """radii in pixels along its own axes; theta_rad turns them clockwise as seen on the screen (y points down)."""

    kind: str
    centre: tuple[float, float]
    radii: tuple[float, float]
    theta_rad: float = 0.0


@dataclass(frozen=True)
class Point:
    """Marks one pixel."""

    kind: str
    x: float
    y: float


@dataclass(frozen=True)
class Raster:
    """Pixels, packed: `pack` makes it, `pixels` gives bool HxW. left and top: where they lie in the image."""

    kind: str
    left: int
    top: int
    size_wh: tuple[int, int]
    packed: bytes

    @property
    def pixels(self) -> MaskBool:
        """Mask bool HxW of its own window."""
        width, height = self.size_wh
        bits = np.unpackbits(np.frombuffer(zlib.decompress(self.packed), np.uint8), count=width * height)
        return bits.reshape(height, width).astype(np.bool_)


Region: TypeAlias = Polygon | Polyline | Ellipse | Point | Raster


def pack(kind: str, mask: MaskBool, left: int = 0, top: int = 0) -> Raster:
    """The marked pixels of bool HxW, cut to where they are; left and top: where the array's corner lies in the image."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return Raster(kind, left, top, (0, 0), zlib.compress(b""))
    part = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    size = (part.shape[1], part.shape[0])
    return Raster(kind, left + int(columns[0]), top + int(rows[0]), size, zlib.compress(np.packbits(part).tobytes()))


def rectangle(kind: str, left: float, top: float, right: float, bottom: float) -> Polygon:
    """A polygon of four corners."""
    return Polygon(kind, np.array(((left, top), (right, top), (right, bottom), (left, bottom)), np.float64))


def rasterise(regions: Sequence[Region], size_wh: tuple[int, int]) -> MaskBool:
    """True where any region covers the pixel: bool HxW, read-only. What lies outside the image is cut off."""
    width, height = size_wh
    mask = np.zeros((height, width), np.bool_)
    for region in regions:
        left, top, right, bottom = _window(region, size_wh)
        if left < right and top < bottom:
            mask[top:bottom, left:right] |= _drawn(region, (left, top, right, bottom), size_wh)
    mask.flags.writeable = False
    return mask


def bounds(region: Region) -> tuple[float, float, float, float]:
    """left, top, right, bottom of what it covers, as far as the centres of pixels go."""
    if isinstance(region, (Polygon, Polyline)):
        low, high = region.points.min(axis=0), region.points.max(axis=0)
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])
    if isinstance(region, Ellipse):
        (x, y), (rx, ry), (cos, sin) = region.centre, region.radii, _turn(region)
        half_x, half_y = float(np.hypot(rx * cos, ry * sin)), float(np.hypot(rx * sin, ry * cos))
        return x - half_x, y - half_y, x + half_x, y + half_y
    if isinstance(region, Point):
        return region.x, region.y, region.x, region.y
    return region.left, region.top, region.left + region.size_wh[0] - 1, region.top + region.size_wh[1] - 1


def _window(region: Region, size_wh: tuple[int, int]) -> Window:
    """The pixels that it can touch: left, top, right, bottom, the last two exclusive."""
    margin = CORNER if isinstance(region, (Polyline, Point)) else 0.0
    left, top, right, bottom = bounds(region)
    (low_x, high_x), (low_y, high_y) = (
        (max(0, int(np.ceil(low - margin))), min(size, int(np.floor(high + margin)) + 1))
        for low, high, size in ((left, right, size_wh[0]), (top, bottom, size_wh[1]))
    )
    if isinstance(region, (Polyline, Point)):  # the far edge of the image belongs to its last pixel
        low_x, low_y = min(low_x, size_wh[0] - 1), min(low_y, size_wh[1] - 1)
    return low_x, low_y, high_x, high_y


def _drawn(region: Region, window: Window, size_wh: tuple[int, int]) -> MaskBool:
    left, top, right, bottom = window
    if isinstance(region, Polygon):
        return _filled(region.points, window)
    if isinstance(region, Ellipse):
        x = np.arange(left, right, dtype=np.float64) - region.centre[0]
        y = (np.arange(top, bottom, dtype=np.float64) - region.centre[1])[:, None]
        cos, sin = _turn(region)
        inside: MaskBool = ((x * cos + y * sin) / region.radii[0]) ** 2 + ((y * cos - x * sin) / region.radii[1]) ** 2 <= 1
        return inside
    if isinstance(region, Raster):
        return region.pixels[top - region.top : bottom - region.top, left - region.left : right - region.left]
    points = np.array(((region.x, region.y),)) if isinstance(region, Point) else region.points
    return _stroke(points, window, size_wh)


def _filled(points: Points, window: Window) -> MaskBool:
    """Even-odd fill: each edge toggles every pixel to its right, row by row, exactly as `edge.masks` does it."""
    left, top, right, bottom = window
    height, stride = bottom - top, right - left + 1
    ends = np.roll(points, -1, axis=0)
    low, high = (np.ceil(pick(points[:, 1], ends[:, 1])) for pick in (np.minimum, np.maximum))
    first = np.clip(low, top, bottom).astype(np.int64)
    rows = np.clip(high, top, bottom).astype(np.int64) - first
    toggles = np.zeros(height * stride, np.bool_)
    batches = np.cumsum(rows) // _AT_ONCE
    for batch in range(int(batches[-1]) + 1) if len(batches) else ():
        chosen = np.flatnonzero((batches == batch) & (rows > 0))
        edge = np.repeat(chosen, rows[chosen])
        starts = np.cumsum(rows[chosen]) - rows[chosen]
        row = first[edge] + np.arange(edge.size) - np.repeat(starts, rows[chosen])
        (x0, y0), (x1, y1) = points[edge].T, ends[edge].T
        with np.errstate(over="ignore", invalid="ignore"):  # an edge of no height to speak of
            crossing = x0 + (row - y0) * ((x1 - x0) / (y1 - y0))
        crossing = np.where(np.isnan(crossing), x0, crossing)
        column = np.clip(np.ceil(crossing), left, right).astype(np.int64) - left
        toggles ^= (np.bincount((row - top) * stride + column, minlength=toggles.size) & 1).astype(np.bool_)
    filled: MaskBool = np.logical_xor.accumulate(toggles.reshape(height, stride)[:, :-1], axis=1)
    return filled


def _stroke(points: Points, window: Window, size_wh: tuple[int, int]) -> MaskBool:
    """The pixels that a line falls on, sampled at every pixel of its longer side; segments are cut to the image first."""
    left, top, right, bottom = window
    drawn = np.zeros((bottom - top, right - left), np.bool_)
    corner, far = points + CORNER, np.array(size_wh, np.float64)
    for start, end in pairwise(corner if len(corner) > 1 else (corner[0], corner[0])):
        enter, leave = _clip(start, end, far)
        if enter > leave:
            continue
        begin, way = start + enter * (end - start), (leave - enter) * (end - start)
        steps = int(np.ceil(np.abs(way).max()))
        along = np.arange(steps + 1)[:, None] / max(steps, 1)
        pixel = np.minimum(np.floor(begin + along * way), far - 1).astype(np.int64)
        pixel = np.maximum(pixel, 0)
        inside = (pixel >= (left, top)).all(axis=1) & (pixel < (right, bottom)).all(axis=1)
        drawn[pixel[inside, 1] - top, pixel[inside, 0] - left] = True
    return drawn


def _clip(start: Points, end: Points, far: Points) -> tuple[float, float]:
    """The share of a segment at which it enters and leaves the image, whose corners are (0, 0) and far (Liang-Barsky)."""
    enter, leave = 0.0, 1.0
    for begin, way, limit in zip(start, end - start, far, strict=True):
        if way == 0.0:
            if not 0.0 <= begin <= limit:
                return 1.0, 0.0
            continue
        near, away = sorted(((0.0 - begin) / way, (limit - begin) / way))
        enter, leave = max(enter, near), min(leave, away)
    return float(enter), float(leave)


def _turn(region: Ellipse) -> tuple[float, float]:
    return float(np.cos(region.theta_rad)), float(np.sin(region.theta_rad))


def _frozen(points: Points) -> Points:
    array = np.array(points, np.float64).reshape(-1, 2)
    array.flags.writeable = False
    return array
