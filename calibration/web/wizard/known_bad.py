"""Frames that show something that must be found: they tell what a threshold misses."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from edge.bundle.image import encode_png
from edge.cameras.folder import image_files
from edge.cameras.images import read_image
from edge.durable import replace_file
from edge.errors import ConfigError
from edge.types import ImageU8

MOST_BAD: Final = 100


def bad_frames(folder: Path) -> tuple[str, ...]:
    """Their names; empty where there are none."""
    try:
        return tuple(path.name for path in image_files(folder))
    except OSError:
        return ()


def add_file(folder: Path, file: Path) -> str:
    """Take a picture over without loss; its name. FrameError: no picture. ConfigError: too many, or the disk refuses."""
    return _add(folder, read_image(file))


def add_folder(folder: Path, source: Path) -> int:
    """Take over every picture of a folder, such as those that were labelled bad; how many. Raises as `add_file`."""
    names = {add_file(folder, source / name) for name in bad_frames(source)[:MOST_BAD]}
    if not names:
        raise ConfigError("there are none", where="frames that were labelled bad", remedy="label some in the history")
    return len(names)


def remove(folder: Path, name: str) -> None:
    """ConfigError: there is none of that name."""
    if name not in bad_frames(folder):
        raise ConfigError("there is no such frame", where="bad frames", remedy="look at the list again")
    (folder / name).unlink(missing_ok=True)


def _add(folder: Path, image: ImageU8) -> str:
    there = bad_frames(folder)
    data = encode_png(image)
    name = f"{hashlib.sha256(data).hexdigest()[:16]}.png"
    if name not in there and len(there) >= MOST_BAD:
        raise ConfigError(f"{len(there)} bad frames are there already", where="bad frames", remedy="take some out first")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        replace_file(folder / name, data, mode=0o640)
    except OSError as error:
        message = f"cannot be written ({error.strerror or error})"
        raise ConfigError(message, where=str(folder), remedy="free the disk; what was stored stays") from None
    return name
