"""The image that all turns of a part agree on: turn it n times by 1/n, and take the median of every pixel."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from edge.types import Homography, ImageU8, MaskBool


def turn(centre: tuple[float, float], angle: float) -> Homography:
    """The rotation about a centre (x, y) by an angle in radians, positive from x to y."""
    cos, sin = np.cos(angle), np.sin(angle)
    x, y = centre
    return np.array([[cos, -sin, x - cos * x + sin * y], [sin, cos, y - sin * x - cos * y], [0, 0, 1]])


def rotational_median(
    image: ImageU8,
    centre: tuple[float, float],
    radius_px: float,
    fold: int,
    otherwise: ImageU8 | None = None,
    part_to_image: Homography | None = None,
) -> ImageU8:
    """Inside the disc the median over all n turns of the image, outside it `otherwise` (None: the image itself).

    image: uint8 HxWx3 RGB or HxW; the disc should lie on it. part_to_image: homography from the pixels in which centre and
    radius are given, and turns are turns, to the image's; identity by default.
    """
    to_image = np.eye(3) if part_to_image is None else part_to_image
    box = _box(centre, radius_px, to_image, (image.shape[1], image.shape[0]))
    result = (image if otherwise is None else otherwise).copy()
    left, top, right, bottom = box
    if right <= left or bottom <= top:
        return np.asarray(result, np.uint8)
    piece = np.ascontiguousarray(image[top:bottom, left:right])
    to_piece = np.array([[1, 0, -left], [0, 1, -top], [0, 0, 1]]) @ to_image
    back = np.asarray(np.linalg.inv(to_piece), np.float64)
    size_wh = (right - left, bottom - top)
    views = [piece]
    for turns in range(1, fold):
        matrix = to_piece @ turn(centre, 2 * np.pi * turns / fold) @ back
        view = cv2.warpPerspective(piece, matrix, size_wh, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        views.append(np.asarray(view, np.uint8))
    inside = disc(centre, radius_px, back, size_wh)
    result[top:bottom, left:right][inside] = pixel_median(views)[inside]
    return np.asarray(result, np.uint8)


def pixel_median(images: Sequence[ImageU8]) -> ImageU8:
    """The median of every value over images of one shape; between the two middle ones, rounded up, for an even number.

    By bisection on the eight bits: many times as fast as sorting a stack of images.
    """
    count = len(images)
    upper = _ranked(images, count // 2 + 1)
    if count % 2:
        return upper
    lower = _ranked(images, count // 2)
    return np.asarray((lower.astype(np.uint16) + upper + 1) >> 1, np.uint8)


def disc(centre: tuple[float, float], radius_px: float, to_part: Homography, size_wh: tuple[int, int]) -> MaskBool:
    """Bool HxW of a grid: the pixels whose centres lie in a disc; to_part: from the grid's pixels to those of the disc."""
    rows, columns = np.indices(size_wh[::-1])
    x, y, depth = np.tensordot(to_part, np.stack((columns, rows, np.ones_like(rows))), 1)
    return np.asarray(np.hypot(x / depth - centre[0], y / depth - centre[1]) <= radius_px)


def _ranked(images: Sequence[ImageU8], rank: int) -> ImageU8:
    """The rank-th smallest value (1 is the smallest): the least value that `rank` of the images do not exceed."""
    kind = np.uint8 if len(images) < 256 else np.uint16
    value = np.zeros(images[0].shape, np.uint8)
    for bit in (128, 64, 32, 16, 8, 4, 2, 1):
        below = np.zeros(value.shape, kind)
        trial = value | np.uint8(bit)
        for image in images:
            below += image < trial
        value = np.where(below >= rank, value, trial)
    return value


def _box(
    centre: tuple[float, float], radius_px: float, to_image: Homography, size_wh: tuple[int, int]
) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the disc on the image, clipped to it."""
    angles = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    rim = np.stack((centre[0] + radius_px * np.cos(angles), centre[1] + radius_px * np.sin(angles), np.ones(64)))
    x, y, depth = to_image @ rim
    low = np.floor([np.min(x / depth), np.min(y / depth)]).astype(int) - 2
    high = np.ceil([np.max(x / depth), np.max(y / depth)]).astype(int) + 3
    left, top = np.clip(low, 0, size_wh)
    right, bottom = np.clip(high, 0, size_wh)
    return int(left), int(top), int(right), int(bottom)
