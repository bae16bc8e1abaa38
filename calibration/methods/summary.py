"""What the card keeps of many values."""

from __future__ import annotations

import math

import numpy as np

from calibration.methods.method import Values
from edge.recipe import Figures, Histogram


def figures(values: Values) -> Figures:
    """The card's summary of values."""
    finite = np.asarray(values, np.float64)
    bins = min(50, max(10, math.ceil(math.sqrt(finite.size))))
    counts, edges = np.histogram(finite, bins=bins)
    p99, p999 = np.quantile(finite, (0.99, 0.999), method="higher")
    return Figures(
        count=finite.size,
        min=float(finite.min()),
        median=float(np.median(finite)),
        p99=float(p99),
        p999=float(p999),
        max=float(finite.max()),
        mean=float(finite.mean()),
        std=float(np.std(finite, ddof=1)) if finite.size > 1 else 0.0,
        histogram=Histogram(edges=tuple(map(float, edges)), counts=tuple(map(int, counts))),
    )
