"""`metadata.json` (0.4 to 1.2) and `meta_data.json` (0.3) beside an anomalib export: thresholds, in 0.x the transform."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.errors import BundleError, ConfigError
from edge.schema import read_json

MeanStd = tuple[tuple[float, ...], tuple[float, ...]]
IMAGENET: MeanStd = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_NAMES = ("metadata.json", "meta_data.json")
_NUMBERS = (
    "image_threshold",
    "pixel_threshold",
    "min",
    "max",
    "anomaly_maps.min",
    "anomaly_maps.max",
    "pred_scores.min",
    "pred_scores.max",
)


@dataclass(frozen=True)
class Metadata:
    """What the file says. facts: its numbers, for the manifest. has_transform: written by 0.x, whose graph has none."""

    facts: dict[str, float]
    has_transform: bool = False
    size_wh: tuple[int, int] | None = None
    mean_std: MeanStd | None = None


def read_metadata(model: Path) -> Metadata:
    """The metadata beside a model; empty where there is none. BundleError: it is there and cannot be used."""
    path = next((model.parent / name for name in _NAMES if (model.parent / name).is_file()), None)
    if path is None:
        return Metadata({})
    try:
        data = read_json(path)
    except ConfigError as error:
        raise BundleError(
            error.message, where=str(path), remedy="copy it again, or take it away and declare --normalise"
        ) from None
    if not isinstance(data, dict):
        raise BundleError("is no JSON object", where=str(path), remedy="copy it again, or take it away")
    facts = {f"upstream_{key.replace('.', '_')}": float(data[key]) for key in _NUMBERS if _is_number(data.get(key))}
    steps = list(_steps(data.get("transform")))
    return Metadata(facts, bool(steps), _size(steps), _mean_std(steps, path))


def _steps(node: Any, depth: int = 0) -> Iterator[dict[str, Any]]:
    """The steps of an albumentations transform, as its to_dict writes them."""
    if depth > 6:
        return
    if isinstance(node, dict):
        if "__class_fullname__" in node and "transforms" not in node:
            yield node
        for key in ("transform", "transforms"):
            yield from _steps(node.get(key), depth + 1)
    elif isinstance(node, list):
        for each in node[:50]:
            yield from _steps(each, depth + 1)


def _size(steps: list[dict[str, Any]]) -> tuple[int, int] | None:
    for step in reversed(steps):
        sides = (step.get("width"), step.get("height"))
        if _kind(step) in ("Resize", "CenterCrop") and all(type(side) is int and 0 < side <= 4096 for side in sides):
            return int(sides[0] or 0), int(sides[1] or 0)
    return None


def _mean_std(steps: list[dict[str, Any]], path: Path) -> MeanStd | None:
    step = next((each for each in steps if _kind(each) == "Normalize"), None)
    if step is None:
        return None
    both = [step.get("mean"), step.get("std")]
    usable = all(isinstance(each, list) and len(each) == 3 and all(map(_is_number, each)) for each in both)
    if not usable or not all(value > 0 for value in both[1] or ()) or step.get("max_pixel_value", 255.0) != 255.0:
        raise BundleError(
            f"its Normalize has mean {both[0]} and std {both[1]}", where=str(path), remedy="mend it, or declare --normalise"
        )
    return tuple(map(float, both[0] or ())), tuple(map(float, both[1] or ()))


def _kind(step: dict[str, Any]) -> str:
    return str(step.get("__class_fullname__", "")).rpartition(".")[2]


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)
