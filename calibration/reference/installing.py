"""A rotational ideal as a recipe's reference: a new version, with the symmetry that goes with it."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

from calibration.recipe import Parts, reference_to_model
from edge import registration
from edge.errors import RecipeError
from edge.pipeline import check_symmetry
from edge.recipe import Content, RecipeFile, load_recipe, save
from edge.recipe.reading import CHALLENGE
from edge.schema import validate
from edge.settings.registration import RegistrationSettings
from edge.settings.symmetry import SymmetrySettings
from edge.types import ImageU8

MOST_SHIFT_PX = 2.0


def install(path: Path, image: ImageU8, settings: SymmetrySettings, *, who: str, why: str) -> int:
    """Save a new version of a recipe with this ideal and symmetry; its number. The card goes along and is stale.

    RecipeError, and nothing is written: no such recipe; a bundle that takes no reference; an ideal that does not show the
    part; enabled masks that were drawn on a reference that lies elsewhere.
    """
    recipe = load_recipe(path)
    check_symmetry(recipe.bundle, image, settings, str(path))
    if any(mask.enabled for mask in recipe.masks):
        _check_masks_fit(recipe.reference, image, recipe.registration.model_copy(update={"mode": "track"}), path)
    parts = Parts(recipe.view, Path("the ideal"), recipe.bundle.path, registration=recipe.registration)
    matrix = reference_to_model(image, recipe.masks, recipe.bundle, parts)
    update = {
        "symmetry": settings.model_dump(),
        "reference_to_model": matrix.tolist(),
        "reference_sha256": "0" * 64,
        "created_by": who,
        "created_at": datetime.now(timezone.utc),
        "why": why,
        "restored_from": None,
    }
    document = validate(RecipeFile, {**recipe.document.model_dump(by_alias=True), **update}, str(path))
    challenge = recipe.folder / CHALLENGE
    kept = challenge if challenge.is_dir() else None
    return save(path, Content(document, recipe.bundle, image, recipe.masks, recipe.card, kept))


def _check_masks_fit(before: ImageU8, image: ImageU8, settings: RegistrationSettings, path: Path) -> None:
    remedy = "draw the masks anew on the ideal: lineclear-calibrate recipe --reference IDEAL --masks FILE"
    if before.shape[:2] != image.shape[:2]:
        raise RecipeError("its masks were drawn on a reference of another size", where=str(path), remedy=remedy)
    alignment = registration.align(before, registration.Reference(image, settings))
    if not alignment.trusted or alignment.corner_shift_px > MOST_SHIFT_PX:
        raise RecipeError("its masks were drawn on a reference that lies elsewhere", where=str(path), remedy=remedy)
