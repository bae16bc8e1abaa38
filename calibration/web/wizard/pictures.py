"""Pictures small enough for a tablet."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cv2
import numpy as np

from edge.cameras.images import read_image
from edge.heatmap import encode
from edge.types import ImageU8

SMALL_PX: Final = 320
LARGE_PX: Final = 1280
_QUALITY: Final = 82


def reduced(image: ImageU8, width: int) -> bytes:
    """A JPEG at most `width` wide, and never larger than the picture."""
    height, wide = image.shape[:2]
    if wide > width:
        size_wh = (width, max(1, round(height * width / wide)))
        image = np.asarray(cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA), np.uint8)
    return encode(image, "jpeg", _QUALITY)


def reduced_file(path: Path, width: int) -> bytes:
    """The same of a file. FrameError: it is gone, or no picture."""
    return reduced(read_image(path), width)
