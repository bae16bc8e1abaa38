"""How a threshold is written: as many digits as tell two places of the band apart, and back to the exact number. Pure."""

from __future__ import annotations

import math
from typing import Final

LEAST: Final = 4
MOST: Final = 12
_STEPS: Final = 100


def digits_for(low: float, high: float) -> int:
    """Significant digits with which a hundred places between low and high look different; 4 at least."""
    size, span = max(abs(low), abs(high)), high - low
    if size <= 0 or span <= 0:
        return LEAST
    return min(MOST, max(LEAST, math.ceil(math.log10(size * _STEPS / span)) + 1))


def written(value: float, digits: int) -> str:
    """The number as a person reads it, without an exponent where a field could not take it."""
    return f"{value:.{digits}g}"


def meant(value: float, digits: int, exact: tuple[float, ...]) -> float:
    """The number of `exact` that is written like this value, else the value itself: a field that nobody touched is exact."""
    return next((one for one in exact if float(written(one, digits)) == value), value)
