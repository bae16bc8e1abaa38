"""Named polygons to rasters, and which pixels of an anomaly map may be judged at all. Pure.

Polygons are written in 0..1 of the reference's width and height, edge to edge: 0 is the left edge of the first pixel, 1
the right edge of the last, so that (0, 0) in pixel coordinates (a pixel's centre) is 0.5 / width. A pixel is masked if its
centre lies in a polygon (even-odd rule), found exactly rather than with `cv2.fillPoly`, whose outlines spill over by up to
a pixel: on a 256-pixel map of a 2448-pixel frame that would hide a strip ten pixels wide.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge.settings.judging import MaskPolygon
from edge.types import Homography, MaskBool

_EDGE_SLACK_PX = 0.01  # a frame that fits exactly must not lose its outermost pixels to rounding


def rasterise(
    polygons: Sequence[MaskPolygon],
    reference_size_wh: tuple[int, int],
    target_size_wh: tuple[int, int] | None = None,
    reference_to_target: Homography | None = None,
) -> MaskBool:
    """True where an enabled polygon covers the pixel: bool HxW of the target grid (the reference itself by default).

    reference_to_target: homography from reference pixels to target pixels; identity by default. ValueError if it sends
    part of a polygon to infinity.
    """
    width, height = target_size_wh or reference_size_wh
    masked = np.zeros((height, width), np.bool_)
    for polygon in polygons:
        if polygon.enabled:
            corners = np.array(polygon.points, np.float64) * reference_size_wh - 0.5
            masked |= _inside(_transformed(reference_to_target, corners), width, height)
    return masked


def judged_area(
    polygons: Sequence[MaskPolygon],
    reference_size_wh: tuple[int, int],
    map_size_wh: tuple[int, int],
    map_to_reference: Homography,
) -> MaskBool:
    """True where a map pixel belongs to the reference and no enabled polygon covers it: bool HxW of the map.

    ValueError if map_to_reference cannot be inverted. Compute once per recipe; combine with `visible_area` per frame.
    """
    try:
        reference_to_map = np.asarray(np.linalg.inv(map_to_reference), np.float64)
    except np.linalg.LinAlgError:
        raise ValueError("map_to_reference cannot be inverted") from None
    masked = rasterise(polygons, reference_size_wh, map_size_wh, reference_to_map)
    return visible_area(reference_size_wh, reference_to_map, map_size_wh) & ~masked


def visible_area(frame_size_wh: tuple[int, int], frame_to_map: Homography, map_size_wh: tuple[int, int]) -> MaskBool:
    """True where the whole map pixel, not only its centre, is covered by the frame: bool HxW of the map.

    All False if the homography sends part of the frame to infinity: then nothing can be said to be visible.
    """
    width, height = map_size_wh
    low, (high_x, high_y) = -0.5 - _EDGE_SLACK_PX, np.array(frame_size_wh) - 0.5 + _EDGE_SLACK_PX
    frame = np.array([(low, low), (high_x, low), (high_x, high_y), (low, high_y)])
    try:
        quad = _transformed(frame_to_map, frame)
    except ValueError:
        return np.zeros((height, width), np.bool_)
    left, right = _row_spans(quad, np.arange(height + 1, dtype=np.float64) - 0.5)
    left, right = np.maximum(left[:-1], left[1:]), np.minimum(right[:-1], right[1:])
    edges = np.arange(width + 1) - 0.5
    visible: MaskBool = (edges[:-1] >= left[:, None]) & (edges[1:] <= right[:, None])
    return visible


def _transformed(matrix: Homography | None, points: NDArray[np.float64]) -> NDArray[np.float64]:
    if matrix is None:
        return points
    homogeneous = np.column_stack((points, np.ones(len(points)))) @ np.asarray(matrix, np.float64).T
    depth = homogeneous[:, 2:]
    if not np.isfinite(homogeneous).all() or not ((depth > 1e-9).all() or (depth < -1e-9).all()):
        raise ValueError("the homography sends part of the area to infinity")
    result: NDArray[np.float64] = homogeneous[:, :2] / depth
    return result


def _inside(corners: NDArray[np.float64], width: int, height: int) -> MaskBool:
    """Even-odd fill: each edge toggles every pixel to its right, row by row."""
    toggles = np.zeros((height, width + 1), np.bool_)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        top, bottom = max(min(y0, y1), -1.0), min(max(y0, y1), float(height))
        rows = np.arange(int(np.ceil(top)), int(np.ceil(bottom)))
        rows = rows[(rows >= 0) & (rows < height)]
        if rows.size:
            crossing = x0 + (rows - y0) * ((x1 - x0) / (y1 - y0))
            toggles[rows, np.clip(np.ceil(crossing), 0, width).astype(np.intp)] ^= True
    filled: MaskBool = np.logical_xor.accumulate(toggles[:, :width], axis=1)
    return filled


def _row_spans(quad: NDArray[np.float64], rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where each row enters and leaves a convex quad; an empty span (inf, -inf) where it misses it."""
    left = np.full(rows.shape, np.inf)
    right = np.full(rows.shape, -np.inf)
    for (x0, y0), (x1, y1) in zip(quad, np.roll(quad, -1, axis=0), strict=True):
        hit = (rows >= min(y0, y1)) & (rows <= max(y0, y1))
        slope = (x1 - x0) / (y1 - y0) if y1 != y0 else 0.0
        for crossing in ((x0 + (rows - y0) * slope), x1 - (y1 - rows) * slope) if y1 != y0 else (x0, x1):
            left = np.where(hit, np.minimum(left, crossing), left)
            right = np.where(hit, np.maximum(right, crossing), right)
    return left, right
