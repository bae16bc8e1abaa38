"""How much of the view the masks take, pixel by pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calibration.labels.shapes import Polygon, rasterise
from edge.settings.judging import MaskPolygon
from edge.types import MaskBool


@dataclass(frozen=True)
class Shares:
    """Shares of the reference's pixels, 0..1. together: under the enabled masks; each: under every mask by itself."""

    together: float
    each: tuple[float, ...]


def covered(masks: Sequence[MaskPolygon], size_wh: tuple[int, int]) -> MaskBool:
    """True where an enabled mask covers the reference's pixel: what `edge.masks.rasterise` gives, pixel for pixel.

    That one goes over the whole picture for each mask, this one over the mask's own window: ten times as fast where people
    wait for it.
    """
    return rasterise([_outline(mask, size_wh) for mask in masks if mask.enabled], size_wh)


def shares_of(masks: Sequence[MaskPolygon], size_wh: tuple[int, int]) -> Shares:
    """The shares that these masks take of a reference of this size."""
    pixels = size_wh[0] * size_wh[1]
    each = (int(np.count_nonzero(rasterise([_outline(mask, size_wh)], size_wh))) for mask in masks)
    together = int(np.count_nonzero(covered(masks, size_wh)))
    return Shares(together / pixels, tuple(count / pixels for count in each))


def _outline(mask: MaskPolygon, size_wh: tuple[int, int]) -> Polygon:
    return Polygon(mask.name, np.array(mask.points, np.float64) * size_wh - 0.5)
