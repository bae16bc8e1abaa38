"""Pictures as masks. The rules are exact and the same for every file; a picture that fits none is an error with its values.

1. Transparency that varies or is total decides alone: a pixel of alpha ALPHA_THRESHOLD or more is anomalous. If
   colours say something else in the same picture (black and another colour are both visible), that is an error.
2. Grey, or three equal channels: 0 is good, and every other pixel has one and the same value, which must be 1, 255 or
   (16 bits) 65535.
3. Colour, palettes included: black is good, and every other pixel has one and the same colour.

Grey masks that were resized or turned have soft edges and fit no rule. Whoever knows that may declare a threshold; then a
grey pixel of that value or more is anomalous.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.labels.documents import Fault
from calibration.labels.images import header_of, image_bytes
from edge.types import MaskBool

ALPHA_THRESHOLD = 128
ANOMALY_VALUES = (1, 255, 65535)
SUFFIXES = (".png", ".bmp", ".tif", ".tiff")
_REMEDY = "save the mask as grey PNG with 0 for good and 255 for anomalous pixels"
_SOFT = f"{_REMEDY}, or declare a threshold (--mask-threshold)"


def read_mask(path: Path, size_wh: tuple[int, int], threshold: int | None = None) -> MaskBool:
    """Boolean mask,  HxW of a mask file that must have the frame's size: it is never resized. Fault."""
    size = f"{size_wh[0]}x{size_wh[1]}"
    return decode_mask(image_bytes(path), lambda found: found == size_wh, f"its image is {size}", threshold)


def decode_mask(data: bytes, fits: Callable[[tuple[int, int]], bool], expected: str, threshold: int | None = None) -> MaskBool:
    """Boolean mask,  HxW from a picture's bytes; its size is held against `fits` before anything is decoded. Fault."""
    header = header_of(data)
    if header.kind == "jpeg":
        raise Fault("is a JPEG, which blurs the edges of masks", _REMEDY)
    if header.kind == "tiff" and _has_more_pages(data):
        raise Fault("is a TIFF of several pages", "save one page, the mask")
    if not fits(header.size_wh):
        what = f"the mask is {header.size_wh[0]}x{header.size_wh[1]}, but {expected}"
        raise Fault(what, "masks are never resized: save it at the image's size")
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        pixels = None
    if pixels is None or (pixels.shape[1], pixels.shape[0]) != header.size_wh:
        raise Fault("is damaged", "write or copy the file again")
    return marked(np.asarray(pixels), threshold)


def marked(pixels: NDArray[Any], threshold: int | None = None) -> MaskBool:
    """Boolean mask,  HxW from HxW, HxWx3 or HxWx4 (alpha last) by the rules above. Fault where they say nothing."""
    if pixels.dtype not in (np.uint8, np.uint16) or (pixels.ndim == 3 and pixels.shape[2] not in (3, 4)):
        raise Fault(f"has pixels of {pixels.dtype} {pixels.shape}", _REMEDY)
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        opaque = np.iinfo(pixels.dtype).max
        if (pixels[..., 3] != opaque).any():
            return _from_alpha(pixels)
        pixels = pixels[..., :3]
    if pixels.ndim == 3 and (pixels == pixels[..., :1]).all():
        pixels = pixels[..., 0]
    if pixels.ndim == 3:
        return _from_colour(pixels)
    return _from_grey(pixels) if threshold is None else np.asarray(pixels >= threshold)


def _from_alpha(pixels: NDArray[Any]) -> MaskBool:
    scale = 1 if pixels.dtype == np.uint8 else 257
    visible: MaskBool = np.asarray(pixels[..., 3] >= ALPHA_THRESHOLD * scale)
    coloured = np.asarray(pixels[..., :3].any(axis=2))[visible]
    if coloured.any() and not coloured.all():
        raise Fault("has transparent pixels, and visible ones both black and not black: which of them mark?", _REMEDY)
    return visible


def _from_grey(pixels: NDArray[Any]) -> MaskBool:
    values = [int(value) for value in np.unique(pixels)]
    others = [value for value in values if value != 0]
    if len(others) > 1 or (others and others[0] not in ANOMALY_VALUES):
        raise Fault(f"holds the values {_some(values)}, not 0 and one of 1, 255", _SOFT)
    return np.asarray(pixels != 0)


def _from_colour(pixels: NDArray[Any]) -> MaskBool:
    wide = pixels.astype(np.int64)
    colours = np.unique((wide[..., 2] << 32) | (wide[..., 1] << 16) | wide[..., 0])
    named = [(int(c) >> 32, int(c) >> 16 & 0xFFFF, int(c) & 0xFFFF) for c in colours[:9]]
    if np.count_nonzero(colours) > 1:
        raise Fault(f"holds the colours (RGB) {_some(named)}, not black and one other", _REMEDY)
    return np.asarray(pixels.any(axis=2))


def _some(values: list[Any]) -> str:
    return ", ".join(str(value) for value in values[:8]) + (", ..." if len(values) > 8 else "")


def _has_more_pages(data: bytes) -> bool:
    order = "little" if data[:2] == b"II" else "big"
    at = int.from_bytes(data[4:8], order)  # type: ignore[arg-type]
    entries = int.from_bytes(data[at : at + 2], order)  # type: ignore[arg-type]
    after = at + 2 + 12 * entries
    return any(data[after : after + 4])
