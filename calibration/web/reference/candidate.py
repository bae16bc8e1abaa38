"""A picture that may become the reference: one frame, or the best or the median of several, beside the reference in force."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Final, Literal

from calibration.progress import Progress, silent
from calibration.reference import best_frame, median_frame
from calibration.web.reference.aligning import Check, check
from calibration.web.reference.shots import Shot
from edge.cameras.images import read_image
from edge.recipe import Recipe
from edge.types import ImageU8

Method = Literal["one", "best", "median"]
LEAST_SEVERAL: Final = 3
MOST_SEVERAL: Final = 12
STILL_PX: Final = 2.0


@dataclass(frozen=True, eq=False)
class Candidate:
    """A picture that may become the reference. version: of the recipe that it was compared with. made_of: results.

    refused: results that took no part. check: how it lies on the reference in force.
    """

    view: str
    version: int
    image: ImageU8
    method: Method
    made_of: tuple[str, ...]
    refused: tuple[str, ...]
    check: Check
    made_at: datetime

    @property
    def is_same_size(self) -> bool:
        """False where the camera gives pictures of another size than before."""
        return self.check.size_wh == (self.image.shape[1], self.image.shape[0])

    @property
    def may_carry(self) -> bool:
        """The masks can be carried over: it is known where each place of the old reference is on the new one."""
        return self.is_same_size and self.check.alignment.trusted

    @property
    def is_still(self) -> bool:
        """The camera looks at the same place as before."""
        return self.may_carry and self.check.alignment.corner_shift_px <= STILL_PX


Made = tuple[ImageU8, tuple[str, ...], tuple[str, ...]]


def make(recipe: Recipe, shots: Sequence[Shot], method: Method, progress: Progress = silent) -> Candidate:
    """From one shot, or the best or the median of several. LineclearError: they do not fit together, or there are too few."""
    if method == "one":
        made: Made = shots[0].frame, (shots[0].result_id,), ()
    else:
        made = _of_several(recipe, shots, method, progress)
    return Candidate(
        recipe.view, recipe.version, made[0], method, *made[1:], check(made[0], recipe), datetime.now(timezone.utc)
    )


def _of_several(recipe: Recipe, shots: Sequence[Shot], method: Method, progress: Progress) -> Made:
    names = {shot.path: shot.result_id for shot in shots}
    if method == "best":
        chosen = best_frame(list(names), recipe.registration, progress)
        return read_image(chosen.path), (names[chosen.path],), tuple(f"{_id(names, r.name)}: {r.why}" for r in chosen.refused)
    median = median_frame(list(names), recipe.registration, progress)
    return (
        median.image,
        tuple(names[path] for path in median.used),
        tuple(f"{_id(names, r.name)}: {r.why}" for r in median.refused),
    )


def _id(names: dict[Path, str], file: str) -> str:
    return next((result_id for path, result_id in names.items() if path.name == file), file)
