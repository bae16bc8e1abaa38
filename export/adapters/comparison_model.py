"""The comparison of two images in plain numpy: what differs between a frame and its reference, and is no small shift.

This is the definition; `comparison_graph` writes the same as ONNX, and the tests hold the two together. It is what
printed-board inspection has always done (compare with a golden board, forgive the edges), with what a line needs added:
the light may drift, and no homography is the whole truth of where things lie. Nothing is learnt. Planes are those of the
variation model, float32 [3, H, W]: lightness, red minus green, blue minus yellow, in grey levels of a mid-grey surface.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from typing_extensions import Self

from edge.schema import Closed
from edge.types import ImageU8, MapF32, MaskBool
from export.adapters.variation_model import LowPass, Planes, planes_of, without_light
from export.adapters.variation_model import VariationSettings as Light

Weight = Annotated[float, Field(gt=0, le=100)]
LEAST_PIXELS = 1.0


class ComparisonSettings(Closed):
    """The comparison's parameters; docs/comparison.md says when to change them. Lengths in model pixels.

    search_px: how far a piece of the frame may lie from where the reference has it; 0 looks nowhere else. cell_px: side of
    the squares for which one shift is found. patch_cells: squares along the side of the patch that votes for it, odd: a
    patch must be larger than what is looked for, else a defect finds a place that hides it. softness: grey levels of mean
    difference within which shifts are mixed rather than chosen, so that no score jumps with the last bit; shift_cost: grey
    levels per pixel that a shift must gain. tolerance_px: what an edge may still be off, in either image. light_sigma:
    reach of the light correction as a share of the longer side; light_clip: what one pixel may tell of the light;
    light_passes: 0 for none. weights: of lightness, red-green, blue-yellow in the map. window: side of the score's mean
    filter as a share of the longer side.
    """

    search_px: int = Field(3, ge=0, le=8)
    cell_px: int = Field(8, ge=2, le=64)
    patch_cells: int = Field(5, ge=1, le=31)
    softness: float = Field(2.0, gt=0, le=100)
    shift_cost: float = Field(0.1, ge=0, le=100)
    tolerance_px: int = Field(1, ge=0, le=4)
    dark_offset: float = Field(128.0, gt=0, le=1000)
    light_sigma: float = Field(0.05, gt=0.005, le=1)
    light_clip: tuple[Weight, Weight, Weight] = (30.0, 10.0, 10.0)
    light_passes: int = Field(2, ge=0, le=8)
    weights: tuple[Weight, Weight, Weight] = (1.0, 2.0, 2.0)
    window: float = Field(1 / 128, ge=0, le=0.5)

    @model_validator(mode="after")
    def _has_a_middle(self) -> Self:
        if self.patch_cells % 2 == 0:
            raise ValueError(f"patch_cells must be odd, got {self.patch_cells}")
        return self

    def window_px(self, size_wh: tuple[int, int]) -> int:
        """The score's window in map pixels: odd, at least 3."""
        return max(3, 2 * int(self.window * max(size_wh) / 2) + 1)

    @property
    def light(self) -> Light:
        """The light correction's part, as the variation model takes it."""
        names = ("dark_offset", "light_sigma", "light_clip", "light_passes")
        return Light(**{name: getattr(self, name) for name in names})


@dataclass(frozen=True, eq=False)
class Grid:
    """How an image of size_wh is cut into cells: whole ones, so it is padded at its right and lower edge."""

    size_wh: tuple[int, int]
    cell_px: int

    @property
    def cells_wh(self) -> tuple[int, int]:
        """Columns and rows of cells."""
        return -(-self.size_wh[0] // self.cell_px), -(-self.size_wh[1] // self.cell_px)

    @property
    def padded_wh(self) -> tuple[int, int]:
        """Width and height of all cells together."""
        return self.cells_wh[0] * self.cell_px, self.cells_wh[1] * self.cell_px

    @property
    def missing_wh(self) -> tuple[int, int]:
        """Columns and rows to add."""
        return self.padded_wh[0] - self.size_wh[0], self.padded_wh[1] - self.size_wh[1]


def shifts(settings: ComparisonSettings) -> list[tuple[int, int]]:
    """Every (dx, dy) that is tried."""
    reach = range(-settings.search_px, settings.search_px + 1)
    return [(dx, dy) for dy in reach for dx in reach]


def shift_costs(settings: ComparisonSettings) -> NDArray[np.float32]:
    """What each shift must gain to be preferred, grey levels."""
    return np.array([settings.shift_cost * float(np.hypot(dx, dy)) for dx, dy in shifts(settings)], np.float32)


def low_pass_of(size_wh: tuple[int, int], settings: ComparisonSettings) -> LowPass:
    """The light correction's low-pass for a model size."""
    return LowPass.of(size_wh, settings.light_sigma * max(size_wh))


def anomaly_map(image: ImageU8, reference: ImageU8, settings: ComparisonSettings, keep: MaskBool | None = None) -> MapF32:
    """By how many grey levels each pixel differs from every place that the reference could have it; float32 HxW.

    image, reference: uint8 HxWx3 RGB of one size. keep: bool HxW, True where the verdict looks (None: everywhere);
    elsewhere nothing votes for light or shift, and the map is 0.
    """
    kept = np.ones(image.shape[:2], bool) if keep is None else keep
    size_wh = (image.shape[1], image.shape[0])
    theirs = planes_of(reference, settings.light)
    light = without_light(planes_of(image, settings.light) - theirs, kept, settings.light, low_pass_of(size_wh, settings))
    mine = theirs + light
    near = moved(mine, theirs, kept, settings)
    outside = np.maximum(
        np.maximum(mine - _grown(near, settings), -_grown(-near, settings) - mine),
        np.maximum(near - _grown(mine, settings), -_grown(-mine, settings) - near),
    )
    weighted = np.maximum(outside, 0) * np.array(settings.weights, np.float32).reshape(3, 1, 1)
    return np.asarray(np.sqrt((weighted**2).sum(0)) * kept, np.float32)


def moved(mine: Planes, theirs: Planes, kept: MaskBool, settings: ComparisonSettings) -> Planes:
    """The reference's planes, piece by piece where they fit the frame best: block matching with a soft choice.

    Only lightness votes. A patch in which nothing is kept stays where it is.
    """
    height, width = kept.shape
    grid = Grid((width, height), settings.cell_px)
    reach = settings.search_px
    frame, reference = _padded(mine, grid, 0), _padded(theirs, grid, reach)
    weight = _padded(kept[None].astype(np.float32), grid, 0, constant=True)[0]
    tall, wide = frame.shape[1:]
    pieces = [reference[:, reach + dy : reach + dy + tall, reach + dx : reach + dx + wide] for dx, dy in shifts(settings)]
    differences = np.stack([_cell_means(np.abs(frame[0] - piece[0]) * weight, grid) for piece in pieces])
    support = np.maximum(_patches(_cell_means(weight, grid)[None], settings), np.float32(_least(settings)))
    cost = _patches(differences, settings) / support + shift_costs(settings)[:, None, None]
    shares = np.exp((cost.min(0) - cost) / np.float32(settings.softness))
    shares /= shares.sum(0)
    near = np.zeros_like(frame)
    for share, piece in zip(shares, pieces, strict=True):
        near += np.repeat(np.repeat(share, grid.cell_px, 0), grid.cell_px, 1) * piece
    return near[:, :height, :width]


def _least(settings: ComparisonSettings) -> float:
    """The least support of a patch, in the units of `_patches`: that of one kept pixel, against division by zero."""
    return LEAST_PIXELS / (settings.cell_px * settings.patch_cells) ** 2


def _padded(planes: NDArray[np.float32], grid: Grid, reach: int, *, constant: bool = False) -> NDArray[np.float32]:
    right, low = grid.missing_wh
    around: Any = ((0, 0), (reach, low + reach), (reach, right + reach))
    return np.pad(planes, around) if constant else np.pad(planes, around, mode="edge")


def _cell_means(plane: NDArray[np.float32], grid: Grid) -> NDArray[np.float32]:
    (columns, rows), side = grid.cells_wh, grid.cell_px
    return np.asarray(plane.reshape(rows, side, columns, side).mean((1, 3)), np.float32)


def _patches(cells: NDArray[np.float32], settings: ComparisonSettings) -> NDArray[np.float32]:
    """The mean over patch_cells x patch_cells cells, what lies beyond the border counting as 0; [n, rows, columns]."""
    window = (settings.patch_cells, settings.patch_cells)
    return np.stack([cv2.blur(np.ascontiguousarray(each), window, borderType=cv2.BORDER_CONSTANT) for each in cells])


def _grown(planes: Planes, settings: ComparisonSettings) -> Planes:
    """The highest value within tolerance_px."""
    kernel = np.ones((2 * settings.tolerance_px + 1,) * 2, np.uint8)
    return np.stack([cv2.dilate(np.ascontiguousarray(plane), kernel) for plane in planes])
