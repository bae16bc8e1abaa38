"""`lineclear judge`: image files through a recipe, exactly as the station would."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edge.cameras.folder import image_files
from edge.cameras.images import SUFFIXES, read_image
from edge.cli.progress import Progress
from edge.engines.onnxruntime import OnnxRuntimeEngine
from edge.errors import ConfigError, FrameError
from edge.heatmap import encode, overlay
from edge.pipeline import Judged, ViewPipeline, picture_of
from edge.publishers.payloads import alignment_body, region_body
from edge.recipe import load_recipe
from edge.settings.engines import OnnxRuntimeSettings
from edge.types import ImageU8, Judgement, ReasonCode
from edge.verdict import undecided


def judge(recipe_path: Path, images: list[Path], out: Path | None, as_json: bool, threads: int) -> int:
    """Judge every image; a broken image is UNDECIDED(frame_invalid), not the end. 0 once all are judged.

    Raises ConfigError for a path that is not there, RecipeError and BundleError for what must not be used.
    """
    if threads < 1:
        raise ConfigError("must be at least 1", where="--threads", remedy="write a number of cores, such as 2")
    paths = list(_expand(images))
    recipe = load_recipe(recipe_path)
    names = _overlay_names(paths)
    if out is not None:
        _make_folder(out)
    with OnnxRuntimeEngine(recipe.bundle, OnnxRuntimeSettings(threads=threads)) as engine:
        pipeline = ViewPipeline(recipe, engine)
        for path in Progress("judge", paths, quiet=not out and sys.stdout.isatty()):
            image, judgement, judged = _judge_file(pipeline, path)
            if out is not None and image is not None:
                picture = overlay(picture_of(image, judgement, judged, path.name))
                (out / names[path]).write_bytes(encode(picture, "png"))
            line = json.dumps(_document(path, judgement, judged)) if as_json else _row(path, judgement)
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
    return 0


def _judge_file(pipeline: ViewPipeline, path: Path) -> tuple[ImageU8 | None, Judgement, Judged | None]:
    try:
        image = read_image(path)
    except FrameError as error:
        return None, undecided(ReasonCode.FRAME_INVALID, str(error)), None
    judged = pipeline.judge(image)
    return image, judged.judgement, judged


def _expand(paths: list[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            found = image_files(path)
            if not found:
                kinds = ", ".join(SUFFIXES)
                raise ConfigError("no image in this folder", where=str(path), remedy=f"expected files ending in {kinds}")
            yield from found
        elif path.exists():
            yield path
        else:
            raise ConfigError("no such file or folder", where=str(path), remedy="check the path")


def _overlay_names(paths: list[Path]) -> dict[Path, str]:
    """A file name per image, unique also where two folders hold images of one name."""
    names: dict[Path, str] = {}
    taken: set[str] = set()
    for path in paths:
        name, number = f"{path.stem}.png", 1
        while name in taken:
            number += 1
            name = f"{path.stem}-{number}.png"
        taken.add(name)
        names[path] = name
    return names


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"cannot be written ({error.strerror})", where=str(out), remedy="name a folder of your own") from None


def _document(path: Path, judgement: Judgement, judged: Judged | None) -> dict[str, Any]:
    return {
        "image": str(path),
        "outcome": judgement.outcome.value,
        "reason": judgement.reason.code.value if judgement.reason else None,
        "detail": judgement.reason.detail if judgement.reason else None,
        "score": judgement.score,
        "threshold": judgement.threshold,
        "pixel_threshold": judgement.pixel_threshold,
        "regions": [region_body(region) for region in judgement.regions],
        "alignment": alignment_body(judged.alignment) if judged and judged.alignment else None,
        "stage_ms": {name: round(ms, 3) for name, ms in judged.stage_ms.items()} if judged else {},
    }


def _row(path: Path, judgement: Judgement) -> str:
    score = "-" if judgement.score is None else f"{judgement.score:.4f}"
    threshold = "-" if judgement.threshold is None else f"{judgement.threshold:.4f}"
    reason = f"  {judgement.reason.code.value}: {judgement.reason.detail}" if judgement.reason else ""
    return f"{judgement.outcome.value:9}  score {score:>9}  threshold {threshold:>9}  {path}{reason}"
