"""Split-conformal ranks: a promise that holds for any distribution of the scores, as long as frames are exchangeable.

Vovk, Gammerman, Shafer: Algorithmic Learning in a Random World (2005); for the pixels, conformal risk control:
Angelopoulos, Bates, Fisch, Lei, Schuster (ICLR 2024).
"""

from __future__ import annotations

import math

import numpy as np

from calibration.methods.method import Values
from edge.errors import ConfigError

_EXACT = 1e-9
"""What rounding may add to a product that is a whole number on paper."""


def conformal_rank(count: int, quantile: float) -> int:
    """ceil((n + 1) q): the next score is above this order statistic of n with probability 1 - q at most.

    More than n where n frames are too few for q.
    """
    return max(1, math.ceil((count + 1) * quantile - _EXACT))


def frames_for_rate(alpha: float) -> int:
    """The least number of frames with which a false-alarm rate of `alpha` can be promised: ceil(1 / alpha) - 1."""
    return max(1, math.ceil(1 / alpha - _EXACT) - 1)


def conformal_threshold(ordered: Values, alpha: float) -> float:
    """The lowest of these rising scores above which at most `alpha` of exchangeable frames are expected.

    ConfigError where so few frames cannot promise that; it says how many more are needed.
    """
    count, needed = len(ordered), frames_for_rate(alpha)
    if count < needed:
        message = f"{count} frames cannot promise at most {100 * alpha:g} % false alarms: that takes {needed}"
        remedy = f"give {needed - count} more good frames, or promise less: --alpha {math.ceil(1e4 / (count + 1)) / 1e4:g}"
        raise ConfigError(message, where="method conformal", remedy=remedy)
    return float(ordered[conformal_rank(count, 1 - alpha) - 1])


def conformal_pixel_threshold(pixels: Values, frames: int, alpha: float) -> float:
    """The lowest level above which at most `alpha` of a new frame's judged pixels are expected (conformal risk control).

    The risk is the share of a good frame's pixels above the level: never more than 1 and falling with the level. The mean
    risk of n frames, (n R + 1) / (n + 1), must be at most alpha, so R <= alpha - (1 - alpha) / n of all their pixels may
    be above it. It takes frames, not pixels, to promise something: neighbours tell the same.
    """
    allowed = max(0.0, alpha - (1 - alpha) / frames)
    return float(np.quantile(pixels, 1 - allowed, method="higher"))
