"""From good frames' scores to thresholds, and what so few frames can promise. Pure statistics; docs/recipe.md explains.

A threshold is `base + margin x spread`. The base is the method's: the highest score, an upper order statistic, or mean plus
k standard deviations. The margin is for what calibration frames cannot show: five frames taken in a row look more alike
than those of other days (on the eight views of `bsdata` the plain maximum of five alarms half of the later good frames).
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, FiniteFloat

from edge.recipe import FalseAlarms, Figures, Histogram, Parameters
from edge.schema import Closed

Values = NDArray[np.floating]

MIN_FRAMES = 5
MARGIN_AT_MIN_FRAMES = 5.0
SPREAD_FLOOR = 0.1
_MAD_TO_SIGMA = 1.4826


class Method(Closed):
    """How thresholds are taken. margin: in spreads, on top of the base; None: the method's default (`margin_for`)."""

    kind: Literal["max", "quantile", "sigma"]
    quantile: float = Field(0.995, gt=0, lt=1)
    sigma: FiniteFloat = Field(3.0, ge=0, le=100)
    margin: FiniteFloat | None = Field(None, ge=0, le=1000)

    def margin_for(self, count: int) -> float:
        """The margin in force. By default none for max and sigma, which are what the literature calls so; for quantile 5
        spreads at 5 frames, falling with the root of their number (2.5 at 20, 1.1 at 100).
        """
        if self.margin is not None:
            return self.margin
        return MARGIN_AT_MIN_FRAMES * math.sqrt(MIN_FRAMES / count) if self.kind == "quantile" else 0.0

    def parameters(self, count: int) -> Parameters:
        """What the card records."""
        return Parameters(
            quantile=self.quantile if self.kind == "quantile" else None,
            sigma=self.sigma if self.kind == "sigma" else None,
            margin=self.margin_for(count),
        )


def image_threshold(scores: Values, method: Method) -> float:
    """The image threshold of these good scores (finite, at least one). A frame is alarmed if its score is above it.

    max: the highest score. quantile: the ceil((n + 1) q)-th smallest, so that for exchangeable frames at most 1 - q of
    those to come are expected above it (the split-conformal rank: Vovk, Gammerman, Shafer 2005); with too few frames for
    that the highest, and the margin has to do the rest. sigma: mean + k standard deviations, but never below the highest:
    good frames alone must not condemn one of their own.
    """
    ordered = np.sort(np.asarray(scores, np.float64))
    count = len(ordered)
    if method.kind == "quantile":
        base = float(ordered[min(count, conformal_rank(count, method.quantile)) - 1])
    elif method.kind == "sigma":
        base = max(float(ordered[-1]), float(ordered.mean()) + method.sigma * _std(ordered))
    else:
        base = float(ordered[-1])
    return base + method.margin_for(count) * spread(ordered)


def pixel_threshold(pixels: Values, method: Method, image_level: float | None) -> float:
    """The pixel threshold from all judged pixels of the smoothed maps: their maximum, quantile, or mean + k deviations.

    image_level: the image threshold where it is in the map's units, else None; the pixel threshold never exceeds it, since
    it outlines what the image threshold found.
    """
    values = np.asarray(pixels)
    if method.kind == "quantile":
        level = float(np.quantile(values, method.quantile, method="higher"))
    elif method.kind == "sigma":
        level = float(values.mean(dtype=np.float64)) + method.sigma * float(values.std(dtype=np.float64))
    else:
        level = float(values.max())
    return level if image_level is None else min(level, image_level)


def spread(scores: Values) -> float:
    """The scaled median absolute deviation, but at least a tenth of the median: five lucky frames are not proof of calm."""
    values = np.asarray(scores, np.float64)
    median = float(np.median(values))
    return max(_MAD_TO_SIGMA * float(np.median(np.abs(values - median))), SPREAD_FLOOR * abs(median))


def conformal_rank(count: int, quantile: float) -> int:
    """ceil((n + 1) q); more than n where n frames are too few for q."""
    return max(1, math.ceil((count + 1) * quantile - 1e-9))


def frames_needed(rate: float, confidence: float = 0.95) -> int:
    """How many good frames below the threshold bound the false-alarm rate by `rate` (0 < rate < 1) at this confidence."""
    return math.ceil(math.log(1 - confidence) / math.log1p(-rate) - 1e-9)


def false_alarms(scores: Values, threshold: float, confidence: float = 0.95) -> FalseAlarms:
    """The rate of good frames above the threshold, for exchangeable frames and any continuous distribution.

    If r of n own scores are not above the threshold, it is at least the r-th smallest, whose exceedance rate follows
    Beta(n - r + 1, r) (Wilks 1941): its mean, central interval, and one-sided bound, which for r = n is the closed form
    1 - alpha^(1/n), about 3 / n. What the threshold has beyond that score makes the true rate lower, never higher.
    """
    count = len(scores)
    rank = int(np.count_nonzero(np.asarray(scores) <= threshold))
    above = count - rank
    alpha = 1 - confidence
    if rank == 0:
        return FalseAlarms(expected=1.0, low=0.0, high=1.0, bound=1.0, confidence=confidence, above=above)
    bound = 1 - alpha ** (1 / count) if above == 0 else beta_quantile(confidence, above + 1, rank)
    return FalseAlarms(
        expected=(above + 1) / (count + 1),
        low=beta_quantile(alpha / 2, above + 1, rank),
        high=beta_quantile(1 - alpha / 2, above + 1, rank),
        bound=bound,
        confidence=confidence,
        above=above,
    )


def beta_quantile(probability: float, a: int, b: int) -> float:
    """The quantile of Beta(a, b) for whole a, b >= 1, by bisection on the binomial tail (no scipy on a station)."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if _beta_cdf(middle, a, b) < probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


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
        std=_std(finite),
        histogram=Histogram(edges=tuple(map(float, edges)), counts=tuple(map(int, counts))),
    )


def _beta_cdf(x: float, a: int, b: int) -> float:
    """P(Beta(a, b) <= x) = P(Binomial(a + b - 1, x) >= a)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    trials = a + b - 1
    hits = np.arange(a, trials + 1)
    log_choose = math.lgamma(trials + 1) - np.array([math.lgamma(k + 1) + math.lgamma(trials - k + 1) for k in hits])
    return min(1.0, float(np.exp(log_choose + hits * math.log(x) + (trials - hits) * math.log1p(-x)).sum()))


def _std(values: Values) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
