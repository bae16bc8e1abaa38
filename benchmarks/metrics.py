"""The figures of benchmarks/accuracy.py: those of calibration.metrics, NaN where undefined so that means can skip it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from calibration.metrics import PixelSet, image_auroc

Floats = NDArray[np.floating]
Masks = Sequence[NDArray[np.bool_]]


def auroc(good: Sequence[float] | Floats, bad: Sequence[float] | Floats) -> float:
    """Area under the ROC curve of two groups of scores; NaN where one is empty."""
    return _or_nan(image_auroc(np.r_[np.zeros(len(good), bool), np.ones(len(bad), bool)], np.r_[good, bad]))


def pixel_auroc(maps: Sequence[Floats], truths: Masks) -> float:
    """AUROC over all pixels of all maps."""
    return _or_nan(PixelSet(maps, truths).auroc())


def aupro(maps: Sequence[Floats], truths: Masks, limit: float = 0.3) -> float:
    """Area under the mean per-region overlap against the false-positive rate up to `limit`, divided by it; exact."""
    return _or_nan(PixelSet(maps, truths).aupro(limit))


def _or_nan(figure: float | None) -> float:
    return float("nan") if figure is None else figure
