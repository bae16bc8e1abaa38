"""How alike two registered images are, whatever the light and wherever one thing has changed."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.types import ImageU8, MapF32, MaskBool

LONG_SIDE = 384  # px; enough to tell a wrong warp from a right one, small enough to cost about a millisecond
LOCAL_SIGMA = 5.0  # px at that scale: slower changes of the light are not scene
NOISE_GREY = 3.0  # grey levels; contrast below it is taken for noise
CELLS = 8  # along the longer side
BARE_CONTRAST, BARE_SHARE = 0.05, 0.125  # mean square of `flatten` in a cell: 0.5 to 1 for texture, 0.01 for a lone speck
MIN_CELL_SHARE = 0.3  # of a cell's pixels must be judged and visible


def flatten(image: ImageU8) -> MapF32:
    """Local contrast, free of local mean and gain: about -3..3, near 0 where there is only noise."""
    grey = image.astype(np.float32)
    mean = cv2.GaussianBlur(grey, (0, 0), LOCAL_SIGMA)
    detail = cv2.subtract(grey, mean)
    deviation = cv2.sqrt(cv2.GaussianBlur(cv2.multiply(detail, detail), (0, 0), LOCAL_SIGMA))
    return np.asarray(detail / (deviation + NOISE_GREY), np.float32)


@dataclass(frozen=True, eq=False)
class Likeness:
    """The reference's side of the comparison. detail: float32 HxW from `flatten`; judged: bool HxW."""

    detail: MapF32
    judged: MaskBool

    @property
    def is_bare(self) -> bool:
        """True where almost nothing is to be seen: fewer than an eighth of the judged cells hold contrast above noise."""
        keep = self.judged.astype(np.float32)
        counts, energy = _cell_sums(keep), _cell_sums((self.detail * keep) ** 2)
        contrast = energy[counts > 0] / counts[counts > 0]
        return contrast.size == 0 or float(np.mean(contrast > BARE_CONTRAST)) < BARE_SHARE

    def of(self, detail: MapF32, visible: MaskBool) -> float:
        """Median over grid cells of the NCC, cells weighted by the square of the reference's energy; -1..1, 0 if none counts.

        A median, so that one new or moved thing cannot make a right warp look wrong or a wrong one right. The square,
        because empty cells hold a little noise each and there may be many of them.
        """
        keep = (self.judged & visible).astype(np.float32)
        mine, theirs = self.detail * keep, detail * keep
        counts, energy, other, product = (_cell_sums(part) for part in (keep, mine * mine, theirs * theirs, mine * theirs))
        enough = counts >= MIN_CELL_SHARE * _cell_sums(np.ones_like(keep))
        weight = np.where(enough, energy**2, 0.0)
        if weight.sum() <= 0:
            return 0.0
        ncc = product / np.sqrt(np.maximum(energy * other, 1e-12))
        order = np.argsort(ncc)
        share = np.cumsum(weight[order])
        return float(np.clip(ncc[order][np.searchsorted(share, 0.5 * share[-1])], -1.0, 1.0))


def _cell_sums(values: MapF32) -> NDArray[np.float64]:
    height, width = values.shape
    cell = max(height, width) / CELLS
    rows = np.unique((np.arange(0, height, cell)).astype(np.intp))
    columns = np.unique((np.arange(0, width, cell)).astype(np.intp))
    return np.asarray(np.add.reduceat(np.add.reduceat(values, rows, 0), columns, 1).ravel(), np.float64)
