"""Settings of the registration and its gates; part of a recipe."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from edge.schema import Closed

RegistrationMode = Literal["track", "orb", "none"]
ResizeKernel = Literal["cv2_linear", "cv2_area", "antialiased_bilinear", "antialiased_bicubic"]
ResampleMode = Literal["exact", "fused"]


class Gates(Closed):
    """What an alignment must meet to be trusted.

    Lengths are shares of the reference's longer side, so they survive a change of resolution: 0.001 is 1 px in 1000.
    finest_residual_px: max_residual never asks for less, since corners cannot be placed better in a small or noisy image.
    docs/registration.md says what each gate means and what to do when it breaks.
    """

    min_inliers: int = Field(12, ge=4)
    min_inlier_ratio: float = Field(0.3, ge=0, le=1)
    max_residual: float = Field(0.0015, gt=0, le=0.1)
    finest_residual_px: float = Field(0.5, gt=0, le=10)
    min_coverage: float = Field(0.15, ge=0, le=1)
    min_similarity: float = Field(0.5, ge=-1, le=1)
    max_shift: float = Field(0.06, gt=0, le=1)
    max_rotation_deg: float = Field(5.0, gt=0, le=180)
    max_scale: float = Field(1.05, gt=1, le=4)
    max_shear: float = Field(0.01, gt=0, le=1)
    min_determinant: float = Field(0.5, gt=0, le=1)
    max_rival: float = Field(0.5, ge=0, le=1)
    min_visible: float = Field(0.9, ge=0, le=1)


class RegistrationSettings(Closed):
    """How frames are brought onto the reference.

    mode: track (default); orb (ORB 5000, cross-check, best 90 %, RANSAC homography: for comparison); none (the camera and
    the scene are rigid: the frame is taken as it is, only its size, similarity and visible share are checked).
    points: corners of the reference to track, spread over the judged area.
    """

    mode: RegistrationMode = "track"
    points: int = Field(400, ge=50, le=4000)
    gates: Gates = Gates()
