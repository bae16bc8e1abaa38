"""Regions that were found: connected components of predictions and truths, matched one to one by their IoU."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from calibration.metrics.counts import InstanceCounts
from edge.errors import ConfigError
from edge.types import MaskBool

Float64s = NDArray[np.float64]
Labels = NDArray[np.int32]


def instances(
    predictions: Sequence[MaskBool],
    truths: Sequence[MaskBool | None],
    min_area_px: float = 1,
    min_iou: float = 0.5,
    *,
    ignore: Sequence[MaskBool | None] | None = None,
) -> InstanceCounts:
    """Count the 8-connected regions of all images and the pairs that match.

    predictions, truths: bool HxW each, truth None for a good frame. A predicted region of fewer than min_area_px pixels is
    dropped, as the station drops it; a true one never is, so a small one that is not found is missed. A pair may match
    if its IoU is at least min_iou. Each region is in one pair at most; the pairs are chosen to be as many as possible, and
    of those to have the highest sum of IoU, so that no order of regions matters (Kuhn, The Hungarian method, 1955).
    Above 0.5 there is only one way to match: Kirillov et al., Panoptic Segmentation (CVPR 2019).
    ignore: pixels that count for neither. ConfigError, naming the image, for a truth of another size or type.
    """
    if not 0 < min_iou <= 1:
        raise ConfigError(f"min_iou is {min_iou}", remedy="write a share above 0 and at most 1; usual is 0.5")
    skips = [None] * len(predictions) if ignore is None else ignore
    if not len(predictions) == len(truths) == len(skips):
        raise ConfigError(
            f"{len(predictions)} predictions, {len(truths)} truths, {len(skips)} ignore masks", remedy="give one for each image"
        )
    matched = predicted = true = 0
    for index, (prediction, truth, skip) in enumerate(zip(predictions, truths, skips, strict=True)):
        _check(index, prediction, truth, skip)
        found, found_areas = _regions(prediction if skip is None else prediction & ~skip, None)
        real, real_areas = _regions(np.zeros_like(prediction) if truth is None else truth, skip)
        wanted = np.flatnonzero(found_areas >= max(min_area_px, 1))
        predicted, true = predicted + len(wanted), true + int(np.count_nonzero(real_areas))
        matched += _matches(_overlaps(found, found_areas, real, real_areas)[wanted], min_iou)
    return InstanceCounts(matched, predicted, true)


def _check(index: int, prediction: MaskBool, truth: MaskBool | None, skip: MaskBool | None) -> None:
    for what, mask in (("prediction", prediction), ("truth", truth), ("ignore mask", skip)):
        if mask is None:
            continue
        if mask.dtype != np.bool_ or mask.ndim != 2:
            raise ConfigError(f"the {what} must be a bool HxW array, is {mask.dtype} {mask.shape}", where=f"image {index}")
        if mask.shape != prediction.shape:
            sizes = [f"{width}x{height}" for height, width in (mask.shape, prediction.shape)]
            raise ConfigError(f"the {what} is {sizes[0]} pixels, the prediction {sizes[1]}", where=f"image {index}")


def _regions(mask: MaskBool, skip: MaskBool | None) -> tuple[Labels, NDArray[np.int64]]:
    """Labels (0: none) and how many pixels of each count; a region that ignored pixels cut stays one."""
    count, labels = cv2.connectedComponents(np.ascontiguousarray(mask).view(np.uint8), connectivity=8, ltype=cv2.CV_32S)
    if skip is not None:
        labels = np.where(skip, 0, labels)
    areas = np.bincount(labels.ravel(), minlength=count)
    areas[0] = 0
    return labels, areas


def _overlaps(found: Labels, found_areas: NDArray[np.int64], real: Labels, real_areas: NDArray[np.int64]) -> Float64s:
    """IoU of every predicted label (rows) and every true one (columns); row and column 0 are no region."""
    both = (found > 0) & (real > 0)
    shape = (len(found_areas), len(real_areas))
    pairs = np.bincount(found[both].astype(np.int64) * shape[1] + real[both], minlength=shape[0] * shape[1]).reshape(shape)
    union = found_areas[:, None] + real_areas[None, :] - pairs
    return np.asarray(pairs / np.maximum(union, 1), np.float64)


def _matches(overlaps: Float64s, min_iou: float) -> int:
    may = overlaps >= min_iou
    rows, columns = np.flatnonzero(may.any(axis=1)), np.flatnonzero(may.any(axis=0))
    if not len(rows):
        return 0
    inside = np.ix_(rows, columns)
    worth = np.where(may[inside], overlaps[inside] + min(len(rows), len(columns)) + 1, 0.0)
    chosen = linear_sum_assignment(worth, maximize=True)
    return int(np.count_nonzero(may[inside][chosen]))
