"""Masks from the old reference to the new one: where the same place of the scene is, or where they were."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from calibration.web.reference.candidate import Candidate
from edge.errors import RecipeError
from edge.recipe import Recipe
from edge.schema import validate
from edge.settings.judging import MaskPolygon
from edge.types import Homography

MaskPlan = Literal["carried", "kept"]


def carried(polygons: Sequence[MaskPolygon], old_to_new: Homography, size_wh: tuple[int, int]) -> tuple[MaskPolygon, ...]:
    """Each mask where the same place of the scene is on the new reference; cut off at its edges. RecipeError: one is gone."""
    moved = []
    for mask in polygons:
        points = np.array([(x * (size_wh[0] - 1), y * (size_wh[1] - 1), 1.0) for x, y in mask.points])
        mapped = points @ np.asarray(old_to_new).T
        places = mapped[:, :2] / mapped[:, 2:]
        x = np.clip(places[:, 0] / (size_wh[0] - 1), 0, 1)
        y = np.clip(places[:, 1] / (size_wh[1] - 1), 0, 1)
        corners = tuple((float(a), float(b)) for a, b in zip(x, y, strict=True))
        if (mapped[:, 2] <= 0).any() or np.ptp(x) < 1e-3 or np.ptp(y) < 1e-3:
            message = f"mask {mask.name!r} lies outside of the new picture"
            raise RecipeError(message, remedy="remove that mask first, or keep the masks where they are")
        moved.append(validate(MaskPolygon, {**mask.model_dump(), "points": corners}, f"mask {mask.name}"))
    return tuple(moved)


def masks_for(recipe: Recipe, candidate: Candidate, plan: MaskPlan) -> tuple[MaskPolygon, ...]:
    """The recipe's masks on the candidate."""
    if plan == "kept" or not recipe.masks:
        return recipe.masks
    if not candidate.may_carry:
        message = "nobody knows where the masks belong on the new picture"
        raise RecipeError(message, where=recipe.view, remedy="keep them where they are, then look at each on the masks page")
    old_to_new = np.linalg.inv(candidate.check.alignment.frame_to_reference)
    return carried(recipe.masks, np.asarray(old_to_new, np.float64), candidate.check.size_wh)
