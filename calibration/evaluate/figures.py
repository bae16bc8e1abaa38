"""From what was measured to the figures of one configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calibration.evaluate.choosing import best_method
from calibration.evaluate.collecting import Collected, Seen
from calibration.evaluate.configurations import Configuration
from calibration.evaluate.levels import Level, levels
from calibration.evaluate.results import Curves, Figure, MethodRow, Row, Tally, verdict_of
from calibration.evaluate.store import StoredMaps
from calibration.methods import Method, clopper_pearson
from calibration.metrics import (
    Interval,
    PixelIntervals,
    PixelSet,
    image_auroc,
    image_average_precision,
    image_interval,
    pixel_intervals,
    roc_points,
)

POINTS = 200
SEED = 0
PRO_LIMIT = 0.3
_CONFIDENCE = 0.95
_NO_INTERVALS = PixelIntervals(None, None, None, None)


@dataclass(frozen=True)
class Asked:
    """What is to be computed. methods: for the thresholds. fixed: levels that are given, such as the card's. rounds: of
    the bootstrap, 0 for no intervals. in_map_units: False where the graph gives the image score. has_map: False where the
    bundle gives no map: no figure of pixels, no pixel threshold.
    """

    methods: tuple[Method, ...]
    fixed: tuple[Level, ...] = ()
    rounds: int = 500
    in_map_units: bool = True
    has_map: bool = True


def row_of(
    configuration: Configuration,
    measured_as: Configuration,
    collected: Collected,
    bad: Sequence[bool],
    known: Sequence[bool],
    asked: Asked,
) -> Row:
    """The figures of one configuration. bad: by frame. known: False for a bad frame whose pixels nobody labelled."""
    seen = collected.seen[measured_as]
    pixels = _pixel_set(seen, collected, known)
    pooled = np.concatenate(seen.good_pixels) if seen.good_pixels else None
    if pooled is None and asked.has_map:
        pooled = np.empty(0, np.float32)
    taken = (*asked.fixed, *levels(seen.good_scores, pooled, asked.methods, asked.in_map_units))
    methods = tuple(_method(level, bad, seen.scores, pixels) for level in taken)
    chosen = best_method(methods)
    image_level = None if chosen is None else methods[chosen].level.image
    spread = _NO_INTERVALS
    if asked.rounds and pixels is not None:
        spread = pixel_intervals(pixels, seed=SEED, rounds=asked.rounds, limit=PRO_LIMIT)
    return Row(
        configuration=configuration,
        measured_as=measured_as,
        image_auroc=_auroc(bad, seen.scores, asked.rounds),
        image_ap=image_average_precision(bad, seen.scores),
        pixel_auroc=Figure(pixels.auroc() if pixels else None, spread.auroc),
        pro=Figure(pixels.aupro(PRO_LIMIT) if pixels else None, spread.aupro),
        ap=Figure(pixels.average_precision() if pixels else None, spread.average_precision),
        best_iou=_best_iou(pixels),
        methods=methods,
        chosen=chosen,
        accuracy=_accuracy(bad, seen.scores, image_level, asked.rounds),
        scores=tuple(seen.scores),
        refusals=tuple(seen.refusals),
        good_scores=tuple(seen.good_scores),
        good_refused=tuple(seen.good_refused),
        curves=_curves(bad, seen, pixels),
    )


def tally_of(bad: Sequence[bool], scores: Sequence[float | None], threshold: float) -> Tally:
    """What became of the frames at an image threshold."""
    verdicts = [(is_bad, verdict_of(is_bad, score, threshold)) for is_bad, score in zip(bad, scores, strict=True)]
    return Tally(
        good=sum(not is_bad for is_bad in bad),
        bad=sum(bad),
        false_alarms=sum(verdict == "false_alarm" for _, verdict in verdicts),
        misses=sum(verdict == "miss" for _, verdict in verdicts),
        undecided_good=sum(verdict == "undecided" and not is_bad for is_bad, verdict in verdicts),
        undecided_bad=sum(verdict == "undecided" and is_bad for is_bad, verdict in verdicts),
    )


def _pixel_set(seen: Seen, collected: Collected, known: Sequence[bool]) -> PixelSet | None:
    """The maps of the frames that have one and whose pixels are labelled; None where there is none."""
    kept = [index for index, number in enumerate(seen.maps) if number is not None and known[index]]
    if not kept:
        return None
    numbers = [number for index in kept if (number := seen.maps[index]) is not None]
    return PixelSet(StoredMaps(collected.store, numbers), [collected.truths[index] for index in kept])


def _method(level: Level, bad: Sequence[bool], scores: Sequence[float | None], pixels: PixelSet | None) -> MethodRow:
    if level.image is None:
        return MethodRow(level)
    iou = pixels.iou(level.pixel) if pixels and level.pixel is not None else None
    return MethodRow(level, tally_of(bad, scores, level.image), iou)


def _auroc(bad: Sequence[bool], scores: Sequence[float | None], rounds: int) -> Figure:
    value = image_auroc(bad, scores)
    return Figure(
        value, image_interval(image_auroc, bad, scores, seed=SEED, rounds=rounds) if rounds and value is not None else None
    )


def _accuracy(bad: Sequence[bool], scores: Sequence[float | None], level: float | None, rounds: int) -> Figure:
    """With the exact interval: resampled, a set without a mistake would never show one, and look certain."""
    if level is None:
        return Figure(None)
    tally = tally_of(bad, scores, level)
    if not rounds or not bad:
        return Figure(tally.accuracy)
    return Figure(tally.accuracy, Interval(*clopper_pearson(tally.right, len(bad), _CONFIDENCE), _CONFIDENCE, 0))


def _best_iou(pixels: PixelSet | None) -> float | None:
    peak = pixels.best_iou() if pixels else None
    return None if peak is None else peak.value


def _curves(bad: Sequence[bool], seen: Seen, pixels: PixelSet | None) -> Curves:
    image = roc_points(bad, seen.scores)
    if pixels is None:
        return Curves(image)
    return Curves(
        image, pixels.roc_curve(POINTS), pixels.pro_curve(POINTS, PRO_LIMIT), pixels.pr_curve(POINTS), pixels.iou_curve()
    )
