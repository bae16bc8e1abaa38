"""The ways to judge a view that `benchmarks.accuracy` compares: the station's own, the study's, and the crude model alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.methods import Method, image_threshold
from calibration.thresholds import Signature, take_thresholds
from edge.bundle import Bundle
from edge.cameras.images import read_image
from edge.engines.onnxruntime import OnnxRuntimeEngine
from edge.pipeline import ViewPipeline
from edge.recipe import Content, RecipeFile, load_recipe, save
from edge.registration import Reference, align, warp
from edge.settings.engines import OnnxRuntimeSettings
from edge.settings.registration import RegistrationSettings
from edge.types import Homography, ImageU8, MapF32
from export.adapters.registering import GoodFrame
from export.adapters.variation import build
from export.adapters.variation_model import VariationSettings

MODEL_FRAMES = 15
KINDS = ("max", "quantile")


@dataclass(frozen=True, eq=False)
class Shot:
    """One test frame as a chain saw it. score: None where the frame was refused. seen: its raw map in frame pixels."""

    score: float | None
    seen: MapF32 | None
    refusal: str = ""
    float16_score: float | None = None
    ms: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Judged:
    """What a chain made of one view: its thresholds by method, and its shots in the order of the given files."""

    thresholds: dict[str, float]
    shots: list[Shot]


def to_frame(scores: MapF32, map_to_frame: Homography, frame_wh: tuple[int, int]) -> MapF32:
    """The map at every second pixel of the frame (bilinear); 0 where the chain did not look."""
    half = np.array([[0.5, 0, 0], [0, 0.5, 0], [0, 0, 1]])
    size = ((frame_wh[0] + 1) // 2, (frame_wh[1] + 1) // 2)
    return np.asarray(cv2.warpPerspective(scores, half @ map_to_frame, size, flags=cv2.INTER_LINEAR), np.float32)


def station(train: Sequence[Path], test: Sequence[Path], work: Path, settings: VariationSettings | None = None) -> Judged:
    """The product itself: bundle from the first 15, thresholds from the rest, then the station's own path per frame."""
    frames = [GoodFrame(read_image(path), path.name) for path in train[:MODEL_FRAMES]]
    bundle = build(frames, frames[0].image, settings).write(work / "bundle", "benchmarks.accuracy")
    now = datetime.now(timezone.utc)
    document = RecipeFile.model_validate(
        {
            "schema": 1, "view": "bench", "bundle": bundle.name, "bundle_hash": bundle.content_hash,
            "reference_sha256": "0" * 64, "created_by": "bench", "created_at": now, "why": "benchmark",
        }
    )  # fmt: skip
    save(work / "recipe", Content(document, bundle, frames[0].image))
    hold = work / "hold"
    hold.mkdir()
    for path in train[MODEL_FRAMES:]:
        (hold / path.name).symlink_to(path)
    who = Signature(who="bench", why="benchmark")
    thresholds = {
        kind: take_thresholds(work / "recipe", hold, Method(kind=kind), who, open_engine=_engine).card.image_threshold
        for kind in KINDS
    }
    recipe = load_recipe(work / "recipe")
    with ExitStack() as stack:
        full, half = (
            ViewPipeline(recipe, stack.enter_context(OnnxRuntimeEngine(bundle, OnnxRuntimeSettings(precision=precision))))
            for precision in ("float32", "float16")
        )
        return Judged(thresholds, [_judged(full, half, read_image(path)) for path in test])


def crude(train: Sequence[Path], test: Sequence[Path], mode: str) -> Judged:
    """The 25 lines that were measured first, behind a registration of this mode (`orb` is the study's recipe).

    z-score in LAB at half size, median and standard deviation + 4, 9x9 mean, maximum. It has no gates: what its
    registration says is believed, as in the study.
    """
    images = [read_image(path) for path in train]
    reference = Reference(images[0], RegistrationSettings.model_validate({"mode": mode}))
    stack = np.stack([_half_lab(image) for image in images[:MODEL_FRAMES]])
    middle, spread = np.median(stack, 0), stack.std(0) + 4

    def shoot(image: ImageU8, moves: bool) -> Shot:
        matrix = align(image, reference).frame_to_reference if moves and mode != "none" else np.eye(3)
        size = reference.size_wh
        warped, seen = warp(image, matrix, size, reference_image)
        scores = (np.abs(_half_lab(warped) - middle) / spread).mean(2).astype(np.float32)
        scores[~seen[::2, ::2][: scores.shape[0], : scores.shape[1]]] = 0
        back = np.linalg.inv(matrix) @ _doubling(size, scores)
        smoothed = cv2.blur(scores, (9, 9), borderType=cv2.BORDER_CONSTANT)
        return Shot(float(smoothed.max()), to_frame(scores, back, (image.shape[1], image.shape[0])))

    reference_image = images[0]
    held = np.array([shoot(image, moves=False).score for image in images[MODEL_FRAMES:]])
    thresholds = {kind: image_threshold(held, Method.model_validate({"kind": kind})) for kind in KINDS}
    return Judged(thresholds, [shoot(read_image(path), moves=True) for path in test])


def _judged(full: ViewPipeline, half: ViewPipeline, image: ImageU8) -> Shot:
    judged = full.judge(image)
    if judged.measurement is None or judged.alignment is None:
        reason = judged.judgement.reason
        return Shot(None, None, reason.detail if reason else "?", ms=judged.stage_ms)
    twin = half.measure(image, judged.alignment)
    scores = np.where(judged.measurement.judged, judged.measurement.anomaly_map.scores, np.float32(0))
    back = np.linalg.inv(judged.alignment.frame_to_reference) @ full.map_to_reference
    seen = to_frame(scores, back, (image.shape[1], image.shape[0]))
    return Shot(judged.measurement.score, seen, float16_score=twin.score, ms=judged.stage_ms)


def _engine(bundle: Bundle) -> OnnxRuntimeEngine:
    return OnnxRuntimeEngine(bundle, OnnxRuntimeSettings())


def _half_lab(image: ImageU8) -> NDArray[np.float32]:
    height, width = image.shape[:2]
    small = cv2.resize(image, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2LAB), np.float32)


def _doubling(size_wh: tuple[int, int], scores: MapF32) -> Homography:
    x, y = size_wh[0] / scores.shape[1], size_wh[1] / scores.shape[0]
    return np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2], [0, 0, 1]])


def good_then_bad(folder: Path, *kinds: str) -> Iterator[Path]:
    """The images of these test folders, in the order of the folders, each by name."""
    for kind in kinds:
        yield from sorted((folder / "test" / kind).iterdir())
