"""How sure a figure is: percentile bootstrap over images."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.metrics.images import Labels, Scores
from calibration.progress import Progress, silent
from edge.errors import ConfigError

Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Interval:
    """The middle `confidence` of the figure over `rounds` resamples.

    undefined: rounds that gave no figure and are left out. bins: None where each round is exact, else how many score
    bins it was counted in.
    """

    low: float
    high: float
    confidence: float
    rounds: int
    undefined: int = 0
    bins: int | None = None


def bootstrap(
    statistic: Callable[[Indices], float | None],
    strata: Sequence[Hashable],
    *,
    seed: int,
    rounds: int = 1000,
    confidence: float = 0.95,
    progress: Progress = silent,
) -> Interval | None:
    """Percentile interval of statistic(indices of images), None where it is undefined.

    strata: a label for each image; as many images as have it are drawn from each label, with replacement, so that good
    and bad stay as many as they were. One seed gives one interval. Efron and Tibshirani, An Introduction to the Bootstrap
    (1993), 13. With fewer than about ten images of a kind it is too narrow; where all images are ranked right it has no
    width, which is not certainty. ConfigError for a confidence that is no share or for less than one round.
    """
    check_rounds(rounds, confidence)
    draws = Resamples(strata, seed)
    if not draws.count or statistic(np.arange(draws.count)) is None:
        return None
    figures: list[float] = []
    for done in range(1, rounds + 1):
        figure = statistic(draws.next())
        if figure is not None:
            figures.append(figure)
        progress(done, rounds, "bootstrap")
    return interval(np.array(figures), confidence, rounds)


def image_interval(
    figure: Callable[[NDArray[np.bool_], list[float | None]], float | None],
    labels: Labels,
    scores: Scores,
    *,
    seed: int,
    rounds: int = 1000,
    confidence: float = 0.95,
    progress: Progress = silent,
) -> Interval | None:
    """Interval of a figure of images, such as `image_auroc`: good and bad images are drawn apart (see `bootstrap`)."""
    bad, values = np.asarray(labels, bool), list(scores)
    if len(bad) != len(values):
        raise ConfigError(f"{len(bad)} labels, but {len(values)} scores", remedy="give one score, or None, for each image")
    strata = [(is_bad, score is None) for is_bad, score in zip(bad.tolist(), values, strict=True)]

    def drawn(indices: Indices) -> float | None:
        return figure(bad[indices], [values[index] for index in indices])

    return bootstrap(drawn, strata, seed=seed, rounds=rounds, confidence=confidence, progress=progress)


class Resamples:
    """Draws of images with replacement, label by label, from a seed."""

    def __init__(self, strata: Sequence[Hashable], seed: int) -> None:
        members: dict[Hashable, list[int]] = {}
        for index, label in enumerate(strata):
            members.setdefault(label, []).append(index)
        self._members = [np.array(each, np.intp) for each in members.values()]
        self._random = np.random.default_rng(seed)
        self.count = len(strata)

    def next(self) -> Indices:
        """Indices of one resample, as many as there are images."""
        return np.concatenate([each[self._random.integers(0, len(each), len(each))] for each in self._members])


def check_rounds(rounds: int, confidence: float) -> None:
    """Raise ConfigError for what cannot be drawn."""
    if rounds < 1 or not 0 < confidence < 1:
        raise ConfigError(
            f"a bootstrap of {rounds} rounds at confidence {confidence}", remedy="write 1000 rounds at 0.95, for example"
        )


def interval(figures: NDArray[np.float64], confidence: float, rounds: int, bins: int | None = None) -> Interval | None:
    """The percentiles of the figures that the rounds gave; None where none gave any."""
    if not len(figures):
        return None
    low, high = np.percentile(figures, [50 * (1 - confidence), 50 * (1 + confidence)])
    return Interval(float(low), float(high), confidence, rounds, rounds - len(figures), bins)
