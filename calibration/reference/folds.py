"""How many times a part repeats around its axis, found from its picture; refused where that is not clear."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.errors import ConfigError

MOST_FOLDS = 120
LEAST_CONFIDENCE = 0.5
# A part that repeats n times repeats for every divisor of n as well; the largest that is about as good as the best is n.
AS_GOOD, NEARLY = 0.75, 0.6
REMEDY = "count, and write --n; or give the ring that shows it (--radius, --inner-radius)"


@dataclass(frozen=True)
class FoldFound:
    """fold, and how much of the part's structure repeats with it (1 all, 0 chance)."""

    fold: int
    confidence: float


def choose_fold(symmetries: NDArray[np.float64], *, where: str = "") -> FoldFound:
    """The fold of these `edge.symmetry.folds`. ConfigError: nothing repeats, or two answers are about as good."""
    fold = likely_fold(symmetries)
    confidence = float(symmetries[fold])
    if not confidence >= LEAST_CONFIDENCE:
        message = f"no symmetry is found: the best guess is {fold}, with {confidence:.2f} of the structure (1 is all of it)"
        raise ConfigError(message, where=where, remedy=REMEDY)
    best = float(np.nanmax(symmetries))
    rivals = [
        other
        for other in range(2, len(symmetries))
        if fold % other and symmetries[other] >= NEARLY * best  # divisors say the same, only less
    ]
    if rivals:
        listed = ", ".join(f"{other} ({symmetries[other]:.2f})" for other in rivals[:5])
        message = f"the symmetry is not clear: {fold} ({confidence:.2f}), but also {listed}"
        raise ConfigError(message, where=where, remedy=REMEDY)
    return FoldFound(fold, confidence)


def likely_fold(symmetries: NDArray[np.float64]) -> int:
    """The largest fold that is about as good as the best; right or not."""
    best = float(np.nanmax(symmetries))
    return max(fold for fold in range(2, len(symmetries)) if symmetries[fold] >= min(best, AS_GOOD * best))
