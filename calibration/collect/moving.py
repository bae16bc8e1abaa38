"""Whether anything moves between two frames that were taken one right after the other. Pure."""

from __future__ import annotations

import cv2
import numpy as np

from calibration.collect.condition import noise_of
from edge.types import ImageU8, MaskBool

BLOCK_PX = 4
NOISES = 6.0


def moving_share(image: ImageU8, before: ImageU8, judged: MaskBool) -> float:
    """The share of the judged area that differs by more than noise: uint8 frames of one size, bool HxW in their pixels.

    Means over 4x4 blocks (a quarter of the noise), less the median difference: the light may flicker as a whole. A block
    counts from six times its noise, and only where a neighbour does too.
    """
    first, second = (_reduced(part) for part in (image, before))
    difference = first - second
    kept = cv2.resize(judged.astype(np.float32), difference.shape[::-1], interpolation=cv2.INTER_AREA) > 0.99
    if not kept.any():
        return 0.0
    difference -= float(np.median(difference[kept]))
    noise = max(noise_of(image), noise_of(before)) * np.sqrt(2) / BLOCK_PX
    # An edge under a camera that trembles by a tenth of a pixel is no movement: its own slope is allowed for.
    slope = cv2.morphologyEx(first, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    changed = (np.abs(difference) > NOISES * noise + 0.15 * slope) & kept
    together = cv2.morphologyEx(changed.astype(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    return float(np.count_nonzero(together)) / float(np.count_nonzero(kept))


def _reduced(image: ImageU8) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.ndim == 3 else image, np.float32)
    size_wh = (max(1, grey.shape[1] // BLOCK_PX), max(1, grey.shape[0] // BLOCK_PX))
    return np.asarray(cv2.resize(grey, size_wh, interpolation=cv2.INTER_AREA), np.float32)
