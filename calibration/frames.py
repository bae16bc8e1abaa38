"""Frames of a folder through the station's own path, to scores and pixels; each refusal with its reason."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from calibration.progress import Progress, silent
from calibration.provenance import stored_sha256
from edge.cameras.folder import good_images, image_files
from edge.cameras.images import read_image
from edge.cli.terminal import one_line
from edge.engines.base import Engine
from edge.errors import ConfigError, FrameError
from edge.pipeline import ViewPipeline
from edge.recipe import Recipe
from edge.types import MapF32

MAX_POOLED = 50_000_000
_BUILT_THE_MODEL = "built the model"


@dataclass(frozen=True, eq=False)
class Measured:
    """What the frames of a folder gave. pixels: float32, every judged pixel of every smoothed map (see `_stride`),
    None where the bundle gives no map.

    refused: why, by file name. built_model: the files among them that the bundle was made from. repeated: those that are
    the same picture as another. pictures: SHA-256 of the pixels of the frames that count, in their order.
    """

    names: tuple[str, ...]
    sha256: tuple[str, ...]
    scores: tuple[float, ...]
    pixels: MapF32 | None
    refused: dict[str, str]
    built_model: tuple[str, ...]
    files: int
    repeated: tuple[str, ...] = ()
    pictures: tuple[str, ...] = ()


@dataclass
class _Collected:
    names: list[str] = field(default_factory=list)
    sha256: list[str] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    pixels: list[MapF32] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    built_model: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    seen: dict[str, str] = field(default_factory=dict)
    pictures: list[str] = field(default_factory=list)


def measure_folder(
    recipe: Recipe, engine: Engine, folder: Path, progress: Progress = silent, *, keep_pixels: bool = True
) -> Measured:
    """Measure every image of a folder with a recipe on an opened engine. keep_pixels: False for scores alone.

    Every pixel is kept while they fit into 200 MB, else every n-th: neighbours in a smoothed map tell the same.
    Raises ConfigError if there is no image at all, and whatever `progress` raises.
    """
    paths = good_images(folder)
    pipeline = ViewPipeline(recipe, engine)
    collected = _Collected()
    stride = _stride(len(paths), recipe) if keep_pixels else 0
    stored = stored_sha256(folder)
    for done, path in enumerate(paths, 1):
        try:
            _measure(path, pipeline, recipe, collected, stride, stored.get(path.name))
        except FrameError as error:
            collected.refused[path.name] = error.message
        progress(done, len(paths), path.name)
    pixels = np.concatenate(collected.pixels) if collected.pixels else np.empty(0, np.float32)
    has_map = recipe.bundle.manifest.has_map
    return Measured(
        names=tuple(collected.names),
        sha256=tuple(collected.sha256),
        scores=tuple(collected.scores),
        pixels=pixels if has_map else None,
        refused=collected.refused,
        built_model=tuple(collected.built_model),
        files=len(paths),
        repeated=tuple(collected.repeated),
        pictures=tuple(collected.pictures),
    )


def require_bad_images(folder: Path) -> None:
    """ConfigError if there is none. Asked before the good frames are measured: a wrong name must not cost those minutes."""
    try:
        found = image_files(folder)
    except OSError as error:
        raise ConfigError(f"cannot be listed ({error.strerror})", where=str(folder), remedy="name a folder of images") from None
    if not found:
        remedy = "put bad frames of this view there (png, jpg, bmp, tif), or leave --bad out"
        raise ConfigError("holds no image", where=str(folder), remedy=remedy)


def printable(refused: dict[str, str]) -> dict[str, str]:
    """File names may be any bytes; a card is text."""
    return {one_line(name): why for name, why in refused.items()}


def _measure(
    path: Path, pipeline: ViewPipeline, recipe: Recipe, collected: _Collected, stride: int, stored: str | None
) -> None:
    image = read_image(path)
    digest = _digest(path)
    if stored not in (None, digest):
        raise FrameError("was changed since it was collected")
    if digest in recipe.bundle.manifest.training.sha256:
        collected.built_model.append(path.name)
        raise FrameError(f"{_BUILT_THE_MODEL} {recipe.bundle.name}")
    picture = hashlib.sha256(image.tobytes()).hexdigest()
    if picture in collected.seen:
        collected.repeated.append(path.name)
        raise FrameError(f"is the same picture as {collected.seen[picture]}")
    collected.seen[picture] = path.name
    judged = pipeline.judge(image)
    alignment, measurement = judged.alignment, judged.measurement
    if alignment is not None and not alignment.trusted:
        broken = "; ".join(map(str, alignment.broken)) or "no finite homography"
        raise FrameError(f"does not register ({broken})")
    if measurement is None:
        raise FrameError(judged.judgement.reason.detail if judged.judgement.reason else "cannot be judged")
    if measurement.fault or measurement.score is None or not np.isfinite(measurement.score):
        raise FrameError(measurement.fault or "gave a score that is no number")
    collected.names.append(path.name)
    collected.sha256.append(digest)
    collected.scores.append(measurement.score)
    collected.pictures.append(picture)
    if stride and measurement.smoothed is not None:
        collected.pixels.append(measurement.smoothed[measurement.judged][::stride])


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:  # taken away since it was read
        raise FrameError(f"cannot be read ({error.strerror})") from None


def _stride(frames: int, recipe: Recipe) -> int:
    width, height = recipe.bundle.manifest.size_wh
    return max(1, -(-frames * width * height // MAX_POOLED))
