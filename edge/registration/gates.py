"""The limits that an alignment must keep, and the shape of a homography."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge.registration.motion import transform
from edge.settings.registration import RegistrationSettings
from edge.types import Alignment, Gate, Homography

NEAR_INFINITY = 1e-3  # a frame whose corner comes this close to the horizon is not a view of the same plane


@dataclass(frozen=True)
class Shape:
    """How far a homography is from the identity, at worst over the middle and the corners of the frame.

    shift_px: largest displacement of a corner. scale: largest factor of length, at least 1 (0.5 counts as 2). shear:
    largest ratio of the two singular values, less 1. determinant: smallest of the Jacobian; negative is a mirror image.
    """

    shift_px: float = 0.0
    rotation_deg: float = 0.0
    scale: float = 1.0
    shear: float = 0.0
    determinant: float = 1.0


def shape_of(matrix: Homography, size_wh: tuple[int, int]) -> Shape | None:
    """The shape of a frame -> reference homography on a frame of that size; None if it is degenerate there."""
    if not np.isfinite(matrix).all():
        return None
    width, height = size_wh[0] - 1.0, size_wh[1] - 1.0
    places = np.array([[width / 2, height / 2], [0, 0], [width, 0], [width, height], [0, height]])
    depth = places @ matrix[2, :2] + matrix[2, 2]
    if (depth <= NEAR_INFINITY).any():
        return None
    mapped = transform(matrix, places)
    jacobians = (matrix[None, :2, :2] - mapped[:, :, None] * matrix[2, :2]) / depth[:, None, None]
    stretch = np.linalg.svd(jacobians, compute_uv=False)
    if not np.isfinite(mapped).all() or stretch.min() < 1e-6:
        return None
    determinants = np.linalg.det(jacobians)
    size = np.sqrt(np.abs(determinants))
    middle = jacobians[0]
    return Shape(
        shift_px=float(np.linalg.norm(mapped - places, axis=1).max()),
        rotation_deg=float(abs(np.degrees(np.arctan2(middle[1, 0] - middle[0, 1], middle[0, 0] + middle[1, 1])))),
        scale=float(np.maximum(size, 1 / size).max()),
        shear=float((stretch[:, 0] / stretch[:, 1]).max() - 1),
        determinant=float(determinants.min()),
    )


@dataclass(frozen=True, eq=False)
class Measured:
    """Everything known of one alignment, in reference pixels; similarity and similarity_before as in `Alignment`.

    bare: the reference shows too little for a similarity to mean anything.
    """

    start: str
    motion: str
    matrix: Homography
    shape: Shape
    points: int
    inliers: int
    residual_px: float
    coverage: float
    rival: float
    similarity: float
    similarity_before: float
    visible: float
    bare: bool = False

    def alignment(self, settings: RegistrationSettings, side_px: int) -> Alignment:
        """With every gate of the settings, passed or not; side_px: the reference's longer side."""
        return Alignment(
            frame_to_reference=self.matrix / self.matrix[2, 2],
            mode=settings.mode,
            start=self.start,
            motion=self.motion,
            points=self.points,
            inliers=self.inliers,
            residual_px=self.residual_px,
            coverage=self.coverage,
            corner_shift_px=self.shape.shift_px,
            similarity=self.similarity,
            similarity_before=self.similarity_before,
            visible=self.visible,
            gates=self._gates(settings, side_px),
        )

    def _gates(self, settings: RegistrationSettings, side_px: int) -> tuple[Gate, ...]:
        limits, shape = settings.gates, self.shape
        points = (
            Gate("inliers", float(self.inliers), float(limits.min_inliers), "min"),
            Gate("inlier_ratio", self.inliers / self.points if self.points else 0.0, limits.min_inlier_ratio, "min"),
            Gate("residual_px", self.residual_px, max(limits.max_residual * side_px, limits.finest_residual_px), "max"),
            Gate("coverage", self.coverage, limits.min_coverage, "min"),
            Gate("rival", self.rival, limits.max_rival, "max"),
            Gate("shift_px", shape.shift_px, limits.max_shift * side_px, "max"),
            Gate("rotation_deg", shape.rotation_deg, limits.max_rotation_deg, "max"),
            Gate("scale", shape.scale, limits.max_scale, "max"),
            Gate("shear", shape.shear, limits.max_shear, "max"),
            Gate("determinant", shape.determinant, limits.min_determinant, "min"),
        )
        image = (
            Gate("similarity", self.similarity, limits.min_similarity, "min"),
            Gate("visible", self.visible, limits.min_visible, "min"),
        )
        if settings.mode == "none":
            # An empty belt looks like nothing and like everything: there only the model can tell, and a cover is an anomaly.
            return image[1:] if self.bare else image
        return points + image


def refused(settings: RegistrationSettings, side_px: int) -> Alignment:
    """No alignment at all: identity, with gates that say so. Every number is finite: it goes into JSON."""
    nothing = Measured("none", "identity", np.eye(3), Shape(), 0, 0, float(side_px), 0.0, 0.0, 0.0, 0.0, 0.0)
    return nothing.alignment(settings, side_px)
