"""Plain and slow: what the figures are by their definition, one threshold, region or pairing at a time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import numpy as np
from scipy import ndimage

EIGHT = np.ones((3, 3), int)


def label(mask: np.ndarray) -> tuple[np.ndarray, int]:
    return ndimage.label(mask, structure=EIGHT)


def pooled(
    maps: Sequence[np.ndarray], truths: Sequence[np.ndarray | None], ignore: Sequence[np.ndarray | None] | None = None
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Scores and truth of every pixel that counts, and the scores of each region."""
    scores, truth, regions = [], [], []
    for index, each in enumerate(maps):
        mine = np.zeros(each.shape, bool) if truths[index] is None else truths[index]
        skipped = None if ignore is None else ignore[index]
        keep = np.ones(each.shape, bool) if skipped is None else ~skipped
        labels, count = label(mine)
        regions += [each[(labels == number) & keep] for number in range(1, count + 1) if ((labels == number) & keep).any()]
        scores.append(each[keep])
        truth.append(mine[keep])
    return np.concatenate(scores), np.concatenate(truth), regions


def pro_vertices(scores: np.ndarray, truth: np.ndarray, regions: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    rates, overlaps = [0.0], [0.0]
    for level in np.unique(scores)[::-1]:
        rates.append(float((scores[~truth] >= level).mean()))
        overlaps.append(float(np.mean([(region >= level).mean() for region in regions])))
    return np.array(rates), np.array(overlaps)


def aupro(scores: np.ndarray, truth: np.ndarray, regions: list[np.ndarray], limit: float) -> float:
    """Trapezoids between the vertices, the one across the limit cut there."""
    rates, overlaps = pro_vertices(scores, truth, regions)
    area = 0.0
    for left, right, low, high in zip(rates[:-1], rates[1:], overlaps[:-1], overlaps[1:], strict=True):
        if left >= limit or right == left:
            continue
        end = min(right, limit)
        area += (end - left) * (low + low + (high - low) * (end - left) / (right - left)) / 2
    return area / limit


def best_matching(overlaps: np.ndarray, min_iou: float) -> int:
    """The most pairs that any one-to-one assignment of rows to columns makes; tries every one."""
    wide = overlaps if overlaps.shape[0] <= overlaps.shape[1] else overlaps.T
    rows = range(wide.shape[0])
    return max(
        (sum(wide[row, column] >= min_iou for row, column in zip(rows, chosen, strict=True))
         for chosen in permutations(range(wide.shape[1]), wide.shape[0])),
        default=0,
    )  # fmt: skip


def instance_counts(prediction: np.ndarray, truth: np.ndarray, min_area_px: int, min_iou: float) -> tuple[int, int, int]:
    """Matched, predicted, true regions of one image."""
    found, found_count = label(prediction)
    real, real_count = label(truth)
    predicted = [found == number for number in range(1, found_count + 1) if (found == number).sum() >= min_area_px]
    true = [real == number for number in range(1, real_count + 1)]
    overlaps = np.array([[(p & t).sum() / (p | t).sum() for t in true] for p in predicted]).reshape(len(predicted), len(true))
    return best_matching(overlaps, min_iou), len(predicted), len(true)
