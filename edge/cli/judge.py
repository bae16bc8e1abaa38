"""`lineclear judge`: image files through a recipe, exactly as the station would."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edge.cameras.folder import image_files
from edge.cameras.images import SUFFIXES, read_image
from edge.cli.progress import Progress
from edge.cli.terminal import one_line, say, say_json
from edge.engines.onnxruntime import OnnxRuntimeEngine
from edge.errors import ConfigError, FrameError
from edge.heatmap import encode, overlay
from edge.pipeline import Judged, ViewPipeline, picture_of
from edge.publishers.payloads import alignment_body, finite, region_body
from edge.recipe import load_recipe
from edge.settings.engines import OnnxRuntimeSettings
from edge.types import ImageU8, Judgement, ReasonCode
from edge.verdict import undecided


def judge(recipe_path: Path, images: list[Path], out: Path | None, as_json: bool, threads: int) -> int:
    """Judge every image; a broken image is UNDECIDED(frame_invalid), not the end. 0 once all are judged.

    Raises ConfigError for a path that is not there, RecipeError and BundleError for what must not be used.
    """
    paths = _expand(images)
    recipe = load_recipe(recipe_path)
    overlays = {} if out is None else _overlay_paths(paths, out)
    with OnnxRuntimeEngine(recipe.bundle, OnnxRuntimeSettings(threads=threads)) as engine:
        pipeline = ViewPipeline(recipe, engine)
        # On a terminal the rows are the progress; a bar would only tear them apart.
        for path in Progress("judge", paths, quiet=sys.stdout.isatty()):
            image, judgement, judged = _judge_file(pipeline, path)
            if path in overlays and image is not None:
                picture = overlay(picture_of(image, judgement, judged, one_line(path.name)))
                overlays[path].write_bytes(encode(picture, "png"))
            heard = say_json(_document(path, judgement, judged)) if as_json else say(_row(path, judgement))
            if not heard and not overlays:
                break  # whoever reads has seen enough
    return 0


def _judge_file(pipeline: ViewPipeline, path: Path) -> tuple[ImageU8 | None, Judgement, Judged | None]:
    try:
        image = read_image(path)
    except FrameError as error:
        return None, undecided(ReasonCode.FRAME_INVALID, str(error)), None
    judged = pipeline.judge(image)
    return image, judged.judgement, judged


def _expand(paths: list[Path]) -> list[Path]:
    """The files to judge; every path that leads to none is reported at once."""
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


def _overlay_paths(paths: list[Path], out: Path) -> dict[Path, Path]:
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


def _document(path: Path, judgement: Judgement, judged: Judged | None) -> dict[str, Any]:
    return {
        "image": one_line(str(path)),
        "outcome": judgement.outcome.value,
        "reason": judgement.reason.code.value if judgement.reason else None,
        "detail": one_line(judgement.reason.detail) if judgement.reason else None,
        "score": finite(judgement.score),
        "threshold": finite(judgement.threshold),
        "pixel_threshold": finite(judgement.pixel_threshold),
        "regions": [region_body(region) for region in judgement.regions],
        "alignment": alignment_body(judged.alignment) if judged and judged.alignment else None,
        "stage_ms": {name: round(ms, 3) for name, ms in judged.stage_ms.items()} if judged else {},
    }


def _row(path: Path, judgement: Judgement) -> str:
    score = "-" if judgement.score is None else f"{judgement.score:.4f}"
    threshold = "-" if judgement.threshold is None else f"{judgement.threshold:.4f}"
    reason = f"  {judgement.reason.code.value}: {judgement.reason.detail}" if judgement.reason else ""
    return one_line(f"{judgement.outcome.value:9}  score {score:>9}  threshold {threshold:>9}  {path}{reason}") + "\n"
