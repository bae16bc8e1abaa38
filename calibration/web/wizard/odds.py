"""What a card promises, as numbers that can be said in a sentence: "at most 1 in 13, 95 % sure". Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from edge.recipe import ThresholdCard

MOST_ONE_IN = 1_000_000


@dataclass(frozen=True)
class Odds:
    """Of one card. most_one_in: at most one good frame in so many is alarmed, at this confidence; rounded to the worse side.

    expect_one_in: the mean. low, high: the two-sided interval of the rate. above: own good frames above the threshold.
    missed of bad: known bad frames that are not above it, with the interval of that share; bad 0: none were given.
    """

    frames: int
    most_one_in: int
    expect_one_in: int
    low: float
    high: float
    confidence: float
    above: int
    headroom: float
    bad: int = 0
    missed: int = 0
    missed_low: float = 0.0
    missed_high: float = 0.0
    modelled: bool = False


def odds(card: ThresholdCard) -> Odds:
    """What the card says of frames to come."""
    alarms, bad = card.false_alarms, card.bad
    return Odds(
        frames=card.frames,
        most_one_in=one_in(max(alarms.bound, alarms.high if alarms.interval == "bootstrap" else 0.0)),
        expect_one_in=one_in(alarms.expected),
        low=alarms.low,
        high=alarms.high,
        confidence=alarms.confidence,
        above=alarms.above,
        headroom=card.headroom,
        bad=bad.frames if bad is not None else 0,
        missed=bad.missed if bad is not None else 0,
        missed_low=bad.low if bad is not None else 0.0,
        missed_high=bad.high if bad is not None else 0.0,
        modelled=alarms.interval == "bootstrap",
    )


def one_in(rate: float) -> int:
    """1 in how many, never more than the rate allows."""
    if rate <= 1 / MOST_ONE_IN:
        return MOST_ONE_IN
    return max(1, math.floor(1 / rate + 1e-9))
