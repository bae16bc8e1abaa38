"""What a signature of a recipe's version is of: every file in it, by name and hash. The bundle signs for itself."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from edge.bundle import Bundle
from edge.bundle.files import SIGNATURES
from edge.bundle.trust import Trust, carry, sign
from edge.errors import BundleError, ConfigError, RecipeError
from edge.recipe.document import hash_of

__all__ = ["Trust", "carry", "refuse_unsigned", "sign_version", "version_digest"]

MAX_FILES = 100
_CHUNK = 1 << 20
_AGAIN = "restore it from a backup, or roll back to another version"


def version_digest(folder: Path) -> str:
    """SHA-256 over names and hashes of all files of a version but its signatures. RecipeError: a link, a device, too many."""
    found: dict[str, str] = {}
    pending = [folder]
    try:
        while pending:
            for entry in sorted(os.scandir(pending.pop()), key=lambda entry: entry.name):
                path = Path(entry.path)
                if entry.is_dir(follow_symlinks=False) and path.parent == folder:
                    pending.append(path)
                elif path != folder / SIGNATURES:
                    found[path.relative_to(folder).as_posix()] = _sha256(path)
                if len(found) > MAX_FILES:
                    raise RecipeError(f"holds more than {MAX_FILES} files", where=str(folder), remedy=_AGAIN)
    except OSError as error:
        raise RecipeError(f"cannot be read ({error.strerror})", where=str(folder), remedy=_AGAIN) from None
    return hash_of({"files": found})


def sign_version(folder: Path, trust: Trust, by: str) -> None:
    """Sign a version that this station makes with its own key. ConfigError: it has none, or the disk refuses."""
    sign("recipe", version_digest(folder), folder, trust.need_signer(), by)


def refuse_unsigned(trust: Trust, folder: Path, digest: str, bundle: Bundle) -> None:
    """RecipeError, BundleError: version or bundle is not signed by a key that is trusted for it."""
    try:
        problem = trust.problem("recipe", digest, folder)
        if problem is not None:
            raise RecipeError(problem[0], where=str(folder), remedy=problem[1])
        problem = trust.problem("bundle", bundle.content_hash, bundle.path)
        if problem is not None:
            raise BundleError(problem[0], where=str(bundle.path), remedy=problem[1])
    except ConfigError as error:
        raise RecipeError(f"cannot be proven: {error}", where=str(folder)) from None


def _sha256(path: Path) -> str:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise RecipeError("is no plain file", where=str(path), remedy=_AGAIN)
        digest = hashlib.sha256()
        while piece := stream.read(_CHUNK):
            digest.update(piece)
    return digest.hexdigest()
