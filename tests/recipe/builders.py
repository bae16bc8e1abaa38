"""Small recipes to test with."""

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from edge.bundle import Bundle
from edge.recipe import (
    CardEngine,
    Content,
    FalseAlarms,
    Figures,
    Hashes,
    Histogram,
    Parameters,
    RecipeFile,
    ThresholdCard,
    load_recipe,
    save,
)
from edge.settings.judging import MaskPolygon, ScoreRule
from tests.bundle.samples import declared, write

WHEN = datetime(2026, 11, 22, 4, 5, 6, tzinfo=timezone.utc)
MASK = MaskPolygon(name="hose", points=((0.1, 0.1), (0.5, 0.1), (0.5, 0.6)))
ENGINE = CardEngine(backend="onnxruntime", version="1.31.1", device="cpu", precision="float32")


def bundle(folder: Path, value: str = "µ") -> Bundle:
    return write(folder / f"bundle-{ord(value)}", declared(parameters={"note": value}))


def document(**changes: Any) -> RecipeFile:
    fields: dict[str, Any] = {
        "schema": 1,
        "view": "front",
        "product": "aspirin",
        "bundle": "variation-000000000000",
        "bundle_hash": "0" * 64,
        "reference_sha256": "0" * 64,
        "created_by": "A. Technician",
        "created_at": WHEN,
        "why": "first",
    }
    return RecipeFile.model_validate({**fields, **changes})


def reference(seed: int = 0):
    return np.random.default_rng(seed).integers(0, 255, (48, 64, 3), np.uint8)


def content(made: Bundle, **changes: Any) -> Content:
    fields: dict[str, Any] = {"document": document(), "bundle": made, "reference": reference(), "masks": (MASK,)}
    return Content(**{**fields, **changes})


def figures(count: int = 5) -> Figures:
    histogram = Histogram(edges=(0.0, 1.0, 2.0), counts=(count, 0))
    return Figures(count=count, min=0.1, median=0.5, p99=0.9, p999=0.9, max=0.9, mean=0.5, std=0.2, histogram=histogram)


def card(hashes: Hashes, **changes: Any) -> ThresholdCard:
    fields: dict[str, Any] = {
        "schema": 1,
        "view": "front",
        "method": "max",
        "parameters": Parameters(),
        "image_threshold": 0.9,
        "pixel_threshold": 0.7,
        "frames": 5,
        "scores": (0.1, 0.3, 0.5, 0.7, 0.9),
        "image": figures(),
        "pixel": figures(1000),
        "false_alarms": FalseAlarms(expected=1 / 6, low=0.0, high=0.52, bound=0.45),
        "score_rule": ScoreRule(),
        "hashes": hashes,
        "engine": ENGINE,
        "frame_sha256": tuple(f"{index:064x}" for index in range(5)),
        "who": "A. Technician",
        "when": WHEN,
        "why": "first thresholds",
    }
    return ThresholdCard.sealed(**{**fields, **changes})


def with_card(path: Path, made: Bundle, **changes: Any) -> int:
    """A recipe with a card that holds for it."""
    save(path, content(made, **changes))
    return save(path, content(made, **changes, card=card(load_recipe(path).hashes)))
