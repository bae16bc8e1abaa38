"""Labels in another frame: a homography moves regions as it moves the pixels under them, and what it pushes out is said.

Outlines are moved exactly: corners by the homography, an ellipse through its dual conic (R. Hartley, A. Zisserman:
Multiple View Geometry, 2nd edition, section 2.2.3), because both stay what they are under a homography. Pixels are fetched from
their nearest source pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from calibration.labels.items import Labelled
from calibration.labels.shapes import Ellipse, Point, Points, Polygon, Polyline, Raster, Region, bounds, pack, rasterise
from edge.types import Homography

_FLAT = 1e-9


@dataclass(frozen=True, eq=False)
class Moved:
    """The label in the new frame, and one sentence for each region of which something left that frame or vanished."""

    item: Labelled
    lost: tuple[str, ...]


def move(item: Labelled, frame_to_target: Homography, target_size_wh: tuple[int, int]) -> Moved:
    """A label seen from a target frame of the given size; `path` stays that of the image that was labelled.

    frame_to_target: float64 3x3, image pixels to target pixels. ValueError if it cannot be inverted or sends part of the
    image to infinity.
    """
    matrix = np.asarray(frame_to_target, np.float64)
    width, height = item.size_wh
    apply(matrix, np.array(((0, 0), (width - 1, 0), (width - 1, height - 1), (0, height - 1)), np.float64))
    inverse = _inverted(matrix)
    regions: list[Region] = []
    lost: list[str] = []
    for region in item.regions:
        there = _moved(region, matrix, inverse, target_size_wh)
        regions.append(there)
        lost += _loss(region, there, matrix, item.size_wh, target_size_wh)
    return Moved(replace(item, regions=tuple(regions), size_wh=target_size_wh), tuple(lost))


def apply(matrix: Homography, points: Points) -> Points:
    """Nx2 points through a homography; ValueError if it sends some of them to infinity, or to both sides of it."""
    homogeneous = np.column_stack((points, np.ones(len(points)))) @ matrix.T
    depth = homogeneous[:, 2:]
    if not np.isfinite(homogeneous).all() or not ((depth > _FLAT).all() or (depth < -_FLAT).all()):
        raise ValueError("the homography sends part of the image to infinity")
    result: Points = homogeneous[:, :2] / depth
    return result


def _inverted(matrix: Homography) -> Homography:
    try:
        inverse = np.linalg.inv(matrix)
    except np.linalg.LinAlgError:
        raise ValueError("the homography cannot be inverted") from None
    if not np.isfinite(inverse).all():
        raise ValueError("the homography cannot be inverted")
    return np.asarray(inverse, np.float64)


def _moved(region: Region, matrix: Homography, inverse: Homography, size_wh: tuple[int, int]) -> Region:
    if isinstance(region, (Polygon, Polyline)):
        return replace(region, points=apply(matrix, region.points))
    if isinstance(region, Point):
        x, y = apply(matrix, np.array(((region.x, region.y),)))[0]
        return Point(region.kind, float(x), float(y))
    if isinstance(region, Ellipse):
        return _moved_ellipse(region, matrix)
    return _moved_raster(region, matrix, inverse, size_wh)


def _moved_ellipse(region: Ellipse, matrix: Homography) -> Ellipse:
    apply(matrix, _corners(bounds(region)))
    cos, sin = np.cos(region.theta_rad), np.sin(region.theta_rad)
    (rx, ry), (x, y) = region.radii, region.centre
    from_circle = np.array(((rx * cos, -ry * sin, x), (rx * sin, ry * cos, y), (0.0, 0.0, 1.0)))
    origin = apply(matrix, np.array((region.centre,)))[0]
    shift = np.array(((1, 0, -origin[0]), (0, 1, -origin[1]), (0, 0, 1.0)))
    to_target = shift @ matrix @ from_circle
    dual = to_target @ np.diag((1.0, 1.0, -1.0)) @ to_target.T
    dual = dual / -dual[2, 2]
    centre = -dual[:2, 2]
    squares, axes = np.linalg.eigh(dual[:2, :2] + np.outer(centre, centre))
    radii = np.sqrt(np.maximum(squares, _FLAT**2))
    theta = float(np.arctan2(axes[1, 0], axes[0, 0]))
    middle = (float(centre[0] + origin[0]), float(centre[1] + origin[1]))
    return Ellipse(region.kind, middle, (float(radii[0]), float(radii[1])), theta)


def _moved_raster(region: Raster, matrix: Homography, inverse: Homography, size_wh: tuple[int, int]) -> Raster:
    left, top, right, bottom = bounds(region)
    corners = apply(matrix, _corners((left - 0.5, top - 0.5, right + 0.5, bottom + 0.5)))
    low = np.clip(np.floor(corners.min(axis=0)), 0, size_wh).astype(int)
    high = np.clip(np.ceil(corners.max(axis=0)) + 1, 0, size_wh).astype(int)
    x, y = np.meshgrid(np.arange(low[0], high[0]), np.arange(low[1], high[1]))
    seen = np.stack((x.ravel(), y.ravel(), np.ones(x.size))).astype(np.float64)
    source = inverse @ seen
    with np.errstate(divide="ignore", invalid="ignore"):
        column, row = np.floor(source[:2] / source[2] + 0.5)
    pixels = region.pixels
    inside = (column >= left) & (column <= right) & (row >= top) & (row <= bottom)
    mask = np.zeros(x.size, np.bool_)
    mask[inside] = pixels[(row[inside] - top).astype(int), (column[inside] - left).astype(int)]
    return pack(region.kind, mask.reshape(x.shape), int(low[0]), int(low[1]))


def _loss(
    before: Region, after: Region, matrix: Homography, size_wh: tuple[int, int], target_wh: tuple[int, int]
) -> Sequence[str]:
    rows, columns = np.nonzero(rasterise((before,), size_wh))
    if not rows.size:
        return ()
    there = apply(matrix, np.column_stack((columns, rows)).astype(np.float64))
    outside = ((there < -0.5) | (there >= np.array(target_wh) - 0.5)).any(axis=1)
    where = f"region {before.kind!r} at x {columns.mean():.0f}, y {rows.mean():.0f}"
    if outside.any():
        return (f"{where}: {100 * outside.mean():.3g} % of it leaves the frame",)
    if not rasterise((after,), target_wh).any():
        return (f"{where}: too small to mark a pixel of the frame",)
    return ()


def _corners(box: tuple[float, float, float, float]) -> Points:
    left, top, right, bottom = box
    return np.array(((left, top), (right, top), (right, bottom), (left, bottom)), np.float64)
