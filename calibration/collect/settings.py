"""The limits that a frame must keep to be collected. docs/collect.md has the figures behind each."""

from __future__ import annotations

from pydantic import Field

from edge.schema import Closed


class CollectSettings(Closed):
    """Limits of the checks; all that can be is relative to the reference, so that they hold for any camera.

    min_sharpness: of the reference's; on eight real views good frames reach 0.92, a defocus of 1 px leaves 0.69.
    min_steadiness: least sharp over sharpest direction; good frames keep 0.75, a blur of 5 px leaves 0.45.
    min_brightness, max_brightness: median against the reference; the real views vary by 0.81 .. 1.01 over ten days.
    max_saturated, max_black: shares of the pixels, above the reference's own; what is clipped cannot be judged.
    max_moving: share of the area that differs between two frames taken at once; noise alone gives none.
    max_shake_px: shift of a corner between those two, for a reference of 1000 px.
    min_distance, min_distance_moved: to the most similar stored frame, in units of the noise; two exposures of one still scene
    differ by 1.41, by 1.1 at least where one is interpolated. min_distance_usual: the same in units of what the frames
    stored so far are usually apart; it finds copies that another program has smoothed (from usual_from frames on).
    give_up_after: so many refusals in a row, of a camera, mean that something has to be mended first.
    """

    min_sharpness: float = Field(0.75, gt=0, le=1)
    min_steadiness: float = Field(0.55, gt=0, le=1)
    min_brightness: float = Field(0.7, gt=0, le=1)
    max_brightness: float = Field(1.4, ge=1)
    max_saturated: float = Field(0.02, ge=0, le=1)
    max_black: float = Field(0.05, ge=0, le=1)
    max_moving: float = Field(0.002, ge=0, le=1)
    max_shake_px: float = Field(1.0, gt=0)
    min_distance: float = Field(1.2, ge=0)
    min_distance_moved: float = Field(0.9, ge=0)
    min_distance_usual: float = Field(0.4, ge=0, lt=1)
    usual_from: int = Field(5, ge=2)
    give_up_after: int = Field(20, ge=1)
    grab_timeout_s: float = Field(10.0, gt=0, le=600)
