"""A recipe with other masks, before anybody saves it: whether it can judge, and what of it no longer holds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from calibration.web.masking.area import covered
from calibration.web.masking.draft import hash_of_masks
from edge import registration
from edge.errors import RecipeError
from edge.pipeline import check_score
from edge.recipe import Recipe
from edge.settings.judging import MaskPolygon

_LESS = "make the masks smaller, or switch one off"


def heeds_masks(recipe: Recipe) -> bool:
    """False where the bundle's score is its own and sees what is masked: then no mask may be on (docs/recipe.md)."""
    masking = recipe.bundle.manifest.masking
    return recipe.score_rule.kind != "graph" or bool(masking.pre) or masking.fill != "none"


def with_masks(recipe: Recipe, masks: tuple[MaskPolygon, ...]) -> Recipe:
    """The recipe as it would be. Its card keeps its thresholds and is made to fit the masks, so that frames can be tried;
    nothing of this may be saved.
    """
    digest = hash_of_masks(masks)
    card = recipe.card
    if card is not None:
        card = card.model_copy(update={"hashes": card.hashes.model_copy(update={"masks": digest})})
    return replace(recipe, masks=masks, card=card, hashes=recipe.hashes.model_copy(update={"masks": digest}))


def makes_stale(recipe: Recipe, masks: tuple[MaskPolygon, ...]) -> bool:
    """True if thresholds that hold for the recipe's masks do not hold for these."""
    return recipe.card is not None and recipe.card.hashes.masks != hash_of_masks(masks)


def grows(recipe: Recipe, masks: tuple[MaskPolygon, ...]) -> bool:
    """True if something is masked that is judged now: only then can a mask hide what was found before."""
    size_wh = size_of(recipe)
    return bool(np.any(covered(masks, size_wh) & ~covered(recipe.masks, size_wh)))


def size_of(recipe: Recipe) -> tuple[int, int]:
    """Width and height of the recipe's reference."""
    return recipe.reference.shape[1], recipe.reference.shape[0]


def refuse_unfit(recipe: Recipe, masks: tuple[MaskPolygon, ...]) -> None:
    """RecipeError if a station could not judge with these masks: nothing left, nothing to register by, or a score of the
    graph's own that would see what is masked.
    """
    keep = ~covered(masks, size_of(recipe))
    if not keep.any():
        raise RecipeError("the masks cover the whole view: nothing would be judged", where=recipe.view, remedy=_LESS)
    check_score(recipe, bool(keep.all()))
    itself = registration.align(recipe.reference, registration.Reference(recipe.reference, recipe.registration, keep))
    if not itself.trusted:
        broken = "; ".join(map(str, itself.broken))
        message = f"with these masks too little is left to find the position of a frame ({broken})"
        raise RecipeError(message, where=recipe.view, remedy=_LESS)
