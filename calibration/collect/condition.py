"""How sharp, how bright and how steady a frame is, each against the view's reference. Pure; nothing is decided here.

Everything is measured on the frame's own pixels: the reference's area is carried to the frame, not the frame to the
reference, because every interpolation softens.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.types import Homography, ImageU8, MaskBool

CELLS = 12  # along the longer side
MIN_CELL_SHARE = 0.3  # of a cell's pixels must be judged and seen
MIN_CELLS = 3  # fewer cells with texture say nothing
MIN_CONTRAST = 4.0  # grey levels; below it a cell holds noise, which is sharp at any focus
MIN_DIRECTION = 0.1  # of a cell's gradient energy; along a straight edge there is nothing to blur
CALM_SIGMA_PX = 1.0  # before the derivatives: the camera's noise must not pass for sharpness
LOCAL_PX = 31  # what is slower than this is light, not detail
ANGLES_DEG = (0.0, 45.0, 90.0, 135.0)
MAX_SAMPLES = 1_000_000
BRIGHT_GREY, DARK_GREY = 253, 2


@dataclass(frozen=True)
class Condition:
    """One frame beside its reference, over the judged area.

    sharpness: mean squared spatial frequency (second over first derivative's energy), frame / reference, along the sharpest
    of four directions; 1 is as sharp as the reference, None where that shows too little to tell. steadiness: the least
    sharp direction over the sharpest, 1 without motion blur; blur_deg: that direction (0 is along x, 90 along y).
    brightness: median grey, frame / reference. contrast: local contrast, frame / reference. saturated, black: shares of
    the pixels.
    """

    sharpness: float | None
    steadiness: float | None
    blur_deg: float
    brightness: float
    contrast: float | None
    saturated: float
    black: float


@dataclass(frozen=True, eq=False)
class _Texture:
    """Per cell: pixels, local contrast energy, and along each angle the energy of the first and the second derivative.

    float64: count and energy of length cells, first and second cells x angles.
    """

    count: NDArray[np.float64]
    energy: NDArray[np.float64]
    first: NDArray[np.float64]
    second: NDArray[np.float64]


class Yardstick:
    """The reference's side of every comparison, computed once. Never changed after construction.

    image: uint8 HxWx3 RGB or HxW; judged: bool HxW, where the verdict looks (None: everywhere).
    """

    def __init__(self, image: ImageU8, judged: MaskBool | None = None) -> None:
        height, width = image.shape[:2]
        self.size_wh = (width, height)
        kept = np.ones((height, width), np.bool_) if judged is None else judged
        cell = max(height, width) / CELLS
        columns = int(np.ceil(width / cell))
        row = (np.arange(height) / cell).astype(np.int32)[:, None]
        column = (np.arange(width) / cell).astype(np.int32)[None]
        self._cells = columns * int(np.ceil(height / cell)) + 1
        # 0 is "not judged"; uint16 is enough for 12 x 12 cells and survives a nearest-neighbour warp.
        self._labels = np.where(kept, row * columns + column + 1, 0).astype(np.uint16)
        self._texture = _texture(_grey(image), self._labels, self._cells)
        self._median = _median(image, self._labels > 0)
        enough = self._texture.count >= MIN_CELL_SHARE * np.median(self._texture.count[self._texture.count > 0])
        contrast = np.sqrt(self._texture.energy / np.maximum(self._texture.count, 1))
        self._useful = enough & (contrast >= MIN_CONTRAST)
        self._useful[0] = False

    @property
    def tells_sharpness(self) -> bool:
        """False where the reference shows too little texture to say anything of focus and motion."""
        return int(self._useful.sum()) >= MIN_CELLS

    def measure(self, image: ImageU8, frame_to_reference: Homography) -> Condition:
        """A frame of any size under its alignment: uint8 HxWx3 RGB or HxW."""
        size_wh = (image.shape[1], image.shape[0])
        back = np.linalg.inv(frame_to_reference)
        labels = np.asarray(cv2.warpPerspective(self._labels, back, size_wh, flags=cv2.INTER_NEAREST), np.uint16)
        seen = labels > 0
        colours = image[seen]
        brightest, darkest = (colours.max(-1), colours.max(-1)) if image.ndim == 3 else (colours, colours)
        sharpness, steadiness, blur_deg, contrast = self._sharpness(_texture(_grey(image), labels, self._cells))
        return Condition(
            sharpness=sharpness,
            steadiness=steadiness,
            blur_deg=blur_deg,
            brightness=_median(image, seen) / max(self._median, 1.0),
            contrast=contrast,
            saturated=float(np.mean(brightest >= BRIGHT_GREY)) if len(colours) else 0.0,
            black=float(np.mean(darkest <= DARK_GREY)) if len(colours) else 1.0,
        )

    def _sharpness(self, texture: _Texture) -> tuple[float | None, float | None, float, float | None]:
        mine = self._texture
        cells = self._useful & (texture.count >= 0.5 * mine.count) & (texture.energy > 0)
        if cells.sum() < MIN_CELLS:
            return None, None, 0.0, None
        weight = mine.energy[cells]
        contrast = np.sqrt(texture.energy[cells] / mine.energy[cells] * mine.count[cells] / texture.count[cells])
        first, other = mine.first[cells], texture.first[cells]
        telling = (first >= MIN_DIRECTION * first.max(1, keepdims=True)) & (other > 0)
        own = mine.second[cells] / np.maximum(first, 1e-9)
        ratio = np.where(telling, texture.second[cells] / np.maximum(other, 1e-9) / np.maximum(own, 1e-9), np.nan)
        along = np.array([_weighted_median(column, weight) for column in ratio.T])
        if not np.isfinite(along).any():
            return None, None, 0.0, _weighted_median(contrast, weight)
        best, least = float(np.nanmax(along)), int(np.nanargmin(along))
        return best, float(along[least]) / max(best, 1e-9), ANGLES_DEG[least], _weighted_median(contrast, weight)


def noise_of(image: ImageU8) -> float:
    """The camera's noise in grey levels (standard deviation), from the calmest tenth of the image's blocks.

    A Laplacian difference mask that no plane passes (Immerkaer 1996), per block of 32 pixels, so that texture elsewhere is
    not taken for noise. At least what rounding to 8 bits makes, 1 / sqrt(12).
    """
    grey = _grey(image)
    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    rough = np.abs(cv2.filter2D(grey, cv2.CV_32F, mask))[1:-1, 1:-1]
    height, width = rough.shape[0] // 32, rough.shape[1] // 32
    if height == 0 or width == 0:
        return float(max(rough.mean() * np.sqrt(np.pi / 2) / 6, 12**-0.5)) if rough.size else 12**-0.5
    size_wh = (width, height)
    blocks = cv2.resize(rough[: height * 32, : width * 32], size_wh, interpolation=cv2.INTER_AREA)
    level = cv2.resize(grey[1:-1, 1:-1][: height * 32, : width * 32], size_wh, interpolation=cv2.INTER_AREA)
    lit = blocks[(level > 8) & (level < 247)]
    sigma = float(np.quantile(lit, 0.1)) * np.sqrt(np.pi / 2) / 6 if lit.size else 0.0
    return float(max(sigma, 12**-0.5))


def _grey(image: ImageU8) -> NDArray[np.float32]:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.ndim == 3 else image
    return np.asarray(grey, np.float32)


def _median(image: ImageU8, seen: MaskBool) -> float:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.ndim == 3 else image
    values = grey[seen]
    return float(np.median(values)) if values.size else 0.0


def _texture(grey: NDArray[np.float32], labels: NDArray[np.uint16], cells: int) -> _Texture:
    step = max(1, int(np.ceil(np.sqrt(grey.size / MAX_SAMPLES))))
    taken = np.s_[::step, ::step]
    flat = labels[taken].ravel()

    def total(values: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.bincount(flat, np.square(values).ravel(), cells).astype(np.float64)

    calm = cv2.GaussianBlur(grey, (0, 0), CALM_SIGMA_PX)
    x, y = (cv2.Sobel(calm, cv2.CV_32F, *order, ksize=3, scale=1 / 8)[taken] for order in ((1, 0), (0, 1)))
    xx, xy, yy = (cv2.Sobel(calm, cv2.CV_32F, *order, ksize=3, scale=1 / 4)[taken] for order in ((2, 0), (1, 1), (0, 2)))
    first, second = [], []
    for angle in np.radians(ANGLES_DEG):
        c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        first.append(total(c * x + s * y))
        second.append(total(c * c * xx + 2 * c * s * xy + s * s * yy))
    local = (calm - cv2.blur(calm, (LOCAL_PX, LOCAL_PX)))[taken]
    count = np.bincount(flat, minlength=cells).astype(np.float64)
    return _Texture(count, total(local), np.stack(first, 1), np.stack(second, 1))


def _weighted_median(values: NDArray[np.float64], weight: NDArray[np.float64]) -> float:
    known = np.isfinite(values)
    if known.sum() < MIN_CELLS:
        return float("nan")
    order = np.argsort(values[known])
    share = np.cumsum(weight[known][order])
    return float(values[known][order][np.searchsorted(share, 0.5 * share[-1])])
