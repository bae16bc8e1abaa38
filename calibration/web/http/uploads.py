"""Files that somebody sends: kept under a name of ours, counted, and never over anything."""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO, Final

from fastapi import UploadFile

from calibration.web.http.refusals import Refused
from calibration.web.site import Site

FOLDER: Final = "uploads"
KEPT_S: Final = 24 * 3600.0
CHUNK_BYTES: Final = 1 << 20
FREE_BYTES: Final = 500_000_000
"""So much room of the disk is the station's, whatever somebody sends."""


def save_upload(site: Site, file: UploadFile, *, limit_bytes: int, suffixes: Collection[str]) -> Path:
    """The file's bytes below the page's folder; of the sender's name only an allowed suffix is looked at.

    suffixes: in lower case with the dot. Refused: too large, no room, or another suffix. The caller removes the file;
    what was forgotten goes after a day.
    """
    suffix = next((suffix for suffix in sorted(suffixes) if (file.filename or "").lower().endswith(suffix)), None)
    if suffix is None:
        raise Refused("base.upload_suffix", 422, suffixes=", ".join(sorted(suffixes)))
    folder = site.folder / FOLDER
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    _sweep(folder)
    path = folder / f"{secrets.token_hex(16)}{suffix}"
    try:
        with path.open("xb") as target:
            _copy(file, target, limit_bytes, folder)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def _copy(file: UploadFile, target: BinaryIO, limit_bytes: int, folder: Path) -> None:
    taken = 0
    while chunk := file.file.read(CHUNK_BYTES):
        taken += len(chunk)
        if taken > limit_bytes:
            raise Refused("base.upload_too_large", 413, megabytes=f"{limit_bytes / 1e6:.0f}")
        if shutil.disk_usage(folder).free < FREE_BYTES:
            raise Refused("base.upload_no_room", 507)
        target.write(chunk)
    if taken == 0:
        raise Refused("base.upload_empty", 422)


def _sweep(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_file() and not path.is_symlink() and time.time() - path.stat().st_mtime > KEPT_S:
            path.unlink(missing_ok=True)
