"""The thresholds of one configuration by every method, from good frames alone; a method that cannot be taken says why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from calibration.methods import MIN_FRAMES, Method, take_levels
from edge.errors import ConfigError
from edge.recipe import ThresholdCard
from edge.types import MapF32

KINDS: Final = ("max", "sigma", "quantile", "conformal", "extreme")
"""In the order of the study's tie-break: max before k-sigma before p-quantile; ours come last."""
CARD: Final = "card"
DEFAULT_METHODS: Final = tuple(Method(kind=kind) for kind in KINDS)


@dataclass(frozen=True)
class Level:
    """The thresholds of one method: a frame fails above `image`, a pixel is outlined above `pixel`.

    kind: of the method, or `card`. name: with its parameter. refused: why there are no thresholds, "" where there are.
    pixel: None also where the bundle gives no map.
    """

    kind: str
    name: str
    image: float | None = None
    pixel: float | None = None
    refused: str = ""


@dataclass(frozen=True)
class Options:
    """methods: of taking thresholds. rounds: of the bootstrap behind the intervals, 0 for none. picture_bytes: what the
    pictures of wrongly judged frames may take in all.
    """

    methods: tuple[Method, ...] = DEFAULT_METHODS
    rounds: int = 500
    picture_bytes: int = 12_000_000


def levels(scores: Sequence[float], pixels: MapF32 | None, methods: Sequence[Method], in_map_units: bool) -> tuple[Level, ...]:
    """One level for each method. scores, pixels: of the good frames, in the configuration that is to be judged; no pixels
    where the bundle gives no map.
    """
    return tuple(_level(scores, pixels, method, in_map_units) for method in methods)


def card_level(card: ThresholdCard) -> Level:
    """The thresholds that the recipe's card has."""
    return Level(CARD, f"card ({card.method})", card.image_threshold, card.pixel_threshold)


def _level(scores: Sequence[float], pixels: MapF32 | None, method: Method, in_map_units: bool) -> Level:
    kind, name = str(method.kind), str(method)
    if len(scores) < MIN_FRAMES:
        return Level(kind, name, refused=f"{len(scores)} usable good frames; it takes at least {MIN_FRAMES}")
    try:
        taken = take_levels(np.array(scores, np.float64), pixels, method, in_map_units=in_map_units)
    except ConfigError as error:
        return Level(kind, name, refused=error.message)
    return Level(kind, name, float(taken.image), None if taken.pixel is None else float(taken.pixel))
