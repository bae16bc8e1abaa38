"""Pictures made to fit a message."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.publishers.payloads import EncodedImage

_QUALITIES: Final = (90, 80, 70, 60, 50)
_SCALES: Final = (1.0, 0.75, 0.5, 0.375, 0.25, 0.125, 0.0625)


def fit_image(image: EncodedImage, cap_bytes: int) -> EncodedImage | None:
    """The image itself if it is within cap_bytes, else the best JPEG of it that is; None if there is none.

    First the JPEG quality goes down to 50, then the size in steps; a picture keeps its proportions. None also where the
    bytes are no picture that OpenCV reads.
    """
    if len(image.data) <= cap_bytes:
        return image
    try:
        return _smaller(image.data, cap_bytes)
    except cv2.error:  # no picture, or one that JPEG cannot hold (a side above 65500 pixels)
        return None


def _smaller(data: bytes, cap_bytes: int) -> EncodedImage | None:
    # BGR or grey; transparency and 16 bits are given up, because JPEG has neither.
    pixels: NDArray[np.uint8] | None = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_ANYCOLOR)
    if pixels is None:
        return None
    for scale in _SCALES:
        smaller = pixels if scale == 1.0 else _resized(pixels, scale)
        if not _can_fit(smaller, cap_bytes):
            continue
        for quality in _QUALITIES if scale == 1.0 else _QUALITIES[-3:]:
            written, encoded = cv2.imencode(".jpg", smaller, [cv2.IMWRITE_JPEG_QUALITY, quality])
            if written and encoded.size <= cap_bytes:
                return EncodedImage(encoded.tobytes(), "image/jpeg")
    return None


def _resized(pixels: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    size_wh = (max(1, round(width * scale)), max(1, round(height * scale)))
    resized: NDArray[np.uint8] = cv2.resize(pixels, size_wh, interpolation=cv2.INTER_AREA)
    return resized


def _can_fit(pixels: NDArray[np.uint8], cap_bytes: int) -> bool:
    """False where trying is a waste of time: no photograph at quality 50 takes less than 1/40 byte per pixel."""
    height, width = pixels.shape[:2]
    return bool(height * width / 40 <= cap_bytes)
