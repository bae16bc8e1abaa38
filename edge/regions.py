"""Connected areas of a smoothed map that are above a threshold, in reference and in frame pixels. Pure.

A `Box` starts at its first pixel column and row and is as wide as the columns it covers (`image[y:y + height]`), while
centroids are in the usual coordinates, (0, 0) at the centre of the first pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.types import Box, Homography, MapF32, MaskBool, Region

MAX_REGIONS = 100


@dataclass(frozen=True, eq=False)
class Geometry:
    """Where a map's pixels are: in the reference and in the frame (both homographies can be inverted)."""

    map_to_reference: Homography
    frame_to_reference: Homography
    frame_size_wh: tuple[int, int]

    @property
    def map_to_frame(self) -> Homography:
        """Homography from map pixels to frame pixels."""
        return np.asarray(np.linalg.inv(self.frame_to_reference) @ self.map_to_reference, np.float64)


def find_regions(
    smoothed: MapF32, judged: MaskBool, threshold: float, min_area_px: float, geometry: Geometry
) -> tuple[Region, ...]:
    """The areas (8-neighbour) above `threshold` that cover at least min_area_px reference pixels, highest peak first.

    At most MAX_REGIONS. An area's size in reference pixels is its pixel count times the homography's Jacobian at its
    centroid. Frame boxes are clipped to the frame.
    """
    above = (smoothed > threshold) & judged
    if not above.any():
        return ()
    count, labels, stats, centroids = cv2.connectedComponentsWithStats(above.view(np.uint8), connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA] * _jacobian(geometry.map_to_reference, centroids)
    least = min_area_px * (1 - 1e-9)  # an area that equals the minimum is not lost to rounding
    peaks = np.full(count, -np.inf)
    foreground = np.flatnonzero(above)
    np.maximum.at(peaks, labels.ravel()[foreground], smoothed.ravel()[foreground])
    chosen = [int(label) for label in np.argsort(-peaks, kind="stable") if label and areas[label] >= least]
    chosen = chosen[:MAX_REGIONS]
    return _regions(stats[chosen], centroids[chosen], areas[chosen], peaks[chosen], geometry)


def region_at(smoothed: MapF32, judged: MaskBool, level: float, at: tuple[int, int], geometry: Geometry) -> Region:
    """The one area that holds the pixel `at` (x, y) and is at or above `level`, whatever its size."""
    column, row = at
    above = ((smoothed >= level) & judged).view(np.uint8)
    above[row, column] = 1
    _, labels, stats, centroids = cv2.connectedComponentsWithStats(above, connectivity=8)
    label = int(labels[row, column])
    stat, centroid = stats[label : label + 1], centroids[label : label + 1]
    area = stat[:, cv2.CC_STAT_AREA] * _jacobian(geometry.map_to_reference, centroid)
    return _regions(stat, centroid, area, np.array([smoothed[row, column]], np.float64), geometry)[0]


def _regions(
    stats: NDArray[np.int32],
    centroids: NDArray[np.float64],
    areas: NDArray[np.float64],
    peaks: NDArray[np.float64],
    geometry: Geometry,
) -> tuple[Region, ...]:
    if not len(stats):
        return ()
    map_to_frame = geometry.map_to_frame
    near = stats[:, :2] - 0.5
    far = near + stats[:, 2:4]
    corners = np.stack((near, np.column_stack((far[:, 0], near[:, 1])), far, np.column_stack((near[:, 0], far[:, 1]))), 1)
    boxes = _boxes(_moved(geometry.map_to_reference, corners), None)
    frame_boxes = _boxes(_moved(map_to_frame, corners), geometry.frame_size_wh)
    centres = _moved(geometry.map_to_reference, centroids).tolist()
    frame_centres = _moved(map_to_frame, centroids).tolist()
    return tuple(
        Region(box, frame_box, (x, y), (frame_x, frame_y), float(area), float(peak))
        for box, frame_box, (x, y), (frame_x, frame_y), area, peak in zip(
            boxes, frame_boxes, centres, frame_centres, areas, peaks, strict=True
        )
    )


def _boxes(corners: NDArray[np.float64], size_wh: tuple[int, int] | None) -> list[Box]:
    """Bounding boxes of N x 4 corners."""
    low, high = corners.min(axis=1) + 0.5, corners.max(axis=1) + 0.5
    if size_wh is not None:
        low, high = np.clip(low, 0, size_wh), np.clip(high, 0, size_wh)
    return [Box(*values) for values in np.column_stack((low, high - low)).tolist()]


def _moved(matrix: Homography, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (..., 2) through a homography."""
    homogeneous = points @ matrix[:, :2].T + matrix[:, 2]
    result: NDArray[np.float64] = homogeneous[..., :2] / homogeneous[..., 2:]
    return result


def _jacobian(matrix: Homography, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The factor by which a homography grows a small area at each point: |det| / depth^3."""
    depth = points @ matrix[2, :2] + matrix[2, 2]
    grown: NDArray[np.float64] = abs(float(np.linalg.det(matrix))) / np.abs(depth) ** 3
    return grown
