"""Pictures for the browser: small enough for a tablet, and on the reference's pixels where they are to be compared."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from calibration.web.reference.aligning import Arrow
from edge.heatmap import encode
from edge.registration import warp
from edge.types import Homography, ImageU8

LARGE_PX: Final = 1600
SMALL_PX: Final = 320
_QUALITY: Final = 88
_FACTORS: Final = (1, 2, 5, 10, 20, 50, 100, 200)
_ARROW_SHARE: Final = 0.05


def jpeg(image: ImageU8, width: int = LARGE_PX) -> bytes:
    """At most so wide; never larger than it is."""
    scale = min(1.0, width / image.shape[1])
    if scale < 1.0:
        size_wh = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
        image = np.asarray(cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA), np.uint8)
    return encode(image, "jpeg", _QUALITY)


def laid(image: ImageU8, to_reference: Homography | None, reference: ImageU8) -> ImageU8:
    """The picture as it lies on the reference; black where it does not reach, or as it is where it could not be registered."""
    if to_reference is None:
        return image
    return warp(image, to_reference, (reference.shape[1], reference.shape[0]))[0]


def arrow_factor(arrows: tuple[Arrow, ...], width: int) -> int:
    """By what arrows are drawn longer than they are, so that they can be seen and do not cover the picture."""
    lengths = sorted(float(np.hypot(arrow.dx, arrow.dy)) for arrow in arrows)
    typical = lengths[int(0.9 * (len(lengths) - 1))] if lengths else 0.0
    room = _ARROW_SHARE * width
    return max((factor for factor in _FACTORS if typical * factor <= room), default=1)
