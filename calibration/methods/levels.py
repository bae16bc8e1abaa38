"""Scores and pixels -> the two thresholds, by any method. A frame is alarmed if its score is above the image threshold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.methods import conformal, costs
from calibration.methods.extreme import Reading, read_tail
from calibration.methods.method import Method, Values, ordered, spread
from calibration.methods.promises import false_alarms
from edge.errors import ConfigError
from edge.recipe import FalseAlarms
from edge.recipe.card import TailFit


@dataclass(frozen=True)
class Levels:
    """Two thresholds with what they promise. pixel: None where there is no map. fit: of the method extreme."""

    image: float
    pixel: float | None
    false_alarms: FalseAlarms
    fit: TailFit | None = None


def take_levels(
    scores: Values, pixels: Values | None, method: Method, *, in_map_units: bool = True, bad: Values | None = None
) -> Levels:
    """Both thresholds from the scores and the judged pixels of the smoothed maps of good frames (None: there are no maps).

    in_map_units: False where the image score is not the map's (the graph's own). bad: scores of bad frames, which the
    method cost needs. ConfigError: scores that are no numbers, too few frames for the method, or a tail that does not fit.
    """
    rising = ordered(scores)
    fit, reading = _read(rising, method) if method.kind == "extreme" else (None, None)
    image = _image_threshold(rising, method, bad, reading)
    pixel = None
    if pixels is not None:
        pixel = pixel_threshold(pixels, method, image if in_map_units else None, frames=len(rising))
    alarms = false_alarms(rising, image)
    if reading is not None:
        update = {"expected": reading.expected, "low": reading.low, "high": reading.high, "interval": "bootstrap"}
        alarms = alarms.model_copy(update=update)
    return Levels(image, pixel, alarms, fit)


def image_threshold(scores: Values, method: Method, bad: Values | None = None) -> float:
    """The image threshold of these good scores: base + margin x spread.

    max: the highest. quantile: the ceil((n + 1) q)-th smallest, so that for exchangeable frames at most 1 - q of those to
    come are expected above it; with too few frames for that the highest, and the margin has to do the rest. sigma: mean
    + k standard deviations. conformal: the same rank, which refuses too few frames. extreme: the tail's own, for a rate.
    cost: the optimum between good and bad. Good frames alone condemn none of their own beyond the rate that the method
    declares: max and sigma none, extreme no more than conformal would at its rate. ConfigError as `take_levels`.
    """
    rising = ordered(scores)
    return _image_threshold(rising, method, bad, _read(rising, method)[1] if method.kind == "extreme" else None)


def pixel_threshold(pixels: Values, method: Method, image_level: float | None, frames: int = 1) -> float:
    """The pixel threshold from all judged pixels of the smoothed maps of `frames` good frames.

    max: the highest. sigma: mean + k deviations. quantile and cost: the q-quantile. conformal: conformal risk control.
    extreme: the quantile 1 - rate itself: millions of pixels reach that far, and neighbours are no sample for a fit.
    image_level: the image threshold where it is in the map's units, else None; the pixel threshold never exceeds it, since
    it outlines what the image threshold found.
    """
    values = np.asarray(pixels)
    if not values.size or not np.isfinite(values).all():
        what = "holds NaN or infinite values" if values.size else "is empty"
        raise ConfigError(f"the judged area of the maps {what}", remedy="look at the masks and at the bundle")
    if method.kind == "max":
        level = float(values.max())
    elif method.kind == "sigma":
        level = float(values.mean(dtype=np.float64)) + method.sigma * float(values.std(dtype=np.float64))
    elif method.kind == "conformal":
        level = conformal.conformal_pixel_threshold(values, frames, method.alpha)
    else:
        share = 1 - method.rate if method.kind == "extreme" else method.quantile
        level = float(np.quantile(values, share, method="higher"))
    return level if image_level is None else min(level, image_level)


def _image_threshold(rising: NDArray[np.float64], method: Method, bad: Values | None, reading: Reading | None) -> float:
    if method.kind == "cost":
        if bad is None:
            raise ConfigError("needs labelled bad frames", where="method cost", remedy="give their folder: --bad DIR")
        base = costs.cost_optimum(rising, np.asarray(bad, np.float64), method).threshold
    elif reading is not None:
        base = reading.threshold
    elif method.kind == "conformal":
        base = conformal.conformal_threshold(rising, method.alpha)
    else:
        least = float(rising[-1 - _may_be_above(len(rising), method)])
        base = max(least, _mean_plus(rising, method.sigma)) if method.kind == "sigma" else least
    return base + method.margin_for(len(rising)) * spread(rising)


def _may_be_above(count: int, method: Method) -> int:
    """How many of its own frames a threshold from good frames alone may be below: only what the method's rate declares."""
    return count - min(count, conformal.conformal_rank(count, 1 - method.declared_rate))


def _read(rising: NDArray[np.float64], method: Method) -> tuple[TailFit, Reading]:
    return read_tail(rising, method.rate, _may_be_above(len(rising), method))


def _mean_plus(rising: NDArray[np.float64], sigma: float) -> float:
    return float(rising.mean()) + sigma * (float(rising.std(ddof=1)) if len(rising) > 1 else 0.0)
