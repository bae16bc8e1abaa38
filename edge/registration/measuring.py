"""From a motion to the evidence for it: inliers, coverage, similarity, visible share; never worse than doing nothing."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.registration.gates import Measured, Shape, shape_of
from edge.registration.motion import Motion, Points, distances
from edge.registration.reference import Prepared, Reference, enlarge
from edge.registration.warping import covered
from edge.types import Alignment, Homography

BAND_PX = 1.5  # work pixels; a corner further off does not support the motion
GRID = 8  # cells along the longer side for coverage and for cross-validation
SIMILARITY_SLACK = 0.01  # the noise of the similarity between two warps of one scene


@dataclass(frozen=True, eq=False)
class Finding:
    """A motion frame -> reference in work pixels with the corresponding points it was made from, float64 Nx2."""

    start: str
    motion: Motion
    matrix: Homography
    places: Points
    corners: Points
    rival: float = 0.0


def grid_wh(reference: Reference) -> tuple[int, int]:
    """Columns and rows of the grid for coverage."""
    height, width = reference.prepared.work.shape
    cell = max(height, width) / GRID
    return int(np.ceil(width / cell)), int(np.ceil(height / cell))


def cells_of(corners: Points, reference: Reference) -> NDArray[np.intp]:
    """The grid cell (column, row) of each corner, integer Nx2."""
    return np.asarray(corners // (max(reference.prepared.work.shape) / GRID), np.intp)


def measure(finding: Finding, frame: Prepared, reference: Reference) -> Alignment:
    """The alignment with all its evidence; identity instead where the motion is degenerate or no better than nothing."""
    motion, matrix = finding.motion, finding.matrix
    before, visible = _likeness(frame, reference, np.eye(3))
    after, shape = before, shape_of(matrix, frame.work.shape[1::-1])
    if shape is not None and motion != "identity":
        after, visible_after = _likeness(frame, reference, matrix)
    if shape is None or after < before - SIMILARITY_SLACK:
        motion, matrix, shape, after = "identity", np.eye(3), Shape(), before
    elif motion != "identity":
        visible = visible_after
    error = distances(matrix, finding.places, finding.corners)
    kept = error <= BAND_PX
    columns, rows = grid_wh(reference)
    occupied = np.unique(cells_of(finding.corners[kept], reference), axis=0)
    factor, full = reference.factors.work, enlarge(reference.factors.work)
    return Measured(
        start=finding.start,
        motion=motion,
        matrix=full @ matrix @ np.linalg.inv(full),
        shape=Shape(shape.shift_px * factor, shape.rotation_deg, shape.scale, shape.shear, shape.determinant),
        points=len(finding.places),
        inliers=int(kept.sum()),
        residual_px=float(np.sqrt(np.mean(error[kept] ** 2)) * factor) if kept.any() else float(reference.side_px),
        coverage=len(occupied) / (columns * rows),
        rival=finding.rival,
        similarity=after,
        similarity_before=before,
        visible=visible,
        bare=reference.settings.mode == "none" and reference.likeness.is_bare,
    ).alignment(reference.settings, reference.side_px)


def _likeness(frame: Prepared, reference: Reference, matrix: Homography) -> tuple[float, float]:
    """(similarity, visible share of the judged area) of the frame under a work-pixel homography."""
    scale = enlarge(reference.factors.detail)
    small = np.linalg.inv(scale) @ matrix @ scale
    size_wh = (reference.prepared.detail.shape[1], reference.prepared.detail.shape[0])
    frame_wh = (frame.detail.shape[1], frame.detail.shape[0])
    seen = covered(small, frame_wh, size_wh)
    judged = reference.likeness.judged
    visible = float((seen & judged).sum() / max(1, judged.sum()))
    warped = cv2.warpPerspective(frame.detail, small, size_wh, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return reference.likeness.of(np.asarray(warped, np.float32), seen), visible
