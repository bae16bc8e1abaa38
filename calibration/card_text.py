"""A threshold card as a technician reads it."""

from __future__ import annotations

import numpy as np

from calibration import methods
from calibration.comparison import percent, tail_line
from edge.cli.terminal import one_line
from edge.recipe import ThresholdCard

_PER_1000 = 1000


def describe(card: ThresholdCard, version: int) -> str:
    """The whole card in a few lines: what was refused, the thresholds, the promise, the margin, the bad frames, who."""
    count = card.frames
    lines = [f"refused {one_line(f'{file}: {why}')}" for file, why in card.refused.items()]
    if card.bad:
        lines += [f"refused bad frame {one_line(f'{file}: {why}')}" for file, why in card.bad.refused.items()]
    lines += [
        f"scores {card.scores[0]:.4g} .. {card.scores[-1]:.4g}, median {card.image.median:.4g}",
        f"image threshold {card.image_threshold:.4g} ({_base(card)}{_added(card)})",
        _pixel(card),
        *([tail_line(card.fit)] if card.fit else []),
        _promise(card),
        f"margin: the threshold is {_headroom(card)}",
        f"{count} frames can promise no less than {_PER_1000 * card.false_alarms.bound:.0f} of 1000 at "
        f"{100 * card.false_alarms.confidence:g} % confidence",
        methods.enough(count, 0.01, card.false_alarms.confidence),
        *_missed(card),
        *_not_compared(card),
        f"card {card.sha256[:12]} in version {version:04d}, taken by {one_line(f'{card.who}: {card.why}')}",
    ]
    return "\n".join(lines) + "\n"


def _pixel(card: ThresholdCard) -> str:
    if card.pixel_threshold is None:
        return "no pixel threshold: the bundle gives a score and no map, and a FAIL does not say where"
    return f"pixel threshold {card.pixel_threshold:.4g}"


def _not_compared(card: ThresholdCard) -> list[str]:
    if card.hashes.camera is not None:
        return []
    return ["not tied to camera settings: a change of exposure or gain will not make it stale; give --config"]


def _base(card: ThresholdCard) -> str:
    count, parameters = card.frames, card.parameters
    names = {
        "max": f"the highest of {count} scores",
        "quantile": f"the {parameters.quantile} quantile of {count} scores",
        "sigma": f"mean + {parameters.sigma} standard deviations of {count} scores",
    }
    if card.method == "conformal" and parameters.alpha is not None:
        rank = methods.conformal_rank(count, 1 - parameters.alpha)
        return f"conformal: score {rank} of {count}, for at most {100 * parameters.alpha:g} % false alarms"
    if card.method == "extreme" and parameters.rate is not None:
        return f"the tail of {count} scores at {_PER_1000 * parameters.rate:g} false alarms per 1000"
    if card.method == "cost" and card.bad:
        worth = f"a miss being {parameters.miss_cost:g} false alarms"
        return f"least cost between {count} good and {card.bad.frames} bad frames, {worth}"
    return names[card.method]


def _added(card: ThresholdCard) -> str:
    margin = card.parameters.margin
    return f", + {margin:.3g} x spread {methods.spread(np.array(card.scores)):.3g}" if margin else ""


def _promise(card: ThresholdCard) -> str:
    alarms = card.false_alarms
    how = "bootstrap " if alarms.interval == "bootstrap" else ""
    at_most = "" if alarms.interval == "bootstrap" else "at most "
    without = ", not counting the margin" if card.parameters.margin and not how else ""
    own = f"; {alarms.above} of its own frames are above it" if alarms.above else ""
    figure = "{:.1f}" if alarms.expected < 0.0095 else "{:.0f}"
    expected, low, high = (figure.format(_PER_1000 * value) for value in (alarms.expected, alarms.low, alarms.high))
    return (
        f"expected false alarms: {at_most}{expected} of 1000 good frames "
        f"({how}{100 * alarms.confidence:g} % interval {low} .. {high}{without}){own}"
    )


def _headroom(card: ThresholdCard) -> str:
    side = "above" if card.headroom >= 0 else "below"
    share = percent(abs(card.headroom), card.scores[-1]).lstrip("+")
    return f"{abs(card.headroom):.4g} ({share}) {side} the highest good score"


def _missed(card: ThresholdCard) -> list[str]:
    bad = card.bad
    if bad is None:
        return []
    lines = [f"misses {bad.missed} of {bad.frames} bad frames (95 % interval {100 * bad.low:.1f} .. {100 * bad.high:.1f} %)"]
    best = bad.optimum
    if best is None:
        return [*lines, "no cost optimum: bad frames too few, or their scores do not tell them from the good"]
    return [
        *lines,
        f"cost optimum {best.threshold:.4g} (95 % interval {best.low:.4g} .. {best.high:.4g}; a miss costs {best.miss_cost:g} "
        f"false alarms, {100 * best.bad_share:g} % of frames are bad): alarms {best.alarmed} of {card.frames} good, "
        f"misses {best.missed} of {bad.frames} bad, {best.cost_per_1000:.3g} per 1000 frames",
    ]
