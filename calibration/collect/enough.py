"""How many good frames are enough: said from the bound that they can support, never guessed. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from calibration.methods import frames_needed

TARGETS = (0.10, 0.05, 0.01)


@dataclass(frozen=True)
class Enough:
    """What so many frames can promise. bound: the least false-alarm rate that they could rule out, one-sided.

    more: (rate, frames still missing for it), for the TARGETS that are not reached yet.
    """

    frames: int
    bound: float
    confidence: float
    more: tuple[tuple[float, int], ...]

    def __str__(self) -> str:
        if not self.frames:
            return "no frame: nothing can be promised"
        percent = math.ceil(self.bound * 1000 - 1e-9) / 10
        word = "frame" if self.frames == 1 else "frames"
        text = f"{self.frames} {word}: no false-alarm bound under {percent:g} %"
        missing = ", ".join(f"{count} more for a {rate * 100:g} % bound" for rate, count in self.more)
        return f"{text}; {missing}" if missing else text


def enough(frames: int, confidence: float = 0.95) -> Enough:
    """The bound of `frames` good frames that are exchangeable: 1 - (1 - confidence)^(1/n), about 3 / n (Wilks 1941)."""
    bound = 1.0 if frames < 1 else 1 - (1 - confidence) ** (1 / frames)
    needed = [(rate, frames_needed(rate, confidence)) for rate in TARGETS]
    return Enough(frames, bound, confidence, tuple((rate, count - frames) for rate, count in needed if count > frames))
