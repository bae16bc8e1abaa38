"""Which image files a command line means, and where their overlays go."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from edge.cameras.folder import image_files
from edge.cameras.images import SUFFIXES
from edge.errors import ConfigError


def expand(paths: list[Path]) -> list[Path]:
    """The files to judge; ConfigError reports every path that leads to none."""
    found: list[Path] = []
    problems: list[str] = []
    for path in paths:
        if path.is_dir():
            inside = image_files(path)
            found += inside
            if not inside:
                problems.append(f"{path}: no image in this folder: expected files ending in {', '.join(SUFFIXES)}")
        elif path.is_file():
            found.append(path)
        else:
            problems.append(f"{path}: {'is no file' if path.exists() else 'no such file or folder'}: check the path")
    if problems:
        raise ConfigError("cannot be judged", problems=tuple(problems))
    return found


def overlay_paths(paths: list[Path], out: Path) -> dict[Path, Path]:
    """Where each image's overlay goes, unique also where two folders hold images of one name. ConfigError."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"cannot be written ({error.strerror})", where=str(out), remedy="name a folder of your own") from None
    inputs = {path.resolve() for path in paths}
    overlays = {path: out / name for path, name in zip(paths, _names(paths), strict=True)}
    for path, overlay_path in overlays.items():
        if overlay_path.resolve() in inputs:
            remedy = "name another folder"
            raise ConfigError(f"the overlay of {path} would overwrite an image", where=f"--out {out}", remedy=remedy)
    return overlays


def _names(paths: list[Path]) -> Iterator[str]:
    taken: set[str] = set()
    for path in paths:
        name, number = f"{path.stem}.png", 1
        while name in taken:
            number += 1
            name = f"{path.stem}-{number}.png"
        taken.add(name)
        yield name
