"""Settings of masks, scores, limits and voting."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, FiniteFloat, model_validator
from typing_extensions import Self

from edge.schema import Closed

Unit = Annotated[float, Field(ge=0.0, le=1.0)]


class MaskPolygon(Closed):
    """A named area of a view that is not judged; corners in 0..1 of the reference's width and height."""

    name: str = Field(min_length=1, max_length=80)
    points: tuple[tuple[Unit, Unit], ...] = Field(max_length=2000)
    enabled: bool = True

    @model_validator(mode="after")
    def _has_area(self) -> Self:
        if len(self.points) < 3:
            raise ValueError(f"polygon {self.name!r} has {len(self.points)} points: write at least 3")
        twice_area = sum(
            x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(self.points, self.points[1:] + self.points[:1], strict=True)
        )
        if abs(twice_area) < 1e-9:
            raise ValueError(f"polygon {self.name!r} has no area: its points lie on one line")
        return self


class MasksFile(Closed):
    """`masks.yaml`: the named polygons of a view."""

    schema_version: Literal[1] = Field(1, alias="schema")
    masks: tuple[MaskPolygon, ...] = Field((), max_length=500)

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [mask.name for mask in self.masks]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"mask names must differ, these are used twice: {', '.join(repeated)}")
        return self


class Limits(Closed):
    """What a frame is held to, in the bundle's raw score units.

    image_threshold: a frame fails if its image score is above it. pixel_threshold: what is above it in the smoothed map
    is a region; None where the bundle gives no map. min_area_px: regions smaller than this are not reported, in reference
    pixels.
    """

    image_threshold: FiniteFloat
    pixel_threshold: FiniteFloat | None
    min_area_px: FiniteFloat = Field(0.0, ge=0)


class ScoreRule(Closed):
    """How the image score is taken from the map.

    max_of_mean_filter: mean over a window x window square (map pixels, odd), then the maximum; DRAEM's published 21 by
    default. max: window 1. graph: the graph's own image_score, and the only rule where the bundle gives no map; a map is
    still smoothed with `window` for the regions. padding "zero": outside the map counts as score 0, as upstream's
    avg_pool2d does; "inside": only what is there counts.
    """

    kind: Literal["max_of_mean_filter", "max", "graph"] = "max_of_mean_filter"
    window: int = Field(21, ge=1, le=501)
    padding: Literal["zero", "inside"] = "zero"

    @model_validator(mode="after")
    def _odd(self) -> Self:
        if self.window % 2 == 0:
            raise ValueError(f"window must be odd, got {self.window}")
        return self


class VoteRule(Closed):
    """k-of-n voting over the frames of one view: FAIL if at least fail_votes fail, PASS if at least pass_votes pass.

    pass_votes + fail_votes must exceed frames, so that both can never hold.
    """

    frames: int = Field(1, ge=1, le=99)
    pass_votes: int = Field(1, ge=1, le=99)
    fail_votes: int = Field(1, ge=1, le=99)

    @model_validator(mode="after")
    def _decides(self) -> Self:
        if self.pass_votes > self.frames or self.fail_votes > self.frames:
            raise ValueError("pass_votes and fail_votes cannot exceed frames")
        if self.pass_votes + self.fail_votes <= self.frames:
            raise ValueError(
                f"pass_votes + fail_votes must exceed frames ({self.frames}), else a view could both pass and fail"
            )
        return self
