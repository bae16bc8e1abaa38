"""Writing a recipe: a new version whole and on disk, then one rename that puts it in force. A crash changes nothing."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import yaml

from edge.bundle import Bundle, open_bundle
from edge.bundle.image import decode_png, encode_png
from edge.durable import PREFIX, sync, write_file
from edge.errors import BundleError, ConfigError, RecipeError
from edge.recipe import reading
from edge.recipe.card import ThresholdCard
from edge.recipe.document import RecipeFile
from edge.recipe.parity import FILE as PARITY
from edge.recipe.parity import ParityReport
from edge.recipe.signing import Trust, carry, sign_version
from edge.schema import Closed, load_yaml
from edge.settings.judging import MaskPolygon, MasksFile
from edge.types import ImageU8


@dataclass(frozen=True, eq=False)
class Content:
    """Everything that a version holds. The document's bundle and reference fields are filled in by `save`.

    challenge: a folder of challenge frames to take over, if there is one. parity: None takes over the report of the version
    in force, where that is of the same bundle: no other change of a recipe makes a failed comparison go away.
    """

    document: RecipeFile
    bundle: Bundle
    reference: ImageU8
    masks: tuple[MaskPolygon, ...] = ()
    card: ThresholdCard | None = None
    challenge: Path | None = None
    parity: ParityReport | None = None


def save(path: Path, content: Content, expected: int | None = None, *, trust: Trust | None = None) -> int:
    """Write a new version and put it in force; its number. The recipe's folder is made if need be.

    expected: the version that `content` was made from. If another one came into force since, its masks or reference would
    be undone without a word: RecipeError. None: whatever is in force is replaced. trust: the version is signed with its key.

    RecipeError: the folder holds something else or another view's recipe, someone else is saving, or the disk refuses.
    ConfigError: a station that takes signed recipes only and has no key of its own. Whatever fails, the version that was in
    force stays in force.
    """
    if trust is not None:
        trust.need_signer()
    _refuse_strangers(path, content.document.view)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with _locked(path):
            _sweep(path)
            if expected is not None and (now := reading.current_version(path)) != expected:
                message = f"version {now:04d} was put in force while {expected:04d} was being changed"
                raise RecipeError(message, where=str(path), remedy="nothing was saved: do it again")
            for name in (reading.VERSIONS, reading.BUNDLES):
                (path / name).mkdir(exist_ok=True)
            sync(path)
            _take_bundle(path, content.bundle)
            number = max(reading.versions(path), default=0) + 1
            _write_version(path, number, content, trust)
            # Read back before it counts: what cannot be loaded must not be put in force.
            reading.load_recipe(path, number, trust=trust)
            _put_in_force(path, number)
            return number
    except OSError as error:
        remedy = "check space and permissions; the version in force is as it was"
        raise RecipeError(f"cannot be written ({error.strerror or error})", where=str(path), remedy=remedy) from None


def rollback(path: Path, version: int, *, who: str, why: str, trust: Trust | None = None) -> int:
    """Put an old version in force again, as a new version that says who did it and why; its number. trust: as for `save`, and
    the old version must be signed. Raises RecipeError.
    """
    old = reading.load_recipe(path, version, trust=trust)
    update = {"created_by": who, "created_at": datetime.now(timezone.utc), "why": why, "restored_from": version}
    document = RecipeFile.model_validate({**old.document.model_dump(by_alias=True), **update})
    challenge = old.folder / reading.CHALLENGE
    kept = challenge if challenge.is_dir() else None
    return save(path, Content(document, old.bundle, old.reference, old.masks, old.card, kept, old.parity), trust=trust)


def _write_version(path: Path, number: int, content: Content, trust: Trust | None) -> None:
    image = _reference_png(path, content)
    update = {
        "bundle": content.bundle.name,
        "bundle_hash": content.bundle.content_hash,
        "reference_sha256": hashlib.sha256(image).hexdigest(),
    }
    document = content.document.model_copy(update=update)
    masks = MasksFile.model_validate({"schema": 1, "masks": content.masks})
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=path / reading.VERSIONS))
    folder.chmod(0o755)
    write_file(folder / reading.DOCUMENT, _yaml(document, "Written by lineclear; change it with lineclear-calibrate."))
    write_file(folder / reading.REFERENCE, image)
    write_file(folder / reading.MASKS, _yaml(masks, "Corners in 0..1 of the reference's width and height."))
    if content.card is not None:
        write_file(folder / reading.CARD, _json(content.card))
    parity = content.parity or _parity_in_force(path, content.bundle)
    if parity is not None:
        write_file(folder / PARITY, _json(parity))
    if content.challenge is not None:
        _copy_folder(content.challenge, folder / reading.CHALLENGE)
    if trust is not None:
        sign_version(folder, trust, content.document.created_by)
    sync(folder)
    os.rename(folder, reading.version_folder(path, number))
    sync(path / reading.VERSIONS)


def _parity_in_force(path: Path, bundle: Bundle) -> ParityReport | None:
    try:
        found = reading.read_parity(reading.version_folder(path, reading.current_version(path)))
    except (ConfigError, RecipeError):
        return None  # no version yet, or a damaged one, which the new version mends
    return found if found is not None and found.bundle_hash == bundle.content_hash else None


def _reference_png(path: Path, content: Content) -> bytes:
    """The reference as a file: the very bytes it was saved with before, where it is the same picture.

    Another version of the PNG library writes other bytes for the same pixels, and a card holds for the bytes.
    """
    for number in reversed(reading.versions(path)):
        try:
            data = (reading.version_folder(path, number) / reading.REFERENCE).read_bytes()
            if hashlib.sha256(data).hexdigest() == content.document.reference_sha256 and np.array_equal(
                decode_png(data, str(path)), content.reference
            ):
                return data
        except (OSError, BundleError):
            continue
    return encode_png(content.reference)


def _put_in_force(path: Path, number: int) -> None:
    """`current` is a small text file, not a link: it survives zip files and FAT sticks."""
    temporary = path / f"{PREFIX}current"
    write_file(temporary, f"{number:04d}\n".encode())
    os.replace(temporary, path / reading.CURRENT)
    sync(path)


def _take_bundle(path: Path, bundle: Bundle) -> None:
    """A copy of the bundle, so that the recipe is whole in itself; not a hard link: its source may be written over."""
    target = path / reading.BUNDLES / bundle.name
    if bundle.path.resolve() == target.resolve():
        return
    if target.exists():
        try:
            if open_bundle(target).content_hash == bundle.content_hash:
                carry(bundle.path, target)
                return
        except BundleError:
            # Damaged, so every version that needs it is out of force anyway: make way for a sound copy.
            os.rename(target, path / reading.BUNDLES / f"{PREFIX}damaged-{bundle.name}")
    folder = path / reading.BUNDLES / f"{PREFIX}{bundle.name}"
    _copy_folder(bundle.path, folder)
    os.rename(folder, target)
    sync(path / reading.BUNDLES)


def _copy_folder(source: Path, target: Path) -> None:
    shutil.copytree(source, target, symlinks=False)
    for entry in target.rglob("*"):
        sync(entry)
    sync(target)


def _sweep(path: Path) -> None:
    """Remove what a crashed save left behind; the lock says that nobody is at work on it."""
    for folder in (path, path / reading.VERSIONS, path / reading.BUNDLES):
        for entry in folder.glob(f"{PREFIX}*") if folder.is_dir() else ():
            if entry.is_dir():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RecipeError("someone else is saving this recipe", where=str(path), remedy="try again in a moment") from None
        yield
    finally:
        os.close(descriptor)


def _refuse_strangers(path: Path, view: str) -> None:
    if (path / reading.CURRENT).exists():
        try:
            number = reading.current_version(path)
            found = load_yaml(RecipeFile, reading.version_folder(path, number) / reading.DOCUMENT).view
        except (ConfigError, RecipeError):
            return  # a damaged recipe: saving a new version is how it is mended
        if found != view:
            raise RecipeError(f"is the recipe of view {found!r}", where=str(path), remedy=f"choose another place for {view!r}")
    elif path.exists():
        known = {reading.VERSIONS, reading.BUNDLES}
        others = [path] if not path.is_dir() else [entry for entry in path.iterdir() if entry.name not in known]
        if any(not entry.name.startswith(PREFIX) for entry in others):
            raise RecipeError("is there already and is no recipe", where=str(path), remedy="choose another place or remove it")


def _yaml(model: Closed, comment: str) -> bytes:
    data = model.model_dump(mode="json", by_alias=True)
    text = yaml.dump(data, Dumper=_NoAliases, sort_keys=False, default_flow_style=None, width=120, allow_unicode=True)
    return f"# {comment}\n{text}".encode()


def _json(model: Closed) -> bytes:
    return (json.dumps(model.model_dump(mode="json", by_alias=True), indent=1, allow_nan=False) + "\n").encode()


class _NoAliases(yaml.SafeDumper):
    """Writes repeated values out: what reads this back refuses aliases."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the library's own name
        return True
