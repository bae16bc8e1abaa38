"""Recipes whose float16 file lies by a known factor: the map is the frame's brightness, times that in float16."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from edge.bundle import Bundle, Limits, Tolerance
from edge.engines.onnxruntime import OnnxRuntimeEngine
from edge.pipeline import ViewPipeline
from edge.recipe import CardEngine, Content, Figures, Histogram, Recipe, load_recipe, save
from edge.recipe.challenge import KnownFrame, write_challenge
from edge.settings.engines import OnnxRuntimeSettings
from edge.settings.judging import ScoreRule
from edge.types import ImageU8
from tests.bundle.samples import SIZE_WH, declared, random_inputs, write
from tests.engines import graphs
from tests.engines.gpu_parts import mean
from tests.recipe.builders import card, document
from tests.station_parts import scene, with_leftover, with_noise

LENIENT = Limits(float16=Tolerance(rtol=0.5, atol=1.0))
RULE = ScoreRule(kind="max", window=1)
GOOD, BAD = with_noise(scene(), 1), with_leftover(with_noise(scene(), 2))


def bright_bundle(out: Path, half: float = 1.0, *, limits: Limits = LENIENT, both: bool = True, **changes: Any) -> Bundle:
    declaration = declared(score=RULE, limits=limits, size_wh=SIZE_WH, **changes)
    inputs = [random_inputs(declaration, seed) for seed in (0, 1)]
    twin = graphs.mean_map(half=True, scale=half) if both else None
    outputs = [mean(given) for given in inputs]
    return write(out, declaration, model=graphs.mean_map(), model_fp16=twin, golden_inputs=inputs, golden_outputs=outputs)


def scores_of(recipe: Recipe, *images: ImageU8) -> list[float]:
    with OnnxRuntimeEngine(recipe.bundle, OnnxRuntimeSettings(threads=1)) as engine:
        pipeline = ViewPipeline(recipe, engine)
        found = [pipeline.measure(image, pipeline.align(image)).score for image in images]
    return [score for score in found if score is not None]


def bright_recipe(folder: Path, half: float = 1.0, *, precision: str = "float32", **changes: Any) -> Recipe:
    """The threshold is in the middle between a good and a bad frame; both are its challenge."""
    bundle, path = bright_bundle(folder / "bundle", half, **changes), folder / "front"
    content = Content(document(), bundle, scene())
    save(path, content)
    good, bad = scores_of(load_recipe(path), GOOD, BAD)
    threshold, spread = (good + bad) / 2, (bad - good) / 10
    histogram = Histogram(edges=(0.0, 300.0), counts=(5,))
    figures = Figures(count=5, min=good, median=good, p99=good, p999=good, max=good, mean=good, std=spread, histogram=histogram)
    made = card(
        load_recipe(path).hashes,
        engine=CardEngine(backend="onnxruntime", version="1", device="cpu", precision=precision),
        image_threshold=threshold,
        pixel_threshold=threshold,
        scores=(good,) * 5,
        image=figures,
        pixel=figures.model_copy(update={"median": float(np.median(scene()))}),
        score_rule=RULE,
    )
    challenge = folder / "challenge"
    challenge.mkdir()
    write_challenge(challenge, [KnownFrame(GOOD, "PASS"), KnownFrame(BAD, "FAIL")], who="w", why="y")
    save(path, Content(content.document, bundle, scene(), (), made, challenge))
    return load_recipe(path)
