"""The variation model in plain numpy: how it is learnt from good frames, and what it says of a frame.

This is the definition; `variation_graph` writes the same as ONNX, and the tests hold the two together. The idea is that
of the variation models of industrial vision (an ideal image and how far each pixel may be from it), with two things that
a line needs: the light may drift, and the registration is never perfect. Planes are float32 [3, H, W] in this order:
lightness, red minus green, blue minus yellow; their unit is grey levels of a mid-grey surface.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from edge.schema import Closed
from edge.types import ImageU8, MapF32, MaskBool

Planes = NDArray[np.float32]
Positive = Annotated[float, Field(gt=0, le=1000)]

# Rows: lightness, red - green, blue - yellow; columns: R, G, B.
OPPONENT = np.array([[1 / 3, 1 / 3, 1 / 3], [1, -1, 0], [-0.5, -0.5, 1]], np.float32)
MID_GREY = 128.0
MAD_TO_SIGMA = 1.4826
LEARNING_PASSES = 2
# Where less than this share of a Gaussian window is visible, the light is taken as unchanged rather than guessed.
LEAST_SUPPORT = 0.05


class VariationSettings(Closed):
    """The model's parameters. Lengths are shares of the longer model side, so that they survive another model size.

    dark_offset: grey levels added before the logarithm: a gain of the light is then a shift of the planes, and the
    noise of dark pixels is not blown up. light_sigma: reach of the light correction; light_clip: what one pixel may
    tell of the light per pass and plane, so that an object cannot pass for light; light_passes. floor: the least spread
    per plane. pooling_px: the spread is averaged over this square, because so few frames say little of one pixel.
    texture: how much of the ideal's own fine contrast around a pixel counts as spread: what is rough may look otherwise
    tomorrow. tolerance_px: by how much the registration may be off; the ideal's neighbours within it are ideal too.
    window: side of the score's mean filter.
    """

    dark_offset: float = Field(128.0, gt=0, le=1000)
    light_sigma: float = Field(0.05, gt=0.005, le=1)
    light_clip: tuple[Positive, Positive, Positive] = (30.0, 10.0, 10.0)
    light_passes: int = Field(2, ge=0, le=8)
    floor: tuple[Positive, Positive, Positive] = (16.0, 4.0, 4.0)
    pooling_px: int = Field(5, ge=1, le=99)
    texture: float = Field(2.0, ge=0, le=20)
    texture_sigma: float = Field(1 / 120, gt=0, le=1)
    texture_window: float = Field(1 / 32, gt=0, le=1)
    tolerance_px: float = Field(1.0, ge=0, le=4)
    window: float = Field(1 / 32, ge=0, le=0.5)

    def window_px(self, size_wh: tuple[int, int]) -> int:
        """The score's window in map pixels: odd, at least 3."""
        return max(3, _odd(self.window * max(size_wh)))


@dataclass(frozen=True, eq=False)
class VariationModel:
    """What was learnt, all float32 [3, H, W]: the ideal's envelope as centre and half width, and 1 / spread."""

    settings: VariationSettings
    centre: Planes
    half: Planes
    weight: Planes
    frames: int

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height of the model."""
        return self.centre.shape[2], self.centre.shape[1]


@dataclass(frozen=True, eq=False)
class LowPass:
    """A separable Gaussian low-pass as four small matrices: down [h, H] and up [H, h] for rows, and for columns.

    It samples on a grid of half sigma and interpolates linearly. Rows sum to 1: a constant stays itself, up to the edge.
    """

    down_rows: NDArray[np.float32]
    up_rows: NDArray[np.float32]
    down_columns: NDArray[np.float32]
    up_columns: NDArray[np.float32]

    @classmethod
    def of(cls, size_wh: tuple[int, int], sigma_px: float) -> LowPass:
        """The low-pass of an image size."""
        return cls(*_gaussian_grid(size_wh[1], sigma_px), *_gaussian_grid(size_wh[0], sigma_px))

    def down(self, planes: Planes) -> Planes:
        """Planes [n, H, W] on the coarse grid [n, h, w]."""
        narrow = _times(planes.reshape(-1, planes.shape[2]), self.down_columns).reshape(*planes.shape[:2], -1)
        return np.stack([cv2.gemm(self.down_rows, plane, 1, None, 0) for plane in narrow])

    def up(self, planes: Planes) -> Planes:
        """Planes [n, h, w] of the coarse grid on the image [n, H, W]."""
        return np.stack([_times(cv2.gemm(self.up_rows, plane, 1, None, 0), self.up_columns) for plane in planes])


def _times(planes: NDArray[np.float32], matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """The product planes @ matrix.T, by OpenCV: numpy's BLAS threads fight for the cores with whatever else a station runs."""
    return np.asarray(cv2.gemm(np.ascontiguousarray(planes), matrix, 1, None, 0, flags=cv2.GEMM_2_T), np.float32)


def planes_of(image: ImageU8, settings: VariationSettings) -> Planes:
    """uint8 HxWx3 RGB -> float32 [3, H, W]."""
    offset = np.float32(settings.dark_offset)
    scale = np.float32(MID_GREY + settings.dark_offset)
    logarithm = np.log((image.astype(np.float32) + offset) / scale) * scale
    return np.asarray(np.einsum("pc,hwc->phw", OPPONENT, logarithm), np.float32)


def without_light(residual: Planes, keep: MaskBool, settings: VariationSettings, low_pass: LowPass) -> Planes:
    """The residual without what is smooth in it. Each pixel is believed only up to light_clip, and only where keep holds:
    what is masked or outside the frame says nothing of the light (normalised convolution, Knutsson and Westin 1993).
    """
    limit = np.array(settings.light_clip, np.float32).reshape(3, 1, 1)
    weight = keep[None].astype(np.float32)
    support = np.maximum(low_pass.down(weight), np.float32(LEAST_SUPPORT))
    for _ in range(settings.light_passes):
        residual = residual - low_pass.up(low_pass.down(np.clip(residual, -limit, limit) * weight) / support)
    return residual


def low_pass_of(size_wh: tuple[int, int], settings: VariationSettings) -> LowPass:
    """The light correction's low-pass for a model size."""
    return LowPass.of(size_wh, settings.light_sigma * max(size_wh))


def learn(images: Sequence[ImageU8], covered: Sequence[MaskBool], settings: VariationSettings) -> VariationModel:
    """The model of registered good frames: uint8 HxWx3 RGB of one size, and bool HxW of what each really shows.

    Where a frame shows nothing its pixels do not count; where none does, the first image stands for the ideal.
    """
    size_wh = (images[0].shape[1], images[0].shape[0])
    low_pass = low_pass_of(size_wh, settings)
    # One stack in memory and no copy of it: a hundred frames of half a megapixel are 600 MB already.
    stack = np.empty((len(images), 3, *images[0].shape[:2]), np.float32)
    first = ideal = planes_of(images[0], settings)
    for learning_pass in range(LEARNING_PASSES + 1):
        for flat, image, seen in zip(stack, images, covered, strict=True):
            planes = planes_of(image, settings)
            flat[:] = ideal + without_light(planes - ideal, seen, settings, low_pass) if learning_pass else planes
            flat[:, ~seen] = np.nan
        ideal = _median(stack, first)
    deviation = _median(np.abs(np.subtract(stack, ideal, out=stack), out=stack), np.zeros_like(ideal)) * MAD_TO_SIGMA
    variance = _box(deviation**2, settings.pooling_px) + np.array(settings.floor, np.float32).reshape(3, 1, 1) ** 2
    variance += settings.texture**2 * _fine_contrast(ideal, settings) ** 2
    centre, half = _envelope(ideal, settings.tolerance_px)
    return VariationModel(settings, centre, half, np.asarray(1 / np.sqrt(variance), np.float32), len(images))


def anomaly_map(image: ImageU8, model: VariationModel, keep: MaskBool | None = None) -> MapF32:
    """How many spreads each pixel of a registered frame is outside the ideal's envelope; float32 HxW, 0 is ideal.

    keep: bool HxW, True where the verdict looks (None: everywhere); elsewhere the map is 0.
    """
    kept = np.ones(image.shape[:2], bool) if keep is None else keep
    residual = planes_of(image, model.settings) - model.centre
    residual = without_light(residual, kept, model.settings, low_pass_of(model.size_wh, model.settings))
    outside = np.maximum(np.abs(residual) - model.half, 0) * model.weight
    return np.asarray(np.sqrt((outside**2).sum(0)) * kept, np.float32)


def _median(stack: NDArray[np.float32], otherwise: Planes) -> Planes:
    """Median over the frames, NaN left out; `otherwise` where every frame is NaN."""
    middle = np.empty_like(otherwise)
    for row in range(stack.shape[2]):
        values = stack[:, :, row]
        hidden = np.isnan(values)
        blind = hidden.all(0)
        if blind.any():
            values = np.where(blind, otherwise[:, row], values)
        middle[:, row] = np.nanmedian(values, axis=0) if hidden.any() else np.median(values, axis=0)
    return middle


def _envelope(ideal: Planes, tolerance_px: float) -> tuple[Planes, Planes]:
    """Middle and half width of what the ideal takes within tolerance_px, from a 3x3 neighbourhood per whole pixel."""
    whole, part = int(tolerance_px), tolerance_px - int(tolerance_px)
    high, low = ideal, ideal
    for share in (*(1.0,) * whole, part):
        if share > 0:
            high = high + np.float32(share) * (_neighbours(cv2.dilate, high) - high)
            low = low + np.float32(share) * (_neighbours(cv2.erode, low) - low)
    return np.asarray((high + low) / 2, np.float32), np.asarray((high - low) / 2, np.float32)


def _neighbours(operation: Callable[[Planes, ImageU8], Planes], planes: Planes) -> Planes:
    kernel = np.ones((3, 3), np.uint8)
    return np.stack([operation(np.ascontiguousarray(plane), kernel) for plane in planes])


def _fine_contrast(ideal: Planes, settings: VariationSettings) -> Planes:
    """RMS of the ideal's detail around each pixel."""
    side = max(ideal.shape)
    sigma = settings.texture_sigma * side
    detail = np.stack([plane - cv2.GaussianBlur(plane, (0, 0), sigma, borderType=cv2.BORDER_REFLECT) for plane in ideal])
    return np.asarray(np.sqrt(np.maximum(_box(detail**2, _odd(settings.texture_window * side)), 0)), np.float32)


def _box(planes: Planes, side_px: int) -> Planes:
    return np.stack([cv2.blur(np.ascontiguousarray(plane), (side_px, side_px)) for plane in planes])


def _odd(length: float) -> int:
    return 2 * int(length / 2) + 1


def _gaussian_grid(length: int, sigma: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    count = max(2, round(length / (sigma / 2)) + 1) if length > 1 else 1
    nodes = np.linspace(0, length - 1, count)
    pixels = np.arange(length, dtype=np.float64)
    away = (nodes[:, None] - pixels) / sigma
    # Cut off: the far tail holds nothing but denormal numbers, which are slow.
    down = np.where(np.abs(away) < 4, np.exp(-0.5 * away**2), 0)
    down /= down.sum(1, keepdims=True)
    step = nodes[1] - nodes[0] if count > 1 else 1.0
    up = np.maximum(0, 1 - np.abs(pixels[:, None] - nodes) / step)
    return down.astype(np.float32), (up / up.sum(1, keepdims=True)).astype(np.float32)
