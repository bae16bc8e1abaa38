"""Detection figures: AUROC by scikit-learn, and the per-region overlap of Bergmann et al. (CVPR 2019) computed exactly."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import auc, roc_auc_score

Floats = NDArray[np.floating]
Masks = Sequence[NDArray[np.bool_]]


def auroc(good: Sequence[float] | Floats, bad: Sequence[float] | Floats) -> float:
    """Area under the ROC curve of two groups of scores; NaN where one is empty."""
    if not len(good) or not len(bad):
        return float("nan")
    return float(roc_auc_score(np.r_[np.zeros(len(good)), np.ones(len(bad))], np.r_[good, bad]))


def pixel_auroc(maps: Sequence[Floats], truths: Masks) -> float:
    """AUROC over all pixels of all maps."""
    scores, truth = np.concatenate([m.ravel() for m in maps]), np.concatenate([t.ravel() for t in truths])
    return auroc(scores[~truth], scores[truth])


def aupro(maps: Sequence[Floats], truths: Masks, limit: float = 0.3) -> float:
    """Area under the mean per-region overlap against the false-positive rate up to `limit`, divided by it; exact.

    Every pixel is one step of the curve: a pixel of a region adds its share of that region to the overlap, any other its
    share of the background to the rate. Pixels of one score are one step.
    """
    scores = np.concatenate([m.ravel() for m in maps])
    overlap = np.concatenate([_shares(truth).ravel() for truth in truths])
    regions = overlap.sum()
    background = overlap == 0
    if regions == 0 or not background.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    ends = np.r_[np.nonzero(np.diff(scores[order]))[0], len(order) - 1]
    rate = np.r_[0.0, (np.cumsum(background[order]) / background.sum())[ends]]
    overlap = np.r_[0.0, (np.cumsum(overlap[order]) / regions)[ends]]
    inside = rate < limit
    at_limit = np.interp(limit, rate, overlap)
    return float(auc(np.r_[rate[inside], limit], np.r_[overlap[inside], at_limit]) / limit)


def _shares(truth: NDArray[np.bool_]) -> Floats:
    """1 / area of its region for every pixel of a region, 0 elsewhere: each region sums to 1."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(truth.astype(np.uint8), connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA].astype(np.float64)
    weights = 1 / areas
    weights[0] = 0
    return np.asarray(weights[labels])
