"""A score against its threshold as a bar: where both stand on a width of 100. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MARK: Final = 60.0
"""The threshold always stands here, so that bars of different views can be compared at a glance."""


@dataclass(frozen=True)
class Bar:
    """fill: 0 to 100; the threshold stands at `mark`. ratio: score over threshold where that says something, else None."""

    score: float
    threshold: float
    fill: float
    mark: float = MARK
    ratio: float | None = None


def bar_of(score: float | None, threshold: float | None) -> Bar | None:
    """None where there is no score or no threshold.

    Below the threshold the bar is in proportion; above it is squeezed, so that any score finds room and a larger one is
    always longer. A score that reaches the threshold never falls short of the mark, nor does one below it touch it.
    """
    if score is None or threshold is None:
        return None
    if threshold > 0 and score >= 0:
        low = MARK * score / threshold if score < threshold else MARK
        fill = low if score < threshold else MARK + (100 - MARK) * (1 - threshold / score)
        ratio: float | None = score / threshold
    else:
        apart = score - threshold
        share = apart / (abs(threshold) + abs(apart)) if apart else 0.0
        fill = MARK + (100 - MARK) * share if apart >= 0 else MARK * (1 + share)
        ratio = None
    if score < threshold:
        fill = min(fill, MARK - 0.5)
    return Bar(score, threshold, round(max(fill, 0.0), 2), ratio=ratio)
