"""Run-length masks of COCO, both kinds, without its C code: a damaged string must be an error, never a crash.

The layout is that of pycocotools' maskApi.c (P. Dollar, T.-Y. Lin 2015): runs of 0 and 1 in turn down the columns; the
compressed kind writes each run less the one two before it, in groups of five bits from the lowest, as characters from "0".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from calibration.labels.documents import Fault, shown, whole
from edge.cameras.images import MAX_PIXELS
from edge.types import MaskBool

_REMEDY = "export it again"
_MAX_GROUPS = 10


def decode(segmentation: Any, size_wh: tuple[int, int] | None) -> MaskBool:
    """`{"size": [height, width], "counts": list or text}` -> bool HxW. Fault if it is not a mask of that size."""
    size, counts = segmentation.get("size"), segmentation.get("counts")
    if not isinstance(size, list) or len(size) != 2:
        raise Fault(f"the size of its RLE is {shown(size)}", _REMEDY)
    height, width = whole(size[0], "the RLE's height"), whole(size[1], "the RLE's width")
    if size_wh is None and not 0 < width * height <= MAX_PIXELS:
        raise Fault(f"its RLE is {width}x{height}", f"at most {MAX_PIXELS // 10**6} megapixels")
    if size_wh is not None and (width, height) != size_wh:
        raise Fault(f"its RLE is {width}x{height} on an image of {size_wh[0]}x{size_wh[1]}", _REMEDY)
    runs = np.array(_runs(counts, width * height), np.int64)
    pixels = np.repeat(np.arange(runs.size) % 2 == 1, runs)
    return np.ascontiguousarray(pixels.reshape(width, height).T)


def _runs(counts: Any, total: int) -> Sequence[int]:
    if isinstance(counts, list):
        # Runs may be as long as the image has pixels, more than any coordinate.
        if not all(isinstance(run, int) and not isinstance(run, bool) for run in counts):
            raise Fault("its RLE holds something that is no whole number", _REMEDY)
        runs: Sequence[int] = counts
    elif isinstance(counts, str):
        runs = uncompressed(counts)
    else:
        raise Fault(f"the counts of its RLE are {shown(counts)}", _REMEDY)
    if any(not 0 <= run <= total for run in runs) or sum(runs) != total:
        raise Fault(f"the runs of its RLE do not add up to {total} pixels", _REMEDY)
    return runs


def uncompressed(text: str) -> list[int]:
    """The runs of a compressed RLE. Fault if a character or the end makes no sense."""
    runs: list[int] = []
    value, groups = 0, 0
    for character in text:
        code = ord(character) - 48
        if not 0 <= code < 64 or groups >= _MAX_GROUPS:
            raise Fault("its compressed RLE is damaged", _REMEDY)
        value |= (code & 31) << (5 * groups)
        groups += 1
        if code & 32:
            continue
        if code & 16:
            value -= 1 << (5 * groups)
        runs.append(value + runs[-2] if len(runs) > 2 else value)
        value, groups = 0, 0
    if groups:
        raise Fault("its compressed RLE is cut off", _REMEDY)
    return runs
