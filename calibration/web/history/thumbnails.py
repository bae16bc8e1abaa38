"""Small pictures of results, made when they are first asked for and kept in a folder that never grows beyond its bound."""

from __future__ import annotations

import logging
import os
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from edge.archive import ArchiveReader, Entry
from edge.cameras.image_headers import BadImage, read_header
from edge.cameras.images import MAX_PIXELS
from edge.durable import replace_file

log = logging.getLogger(__name__)

MAX_SIDE_PX: Final = 240
MAX_BYTES: Final = 64 * 1024**2
AT_ONCE: Final = 2
"""How many are made at the same time: a page of fifty must not take the machine from the station."""
_QUALITY: Final = 78
_AFTER_PRUNING: Final = 0.8
_ROLES: Final = ("overlay", "frame")


@dataclass(frozen=True)
class Thumbnail:
    """A JPEG; tag: changes with what it is a picture of."""

    data: bytes
    tag: str


def has_picture(entry: Entry) -> bool:
    """True if there is something to make a thumbnail of."""
    return any(role in entry.files for role in _ROLES)


def tag_of(entry: Entry) -> str:
    """What an HTTP ETag may say of a result's thumbnail; "" without a picture. The files of a result never change."""
    role = next((role for role in _ROLES if role in entry.files), None)
    return f"{entry.sha256[role][:32]}-{MAX_SIDE_PX}" if role is not None else ""


class Thumbnails:
    """Makes and keeps them; any thread. folder: nothing else is in it. max_bytes: what it may hold."""

    def __init__(self, folder: Path, max_bytes: int = MAX_BYTES) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._held_bytes: int | None = None

    def of(self, reader: ArchiveReader, entry: Entry) -> Thumbnail | None:
        """The picture of a result; None: it has none, or none that can be shown. ArchiveError: its evidence is damaged."""
        tag = tag_of(entry)
        if not tag:
            return None
        path = self._folder / tag[:2] / f"{tag}.jpg"
        with suppress(OSError):
            data = path.read_bytes()
            os.utime(path)  # the oldest are deleted first: this one is in use
            return Thumbnail(data, tag)
        made = _smaller(reader.read(entry, next(role for role in _ROLES if role in entry.files)))
        if made is None:
            return None
        self._keep(path, made)
        return Thumbnail(made, tag)

    def _keep(self, path: Path, data: bytes) -> None:
        """A disk that takes no more costs time at the next visit, nothing else."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, data)
        except OSError as error:
            log.warning("thumbnail_not_kept file=%s why=%s", path, error)
            return
        with self._lock:
            held = self._held_bytes + len(data) if self._held_bytes is not None else self._measure()
            self._held_bytes = self._prune() if held > self._max_bytes else held

    def _files(self) -> list[tuple[float, int, Path]]:
        found = []
        for path in self._folder.glob("*/*"):
            with suppress(OSError):
                status = path.stat()
                found.append((status.st_mtime, status.st_size, path))
        return sorted(found)

    def _measure(self) -> int:
        return sum(size for _, size, _ in self._files())

    def _prune(self) -> int:
        """The least used go until there is room for some time, also what a crash left half-written; the bytes that stay."""
        files = self._files()
        held_bytes = sum(size for _, size, _ in files)
        for _, size, path in files:
            if held_bytes <= self._max_bytes * _AFTER_PRUNING:
                break
            with suppress(OSError):
                path.unlink()
                held_bytes -= size
        return held_bytes


def _smaller(data: bytes) -> bytes | None:
    """At most MAX_SIDE_PX wide and high; None: no picture that can be shown. Large JPEGs are decoded small, which is quick."""
    try:
        header = read_header(data)
        width, height = header.size_wh
        if not 0 < width * height <= MAX_PIXELS:
            return None
        is_large = header.kind == "jpeg" and max(width, height) >= 4 * MAX_SIDE_PX
        how = cv2.IMREAD_REDUCED_COLOR_4 if is_large else cv2.IMREAD_COLOR
        image = cv2.imdecode(np.frombuffer(data, np.uint8), how)
        if image is None:
            return None
        height, width = image.shape[:2]
        scale = min(1.0, MAX_SIDE_PX / max(width, height))
        size_wh = (max(1, round(width * scale)), max(1, round(height * scale)))
        packed = cv2.imencode(
            ".jpg", cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
        )
    except (BadImage, cv2.error):
        return None
    return packed[1].tobytes() if packed[0] else None
