"""Overlays small enough to be carried in a report."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from edge.cameras.image_headers import BadImage, read_header
from edge.types import ImageU8

MAX_PIXELS = 200_000_000
_QUALITIES = (80, 65, 50)


@dataclass(frozen=True)
class Limits:
    """How much a report carries. one_bytes, all_bytes: pictures, before base64 makes them a third larger in HTML. max_width_px,
    max_height_px: of a picture. results: lines of results outside clearances. files: lines of the list of files.
    """

    one_bytes: int = 220_000
    all_bytes: int = 16_000_000
    max_width_px: int = 1024
    max_height_px: int = 1400
    results: int = 500
    files: int = 2000


@dataclass(frozen=True)
class Shown:
    """A picture that a browser and a PDF can show. as_stored: its bytes are those of the evidence."""

    data: bytes
    content_type: str
    size_wh: tuple[int, int]
    as_stored: bool


def fit(data: bytes, content_type: str, limits: Limits) -> Shown | None:
    """The picture itself where it is small enough, else a smaller JPEG of it; None if it is no picture."""
    try:
        width, height = read_header(data).size_wh
        if not 0 < width * height <= MAX_PIXELS:
            return None
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except (BadImage, cv2.error):
        return None
    if image is None:
        return None
    pixels: ImageU8 = np.asarray(image, np.uint8)
    height, width = pixels.shape[:2]
    scale = min(1.0, limits.max_width_px / width, limits.max_height_px / height)
    if len(data) <= limits.one_bytes and scale == 1.0 and _is(data, content_type):
        return Shown(data, content_type, (width, height), as_stored=True)
    size_wh = (max(1, round(width * scale)), max(1, round(height * scale)))
    while True:
        smaller = pixels if size_wh == (width, height) else cv2.resize(pixels, size_wh, interpolation=cv2.INTER_AREA)
        for quality in _QUALITIES:
            _, packed = cv2.imencode(".jpg", smaller, [cv2.IMWRITE_JPEG_QUALITY, quality])
            if packed.size <= limits.one_bytes or min(size_wh) <= 16:
                return Shown(packed.tobytes(), "image/jpeg", size_wh, as_stored=False)
        size_wh = (max(1, size_wh[0] * 3 // 4), max(1, size_wh[1] * 3 // 4))


def _is(data: bytes, content_type: str) -> bool:
    if content_type == "image/png":
        return data.startswith(b"\x89PNG\r\n")
    return content_type == "image/jpeg" and data.startswith(b"\xff\xd8\xff")
