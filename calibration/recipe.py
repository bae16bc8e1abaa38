"""A recipe from its parts: reference, bundle, masks."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from calibration.trace import Trace
from edge import masks, registration
from edge.bundle import Bundle, open_bundle
from edge.cameras.images import read_image
from edge.errors import LineclearError, RecipeError
from edge.recipe import Content, Recipe, RecipeFile, load_recipe, save
from edge.recipe.reading import CHALLENGE, CURRENT
from edge.schema import load_yaml, validate
from edge.settings.judging import MaskPolygon, MasksFile
from edge.settings.registration import RegistrationSettings
from edge.types import Homography, ImageU8


@dataclass(frozen=True)
class Parts:
    """What a recipe is made of. masks: a masks.yaml, or None for no masks."""

    view: str
    reference: Path
    bundle: Path
    masks: Path | None = None
    product: str = ""
    registration: RegistrationSettings = field(default_factory=RegistrationSettings)
    min_area_px: float = 16.0


def create_recipe(out: Path, parts: Parts, *, who: str, why: str, trace: Trace | None = None) -> int:
    """Write a recipe, or a new version of the one that stands at `out`; its number.

    A card that stood there is kept: it is stale until new thresholds are taken, and says what changed. So are the frames
    with a known verdict. trace: told before the version is in force. Raises FrameError (reference), BundleError, ConfigError
    (masks, names), RecipeError, and what `trace` raises: nothing is written then.
    """
    before = _before(out)
    image = read_image(parts.reference)
    polygons = load_yaml(MasksFile, parts.masks).masks if parts.masks else ()
    bundle = open_bundle(parts.bundle)
    matrix = reference_to_model(image, polygons, bundle, parts)
    fields = {
        "schema": 1,
        "view": parts.view,
        "product": parts.product,
        "bundle": bundle.name,
        "bundle_hash": bundle.content_hash,
        "reference_sha256": "0" * 64,
        "registration": parts.registration,
        "reference_to_model": matrix.tolist(),
        "min_area_px": parts.min_area_px,
        "created_by": who,
        "created_at": datetime.now(timezone.utc),
        "why": why,
    }
    document = validate(RecipeFile, fields, str(out))
    kept = before.folder / CHALLENGE if before is not None and (before.folder / CHALLENGE).is_dir() else None
    content = Content(document, bundle, image, polygons, before.card if before else None, kept)
    if trace is not None:
        then = {} if before is None else {"version": before.version, **before.hashes.model_dump(mode="json")}
        now = {"bundle": bundle.name, "reference": str(parts.reference), "masks": [mask.model_dump() for mask in polygons]}
        trace("recipe", str(out), who, why, then, now)
    return save(out, content, expected=before.version if before else None)


def left_behind(out: Path) -> str:
    """What a recipe at `out` has that a new version made from parts will not have; "" if nothing."""
    before = _before(out)
    if before is None or before.symmetry is None:
        return ""
    return f"the {before.symmetry.fold}-fold symmetry of version {before.version:04d}: lineclear-calibrate reference --recipe"


def reference_to_model(image: ImageU8, polygons: tuple[MaskPolygon, ...], bundle: Bundle, parts: Parts) -> Homography:
    """The homography from the recipe's reference to the image that the bundle was built on; identity if it is not tied to
    one. RecipeError: the reference cannot be registered to, or shows another pose than the bundle's.
    """
    where = str(parts.reference)
    size_wh = (image.shape[1], image.shape[0])
    reference = registration.Reference(image, parts.registration, ~masks.rasterise(polygons, size_wh))
    itself = registration.align(image, reference)
    if not itself.trusted:
        broken = "; ".join(map(str, itself.broken))
        remedy = "take a sharper image with more detail, mask less, or choose --registration none"
        raise RecipeError(f"not even this image registers to itself ({broken})", where=where, remedy=remedy)
    built_on = bundle.reference()
    if built_on is None or np.array_equal(built_on, image):
        return np.eye(3)
    if built_on.shape[:2] != image.shape[:2]:
        found, wanted = ("x".join(map(str, shape[1::-1])) for shape in (image.shape, built_on.shape))
        message = f"is {found}, but bundle {bundle.name} was built on {wanted}"
        raise RecipeError(
            message, where=where, remedy="take the reference with the same camera settings, or build a new bundle"
        )
    alignment = registration.align(built_on, reference)
    if not alignment.trusted:
        broken = "; ".join(map(str, alignment.broken))
        message = f"does not show the pose that bundle {bundle.name} was built on ({broken})"
        raise RecipeError(message, where=where, remedy="take a reference of that pose, or build a new bundle")
    return np.asarray(np.linalg.inv(alignment.frame_to_reference), np.float64)


def _before(out: Path) -> Recipe | None:
    if not (out / CURRENT).exists():
        return None
    try:
        return load_recipe(out)
    except LineclearError:  # damaged: the new version is how it is mended
        return None
