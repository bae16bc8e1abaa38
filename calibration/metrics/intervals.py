"""How sure the figures of pixels are: images are resampled, never pixels, for the pixels of an image are not independent.

A thousand rounds over all pixels would take hours, so each image is counted once into bins and a round only adds the
bins up. The bin edges are anomalous scores, chosen evenly over the way of the curves; `bins` of the interval says how
many there were, and where all anomalous scores are edges nothing is lost. The figures themselves (`PixelSet`) stay exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.metrics.bootstrap import Interval, Resamples, check_rounds, interval
from calibration.metrics.maps import Maps, Values
from calibration.metrics.pixels import PixelSet
from calibration.metrics.stairs import area_up_to, check_limit
from calibration.metrics.steps import Steps
from calibration.progress import Progress, silent
from edge.errors import ConfigError

Float64s = NDArray[np.float64]

_BATCH = 50


@dataclass(frozen=True)
class PixelIntervals:
    """Intervals of the figures of one set of maps; None where a figure is undefined, iou also where no threshold was given."""

    auroc: Interval | None
    average_precision: Interval | None
    aupro: Interval | None
    iou: Interval | None


def pixel_intervals(
    pixels: PixelSet,
    *,
    seed: int,
    rounds: int = 1000,
    confidence: float = 0.95,
    limit: float = 0.3,
    threshold: float | None = None,
    bins: int = 4000,
    progress: Progress = silent,
) -> PixelIntervals:
    """Percentile intervals by image: maps with and without anomalies are drawn apart, with replacement (see `bootstrap`).

    limit: of AUPRO. threshold: of the IoU, which is exact (no bins). Binned figures differ from the exact ones by less
    than 1e-3 at 4000 bins. ConfigError for what cannot be drawn. progress counts rounds.
    """
    check_rounds(rounds, confidence)
    check_limit(limit)
    if bins < 3:
        raise ConfigError(f"pixels are counted in {bins} bins", remedy="write 3 or more; usual is 4000")
    if pixels.undefined:
        return PixelIntervals(None, None, None, None)
    tables = _Tables(pixels, limit, bins, threshold)
    draws = Resamples([pixels.maps.is_bad(index) for index in range(len(pixels))], seed)
    figures: list[Float64s] = []
    for start in range(0, rounds, _BATCH):
        count = min(_BATCH, rounds - start)
        weights = np.stack([np.bincount(draws.next(), minlength=len(pixels)) for _ in range(count)]).astype(np.float64)
        figures.append(tables.figures(weights, limit))
        progress(start + count, rounds, "bootstrap")
    found = np.concatenate(figures)
    auroc, precision, aupro, iou = (
        interval(column[np.isfinite(column)], confidence, rounds, bins=used)
        for column, used in zip(found.T, (tables.bins, tables.bins, tables.bins, None), strict=True)
    )
    return PixelIntervals(auroc, precision, aupro, iou)


class _Tables:
    """Each image's counts, by bin, highest scores first."""

    def __init__(self, pixels: PixelSet, limit: float, bins: int, threshold: float | None) -> None:
        maps, edges = pixels.maps, _edges(pixels.steps, limit, bins)
        self.bins = len(edges) + 1
        shape = (len(maps), self.bins)
        self.positives, self.shares, self.background = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        self.regions = np.zeros(len(maps))
        self.hits, self.union = np.zeros(len(maps)), np.zeros(len(maps))
        for index in range(len(maps)):
            self._count(maps, index, edges, threshold)

    def _count(self, maps: Maps, index: int, edges: Values, threshold: float | None) -> None:
        values, shares, self.regions[index] = maps.shares(index)
        places = self.bins - 1 - np.searchsorted(edges, values, "right")
        self.positives[index] = np.bincount(places, minlength=self.bins)
        self.shares[index] = np.bincount(places, weights=shares, minlength=self.bins)
        others = np.sort(maps.background(index))
        self.background[index] = np.diff(np.r_[0, np.searchsorted(others, edges, "left"), len(others)])[::-1]
        if threshold is not None:
            self.hits[index] = np.count_nonzero(values > threshold)
            self.union[index] = values.size + np.count_nonzero(others > threshold)

    def figures(self, weights: Float64s, limit: float) -> Float64s:
        """AUROC, average precision, AUPRO and IoU (columns; NaN: undefined) of resamples, weights (rounds, images)."""
        found, alarms, overlap = (
            np.cumsum(weights @ table, axis=1) for table in (self.positives, self.background, self.shares)
        )
        with np.errstate(invalid="ignore", divide="ignore"):
            recall, rate = _from_zero(found / found[:, -1:]), _from_zero(alarms / alarms[:, -1:])
            height = _from_zero(overlap / (weights @ self.regions)[:, None])
            precision = found / (found + alarms)
            iou = (weights @ self.hits) / (weights @ self.union)
        precision[found + alarms == 0] = 1.0
        inside = (np.concatenate([precision[:, :1], precision[:, :-1]], axis=1) + precision) / 2
        inside[:, 1::2] = precision[:, 1::2]  # one score alone: one step, as the exact figure has it
        average = (np.diff(recall, axis=1) * inside).sum(axis=1)
        aupro = np.array([area_up_to(x, y, limit) / limit for x, y in zip(rate, height, strict=True)])
        return np.stack([_area(rate, recall), average, aupro, iou], axis=1)


def _edges(steps: Steps, limit: float, bins: int) -> Values:
    """Some anomalous scores and what is just above each, ascending: bins of one score alternate with what lies between.

    They are spread evenly over recall, overlap, false-positive rate and loss of precision. Where all fit, nothing is lost.
    """
    found = np.cumsum(steps.positives[::-1], dtype=np.float64)
    alarms = steps.background - steps.below[::-1].astype(np.float64)
    more = np.diff(alarms, prepend=0)
    way = np.cumsum(
        steps.positives[::-1] / steps.anomalous
        + steps.shares[::-1] / steps.regions
        + np.minimum(more / steps.background, limit) / limit
        + more / (found + alarms)
    )
    wanted = max((bins - 1) // 2, 1)
    chosen = np.arange(len(way))
    if len(way) > wanted:
        chosen = np.unique(np.minimum(np.searchsorted(way, np.linspace(0, way[-1], wanted)), len(way) - 1))
    alone = steps.values[::-1][chosen][::-1]
    return np.stack([alone, np.nextafter(alone, np.asarray(np.inf, alone.dtype))], axis=1).ravel()


def _from_zero(table: Float64s) -> Float64s:
    return np.concatenate([np.zeros((len(table), 1)), table], axis=1)


def _area(x: Float64s, y: Float64s) -> Float64s:
    return np.asarray((np.diff(x, axis=1) * (y[:, 1:] + y[:, :-1])).sum(axis=1) / 2)
