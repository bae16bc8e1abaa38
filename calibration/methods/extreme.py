"""Peaks over threshold: the tail of the scores as a generalised Pareto distribution, read beyond what was seen.

Pickands (1975); Coles: An Introduction to Statistical Modeling of Extreme Values (2001), chapter 4. Where the tail starts is
chosen by ordered goodness-of-fit tests after Bader, Yan, Zhang (2018): of the declared shares the largest that fits.

Read off the fit as it stands, 120 frames promise 1 false alarm per 1000 and give 5: the fit is a guess itself. So the level is
calibrated by a parametric bootstrap (Beran 1990): as deep in the tail as it takes for the expected rate of the whole
procedure to be the wanted one. Where no depth is enough, the method refuses.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.methods import pareto
from calibration.methods.pareto import Rows
from edge.errors import ConfigError
from edge.recipe.card import TailFit

TAIL_SHARES = (0.30, 0.25, 0.20, 0.15, 0.10)
"""Which upper shares of the scores are tried as the tail, in this order."""
MIN_EXCEEDANCES = 30
LEAST_P = 0.10
BOOTSTRAPS = 300
SEED = 2
REACH = 2.5
"""How much rarer than one in the number of frames the wanted rate may be. `benchmarks.guarantee --simulated` shows why."""
DEEPEST = 0.05
"""The level is read at this share of the wanted rate at the deepest; further out the fit says nothing."""
_BISECTIONS = 40
_WHERE = "method extreme"


@dataclass(frozen=True)
class Reading:
    """A threshold read off a tail. expected, low, high: the false-alarm rate of such thresholds, and its 95 % interval."""

    threshold: float
    expected: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Tail:
    """A fit that was not refused. beyond: what the `count` scores have beyond its start, rising.

    samples: of the fitted tail, one per row, rising; refits: their own shapes and scales.
    """

    fit: TailFit
    count: int
    beyond: NDArray[np.float64]
    samples: Rows
    refits: tuple[NDArray[np.float64], NDArray[np.float64]]

    def read(self, rate: float, above: int = 0) -> Reading:
        """The threshold above which this share of frames is expected; at most `above` of the frames themselves are above it.

        ConfigError: these frames are too few to say where so low a rate is.
        """
        deepest = rate * DEEPEST
        if (best := float(self._rates(deepest, above).mean())) > rate:
            message = f"the tail of {self.count} frames says nothing below {1000 * best:.1f} false alarms per 1000"
            remedy = f"give more good frames, or aim at --rate {np.ceil(1e4 * best) / 1e4:g}"
            raise ConfigError(message, where=_WHERE, remedy=remedy)
        low, high = np.log(deepest), np.log(rate)
        if self._rates(rate, above).mean() <= rate:
            low = high
        for _ in range(_BISECTIONS if low < high else 0):
            middle = (low + high) / 2
            low, high = (middle, high) if self._rates(np.exp(middle), above).mean() <= rate else (low, middle)
        at = float(np.exp(low))
        beyond = float(pareto.quantile(self._share_of(at), self.fit.shape, self.fit.scale))
        rates = self._rates(at, above)
        least, most = np.quantile(rates, (0.025, 0.975))
        threshold = self.fit.start + max(beyond, float(self.beyond[-1 - above]))
        return Reading(threshold, float(rates.mean()), float(least), float(most))

    def _rates(self, at: float, above: int) -> NDArray[np.float64]:
        """The true rate of each bootstrap sample's own threshold, were the fitted tail the truth.

        The share of frames above the start, an order statistic, follows a Beta distribution whatever theirs is.
        """
        shapes, scales = self.refits
        levels = np.maximum(pareto.quantile(self._share_of(at), shapes, scales), self.samples[:, -1 - above])
        exceedances = len(self.beyond)
        shares = np.random.default_rng(SEED).beta(exceedances + 1, self.count - exceedances, len(levels))
        return np.asarray(shares * pareto.survival(levels, self.fit.shape, self.fit.scale), np.float64)

    def _share_of(self, rate: float) -> float:
        return rate * self.count / len(self.beyond)


def frames_for_tail(rate: float) -> int:
    """The least number of frames whose tail may be read at this rate: 400 for 1 in 1000, and 100 for any."""
    return max(math.ceil(MIN_EXCEEDANCES / TAIL_SHARES[0] - 1e-9), math.ceil(1 / (REACH * rate) - 1e-9))


def read_tail(ordered: NDArray[np.float64], rate: float, above: int = 0) -> tuple[TailFit, Reading]:
    """Fit the tail of these rising scores and read it at a rate; at most `above` of the scores are above the threshold.

    ConfigError: too few scores (it says how many more), scipy is not installed, or no share of them looks like a tail.
    """
    count, needed = len(ordered), frames_for_tail(rate)
    if count < needed:
        message = f"{count} frames are too few to read a tail at {1000 * rate:g} false alarms per 1000: that takes {needed}"
        least = frames_for_tail(1.0)
        other = f", or aim at --rate {math.ceil(1e4 / (REACH * count)) / 1e4:g}" if count >= least else ", or choose quantile"
        raise ConfigError(message, where=_WHERE, remedy=f"give {needed - count} more good frames{other}")
    tail = fit_tail(ordered)
    return tail.fit, tail.read(rate, above)


def fit_tail(ordered: NDArray[np.float64]) -> Tail:
    """The tail of these rising scores, fitted by scipy's maximum likelihood: of TAIL_SHARES the largest that fits.

    ConfigError: none fits (Anderson-Darling, parametric bootstrap after Stute, Gonzalez Manteiga, Presedo Quindimil 1993:
    p below 0.1), or scipy is not installed.
    """
    count = len(ordered)
    refused = []
    for share in TAIL_SHARES:
        excess = int(count * share + 1e-9)
        if excess < MIN_EXCEEDANCES:
            break
        start = float(ordered[count - excess - 1])
        beyond = ordered[count - excess :] - start
        beyond = beyond[beyond > 0]
        if len(beyond) < MIN_EXCEEDANCES:
            refused.append("too many equal scores")
            continue
        tail = _fit(start, beyond, count)
        if (fit := tail.fit).p_value >= LEAST_P:
            return tail
        refused.append(f"upper {100 * share:g} %: A² {fit.anderson_darling:.2f}, p {fit.p_value:.3f}")
    message = f"the scores have no tail of that shape ({'; '.join(refused)})"
    raise ConfigError(message, where=_WHERE, remedy="choose quantile or conformal; look at the frames with the highest scores")


def _fit(start: float, beyond: NDArray[np.float64], count: int) -> Tail:
    ours = pareto.fit_rows(beyond[None])
    shape, scale = _by_scipy(beyond, float(ours[0][0]), float(ours[1][0]))
    distance = pareto.anderson_darling(beyond[None], *ours)[0]
    random = np.random.default_rng(SEED)
    samples: Rows = np.sort(pareto.quantile(random.uniform(size=(BOOTSTRAPS, len(beyond))), shape, scale), axis=1)
    refits = pareto.fit_rows(samples)
    further = int(np.count_nonzero(pareto.anderson_darling(samples, *refits) >= distance))
    fit = TailFit(
        start=start,
        exceedances=len(beyond),
        shape=shape,
        scale=scale,
        anderson_darling=float(distance),
        p_value=(1 + further) / (1 + BOOTSTRAPS),
        bootstraps=BOOTSTRAPS,
    )
    return Tail(fit, count, beyond, samples, refits)


def _by_scipy(beyond: NDArray[np.float64], shape: float, scale: float) -> tuple[float, float]:
    """Scipy's fit from a good start; ours where scipy leaves the shapes for which maximum likelihood can be trusted."""
    try:
        from scipy.stats import genpareto
    except ImportError as error:
        message = f"the tail is fitted by scipy, which is not installed ({error})"
        raise ConfigError(message, where=_WHERE, remedy="pip install 'lineclear[calibration]'") from None
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        found, _, width = genpareto.fit(beyond, shape, floc=0, scale=scale)
    if pareto.LEAST_SHAPE < found < pareto.MOST_SHAPE and np.isfinite(width) and width > 0:
        return float(found), float(width)
    return shape, scale
