"""A rotational ideal as a recipe's reference: a new version, with the symmetry that goes with it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from calibration.recipe import Parts, reference_to_model
from calibration.trace import Signature, Trace
from edge import registration
from edge.bundle.image import encode_png
from edge.errors import RecipeError
from edge.pipeline import check_symmetry
from edge.recipe import Content, Recipe, RecipeFile, load_recipe, save
from edge.recipe.reading import CHALLENGE
from edge.schema import validate
from edge.settings.registration import RegistrationSettings
from edge.settings.symmetry import SymmetrySettings
from edge.types import ImageU8

MOST_SHIFT_PX = 2.0


@dataclass(frozen=True, eq=False)
class Installation:
    """A recipe as it will be with an ideal and its symmetry: everything is checked, nothing is written yet."""

    recipe: Recipe
    content: Content

    def put_in_force(self, trace: Trace | None = None) -> int:
        """Save it as a new version; its number. The card goes along and is stale.

        trace: told before the version is in force; what it raises stops it. RecipeError: it cannot be written, or another
        version was put in force meanwhile.
        """
        if trace is not None:
            document, then = self.content.document, self.recipe.document
            before = {"version": self.recipe.version, "reference": then.reference_sha256, "symmetry": _told(then)}
            after = {"reference": picture_sha256(self.content.reference), "symmetry": _told(document)}
            trace("reference", str(self.recipe.path), document.created_by, document.why, before, after)
        return save(self.recipe.path, self.content, expected=self.recipe.version)


def prepare(path: Path, image: ImageU8, settings: SymmetrySettings, *, who: str, why: str) -> Installation:
    """A recipe with this ideal and symmetry, checked; nothing is written.

    RecipeError: no such recipe; a bundle that takes no reference; an ideal that does not show the part; enabled masks that
    were drawn on a reference that lies elsewhere. ConfigError: who or why is blank.
    """
    signature = validate(Signature, {"who": who, "why": why}, "reference")
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
        "created_by": signature.who,
        "created_at": datetime.now(timezone.utc),
        "why": signature.why,
        "restored_from": None,
    }
    document = validate(RecipeFile, {**recipe.document.model_dump(by_alias=True), **update}, str(path))
    challenge = recipe.folder / CHALLENGE
    kept = challenge if challenge.is_dir() else None
    return Installation(recipe, Content(document, recipe.bundle, image, recipe.masks, recipe.card, kept))


def install(path: Path, image: ImageU8, settings: SymmetrySettings, *, who: str, why: str, trace: Trace | None = None) -> int:
    """`prepare`, then `put_in_force`: the number of the new version."""
    return prepare(path, image, settings, who=who, why=why).put_in_force(trace)


def picture_sha256(image: ImageU8) -> str:
    """Of the PNG that a recipe keeps of an image."""
    return hashlib.sha256(encode_png(image)).hexdigest()


def _told(document: RecipeFile) -> dict[str, object] | None:
    return None if document.symmetry is None else document.symmetry.model_dump(mode="json")


def _check_masks_fit(before: ImageU8, image: ImageU8, settings: RegistrationSettings, path: Path) -> None:
    remedy = "draw the masks anew on the ideal: lineclear-calibrate recipe --reference IDEAL --masks FILE"
    if before.shape[:2] != image.shape[:2]:
        raise RecipeError("its masks were drawn on a reference of another size", where=str(path), remedy=remedy)
    alignment = registration.align(before, registration.Reference(image, settings))
    if not alignment.trusted or alignment.corner_shift_px > MOST_SHIFT_PX:
        raise RecipeError("its masks were drawn on a reference that lies elsewhere", where=str(path), remedy=remedy)
