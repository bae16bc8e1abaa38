"""Figures of whole images, by scikit-learn. A score of None is an undecided image: it is in no ranking."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from calibration.metrics.counts import Cell, Confusion, check_threshold
from calibration.metrics.curves import Curve
from edge.errors import ConfigError

Labels = Sequence[bool] | NDArray[np.bool_]
Scores = Sequence[float | None] | NDArray[np.floating]


def image_undefined(labels: Labels, scores: Scores) -> str | None:
    """Why the figures that rank images are undefined, in words; None where they are defined."""
    bad, _ = _decided(labels, scores)
    if not bad.size:
        return "no image with a score"
    if not bad.any():
        return "no bad image with a score"
    return "no good image with a score" if bad.all() else None


def image_auroc(labels: Labels, scores: Scores) -> float | None:
    """Area under the ROC curve of images: the chance that a bad one scores above a good one, ties half.

    labels: True = bad. Never flipped: a ranking that is upside down is below 0.5. None without bad or without good ones.
    Hanley and McNeil, The meaning and use of the area under a ROC curve (Radiology 1982).
    """
    if image_undefined(labels, scores):
        return None
    return float(roc_auc_score(*_decided(labels, scores)))


def image_average_precision(labels: Labels, scores: Scores) -> float | None:
    """Mean precision over the steps of recall, without interpolation; None without bad or without good images.

    Manning, Raghavan and Schuetze, Introduction to Information Retrieval (2008), 8.4.
    """
    if image_undefined(labels, scores):
        return None
    return float(average_precision_score(*_decided(labels, scores)))


def roc_points(labels: Labels, scores: Scores) -> Curve | None:
    """True-positive rate over false-positive rate, of images, every vertex. Fawcett, An introduction to ROC analysis (2006)."""
    if image_undefined(labels, scores):
        return None
    fpr, tpr, reached = roc_curve(*_decided(labels, scores), drop_intermediate=False)
    return Curve(fpr, tpr, _under(reached), len(fpr))


def pr_points(labels: Labels, scores: Scores) -> Curve | None:
    """Precision (y) over recall (x), of images, from (0, 1) on, every vertex.

    Davis and Goadrich, The relationship between precision-recall and ROC curves (ICML 2006).
    """
    if image_undefined(labels, scores):
        return None
    precision, recall, reached = precision_recall_curve(*_decided(labels, scores))
    thresholds = np.r_[np.inf, _under(reached[::-1])]
    return Curve(recall[::-1].copy(), precision[::-1].copy(), thresholds, len(recall))


def image_confusion(labels: Labels, scores: Scores, threshold: float) -> Confusion:
    """Images at one threshold: FAIL above it, PASS at or below it, as the station judges; None is undecided."""
    _decided(labels, scores)
    threshold = check_threshold(threshold)
    cells = tuple(_cell(bool(bad), score, threshold) for bad, score in zip(labels, scores, strict=True))
    return Confusion(
        tp=cells.count("tp"),
        fp=cells.count("fp"),
        tn=cells.count("tn"),
        fn=cells.count("fn"),
        undecided=cells.count("undecided"),
        threshold=threshold,
        cells=cells,
    )


def _cell(bad: bool, score: float | None, threshold: float) -> Cell:
    if score is None:
        return "undecided"
    if score > threshold:
        return "tp" if bad else "fp"
    return "fn" if bad else "tn"


def _decided(labels: Labels, scores: Scores) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    if len(labels) != len(scores):
        raise ConfigError(f"{len(labels)} labels, but {len(scores)} scores", remedy="give one score, or None, for each image")
    known = [index for index, score in enumerate(scores) if score is not None]
    values = np.array([scores[index] for index in known], np.float64)
    if not np.isfinite(values).all():
        wrong = known[int(np.flatnonzero(~np.isfinite(values))[0])]
        raise ConfigError(
            f"the score is {scores[wrong]}", where=f"image {wrong}", remedy="give None for an image that could not be judged"
        )
    return np.array([bool(labels[index]) for index in known], bool), values


def _under(reached: NDArray[np.floating]) -> NDArray[np.float64]:
    """Scikit-learn calls bad what reaches its threshold; the station, what is above."""
    return np.where(np.isinf(reached), reached, np.nextafter(reached, -np.inf)).astype(np.float64)
