"""Are two samples from one distribution, and does a series go somewhere? Pure."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
_EMPTY_SHARE = 0.5  # of a count: an empty bin must not make the index infinite


@dataclass(frozen=True)
class Comparison:
    """Recent scores beside the card's. ks: largest distance of the two distributions; psi: population stability index.

    The p-values say how often two samples of these sizes from one distribution are at least as far apart. shift: median of
    the recent less the card's, in the card's spreads (scaled median absolute deviations).
    """

    recent: int
    card: int
    ks: float
    ks_p: float
    psi: float
    psi_p: float
    shift: float

    @property
    def p(self) -> float:
        """Of both tests together (Bonferroni)."""
        return min(1.0, 2 * min(self.ks_p, self.psi_p))


def compare(card: Sequence[float], recent: Sequence[float], permutations: int = 2000, seed: int = 0) -> Comparison:
    """Two-sample Kolmogorov-Smirnov (Smirnov 1939, exact for small samples) and PSI with a permutation p-value.

    Both samples finite and not empty.
    """
    from scipy import stats

    then, now = np.sort(np.asarray(card, np.float64)), np.asarray(recent, np.float64)
    with warnings.catch_warnings():
        # Where ties make its exact sum fail, scipy says so and takes the asymptotic p-value, which is good enough then.
        warnings.simplefilter("ignore", RuntimeWarning)
        tested = stats.ks_2samp(then, now)
    psi, psi_p = stability(then, now, permutations, seed)
    median = float(np.median(then))
    spread = 1.4826 * float(np.median(np.abs(then - median))) or float(np.std(then)) or 1.0
    shift = (float(np.median(now)) - median) / spread
    return Comparison(len(now), len(then), float(tested.statistic), float(tested.pvalue), psi, psi_p, shift)


def stability(then: Values, now: Values, permutations: int, seed: int) -> tuple[float, float]:
    """The population stability index (Siddiqi 2006) and its p-value.

    sum over bins of (share now - share then) x ln(share now / share then). Between five and ten scores of the smaller
    sample fall into a bin on average; the edges are quantiles of both samples together, so that exchanging scores between
    them leaves the bins as they are, and the permutation test is exact: under one distribution
    P(p <= a) <= a for every a, however few there are. The rule of thumb (0.1, 0.25) alone would alarm small samples always.
    """
    both = np.concatenate([then, now])
    bins = int(np.clip(min(len(then), len(now)) // 5, 2, 10))
    edges = np.unique(np.quantile(both, np.arange(1, bins) / bins))
    place = np.searchsorted(edges, both, side="left")
    observed = _psi(np.bincount(place[len(then) :], minlength=len(edges) + 1), np.bincount(place, minlength=len(edges) + 1))
    random = np.random.default_rng(seed)
    total = np.bincount(place, minlength=len(edges) + 1)
    # Drawing len(now) of all without replacement, counted by bin, is what shuffling the labels does.
    drawn = random.multivariate_hypergeometric(total, len(now), size=permutations)
    hits = int(np.count_nonzero(_psi(drawn, total) >= observed - 1e-12))
    return float(observed), (hits + 1) / (permutations + 1)


def _psi(now: NDArray[Any], total: NDArray[Any]) -> Any:
    then = total - now
    recent = np.maximum(now, _EMPTY_SHARE) / np.maximum(now, _EMPTY_SHARE).sum(-1, keepdims=True)
    before = np.maximum(then, _EMPTY_SHARE) / np.maximum(then, _EMPTY_SHARE).sum(-1, keepdims=True)
    return ((recent - before) * np.log(recent / before)).sum(-1)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted for their number, in the order given: the chance that any of them is false stays at alpha (Holm 1979)."""
    order = np.argsort(p_values, kind="stable")
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


@dataclass(frozen=True)
class Trend:
    """A series over time. slope: Theil-Sen, per unit of time, with its interval; p: Mann-Kendall.

    total: slope times the span. step_at: index of the first value after the most likely jump, step: medians after less
    before, step_p: Pettitt's.
    """

    count: int
    slope: float
    low: float
    high: float
    p: float
    total: float
    step_at: int
    step: float
    step_p: float


def trend(times: Values, values: Values, confidence: float = 0.95) -> Trend | None:
    """Theil-Sen (Sen 1968), Mann-Kendall as Kendall's tau with ties (Kendall 1975), Pettitt (1979); None under 8 values.

    NaN values are left out. A series of neighbours that depend on each other looks more certain than it is.
    """
    known = np.isfinite(values) & np.isfinite(times)
    t, v = times[known], values[known]
    if len(v) < 8 or np.ptp(t) == 0:
        return None
    from scipy import stats

    fit = stats.theilslopes(v, t, confidence)
    p = 1.0 if np.ptp(v) == 0 else float(stats.kendalltau(t, v).pvalue)
    at, step_p = pettitt(v)
    step = float(np.median(v[at:]) - np.median(v[:at]))
    index = int(np.nonzero(known)[0][at])
    slope = float(fit[0])
    return Trend(len(v), slope, float(fit[2]), float(fit[3]), p, slope * float(np.ptp(t)), index, step, step_p)


def pettitt(values: Values) -> tuple[int, float]:
    """(index of the first value after the most likely change of the median, its approximate p-value)."""
    from scipy import stats

    count = len(values)
    ranks = stats.rankdata(values)
    steps = np.abs(2 * np.cumsum(ranks)[:-1] - np.arange(1, count) * (count + 1))
    at = int(np.argmax(steps))
    return at + 1, min(1.0, 2 * math.exp(-6 * float(steps[at]) ** 2 / (count**3 + count**2)))
