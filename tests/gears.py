"""Gears to test with, drawn exactly: any number of teeth, anywhere, at any angle, with teeth broken off."""

from __future__ import annotations

import cv2
import numpy as np

from edge.types import ImageU8

BACKGROUND, METAL = 225, 80
RING = 0.55  # share of the radius: nearer to the axis nothing repeats


def gear(
    teeth: int,
    centre: tuple[float, float],
    radius_px: float,
    size_wh: tuple[int, int],
    *,
    turned: float = 0.0,
    broken: tuple[int, ...] = (),
    noise: float = 1.5,
    seed: int = 0,
) -> ImageU8:
    """A dark gear with a bore on a bright plain, grey uint8 HxW. turned: radians, from x to y. broken: teeth that end at
    four fifths of their height. The edge is a pixel wide, so that a shift of a tenth of a pixel shows.
    """
    rows, columns = np.indices(size_wh[::-1]).astype(np.float64)
    x, y = columns - centre[0], rows - centre[1]
    away, angle = np.hypot(x, y), np.arctan2(y, x) - turned
    tooth = np.round(angle * teeth / (2 * np.pi)).astype(int) % teeth
    flank = np.clip(0.5 + 3 * np.cos(angle * teeth), 0, 1)
    tip = np.where(np.isin(tooth, broken), 0.84, 1.0) * radius_px
    rim = 0.8 * radius_px + (tip - 0.8 * radius_px) * flank
    inside = np.clip(rim - away + 0.5, 0, 1) * np.clip(away - 0.4 * radius_px + 0.5, 0, 1)
    image = BACKGROUND + (METAL - BACKGROUND) * inside
    image += np.random.default_rng(seed).normal(0, noise, image.shape) if noise else 0
    return np.asarray(np.clip(np.round(image), 0, 255), np.uint8)


def rgb(image: ImageU8) -> ImageU8:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2RGB), np.uint8)
