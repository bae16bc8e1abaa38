"""Reading a recipe: whole and proven, or RecipeError."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from edge.bundle import Bundle, open_bundle
from edge.bundle.image import decode_png
from edge.errors import BundleError, ConfigError, RecipeError
from edge.recipe.card import Hashes, ThresholdCard
from edge.recipe.document import RecipeFile, hash_of
from edge.recipe.parity import FILE as PARITY
from edge.recipe.parity import MAX_PARITY_BYTES, ParityReport
from edge.recipe.signing import Trust, refuse_unsigned, version_digest
from edge.schema import load_yaml, read_bounded, read_json, validate
from edge.settings.judging import MaskPolygon, MasksFile, ScoreRule
from edge.settings.registration import RegistrationSettings
from edge.settings.symmetry import SymmetrySettings
from edge.types import Homography, ImageU8

CURRENT, VERSIONS, BUNDLES = "current", "versions", "bundles"
DOCUMENT, REFERENCE, MASKS, CARD, CHALLENGE = "recipe.yaml", "reference.png", "masks.yaml", "card.json", "challenge"
MAX_CARD_BYTES = 50_000_000
MAX_REFERENCE_BYTES = 256 << 20
MAX_CURRENT_BYTES = 64
_VERSION = re.compile(r"\d{4,9}")
_RESTORE = "restore it from a backup, roll back to another version, or make the recipe again"


@dataclass(frozen=True, eq=False)
class Recipe:
    """One version of a recipe, loaded. reference: uint8 HxWx3 RGB or HxW, read-only. card: None before thresholds exist.
    parity: how engines compared with the float32 model, None where nobody kept that. trust: what proved its signature, None
    where nobody asked; what is made of it is signed with that.

    reference_to_model: homography from the reference's pixels to those of the image that the bundle was built on.
    """

    path: Path
    version: int
    document: RecipeFile
    bundle: Bundle
    reference: ImageU8
    masks: tuple[MaskPolygon, ...]
    card: ThresholdCard | None
    reference_to_model: Homography
    hashes: Hashes
    parity: ParityReport | None = None
    trust: Trust | None = None

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.name

    @property
    def view(self) -> str:
        """The view that this recipe is for."""
        return self.document.view

    @property
    def product(self) -> str:
        """The product that this recipe is for, "" where it is for any."""
        return self.document.product

    @property
    def registration(self) -> RegistrationSettings:
        """How frames are brought onto the reference."""
        return self.document.registration

    @property
    def symmetry(self) -> SymmetrySettings | None:
        """How the part repeats when it is turned, None where it does not."""
        return self.document.symmetry

    @property
    def score_rule(self) -> ScoreRule:
        """The recipe's own rule, else the bundle's."""
        return self.document.score or self.bundle.manifest.score

    @property
    def min_area_px(self) -> float:
        """The smallest region that is reported, in reference pixels."""
        return self.document.min_area_px

    @property
    def folder(self) -> Path:
        """The folder of this version."""
        return version_folder(self.path, self.version)


def load_recipe(path: Path, version: int | None = None, *, view: str | None = None, trust: Trust | None = None) -> Recipe:
    """The current version of a recipe, or another one. view: refuse the recipe of any other view. trust: refuse a version or
    a bundle that nobody signed whom the station believes.

    RecipeError: no recipe, half-written, a file missing, damaged or changed, another view, no good signature. BundleError: a
    bundle that must not be used.
    """
    number = current_version(path) if version is None else version
    folder = version_folder(path, number)
    if not folder.is_dir():
        raise RecipeError(f"has no version {number}", where=str(path), remedy=_known(path))
    digest = version_digest(folder) if trust is not None else ""
    try:
        document = load_yaml(RecipeFile, folder / DOCUMENT)
        masks = load_yaml(MasksFile, folder / MASKS).masks
        card = _card(folder / CARD)
        parity = read_parity(folder)
    except ConfigError as error:
        raise RecipeError(error.message, where=error.where, remedy=error.remedy or _RESTORE) from None
    if view is not None and document.view != view:
        remedy = f"name the recipe of view {view!r}"
        raise RecipeError(f"is the recipe of view {document.view!r}", where=str(path), remedy=remedy)
    reference = _reference(folder / REFERENCE, document)
    bundle = _bundle(path / BUNDLES / document.bundle, document)
    if trust is not None:
        refuse_unsigned(trust, folder, digest, bundle)
        if version_digest(folder) != digest:
            raise RecipeError("was changed while it was read", where=str(folder), remedy="do not change recipes by hand")
    return Recipe(
        path=path,
        version=number,
        document=document,
        bundle=bundle,
        reference=reference,
        masks=masks,
        card=card,
        reference_to_model=document.homography(),
        hashes=_hashes(document, masks, bundle),
        parity=parity,
        trust=trust,
    )


def current_version(path: Path) -> int:
    """The number in `current`. RecipeError if there is none."""
    try:
        with (path / CURRENT).open("rb") as file:
            text = file.read(MAX_CURRENT_BYTES).decode("ascii").strip()
    except (FileNotFoundError, NotADirectoryError):
        remedy = "name a recipe's folder, or make one: lineclear-calibrate recipe"
        raise RecipeError(f"is no recipe: it has no file `{CURRENT}`", where=str(path), remedy=remedy) from None
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"cannot be read ({error})", where=str(path / CURRENT), remedy=_RESTORE) from None
    if not _VERSION.fullmatch(text):
        remedy = f"write the number of a version in it: {_known(path)}"
        raise RecipeError(f"must name a version, such as 0001, not {text[:20]!r}", where=str(path / CURRENT), remedy=remedy)
    return int(text)


def versions(path: Path) -> tuple[int, ...]:
    """The versions that there are, rising; empty where there is no recipe."""
    folder = path / VERSIONS
    if not folder.is_dir():
        return ()
    return tuple(sorted(int(entry.name) for entry in folder.iterdir() if _VERSION.fullmatch(entry.name) and entry.is_dir()))


def version_folder(path: Path, version: int) -> Path:
    """Where a version is kept."""
    return path / VERSIONS / f"{version:04d}"


def _known(path: Path) -> str:
    known = ", ".join(f"{number:04d}" for number in versions(path)[-10:])
    return f"there are {known}" if known else "there are none: make the recipe again"


def _card(path: Path) -> ThresholdCard | None:
    return validate(ThresholdCard, read_json(path, MAX_CARD_BYTES), str(path)) if path.exists() else None


def read_parity(folder: Path) -> ParityReport | None:
    """The parity report of a version's folder, None if there is none. ConfigError: damaged, or changed by hand."""
    path = folder / PARITY
    return validate(ParityReport, read_json(path, MAX_PARITY_BYTES), str(path)) if path.exists() else None


def _reference(path: Path, document: RecipeFile) -> ImageU8:
    try:
        with path.open("rb") as file:
            data = read_bounded(file, MAX_REFERENCE_BYTES)
    except OSError as error:
        raise RecipeError(f"cannot be read ({error.strerror})", where=str(path), remedy=_RESTORE) from None
    if data is None:
        raise RecipeError("is too large", where=str(path), remedy=f"at most {MAX_REFERENCE_BYTES} bytes")
    if hashlib.sha256(data).hexdigest() != document.reference_sha256:
        raise RecipeError("is not the image that this version was saved with", where=str(path), remedy=_RESTORE)
    try:
        return decode_png(data, str(path))
    except BundleError as error:
        raise RecipeError(error.message, where=str(path), remedy=_RESTORE) from None


def _bundle(path: Path, document: RecipeFile) -> Bundle:
    if not path.is_dir():
        raise RecipeError(f"its bundle {document.bundle} is missing", where=str(path), remedy=_RESTORE)
    bundle = open_bundle(path)
    if bundle.content_hash != document.bundle_hash:
        raise RecipeError("is not the bundle that this version was saved with", where=str(path), remedy=_RESTORE)
    return bundle


def _hashes(document: RecipeFile, masks: tuple[MaskPolygon, ...], bundle: Bundle) -> Hashes:
    registration = {
        "settings": document.registration.model_dump(mode="json"),
        "reference_to_model": document.reference_to_model,
    }
    if document.symmetry is not None:  # left out where there is none, so that no card from before it is stale
        registration["symmetry"] = document.symmetry.model_dump(mode="json")
    rule = document.score or bundle.manifest.score
    return Hashes(
        bundle=bundle.content_hash,
        reference=document.reference_sha256,
        masks=hash_of([mask.model_dump(mode="json") for mask in masks if mask.enabled]),
        registration=hash_of(registration),
        score_rule=hash_of(rule.model_dump(mode="json")),
    )
