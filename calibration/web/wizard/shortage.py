"""Why a method cannot work with these frames, from their numbers: the page says it in the reader's language. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from calibration.methods import Method, frames_for_rate, frames_for_tail
from calibration.methods.costs import MIN_BAD_FRAMES

KINDS = ("promise", "tail_frames", "tail", "bad_frames", "cost", "other")
"""What can be missing; the message of each is `calibrate.lacks.KIND`."""


@dataclass(frozen=True)
class Shortage:
    """kind: of KINDS. needed: frames that it takes, have: that there are; rate: that cannot be promised, as a share."""

    kind: str
    needed: int = 0
    have: int = 0
    rate: float = 0.0


def shortage(method: Method, good: int, bad: int) -> Shortage:
    """Of a method that refused so many good and bad scores."""
    if method.kind == "conformal" and good < (needed := frames_for_rate(method.alpha)):
        return Shortage("promise", needed, good, method.alpha)
    if method.kind == "extreme":
        needed = frames_for_tail(method.rate)
        return Shortage("tail_frames" if good < needed else "tail", needed, good, method.rate)
    if method.kind == "cost":
        return Shortage("bad_frames" if bad < MIN_BAD_FRAMES else "cost", MIN_BAD_FRAMES, bad)
    return Shortage("other", have=good)
