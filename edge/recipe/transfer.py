"""A recipe as one file, to carry it from one station to another: a zip with a list of hashes, unpacked without trust."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from edge.bundle.archive import check_entry
from edge.durable import replacing
from edge.errors import BundleError, ConfigError, RecipeError
from edge.recipe.document import Person, RecipeFile, Sentence, Sha256
from edge.recipe.reading import BUNDLES, CHALLENGE, CURRENT, VERSIONS, Recipe, load_recipe
from edge.recipe.signing import Trust
from edge.recipe.writing import Content, save
from edge.schema import Closed, read_json, validate

LISTING = "transfer.json"
MAX_FILES = 1100
MAX_TOTAL_BYTES = 4 << 30
MAX_LISTING_BYTES = 1_000_000
MAX_RATIO = 200
FREE_BYTES = 64 << 20
_CHUNK = 1 << 20
_NAME = re.compile(r"recipe/[A-Za-z0-9._-]{1,120}|recipe/challenge/[A-Za-z0-9._-]{1,120}|bundle/[A-Za-z0-9._-]{1,120}")
_AGAIN = "export the recipe again, and copy the file whole"


ImportTrace = Callable[[str, str, str, "Mapping[str, object] | None", Mapping[str, object]], None]
"""(recipe, who, why, before, after)"""


class Transfer(Closed):
    """`transfer.json`: what the file holds. size_wh: of the reference, in pixels."""

    schema_version: Literal[1] = Field(1, alias="schema")
    view: str
    product: str
    version: int = Field(ge=1)
    bundle: str
    size_wh: tuple[int, int]
    files: dict[str, Sha256] = Field(max_length=MAX_FILES)
    exported_at: str


@dataclass(frozen=True)
class Imported:
    """What came in: the new version, and what a technician must know of it."""

    path: Path
    version: int
    view: str
    product: str
    has_card: bool


class Signed(Closed):
    """Who brings a recipe in, and why."""

    who: Annotated[Person, Field(pattern=r"\S")]
    why: Annotated[Sentence, Field(pattern=r"\S")]


def export_recipe(path: Path, out: Path, version: int | None = None) -> Transfer:
    """Write one version of a recipe, with its bundle, into the zip `out`. RecipeError, BundleError: it is not sound.

    The version is loaded, and so proven, before it is packed. An existing `out` is replaced only when the new one is whole.
    """
    recipe = load_recipe(path, version)
    files = dict(_files_of(recipe))
    listing = Transfer.model_validate(
        {
            "schema": 1,
            "view": recipe.view,
            "product": recipe.product,
            "version": recipe.version,
            "bundle": recipe.bundle.name,
            "size_wh": (recipe.reference.shape[1], recipe.reference.shape[0]),
            "files": {name: _sha256(file) for name, file in files.items()},
            "exported_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        }
    )
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with replacing(out) as stream, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(LISTING, json.dumps(listing.model_dump(mode="json", by_alias=True), indent=1))
            for name, file in files.items():
                archive.write(file, name)
    except OSError as error:
        raise RecipeError(
            f"cannot be written ({error.strerror or error})", where=str(out), remedy="choose another place"
        ) from None
    return listing


def import_recipe(
    file: Path, out: Path, *, who: str, why: str, view: str | None = None, trace: ImportTrace | None = None,
    trust: Trust | None = None,
) -> Imported:  # fmt: skip
    """Unpack, prove and save as a new version of the recipe `out`, or as a new recipe.

    RecipeError: not such a file, changed on its way, another view than `view` or than the recipe that stands there, or made
    for another camera geometry (its reference has another size or colour than the one in force). Nothing is written then. Its
    card comes along and is stale where it was taken with other camera settings. trust: it must be signed by somebody whom this
    station believes, whose own key then signs what is saved; ConfigError where it has none. trace: told before anything is
    written; what it raises forbids the import.
    """
    if trust is not None:
        trust.need_signer()
    signed = validate(Signed, {"who": who, "why": why}, str(file))
    with _unpacked(file) as folder:
        recipe = load_recipe(folder, trust=trust)
        if view is not None and recipe.view != view:
            raise RecipeError(f"is for view {recipe.view!r}, not {view!r}", where=str(file), remedy="choose the right file")
        _refuse_other_geometry(recipe, out, file)
        update = {"created_by": signed.who, "created_at": datetime.now(timezone.utc), "restored_from": None}
        update["why"] = (
            f"{signed.why[:1500]} (imported from {file.name[:80]}: "
            f"version {recipe.version} made by {recipe.document.created_by})"
        )
        document = RecipeFile.model_validate({**recipe.document.model_dump(by_alias=True), **update})
        challenge = recipe.folder / CHALLENGE
        kept = challenge if challenge.is_dir() else None
        if trace is not None:
            trace(str(out), signed.who, signed.why, _in_force(out), _brought(recipe, file))
        content = Content(document, recipe.bundle, recipe.reference, recipe.masks, recipe.card, kept, recipe.parity)
        version = save(out, content, trust=trust)
        return Imported(out, version, recipe.view, recipe.product, recipe.card is not None)


def _in_force(out: Path) -> dict[str, object] | None:
    try:
        return {"version": load_recipe(out).version}
    except (RecipeError, BundleError):
        return None


def _brought(recipe: Recipe, file: Path) -> dict[str, object]:
    card = recipe.card.sha256 if recipe.card is not None else None
    names = {"view": recipe.view, "product": recipe.product, "bundle": recipe.bundle.name, "card": card}
    return {**names, "file": file.name[:200], "file_sha256": _sha256(file), "version_there": recipe.version}


def _refuse_other_geometry(recipe: Recipe, out: Path, file: Path) -> None:
    try:
        standing = load_recipe(out) if (out / CURRENT).exists() else None
    except (RecipeError, BundleError):
        return  # damaged: the import is how it is mended
    if standing is not None and standing.reference.shape != recipe.reference.shape:
        found, wanted = (_shape(each.reference.shape) for each in (recipe, standing))
        remedy = "import it at a station with the same camera, or make a new recipe here: lineclear-calibrate recipe"
        raise RecipeError(
            f"its reference is {found}, this view's {wanted}: another camera geometry", where=str(file), remedy=remedy
        )


def _shape(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]} {'colour' if len(shape) == 3 else 'grey'}"


def _files_of(recipe: Recipe) -> Iterator[tuple[str, Path]]:
    for file in sorted(recipe.folder.rglob("*")):
        if file.is_file():
            yield f"recipe/{file.relative_to(recipe.folder).as_posix()}", file
    for file in sorted(recipe.bundle.path.iterdir()):
        yield f"bundle/{file.name}", file


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while piece := stream.read(_CHUNK):
            digest.update(piece)
    return digest.hexdigest()


@contextmanager
def _unpacked(file: Path) -> Iterator[Path]:
    """The file as a recipe folder, in a place of its own that is removed again."""
    folder = Path(tempfile.mkdtemp(prefix="lineclear-import-"))
    try:
        with zipfile.ZipFile(file) as archive:
            listing = _listing(archive, file, folder)
            _unpack(archive, listing, file, folder)
        bundles = folder / BUNDLES
        bundles.mkdir()
        (folder / "bundle").rename(bundles / listing.bundle)
        versions = folder / VERSIONS
        versions.mkdir()
        (folder / "recipe").rename(versions / f"{listing.version:04d}")
        (folder / CURRENT).write_text(f"{listing.version:04d}\n")
        yield folder
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise RecipeError(f"is no readable zip ({error})", where=str(file), remedy=_AGAIN) from None
    except BundleError as error:
        raise RecipeError(error.message, where=str(file), remedy=error.remedy) from None
    except ConfigError as error:
        raise RecipeError(f"is damaged ({error.message})", where=str(file), remedy=_AGAIN) from None
    except OSError as error:
        raise RecipeError(
            f"cannot be unpacked ({error.strerror or error})", where=str(file), remedy="check file and space"
        ) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _listing(archive: zipfile.ZipFile, file: Path, folder: Path) -> Transfer:
    """The list of files, after the zip's own directory was found harmless and to say the same."""
    infos = archive.infolist()
    if len(infos) > MAX_FILES:
        raise RecipeError(f"holds {len(infos)} files", where=str(file), remedy=_AGAIN)
    for info in infos:
        check_entry(info, str(file))
    names = [info.filename for info in infos]
    if LISTING not in names or len(set(names)) != len(names):
        raise RecipeError("is no exported recipe", where=str(file), remedy="export one: lineclear recipe export")
    total = sum(info.file_size for info in infos)
    if total > MAX_TOTAL_BYTES or (total > FREE_BYTES and total > MAX_RATIO * file.stat().st_size):
        raise RecipeError(f"would unpack to {total} bytes: a zip bomb", where=str(file), remedy="do not use this file")
    _extract(archive, LISTING, folder / LISTING, MAX_LISTING_BYTES, file)
    listing = validate(Transfer, read_json(folder / LISTING, MAX_LISTING_BYTES), f"{file}: {LISTING}")
    strange = [name for name in listing.files if not _NAME.fullmatch(name)]
    if strange or set(names) - {LISTING} != set(listing.files) or not re.fullmatch(r"[a-z0-9_]+-[0-9a-f]{12}", listing.bundle):
        raise RecipeError("holds other files than its list says", where=str(file), remedy=_AGAIN)
    return listing


def _unpack(archive: zipfile.ZipFile, listing: Transfer, file: Path, folder: Path) -> None:
    for name, wanted in listing.files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        _extract(archive, name, target, MAX_TOTAL_BYTES, file)
        if _sha256(target) != wanted:
            raise RecipeError(f"{name} was changed since the export", where=str(file), remedy=_AGAIN)


def _extract(archive: zipfile.ZipFile, name: str, target: Path, limit: int, file: Path) -> None:
    """Copy in pieces and count: what a zip declares and what it holds are two things."""
    info, written = archive.getinfo(name), 0
    with archive.open(info) as source, target.open("xb") as sink:
        while piece := source.read(_CHUNK):
            written += len(piece)
            if written > min(info.file_size, limit):
                raise RecipeError(f"{name} is longer than it says", where=str(file), remedy="do not use this file")
            sink.write(piece)
