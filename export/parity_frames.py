"""The frames on which engines are compared: a recipe's challenge, and the images of a folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edge.cameras.folder import good_images
from edge.cameras.images import read_image
from edge.recipe import Recipe
from edge.recipe.challenge import FOLDER, read_challenge, read_frame
from edge.types import ImageU8

__all__ = ["Shown", "Source", "frames_of"]

Source = Literal["challenge", "images"]


@dataclass(frozen=True)
class Shown:
    """One frame to be compared, read when it is its turn. FrameError, RecipeError: it cannot be."""

    name: str
    source: Source
    read: Callable[[], ImageU8]


def frames_of(recipe: Recipe | None, images: Path | None) -> list[Shown]:
    """A recipe's challenge frames, then the images of the folder. ConfigError: no image there; RecipeError."""
    shown: list[Shown] = []
    if recipe is not None:
        folder = recipe.folder / FOLDER
        challenge = read_challenge(folder)
        for frame in challenge.frames if challenge is not None else ():
            shown.append(Shown(frame.file, "challenge", lambda at=frame: read_frame(folder, at)))  # type: ignore[misc]
    for path in good_images(images) if images is not None else ():
        shown.append(Shown(path.name, "images", lambda at=path: read_image(at)))  # type: ignore[misc]
    return shown
