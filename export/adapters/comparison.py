"""The comparison's bundle: a model of two images that nobody had to train, for a size and a few parameters."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import cv2
import numpy as np

from edge.bundle import Bundle, Declaration, Limits, Masking, ResizeRule, Tensors, Tolerance, Training, contract, write_bundle
from edge.settings.judging import ScoreRule
from edge.types import ImageU8, MaskBool
from export.adapters.comparison_graph import INPUTS, write_graph
from export.adapters.comparison_model import ComparisonSettings
from export.graph import OPSET
from export.proof import run_once

FAMILY = "comparison"
LEAST_SIDE = 32
# The map is in grey levels. Float16 holds planes of up to 180 with 11 bits; a choice of shift that is nearly a tie may
# come out a little otherwise on another engine.
LIMITS = Limits(float32=Tolerance(rtol=1e-3, atol=2e-2), float16=Tolerance(rtol=2e-2, atol=0.5))
LICENCE = "Made by lineclear from parameters alone: no images and no third-party weights are in it.\n"


def declaration(size_wh: tuple[int, int], settings: ComparisonSettings, created_by: str) -> Declaration:
    """What the manifest says of the comparison at a model size."""
    parameters: dict[str, str | int | float | bool | None] = {}
    for key, value in settings.model_dump().items():
        numbers = value if isinstance(value, tuple) else (value,)
        parameters |= {f"{key}_{i}" if len(numbers) > 1 else key: number for i, number in enumerate(numbers)}
    return Declaration(
        family=FAMILY,
        size_wh=size_wh,
        inputs=contract(size_wh, INPUTS),
        outputs=contract(size_wh, ["anomaly_map"]),
        resize=ResizeRule(kernel="cv2_area", mode="fused"),
        score=ScoreRule(kind="max_of_mean_filter", window=settings.window_px(size_wh), padding="zero"),
        masking=Masking(pre=True, post=True),
        opset=OPSET,
        limits=LIMITS,
        parameters=parameters,
        training=Training(images=0),
        created_at=datetime.now(timezone.utc),
        created_by=created_by,
    )


def write_comparison(out: Path, size_wh: tuple[int, int], settings: ComparisonSettings, created_by: str) -> Bundle:
    """Write the bundle, both precisions; raises BundleError. The same parameters always give the same graphs."""
    model = write_graph(size_wh, settings, "float32")
    inputs = golden_inputs(size_wh)
    return write_bundle(
        out,
        declaration(size_wh, settings, created_by),
        model=model,
        model_fp16=write_graph(size_wh, settings, "float16"),
        golden_inputs=inputs,
        golden_outputs=[run_once(model, given) for given in inputs],
        licence=LICENCE,
    )


def golden_inputs(size_wh: tuple[int, int]) -> list[Tensors]:
    """Two made-up pairs: the same scene shifted and in other light, and one with three patches on it and a corner masked."""
    reference = _scene(size_wh)
    height, width = reference.shape[:2]
    everything = np.ones((height, width), bool)
    light = np.linspace(0.9, 1.1, width)[None, :, None]
    shifted = np.clip(np.roll(reference, (1, -1), (0, 1)) * light, 0, 255).astype(np.uint8)
    spoilt = shifted.copy()
    for place, colour in enumerate(((0, 0, 0), (255, 255, 255), (0, 90, 220))):
        x, y = (2 * place + 1) * width // 6, height // 2
        spoilt[y - height // 12 : y + height // 12 + 1, x - width // 24 : x + width // 24 + 1] = colour
    keep = everything.copy()
    keep[: height // 5, : width // 8] = False
    return [_tensors(shifted, reference, everything), _tensors(spoilt, reference, keep)]


def _tensors(image: ImageU8, reference: ImageU8, keep: MaskBool) -> Tensors:
    return {"image": image[None], "reference": reference[None], "keep": keep[None].astype(np.uint8)}


def _scene(size_wh: tuple[int, int]) -> ImageU8:
    """A texture with edges, always the same: smoothed noise over a few flat patches."""
    width, height = size_wh
    random = np.random.default_rng(5)
    image = cv2.resize(random.uniform(60, 190, (6, 8, 3)).astype(np.float32), size_wh, interpolation=cv2.INTER_NEAREST)
    image += 60 * cv2.GaussianBlur(random.normal(0, 1, (height, width, 3)).astype(np.float32), (0, 0), 2)
    return np.asarray(np.clip(image, 0, 255), np.uint8)
