"""The generalised Pareto distribution for many samples at once: what a bootstrap of a thousand fits needs. Pure numpy.

Fitting one sample is scipy's work (`extreme`); its general optimiser takes a hundred times too long for the bootstrap.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float64]
"""One sample per row, rising."""

LEAST_SHAPE, MOST_SHAPE = -0.5, 1.0
"""Below -0.5 maximum likelihood is not regular (Smith 1985); above 1 the tail has no mean."""
_GRID = np.linspace(-7.0, 7.0, 57)
_GOLDEN = (np.sqrt(5.0) - 1) / 2
_STEPS = 30


def survival(beyond: Rows, shape: float | Rows, scale: float | Rows) -> Rows:
    """P(X > x) for x >= 0; 0 beyond the end of a bounded tail (shape < 0)."""
    return np.asarray(np.exp(_log_survival(beyond, shape, scale)), np.float64)


def quantile(probability: float | Rows, shape: float | Rows, scale: float | Rows) -> Rows:
    """The x that is exceeded with this probability (0 < p; above 1 it is negative)."""
    logged, shapes = np.log(probability), np.asarray(shape, np.float64)
    flat = np.abs(shapes) < 1e-9
    return np.asarray(scale * np.where(flat, -logged, np.expm1(-shapes * logged) / np.where(flat, 1.0, shapes)), np.float64)


def fit_rows(samples: Rows) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Maximum-likelihood shape and scale of each row (all > 0), by the profile likelihood of Grimshaw (1993).

    With t = shape / scale, the best shape for a t is mean(log(1 + t x)): one number is left to search, on a grid and then by
    golden section. Shapes are kept within LEAST_SHAPE..MOST_SHAPE.
    """
    means = samples.mean(axis=1)
    scaled = samples / means[:, None]
    highest = scaled.max(axis=1)
    costs = np.stack([_cost(np.full(len(scaled), at), scaled, highest)[0] for at in _GRID], axis=1)
    best = costs.argmin(axis=1)
    low, high = _GRID[np.maximum(best - 1, 0)], _GRID[np.minimum(best + 1, len(_GRID) - 1)]
    for _ in range(_STEPS):
        width = _GOLDEN * (high - low)
        left, right = high - width, low + width
        lower = _cost(left, scaled, highest)[0] <= _cost(right, scaled, highest)[0]
        low, high = np.where(lower, low, left), np.where(lower, right, high)
    _, shapes, ratios = _cost((low + high) / 2, scaled, highest)
    return np.clip(shapes, LEAST_SHAPE, MOST_SHAPE), ratios * means


def anderson_darling(samples: Rows, shapes: NDArray[np.float64], scales: NDArray[np.float64]) -> NDArray[np.float64]:
    """A² of each rising row against its distribution (Anderson, Darling 1954): weighs the ends, where a tail matters."""
    count = samples.shape[1]
    upper = _log_survival(samples, shapes[:, None], scales[:, None])
    # Not 0 and not 1: a sample on the end of its own fit would be infinitely far from it.
    upper = np.clip(upper, -700.0, -1e-12)
    lower = np.log(-np.expm1(upper))
    weights = 2 * np.arange(1, count + 1) - 1
    return np.asarray(-count - (weights * (lower + upper[:, ::-1])).mean(axis=1), np.float64)


def _log_survival(beyond: Rows, shape: float | Rows, scale: float | Rows) -> Rows:
    shapes = np.asarray(shape, np.float64)
    flat = np.abs(shapes) < 1e-9
    inside = np.maximum(1 + shapes * beyond / scale, 0.0)
    with np.errstate(divide="ignore"):
        bent = -np.log(inside) / np.where(flat, 1.0, shapes)
    return np.where(flat, -beyond / scale, bent)


def _cost(at: NDArray[np.float64], scaled: Rows, highest: NDArray[np.float64]) -> tuple[Rows, Rows, Rows]:
    """(negative log likelihood per value, shape, scale) at the place `at` of the search, infinite outside the shapes.

    t = expm1(at) / highest covers every t for which the likelihood exists, -1 / highest to infinity, densely around 0.
    """
    t = np.expm1(at) / highest
    t = np.where(np.abs(t) < 1e-8, 1e-8, t)
    shapes = np.log1p(t[:, None] * scaled).mean(axis=1)
    ratios = shapes / t
    cost = np.log(ratios) + shapes + 1
    return np.where((shapes >= LEAST_SHAPE) & (shapes <= MOST_SHAPE), cost, np.inf), shapes, ratios
