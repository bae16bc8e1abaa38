"""Large frames in tiles: the graph sees one tile at a time, the bundle takes and gives whole images."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator
from typing_extensions import Self

from edge.schema import Closed

MAX_TILES = 1024


class Tiling(Closed):
    """Large frames in overlapping square tiles; lengths in model pixels.

    The graph's tensors are one tile's, the manifest's the whole image's. Each tile is a call of its own, so that no
    statistics mix. Where tiles overlap, the map is their mean, weighted by the distance to the tile's edge: no seams.
    image_score: the whole image's, from those of the tiles.
    """

    size: int = Field(ge=1, le=16384)
    overlap: int = Field(ge=0)
    image_score: Literal["max"] = "max"

    @model_validator(mode="after")
    def _advances(self) -> Self:
        if self.overlap >= self.size:
            raise ValueError(f"overlap must be smaller than size ({self.size})")
        return self

    def corners(self, size_wh: tuple[int, int]) -> tuple[tuple[int, int], ...]:
        """Left and top of every tile, row by row; the last of a row or column is moved inwards to end at the edge."""
        columns, rows = (self._starts(side) for side in size_wh)
        return tuple((left, top) for top in rows for left in columns)

    def check(self, size_wh: tuple[int, int]) -> None:
        """ValueError if a tile does not fit the image, or if there would be too many."""
        if self.size > min(size_wh):
            raise ValueError(f"tiling: a tile of {self.size} does not fit a model image of {list(size_wh)}")
        columns, rows = (len(self._starts(side)) for side in size_wh)
        if columns * rows > MAX_TILES:
            raise ValueError(f"tiling: {columns} x {rows} tiles are more than {MAX_TILES}")

    def _starts(self, side: int) -> list[int]:
        step = self.size - self.overlap
        count = 1 + max(0, -(-(side - self.size) // step))
        return [min(index * step, side - self.size) for index in range(count)]
