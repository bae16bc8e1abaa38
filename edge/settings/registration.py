"""Settings of the registration and its gates; part of a recipe."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from edge.schema import Closed


class Gates(Closed):
    """What an alignment must meet to be trusted. Lengths are shares of the reference's width, so they survive a resize."""

    min_inliers: int = Field(12, ge=3)
    min_inlier_ratio: float = Field(0.3, ge=0, le=1)
    max_residual_px: float = Field(1.5, gt=0)
    min_coverage: float = Field(0.15, ge=0, le=1)
    min_similarity: float = Field(0.5, ge=-1, le=1)
    max_shift: float = Field(0.06, gt=0, le=1)
    max_rotation_deg: float = Field(5.0, gt=0, le=180)
    max_scale: float = Field(1.05, gt=1)
    max_shear: float = Field(0.02, gt=0)
    min_visible: float = Field(0.9, ge=0, le=1)


class RegistrationSettings(Closed):
    """mode track (default), orb (the plain recipe, for comparison) or none."""

    mode: Literal["track", "orb", "none"] = "track"
    gates: Gates = Gates()
