"""What a threshold may be set to from outside, and the card that comes of it. Pure.

From the highest score of a good frame, never below it, up to `headroom` ranges of the good scores above it, or to what the
calibration itself gave, whichever is more; and always below the lowest bad frame that the card can tell from good ones. The
band follows from the frames of the card, which no such command changes: setting again and again leads nowhere further.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from edge.commands.refusals import Refused
from edge.commands.results import Band
from edge.recipe import FalseAlarms, Parameters, ThresholdCard

_MAD_TO_SIGMA = 1.4826
_SPREAD_FLOOR = 0.1
_BISECTIONS = 60


@dataclass(frozen=True)
class Wanted:
    """Thresholds to set, None: as it is; and who wants them, when and why."""

    image: float | None
    pixel: float | None
    who: str
    when: datetime
    why: str


def image_band(card: ThresholdCard, calibrated: ThresholdCard, headroom: float) -> Band:
    """The band of the image threshold. calibrated: the first card that was taken from these frames."""
    top = card.scores[-1]
    high = max(top + headroom * (top - card.scores[0]), calibrated.image_threshold)
    bad = [score for score in card.bad.scores if score > top] if card.bad is not None else []
    if bad:
        high = min(high, math.nextafter(min(bad), -math.inf))
    return Band(low=top, high=max(top, high))


def pixel_band(card: ThresholdCard, calibrated: ThresholdCard, headroom: float) -> Band | None:
    """The band of the pixel threshold, from the pixels of the good frames' maps; None where the bundle gives no map."""
    if card.pixel is None or calibrated.pixel_threshold is None:
        return None
    top = card.pixel.max
    return Band(low=top, high=max(top, top + headroom * (top - card.pixel.min), calibrated.pixel_threshold))


def same_frames(card: ThresholdCard, other: ThresholdCard) -> bool:
    """True if both cards were taken from the same frames with the same scores."""
    return (card.frame_sha256, card.scores) == (other.frame_sha256, other.scores)


def with_thresholds(card: ThresholdCard, calibrated: ThresholdCard, wanted: Wanted, headroom: float) -> ThresholdCard:
    """The card with other thresholds, as method `max` with the margin that gives them. Refused: outside the band."""
    image = _within("image_threshold", wanted.image, image_band(card, calibrated, headroom), card.image_threshold)
    pixel = _pixel_within(wanted.pixel, pixel_band(card, calibrated, headroom), card.pixel_threshold)
    fields = card.model_dump(by_alias=True, exclude={"sha256", "fit"})
    fields |= {"image_threshold": image, "pixel_threshold": pixel}
    fields |= {"who": wanted.who, "when": wanted.when, "why": wanted.why, "before": card.sha256}
    if wanted.image is not None:
        margin = (image - card.scores[-1]) / spread if (spread := spread_of(card.scores)) > 0 else 0.0
        fields |= {"method": "max", "parameters": Parameters(margin=margin), "false_alarms": none_above(card.frames)}
        if card.bad is not None:
            missed = sum(score <= image for score in card.bad.scores)
            low, high = clopper_pearson(missed, card.bad.frames)
            fields["bad"] = {**fields["bad"], "missed": missed, "low": low, "high": high}
    elif card.fit is not None:
        fields["fit"] = card.fit
    return ThresholdCard.sealed(**fields)


def check_card(card: ThresholdCard, before: ThresholdCard | None, headroom: float) -> None:
    """Refused unless a card from outside follows the one in force, and does not let everything pass."""
    if card.before != (before.sha256 if before is not None else None):
        known = before.sha256[:12] if before is not None else "none"
        message = f"the card does not follow the one in force: its `before` must be {known}..."
        raise Refused("refused", message, remedy="take it from the recipe that is in force now")
    for name, value, band in (
        ("image_threshold", card.image_threshold, image_band(card, _strict(card), headroom)),
        ("pixel_threshold", card.pixel_threshold, pixel_band(card, _strict(card), headroom)),
    ):
        if value is not None and band is not None and value > band.high:
            message = f"{name} {value:g} of the card is above {band.high:g}, the most that its own frames allow"
            raise Refused("refused", message, remedy="put it in force on the station: lineclear-calibrate")


def _strict(card: ThresholdCard) -> ThresholdCard:
    """A card from outside cannot vouch for its own thresholds: as if it had been calibrated at its highest scores."""
    pixel = None if card.pixel is None else card.pixel.max
    return card.model_copy(update={"image_threshold": card.scores[-1], "pixel_threshold": pixel})


def _pixel_within(value: float | None, band: Band | None, current: float | None) -> float | None:
    if band is None or current is None:
        if value is not None:
            message = "the view's bundle gives no map, so there is no pixel threshold"
            raise Refused("refused", message, remedy="set the image threshold alone")
        return None
    return _within("pixel_threshold", value, band, current)


def _within(name: str, value: float | None, band: Band, current: float) -> float:
    if value is None:
        return current
    if not band.low <= value <= band.high:
        message = f"{name} {value:g} is outside {band.low:g} to {band.high:g}"
        remedy = "choose a value within, or take new thresholds: lineclear-calibrate thresholds"
        raise Refused("refused", message, remedy=remedy)
    return value


def spread_of(scores: Sequence[float]) -> float:
    """The calibration's measure of how far good scores lie apart: margins are multiples of it."""
    median = statistics.median(scores)
    deviation = statistics.median([abs(score - median) for score in scores])
    return max(_MAD_TO_SIGMA * deviation, _SPREAD_FLOOR * abs(median))


def none_above(frames: int, confidence: float = 0.95) -> FalseAlarms:
    """What so many good frames, none above the threshold, say of false alarms (Wilks 1941); docs/thresholds.md."""
    alpha = 1 - confidence
    return FalseAlarms(
        expected=1 / (frames + 1),
        low=1 - (1 - alpha / 2) ** (1 / frames),
        high=1 - (alpha / 2) ** (1 / frames),
        bound=1 - alpha ** (1 / frames),
        confidence=confidence,
    )


def clopper_pearson(hits: int, count: int, confidence: float = 0.95) -> tuple[float, float]:
    """The exact two-sided interval of a share of which `hits` of `count` were seen (Clopper, Pearson 1934). count >= 1."""
    tail = (1 - confidence) / 2
    low = _solve(lambda share: 1 - _at_most(hits - 1, count, share) < tail) if hits else 0.0
    high = _solve(lambda share: _at_most(hits, count, share) > tail) if hits < count else 1.0
    return low, high


def _solve(is_below: Callable[[float], bool]) -> float:
    """The share at which `is_below` turns from true to false."""
    low, high = 0.0, 1.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if is_below(middle) else (low, middle)
    return (low + high) / 2


def _at_most(hits: int, count: int, share: float) -> float:
    """The chance of at most `hits` of `count` at this share."""
    if share <= 0 or share >= 1:
        return 1.0 if share <= 0 or hits >= count else 0.0
    logs = (
        math.lgamma(count + 1)
        - math.lgamma(k + 1)
        - math.lgamma(count - k + 1)
        + k * math.log(share)
        + (count - k) * math.log1p(-share)
        for k in range(hits + 1)
    )
    return min(1.0, math.fsum(math.exp(value) for value in logs))
