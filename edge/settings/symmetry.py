"""Settings of a part that looks the same when it is turned: a gear, a wheel, a blister's disc. Part of a recipe."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator
from typing_extensions import Self

from edge.schema import Closed
from edge.settings.judging import Unit

Fold = Annotated[int, Field(ge=2, le=120)]
Locate = Literal["place", "dark", "bright"]


class SymmetrySettings(Closed):
    """A part with `fold`-fold rotational symmetry on the view; docs/comparison.md explains.

    Every frame is compared with the rotational median of itself, and with the stored ideal (the recipe's reference) too.
    fold: it looks the same after 1/fold of a turn. centre: where its axis is on the reference, in 0..1 of width and
    height; radius, inner_radius: the ring that shows the symmetry, in shares of the reference's longer side.

    pose fixed: the part always lies as on the reference; the registration brings it there. free: it lies at any angle and
    up to `search` (a share of the longer side) off `centre`; it is found before the registration, which then proves it.
    locate, of a free part: place: near its centre, by its symmetry alone; dark or bright: the largest blob of that kind
    on a plain background. ideal: what is held against the stored ideal: the frame itself, or its rotational median.
    min_symmetry: least share of the ring's structure that repeats with the fold; min_likeness: least correlation of that
    structure with the ideal's.
    """

    fold: Fold
    centre: tuple[Unit, Unit]
    radius: float = Field(gt=0, le=1)
    inner_radius: float = Field(0.0, ge=0, le=1)
    pose: Literal["fixed", "free"] = "fixed"
    locate: Locate = "place"
    search: float = Field(0.05, ge=0, le=1)
    ideal: Literal["frame", "median"] = "frame"
    min_symmetry: float = Field(0.5, ge=0, le=1)
    min_likeness: float = Field(0.5, ge=-1, le=1)

    @model_validator(mode="after")
    def _is_a_ring(self) -> Self:
        if self.inner_radius >= self.radius:
            raise ValueError(f"inner_radius must be smaller than radius ({self.radius:g})")
        if self.pose == "fixed" and self.locate != "place":
            raise ValueError(f"locate {self.locate!r} is for a part that lies anywhere: write pose: free")
        return self
