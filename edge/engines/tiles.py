"""Cutting a whole image's tensors into tiles, and joining the tiles' maps without seams. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.bundle import Tensors, Tiling


def cut(inputs: Tensors, tiling: Tiling, size_wh: tuple[int, int]) -> Iterator[dict[str, NDArray[Any]]]:
    """The same part of every input, contiguous, tile by tile. inputs: arrays [1, H, W, ...] of the whole image."""
    for left, top in tiling.corners(size_wh):
        rows, columns = slice(top, top + tiling.size), slice(left, left + tiling.size)
        yield {name: np.ascontiguousarray(array[:, rows, columns]) for name, array in inputs.items()}


class Join:
    """The whole image's outputs from those of its tiles, given in the order of `Tiling.corners`.

    Where tiles overlap the map is their weighted mean, float64: a tile's weight rises linearly from its edge to 1 + overlap
    pixels inside, so that each fades into the next. What all tiles agree on stays exact to the last bit; NaN of one tile
    is NaN of the whole. image_score: the highest of all tiles, NaN if one is. One thread uses it.
    """

    def __init__(self, tiling: Tiling, size_wh: tuple[int, int]) -> None:
        self._tiling = tiling
        self._corners = tiling.corners(size_wh)
        shape = (1, size_wh[1], size_wh[0])
        place = np.arange(tiling.size)
        ramp = np.minimum(np.minimum(place, place[::-1]), tiling.overlap) + 1.0
        self._weight = np.outer(ramp, ramp)
        # Kept between frames: fresh pages for every frame would cost more than the arithmetic.
        self._total, self._scratch = np.zeros(shape), np.zeros_like(self._weight)
        self._total_weight = np.zeros(shape)
        for part in self._parts(self._total_weight):
            np.add(part, self._weight, out=part)

    def joined(self, tiles: list[Tensors]) -> dict[str, NDArray[Any]]:
        """`anomaly_map` float32 [1, H, W] and `image_score` float32 [1], of what the tiles have."""
        outputs: dict[str, NDArray[Any]] = {}
        if "anomaly_map" in tiles[0]:
            self._total.fill(0)
            # Infinite scores of both signs make NaN, as they must.
            with np.errstate(invalid="ignore"):
                for part, tile in zip(self._parts(self._total), tiles, strict=True):
                    np.add(part, np.multiply(self._weight, tile["anomaly_map"][0], out=self._scratch), out=part)
            np.divide(self._total, self._total_weight, out=self._total)
            outputs["anomaly_map"] = self._total.astype(np.float32)
        if "image_score" in tiles[0]:
            outputs["image_score"] = np.max(np.stack([tile["image_score"] for tile in tiles]), axis=0)
        return outputs

    def _parts(self, whole: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
        size = self._tiling.size
        for left, top in self._corners:
            yield whole[0, top : top + size, left : left + size]
