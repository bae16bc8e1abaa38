"""Figures of all pixels of a set of maps together."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from calibration.metrics.counts import PixelCounts, check_threshold
from calibration.metrics.curves import Curve, Peak
from calibration.metrics.maps import Maps
from calibration.metrics.stairs import area_up_to, check_limit, draw_precision, draw_stairs, stairs
from calibration.metrics.steps import Steps, count_steps
from edge.errors import ConfigError
from edge.types import MapF32, MaskBool


class PixelSet:
    """Maps with their truths; every figure is exact (no bins), ties included, and None where it is undefined.

    maps: float32 (or other float) HxW each, finite, of any sizes; a sequence may load them as it is asked. truths: bool of
    each map's size, True = anomalous; None for a good frame. ignore: bool of each map's size, True = in no figure (masked
    or outside the frame). names: for error messages. The maps are sorted in pieces once, for all figures that need it, and
    are never changed. ConfigError, naming the map, for anything else: raised when a figure is first asked for.
    """

    def __init__(
        self,
        maps: Sequence[MapF32],
        truths: Sequence[MaskBool | None],
        ignore: Sequence[MaskBool | None] | None = None,
        *,
        names: Sequence[str] | None = None,
    ) -> None:
        self.maps = Maps(maps, truths, ignore, names)

    def __len__(self) -> int:
        return len(self.maps)

    @cached_property
    def steps(self) -> Steps:
        """The counts that the figures are made of."""
        return count_steps(self.maps)

    @property
    def undefined(self) -> str | None:
        """Why the figures that rank pixels are undefined, in words; None where they are defined."""
        if not len(self.steps.values):
            return "no anomalous pixel" if self.steps.background else "no pixel that counts"
        return None if self.steps.background else "no background pixel"

    def auroc(self) -> float | None:
        """Area under the ROC curve of pixels, as the chance that an anomalous pixel scores above a background pixel.

        Ties count half. Hanley and McNeil, The meaning and use of the area under a ROC curve (Radiology 1982).
        """
        if self.undefined:
            return None
        lost = sum(float(np.dot(block.positives, block.above + block.reached)) for block in self.steps.falling()) / 2
        return 1 - lost / (float(self.steps.anomalous) * self.steps.background)

    def average_precision(self) -> float | None:
        """Mean precision over the steps of recall, without interpolation, as scikit-learn defines it.

        Manning, Raghavan and Schuetze, Introduction to Information Retrieval (2008), 8.4; why not the trapezoidal area:
        Davis and Goadrich, The relationship between precision-recall and ROC curves (ICML 2006).
        """
        if self.undefined:
            return None
        blocks = self.steps.falling()
        return sum(float(np.dot(b.found / (b.found + b.reached), b.positives)) for b in blocks) / self.steps.anomalous

    def aupro(self, limit: float = 0.3) -> float | None:
        """Area under the PRO curve (see `pro_curve`) up to a false-positive rate of `limit`, divided by it: 0..1.

        The curve is cut at the limit by a straight line. ConfigError unless 0 < limit <= 1.
        """
        check_limit(limit)
        if self.undefined:
            return None
        area = 0.0
        for rate, height, _ in stairs(self.steps, "overlap"):
            area += area_up_to(rate, height, limit)
            if rate[-1] >= limit:
                break
        return area / limit

    def roc_curve(self, points: int | None = 1000) -> Curve | None:
        """True-positive rate over false-positive rate, of pixels; points None: every vertex.

        Fawcett, An introduction to ROC analysis (Pattern Recognition Letters 2006).
        """
        return None if self.undefined else draw_stairs(self.steps, "found", points)

    def pro_curve(self, points: int | None = 1000, limit: float = 0.3) -> Curve | None:
        """Mean overlap of the true regions over the false-positive rate of pixels, up to the first vertex past limit.

        A region is an 8-connected component of a truth, as in MVTec's own evaluation; each weighs the same, whatever its
        size. Bergmann et al., The MVTec Anomaly Detection Dataset (IJCV 2021). points None: every vertex.
        """
        check_limit(limit)
        return None if self.undefined else draw_stairs(self.steps, "overlap", points, limit)

    def pr_curve(self, points: int | None = 1000) -> Curve | None:
        """Precision (y) over recall (x), of pixels, from (0, 1) on, as scikit-learn begins it; points None: every vertex."""
        return None if self.undefined else draw_precision(self.steps, points)

    def at(self, threshold: float) -> PixelCounts:
        """Pixels of all maps at one threshold: what is above it is predicted."""
        tp, fp, tn, fn = 0, 0, 0, 0
        threshold = check_threshold(threshold)
        for index in range(len(self.maps)):
            anomalous, background = self.maps.anomalous(index), self.maps.background(index)
            hits, alarms = int(np.count_nonzero(anomalous > threshold)), int(np.count_nonzero(background > threshold))
            tp, fp, tn, fn = tp + hits, fp + alarms, tn + background.size - alarms, fn + anomalous.size - hits
        return PixelCounts(tp, fp, tn, fn, threshold=threshold)

    def iou(self, threshold: float) -> float | None:
        """Intersection over union of predicted and true pixels of all maps together (see `counts`)."""
        return self.at(threshold).iou

    def iou_curve(self, points: int = 101) -> Curve | None:
        """IoU (y) at `points` thresholds (x) spread evenly from the highest score to the lowest."""
        if points < 2:
            raise ConfigError(f"a curve of {points} points", remedy="write 2 or more")
        if not len(self.steps.values):
            return None
        thresholds = np.linspace(self.steps.highest, self.steps.lowest, points)
        steps = self.steps
        ends = np.searchsorted(steps.values, thresholds.astype(steps.values.dtype), "right")
        sums = np.cumsum(steps.positives, dtype=np.int64)
        hits = steps.anomalous - np.where(ends > 0, sums[ends - 1], 0)
        alarms = np.zeros(points, np.int64)
        for chunk in self.maps.background_chunks(1 << 20):
            alarms += chunk.size - np.searchsorted(chunk, thresholds.astype(chunk.dtype), "right")
        return Curve(thresholds, hits / (steps.anomalous + alarms), thresholds, points)

    def best_iou(self) -> Peak | None:
        """The highest IoU that any threshold gives; the same threshold gives the highest F1 of pixels."""
        if not len(self.steps.values):
            return None
        best = Peak(-1.0, 0.0)
        for block in self.steps.falling():
            overlap = block.found / (self.steps.anomalous + block.reached)
            top = int(np.argmax(overlap))
            if overlap[top] > best.value:
                best = Peak(float(overlap[top]), float(block.just_under[top]))
        return best
