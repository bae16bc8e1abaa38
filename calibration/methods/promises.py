"""What n frames can promise: the false-alarm rate with its interval, and how many frames more it takes."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from calibration.methods.conformal import frames_for_rate
from calibration.methods.method import Values
from edge.recipe import FalseAlarms

_BISECTIONS = 60


def frames_needed(rate: float, confidence: float = 0.95) -> int:
    """How many good frames below the threshold bound the false-alarm rate by `rate` (0 < rate < 1) at this confidence."""
    return math.ceil(math.log(1 - confidence) / math.log1p(-rate) - 1e-9)


def enough(count: int, rate: float = 0.01, confidence: float = 0.95) -> str:
    """Whether `count` good frames are enough, and how many more it takes: for an expected rate, and to be sure of it.

    The one sentence that every command says of a number of frames.
    """
    expected = max(0, frames_for_rate(rate) - count)
    bound = max(0, frames_needed(rate, confidence) - count)
    percent = f"{100 * rate:g} %"
    if not bound:
        return f"{count} frames are enough for a {percent} bound on the false alarms"
    wanted = [f"{expected} more for {percent} expected false alarms"] if expected else []
    wanted.append(f"{bound} more for a {percent} bound at {100 * confidence:g} % confidence")
    return f"{count} frames: " + ", ".join(wanted)


def false_alarms(scores: Values, threshold: float, confidence: float = 0.95) -> FalseAlarms:
    """The rate of good frames above the threshold, for exchangeable frames and any continuous distribution.

    If r of n own scores are not above the threshold, it is at least the r-th smallest, whose exceedance rate follows
    Beta(n - r + 1, r) (Wilks 1941): its mean, central interval, and one-sided bound, which is the upper limit of Clopper
    and Pearson (1934) and for r = n the closed form 1 - alpha^(1/n), about 3 / n. What the threshold has beyond that
    score makes the true rate lower, never higher.
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


def clopper_pearson(hits: int, count: int, confidence: float = 0.95) -> tuple[float, float]:
    """The exact two-sided interval of a share of which `hits` of `count` were seen (Clopper, Pearson 1934). count >= 1."""
    tail = (1 - confidence) / 2
    low = beta_quantile(tail, hits, count - hits + 1) if hits else 0.0
    high = beta_quantile(1 - tail, hits + 1, count - hits) if hits < count else 1.0
    return low, high


def beta_quantile(probability: float, a: int, b: int) -> float:
    """The quantile of Beta(a, b) for whole a, b >= 1, by bisection on the binomial tail (no scipy on a station)."""
    trials = a + b - 1
    hits = np.arange(a, trials + 1)
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1.0, trials + 1)))])
    log_choose = log_factorial[trials] - log_factorial[hits] - log_factorial[trials - hits]
    low, high = 0.0, 1.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if _binomial_tail(middle, hits, trials, log_choose) < probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _binomial_tail(x: float, hits: NDArray[np.intp], trials: int, log_choose: NDArray[np.float64]) -> float:
    """P(Beta(a, b) <= x) = P(Binomial(a + b - 1, x) >= a)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    terms: NDArray[np.float64] = np.exp(log_choose + hits * math.log(x) + (trials - hits) * math.log1p(-x))
    return min(1.0, float(terms.sum()))
