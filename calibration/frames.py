"""Good frames of a folder through the station's own path, to scores and pixels; each refusal with its reason."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from edge.cameras.folder import good_images
from edge.cameras.images import read_image
from edge.engines.base import Engine
from edge.errors import EngineFault, FrameError
from edge.pipeline import ViewPipeline
from edge.recipe import Recipe
from edge.types import MapF32

Track = Callable[[Sequence[Path]], Iterable[Path]]
"""Hands the files on one by one, shows how far it is, and cancels by raising."""

MAX_POOLED = 50_000_000
_BUILT_THE_MODEL = "built the model"


@dataclass(frozen=True, eq=False)
class Measured:
    """What the frames of a folder gave. pixels: float32, every judged pixel of every smoothed map (see `_stride`).

    refused: why, by file name. built_model: the files among them that the bundle was made from.
    """

    names: tuple[str, ...]
    sha256: tuple[str, ...]
    scores: tuple[float, ...]
    pixels: MapF32
    refused: dict[str, str]
    built_model: tuple[str, ...]
    files: int


@dataclass
class _Collected:
    names: list[str] = field(default_factory=list)
    sha256: list[str] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    pixels: list[MapF32] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    built_model: list[str] = field(default_factory=list)
    pictures: dict[str, str] = field(default_factory=dict)


def measure_folder(recipe: Recipe, engine: Engine, folder: Path, track: Track | None = None) -> Measured:
    """Measure every image of a folder with a recipe on an opened engine. ConfigError if there is no image at all."""
    paths = good_images(folder)
    pipeline = ViewPipeline(recipe, engine)
    collected = _Collected()
    stride = _stride(len(paths), recipe)
    for path in track(paths) if track else paths:
        try:
            _measure(path, pipeline, recipe, collected, stride)
        except (FrameError, EngineFault) as error:
            collected.refused[path.name] = error.message
    pixels = np.concatenate(collected.pixels) if collected.pixels else np.empty(0, np.float32)
    return Measured(
        names=tuple(collected.names),
        sha256=tuple(collected.sha256),
        scores=tuple(collected.scores),
        pixels=pixels,
        refused=collected.refused,
        built_model=tuple(collected.built_model),
        files=len(paths),
    )


def _measure(path: Path, pipeline: ViewPipeline, recipe: Recipe, collected: _Collected, stride: int) -> None:
    image = read_image(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest in recipe.bundle.manifest.training.sha256:
        collected.built_model.append(path.name)
        raise FrameError(f"{_BUILT_THE_MODEL} {recipe.bundle.name}")
    picture = hashlib.sha256(image.tobytes()).hexdigest()
    if picture in collected.pictures:
        raise FrameError(f"is the same picture as {collected.pictures[picture]}")
    collected.pictures[picture] = path.name
    alignment = pipeline.align(image)
    if not alignment.trusted:
        broken = "; ".join(map(str, alignment.broken)) or "no finite homography"
        raise FrameError(f"does not register ({broken})")
    measurement = pipeline.measure(image, alignment)
    if measurement.smoothed is None or measurement.score is None or not np.isfinite(measurement.score):
        raise FrameError(measurement.fault or "gave a score that is no number")
    collected.names.append(path.name)
    collected.sha256.append(digest)
    collected.scores.append(measurement.score)
    collected.pixels.append(measurement.smoothed[measurement.judged][::stride])


def _stride(frames: int, recipe: Recipe) -> int:
    """Every pixel while they fit into 200 MB, else every n-th: neighbours in a smoothed map tell the same."""
    width, height = recipe.bundle.manifest.size_wh
    return max(1, -(-frames * width * height // MAX_POOLED))
