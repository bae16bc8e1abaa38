"""Bringing pixels from the frame to the reference or to the model's grid, and saying which of them the frame covers."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.types import Homography, ImageU8, MaskBool


def row_spans(frame_to_target: Homography, frame_wh: tuple[int, int], size_wh: tuple[int, int]) -> NDArray[np.intp]:
    """For every row of the target the columns [first, end) whose centres the frame covers: intp Hx2, first == end if none.

    A pixel covers half a pixel around its centre, so the frame is the rectangle -0.5 .. size - 0.5. Its image under a
    homography is convex: one span a row says it exactly, and costs nothing next to a mask computed by warping.
    """
    width, height = size_wh
    back = np.linalg.inv(frame_to_target)
    back = back / back[2, 2]
    x, y, w = back
    sides = np.array([x + 0.5 * w, (frame_wh[0] - 0.5) * w - x, y + 0.5 * w, (frame_wh[1] - 0.5) * w - y, w])
    rows = np.arange(height, dtype=np.float64)
    offset = sides[:, 1:2] * rows + sides[:, 2:3]
    slope = sides[:, 0:1]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        crossing = -offset / slope
    tiny = 1e-6
    flat = np.abs(slope) < 1e-12
    first = np.where(flat | (slope < 0), -np.inf, crossing).max(0)
    last = np.where(flat | (slope > 0), np.inf, crossing).min(0)
    outside = (flat & (offset < -tiny)).any(0)
    spans = np.empty((height, 2), np.intp)
    spans[:, 0] = np.ceil(np.clip(first - tiny, 0, width))
    spans[:, 1] = np.floor(np.clip(last + tiny, -1, width - 1)) + 1
    spans[outside | (spans[:, 0] >= spans[:, 1])] = 0
    return spans


def covered(frame_to_target: Homography, frame_wh: tuple[int, int], size_wh: tuple[int, int]) -> MaskBool:
    """Bool HxW: the target pixels that the frame really shows (see `row_spans`)."""
    return mask_of(row_spans(frame_to_target, frame_wh, size_wh), size_wh)


def fill_outside(target: ImageU8, spans: NDArray[np.intp], fill: ImageU8 | None) -> None:
    """Replace, in place, what lies outside the row spans: by `fill` (of the target's shape) or by black."""
    width = target.shape[1]
    for row, (first, end) in enumerate(spans.tolist()):
        if first > 0:
            target[row, :first] = 0 if fill is None else fill[row, :first]
        if end < width:
            target[row, end:] = 0 if fill is None else fill[row, end:]


def mask_of(spans: NDArray[np.intp], size_wh: tuple[int, int]) -> MaskBool:
    """The row spans as a bool HxW mask."""
    columns = np.arange(size_wh[0])
    return np.asarray((columns >= spans[:, :1]) & (columns < spans[:, 1:]))


def warp(
    image: ImageU8, frame_to_target: Homography, size_wh: tuple[int, int], fill: ImageU8 | None = None
) -> tuple[ImageU8, MaskBool]:
    """(the frame on the target's grid, bool HxW of what it really covers), bilinear.

    fill: uint8 image of the target's size and channels, shown where the frame does not reach (None: black).
    """
    if fill is not None and (fill.shape[:2] != size_wh[::-1] or fill.ndim != image.ndim):
        raise ValueError(f"fill {fill.shape} must have the target's size {size_wh[::-1]} and the frame's channels")
    target = cv2.warpPerspective(image, frame_to_target, size_wh, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    spans = row_spans(frame_to_target, (image.shape[1], image.shape[0]), size_wh)
    fill_outside(target, spans, fill)
    return np.asarray(target, np.uint8), mask_of(spans, size_wh)
