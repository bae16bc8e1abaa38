"""A frame around pictures, for filters that look beyond the border.

Sizes are taken as plain numbers and frames made by joining and picking, not by padding: ONNX shape inference follows those,
and what comes after must know its shape.
"""

from __future__ import annotations

from typing import Literal

import torch

Frame = Literal["zeros", "reflect", "symmetric"]


def framed(planes: torch.Tensor, width: int, frame: Frame = "zeros") -> torch.Tensor:
    """NCHW with `width` more pixels on every side: zeros, mirrored about the edge pixel (reflect) or the edge (symmetric)."""
    if frame == "zeros":
        return placed(planes, width, width, width, width)
    for axis in (2, 3):
        length = int(planes.shape[axis])
        places = torch.arange(-width, length + width)
        first, last = (-places, 2 * (length - 1) - places) if frame == "reflect" else (-1 - places, 2 * length - 1 - places)
        places = torch.where(places < 0, first, torch.where(places >= length, last, places))
        planes = planes.index_select(axis, places)
    return planes


def placed(planes: torch.Tensor, left: int, right: int, top: int, bottom: int) -> torch.Tensor:
    """NCHW within zeros of these widths."""
    for axis, before, after in ((2, top, bottom), (3, left, right)):
        shape = [int(each) for each in planes.shape]
        rims = [torch.zeros([*shape[:axis], width, *shape[axis + 1 :]]) for width in (before, after)]
        parts = [part for part in (rims[0], planes, rims[1]) if part.shape[axis]]
        planes = torch.cat(parts, axis) if len(parts) > 1 else planes
    return planes
