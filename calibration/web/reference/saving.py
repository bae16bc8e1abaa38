"""A new reference becomes a version of the recipe.

What follows from it is known before it is saved: the thresholds are stale, and the masks lie where they lay in the scene or
where they lay in the picture.
"""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Protocol

from calibration.recipe import Parts, reference_to_model
from calibration.reference.installing import picture_sha256
from calibration.web.reference.candidate import Candidate
from calibration.web.reference.carrying import MaskPlan, masks_for
from edge.audit import Action
from edge.errors import LineclearError
from edge.pipeline import check_symmetry
from edge.recipe import Content, RecipeFile, Trust, load_recipe, save
from edge.recipe.reading import CHALLENGE, current_version
from edge.schema import validate


class Write(Protocol):
    """`AuditLog.append`."""

    def __call__(self, action: Action, *, who: str, subject: str, why: str, before: Any, after: Any) -> object:
        """Record a change before it is made; what it raises stops the change."""
        ...


class SavedMeanwhile(LineclearError):
    """Another version of the recipe is in force than the one that was looked at."""


def save_reference(
    path: Path, candidate: Candidate, plan: MaskPlan, *, who: str, why: str, write: Write, trust: Trust | None = None
) -> int:
    """Save the candidate as the reference of a new version; its number. The card stays, and is stale.

    SavedMeanwhile: the recipe is not as it was when the pictures were compared. RecipeError: the bundle, the masks or a
    symmetric part cannot be used with it, or the disk refuses. AuditError. Nothing is saved then.
    """
    if trust is not None:
        trust.need_signer()
    recipe = load_recipe(path, view=candidate.view, trust=trust)
    if recipe.version != candidate.version or current_version(path) != candidate.version:
        message = f"version {recipe.version:04d} was saved meanwhile; this was compared with {candidate.version:04d}"
        raise SavedMeanwhile(message, where=candidate.view, remedy="take the picture again")
    polygons = masks_for(recipe, candidate, plan)
    if recipe.symmetry is not None:
        check_symmetry(recipe.bundle, candidate.image, recipe.symmetry, str(path))
    parts = Parts(recipe.view, Path("the new reference"), recipe.bundle.path, registration=recipe.registration)
    matrix = reference_to_model(candidate.image, polygons, recipe.bundle, parts)
    update = {
        "reference_to_model": matrix.tolist(), "reference_sha256": "0" * 64, "created_by": who,
        "created_at": datetime.now(timezone.utc), "why": why, "restored_from": None,
    }  # fmt: skip
    document = validate(RecipeFile, {**recipe.document.model_dump(by_alias=True), **update}, str(path))
    challenge = recipe.folder / CHALLENGE
    content = Content(
        document, recipe.bundle, candidate.image, polygons, recipe.card, challenge if challenge.is_dir() else None
    )
    before = {"version": recipe.version, "reference": recipe.hashes.reference}
    after = {"reference": picture_sha256(candidate.image), "method": candidate.method, "made_of": list(candidate.made_of)}
    write(Action.REFERENCE, who=who, subject=f"{recipe.view}: {path}", why=why, before=before, after={**after, "masks": plan})
    return save(path, content, expected=candidate.version, trust=trust)
