"""Accuracy, precision, recall, F1 and IoU from counts.

Precision, recall and F1: van Rijsbergen, Information Retrieval (1979). IoU: Jaccard, Bull. Soc. Vaud. Sci. Nat. 37 (1901),
as Everingham et al., The PASCAL Visual Object Classes Challenge (IJCV 2010), use it on pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from edge.errors import ConfigError

Cell = Literal["tp", "fp", "tn", "fn", "undecided"]


def check_threshold(threshold: float) -> float:
    """The threshold as a float, so that it is compared in the type of the scores; ConfigError for NaN."""
    if math.isnan(threshold):
        raise ConfigError("the threshold is NaN", remedy="give a number; nothing is above NaN")
    return float(threshold)


def ratio(part: float, whole: float) -> float | None:
    """One through the other; None where there is no whole."""
    return part / whole if whole else None


@dataclass(frozen=True)
class Counts:
    """True and false positives and negatives; positive is anomalous.

    Where nothing anomalous was there to be found, precision, recall, F1 and IoU are None: they would be 0 whatever was
    predicted. Where there was and nothing is predicted, precision is None and the others are 0.
    """

    tp: int
    fp: int
    tn: int
    fn: int

    @property
    def accuracy(self) -> float | None:
        """Share of right answers."""
        return ratio(self.tp + self.tn, self.tp + self.fp + self.tn + self.fn)

    @property
    def precision(self) -> float | None:
        """Share of the predicted that is truly anomalous."""
        return ratio(self.tp, self.tp + self.fp) if self.tp + self.fn else None

    @property
    def recall(self) -> float | None:
        """Share of the truly anomalous that is predicted."""
        return ratio(self.tp, self.tp + self.fn)

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and recall, 2 TP / (2 TP + FP + FN)."""
        return ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn) if self.tp + self.fn else None


@dataclass(frozen=True)
class PixelCounts(Counts):
    """Pixels of all maps together, at one threshold."""

    threshold: float

    @property
    def iou(self) -> float | None:
        """Intersection over union of predicted and true pixels, TP / (TP + FP + FN)."""
        return ratio(self.tp, self.tp + self.fp + self.fn) if self.tp + self.fn else None


@dataclass(frozen=True)
class Confusion(Counts):
    """Images at one threshold. Undecided images are in no other count: they are neither right nor wrong.

    cells: what each image is, in the order that they came.
    """

    undecided: int
    threshold: float
    cells: tuple[Cell, ...] = ()


@dataclass(frozen=True)
class InstanceCounts:
    """Connected regions: how many were there, how many were predicted, how many pairs of one each match."""

    matched: int
    predicted: int
    true: int

    @property
    def false(self) -> int:
        """Predicted regions that match no true one."""
        return self.predicted - self.matched

    @property
    def missed(self) -> int:
        """True regions that no predicted one matches."""
        return self.true - self.matched

    @property
    def precision(self) -> float | None:
        """Share of the predicted regions that match; None without true or without predicted ones."""
        return ratio(self.matched, self.predicted) if self.true else None

    @property
    def recall(self) -> float | None:
        """Share of the true regions that are matched; None without any."""
        return ratio(self.matched, self.true)

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and recall; None without true regions."""
        return ratio(2 * self.matched, self.predicted + self.true) if self.true else None
