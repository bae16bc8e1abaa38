"""Where good and bad frames are both known: the threshold of least expected cost, and what is missed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calibration.methods.method import Method, ordered
from calibration.methods.promises import clopper_pearson
from edge.errors import ConfigError
from edge.recipe.card import Optimum

MIN_BAD_FRAMES = 5
RESAMPLES = 1000
SEED = 1
_Scores = NDArray[np.float64]


def missed_share(bad: _Scores, threshold: float) -> tuple[int, float, float]:
    """How many of these bad frames are missed (not above the threshold), and the 95 % interval of their share."""
    missed = int(np.count_nonzero(np.asarray(bad) <= threshold))
    return missed, *clopper_pearson(missed, len(bad))


def cost_optimum(good: _Scores, bad: _Scores, method: Method) -> Optimum:
    """The threshold of least expected cost, with the 2.5 and 97.5 % quantiles of those of bootstrap samples (Efron 1979).

    The cost of a frame of the line, in false alarms: (1 - b) x share of good frames above + b x miss_cost x share of bad
    frames not above, b = bad_share. All thresholds between two neighbouring scores cost the same: the middle of the
    cheapest gap is taken, of the widest where several are as cheap. ConfigError: too few bad frames, or the cheapest is to
    alarm everything or nothing, so these scores do not tell good from bad.
    """
    good, bad = ordered(good), ordered(bad, "bad")
    if len(bad) < MIN_BAD_FRAMES:
        remedy = f"give {MIN_BAD_FRAMES - len(bad)} more bad frames that register"
        raise ConfigError(f"{len(bad)} bad frames are too few to weigh costs", where="method cost", remedy=remedy)
    threshold, cost = _cheapest(good, bad, method)
    if cost >= min(1 - method.bad_share, method.bad_share * method.miss_cost):
        message = "the cheapest is to alarm every frame or none: the scores do not tell these bad frames from the good"
        raise ConfigError(message, where="method cost", remedy="look at the frames, or train a better bundle")
    random = np.random.default_rng(SEED)
    resampled = [
        _cheapest(np.sort(random.choice(good, len(good))), np.sort(random.choice(bad, len(bad))), method)[0]
        for _ in range(RESAMPLES)
    ]
    low, high = np.quantile(resampled, (0.025, 0.975))
    return Optimum(
        threshold=threshold,
        low=float(low),
        high=float(high),
        cost_per_1000=1000 * cost,
        miss_cost=method.miss_cost,
        bad_share=method.bad_share,
        alarmed=int(np.count_nonzero(good > threshold)),
        missed=int(np.count_nonzero(bad <= threshold)),
    )


def _cheapest(good: _Scores, bad: _Scores, method: Method) -> tuple[float, float]:
    """Threshold and cost per frame, of rising scores. Above the highest score of all there is no gap: that score itself."""
    scores = np.unique(np.concatenate([good, bad]))
    alarmed = 1 - np.searchsorted(good, scores, side="right") / len(good)
    missed = np.searchsorted(bad, scores, side="right") / len(bad)
    cost = (1 - method.bad_share) * alarmed + method.bad_share * method.miss_cost * missed
    gaps = np.append(np.diff(scores), 0.0)
    cheap = np.flatnonzero(cost <= cost.min() + 1e-12)
    best = int(cheap[np.argmax(gaps[cheap])])
    return float(scores[best] + gaps[best] / 2), float(cost[best])
