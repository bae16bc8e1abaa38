"""From the frame to the model's input, with the resize kernel that the model was trained with.

A model has learned the look of one kernel; another moves pixels of a fine texture by tens of grey levels. `exact` warps at
full size and then resizes with the kernel, as the training did; `fused` reduces first and warps the little that is left.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.registration.warping import fill_outside, mask_of, row_spans
from edge.settings.registration import ResampleMode, ResizeKernel
from edge.types import Homography, ImageU8, MaskBool

BLOCK = 8  # output rows per matrix product: more would mostly multiply by zero


def scaling(from_wh: tuple[int, int], to_wh: tuple[int, int]) -> Homography:
    """Pixels of an image to pixels of its resized copy: edges meet edges, pixel (0, 0) is centred at 0.5 of a pixel."""
    x, y = to_wh[0] / from_wh[0], to_wh[1] / from_wh[1]
    return np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2], [0, 0, 1]])


def register(
    image: ImageU8,
    frame_to_model: Homography,
    size_wh: tuple[int, int],
    full_wh: tuple[int, int],
    kernel: ResizeKernel = "antialiased_bilinear",
    mode: ResampleMode = "exact",
    fill: ImageU8 | None = None,
) -> tuple[ImageU8, MaskBool]:
    """(the frame on the model's grid, bool HxW of what it really covers); uint8, colours as they come.

    frame_to_model: `scaling(full_wh, size_wh) @ crop @ alignment.frame_to_reference`. full_wh: the size of the model's
    field in reference pixels (the reference's own, or the crop's). fill: uint8 of size_wh, shown where the frame does not
    reach (None: black).
    """
    if fill is not None and (fill.shape[:2] != size_wh[::-1] or fill.ndim != image.ndim):
        raise ValueError(f"fill {fill.shape} must have the model's size {size_wh[::-1]} and the frame's channels")
    if mode == "exact":
        to_full = np.linalg.inv(scaling(full_wh, size_wh)) @ frame_to_model
        target = resize(_warped(image, to_full, full_wh), size_wh, kernel)
    else:
        target = _fused(image, frame_to_model, size_wh, kernel)
    spans = row_spans(frame_to_model, (image.shape[1], image.shape[0]), size_wh)
    fill_outside(target, spans, fill)
    return target, mask_of(spans, size_wh)


def resize(image: ImageU8, size_wh: tuple[int, int], kernel: ResizeKernel) -> ImageU8:
    """The image at size_wh, by one of the kernels that trainings use.

    cv2_linear and cv2_area are OpenCV's; antialiased_bilinear and antialiased_bicubic are Pillow's `resize` (and, to one
    grey level, torchvision's with antialias=True), rounding to uint8 between the two directions included.
    """
    if kernel in ("cv2_linear", "cv2_area"):
        flag = cv2.INTER_LINEAR if kernel == "cv2_linear" else cv2.INTER_AREA
        return np.asarray(cv2.resize(image, size_wh, interpolation=flag), np.uint8)
    shape, support = (_triangle, 1.0) if kernel == "antialiased_bilinear" else (_cubic, 2.0)
    if size_wh[0] != image.shape[1]:
        image = np.asarray(cv2.transpose(_rows(np.asarray(cv2.transpose(image)), size_wh[0], shape, support)), np.uint8)
    if size_wh[1] != image.shape[0]:
        image = _rows(image, size_wh[1], shape, support)
    return image


def _triangle(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.maximum(0.0, 1.0 - np.abs(x)))


def _cubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keys 1981 with a = -0.5, Pillow's choice (OpenCV's is -0.75)."""
    x = np.abs(x)
    near, far = (1.5 * x - 2.5) * x * x + 1, ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def _rows(image: ImageU8, height: int, shape: Callable[[NDArray[np.float64]], NDArray[np.float64]], support: float) -> ImageU8:
    """Resize along the first axis, as Pillow's ImagingResample does: the kernel is widened by the scale, never narrowed."""
    scale = image.shape[0] / height
    wide = max(scale, 1.0)
    centres = (np.arange(height) + 0.5) * scale
    first = np.maximum(0, (centres - support * wide + 0.5).astype(np.intp))
    end = np.minimum(image.shape[0], (centres + support * wide + 0.5).astype(np.intp))
    result = np.empty((height, *image.shape[1:]), np.uint8)
    for top in range(0, height, BLOCK):
        rows = slice(top, min(top + BLOCK, height))
        low, high = int(first[rows].min()), int(end[rows].max())
        places = np.arange(low, high)
        inside = (places >= first[rows, None]) & (places < end[rows, None])
        weights = np.where(inside, shape((places - centres[rows, None] + 0.5) / wide), 0.0)
        weights /= weights.sum(1, keepdims=True)
        part = weights.astype(np.float32) @ image[low:high].reshape(high - low, -1).astype(np.float32)
        np.add(part, 0.5, out=part)
        np.clip(part, 0, 255, out=part)
        result[rows] = part.astype(np.uint8).reshape(-1, *image.shape[1:])
    return result


def _warped(image: ImageU8, matrix: Homography, size_wh: tuple[int, int]) -> ImageU8:
    flags = cv2.INTER_LINEAR
    return np.asarray(cv2.warpPerspective(image, matrix, size_wh, flags=flags, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _fused(image: ImageU8, matrix: Homography, size_wh: tuple[int, int], kernel: ResizeKernel) -> ImageU8:
    """Halve as often as the scale allows, warp the rest, and give the result the sharpness of the kernel.

    The three blurs add their variances; a 3x3 filter makes up the difference to the kernel's own (in model pixels:
    triangle 1/6, box 1/12, cubic 0). cv2_linear does not antialias, so one plain warp is it.
    """
    scale = 1 / np.sqrt(abs(np.linalg.det(_jacobian(matrix, image))))
    if kernel == "cv2_linear" or scale <= 1:
        return _warped(image, matrix, size_wh)
    halvings = 0
    while 2 ** (halvings + 1) <= scale * 1.05:
        height, width = image.shape[0] // 2, image.shape[1] // 2
        image = np.asarray(cv2.resize(image[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA))
        halvings += 1
    step = 2**halvings
    back = np.array([[step, 0, (step - 1) / 2], [0, step, (step - 1) / 2], [0, 0, 1]], float)
    target = _warped(image, matrix @ back, size_wh)
    wanted = {"antialiased_bilinear": scale**2 / 6, "cv2_area": (scale**2 - 1) / 12, "antialiased_bicubic": 0.0}[kernel]
    side = (wanted - (step**2 - 1) / 12 - step**2 / 6) / (2 * scale**2)
    taps = np.array([side, 1 - 2 * side, side])
    return np.asarray(cv2.sepFilter2D(target, -1, taps, taps, borderType=cv2.BORDER_REPLICATE), np.uint8)


def _jacobian(matrix: Homography, image: ImageU8) -> NDArray[np.float64]:
    """Of the homography, in the middle of the image."""
    middle = np.array([image.shape[1] / 2, image.shape[0] / 2, 1.0])
    x, y, depth = matrix @ middle
    return np.asarray((matrix[:2, :2] - np.outer([x / depth, y / depth], matrix[2, :2])) / depth)
