"""`lineclear judge`: image files through a recipe, exactly as the station would."""

from __future__ import annotations

import sys
from pathlib import Path

from edge.cameras.images import read_image
from edge.cli.image_paths import expand, overlay_paths
from edge.cli.judge_output import emit, overlay_png
from edge.cli.progress import Progress
from edge.engines.onnxruntime import OnnxRuntimeEngine
from edge.errors import FrameError
from edge.pipeline import Judged, ViewPipeline
from edge.recipe import load_recipe
from edge.settings.engines import OnnxRuntimeSettings
from edge.types import ImageU8, Judgement, ReasonCode
from edge.verdict import undecided


def judge(recipe_path: Path, images: list[Path], out: Path | None, as_json: bool, threads: int) -> int:
    """Judge every image; a broken image is UNDECIDED(frame_invalid), not the end. 0 once all are judged.

    Raises ConfigError for a path that is not there, RecipeError and BundleError for what must not be used.
    """
    paths = expand(images)
    recipe = load_recipe(recipe_path)
    overlays = {} if out is None else overlay_paths(paths, out)
    with OnnxRuntimeEngine(recipe.bundle, OnnxRuntimeSettings(threads=threads)) as engine:
        pipeline = ViewPipeline(recipe, engine)
        # On a terminal the rows are the progress; a bar would only tear them apart.
        for path in Progress("judge", paths, quiet=sys.stdout.isatty()):
            image, judgement, judged = _judge_file(pipeline, path)
            if path in overlays and image is not None:
                overlays[path].write_bytes(overlay_png(path, image, judgement, judged))
            if not emit(path, judgement, judged, as_json=as_json) and not overlays:
                break  # whoever reads has seen enough
    return 0


def _judge_file(pipeline: ViewPipeline, path: Path) -> tuple[ImageU8 | None, Judgement, Judged | None]:
    try:
        image = read_image(path)
    except FrameError as error:
        return None, undecided(ReasonCode.FRAME_INVALID, str(error)), None
    judged = pipeline.judge(image)
    return image, judged.judgement, judged
