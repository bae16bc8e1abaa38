"""Made-up anomalies: Perlin noise with texture blending, white rectangles, CutPaste patches and scars, noise patches.

Papers: Zavrtanik et al., "DRAEM", 2021 (Perlin noise, texture, blending); Li et al., "CutPaste", 2021 (patch and scar with
their areas, ratios and jitter); Wang et al., "A Double Self-Supervised Model for Pitting Detection", 2024 (the noise patch);
DeVries and Taylor, "Cutout", 2017 (the rectangle). All take and give uint8 HxWx3; masks are bool HxW.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.types import ImageU8, MaskBool

Drawn = tuple[ImageU8, MaskBool]


def perlin(shape: tuple[int, int], cells: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float32]:
    """Gradient noise (Perlin 1985) of about -1 to 1, with so many cells down and across."""
    height, width = shape
    angles = rng.uniform(0, 2 * np.pi, (cells[0] + 1, cells[1] + 1))
    y = np.linspace(0, cells[0], height, endpoint=False)[:, None]
    x = np.linspace(0, cells[1], width, endpoint=False)[None, :]
    row, column = y.astype(int), x.astype(int)
    fade_y, fade_x = (t**3 * (t * (t * 6 - 15) + 10) for t in (y - row, x - column))

    def corner(down: int, right: int) -> NDArray[np.float64]:
        angle = angles[row + down, column + right]
        return np.asarray(np.cos(angle) * (x - column - right) + np.sin(angle) * (y - row - down), np.float64)

    top = corner(0, 0) * (1 - fade_x) + corner(0, 1) * fade_x
    bottom = corner(1, 0) * (1 - fade_x) + corner(1, 1) * fade_x
    return np.asarray(np.sqrt(2) * (top * (1 - fade_y) + bottom * fade_y), np.float32)


def perlin_mask(shape: tuple[int, int], rng: np.random.Generator, level: float = 0.5) -> MaskBool:
    """Where turned Perlin noise of 1 to 32 cells exceeds `level`."""
    cells = 2 ** rng.integers(0, 6, 2)
    noise = perlin(shape, (int(cells[0]), int(cells[1])), rng)
    turn = cv2.getRotationMatrix2D((shape[1] / 2, shape[0] / 2), float(rng.uniform(-90, 90)), 1.0)
    turned = cv2.warpAffine(noise, turn, (shape[1], shape[0]), borderMode=cv2.BORDER_CONSTANT)
    return np.asarray(turned > level)


def textured(image: ImageU8, sources: Sequence[ImageU8], rng: np.random.Generator, mask: MaskBool | None = None) -> Drawn:
    """A texture, its colours changed, laid over the image where the mask is, see-through by up to 0.8."""
    where = perlin_mask(image.shape[:2], rng) if mask is None else mask
    source = _recoloured(sources[int(rng.integers(len(sources)))], rng)
    return _blend(image, source, where, float(rng.uniform(0, 0.8))), where


def noise_patch(image: ImageU8, sources: Sequence[ImageU8], rng: np.random.Generator) -> Drawn:
    """PasteNoise: only the largest piece of the Perlin mask, at least half see-through in one half of the cases."""
    while not (where := _largest(perlin_mask(image.shape[:2], rng, 0.35))).any():
        continue
    source = _recoloured(sources[int(rng.integers(len(sources)))], rng)
    return _blend(image, source, where, float(rng.uniform(0, 0.5))), where


def white_rectangle(image: ImageU8, rng: np.random.Generator) -> Drawn:
    """A white rectangle, sides 4 % to 25 % of the image's."""
    height, width = image.shape[:2]
    h, w = (max(2, int(side * rng.uniform(0.04, 0.25))) for side in (height, width))
    top, left = int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1))
    shown, where = image.copy(), np.zeros((height, width), bool)
    shown[top : top + h, left : left + w] = 255
    where[top : top + h, left : left + w] = True
    return shown, where


def cut_paste(image: ImageU8, rng: np.random.Generator) -> Drawn:
    """A patch of the image, 2 % to 15 % of its area, jittered, pasted elsewhere."""
    height, width = image.shape[:2]
    area = float(rng.uniform(0.02, 0.15)) * height * width
    ratio = float(np.exp(rng.uniform(np.log(0.3), np.log(3.3))))
    h = int(np.clip(np.sqrt(area / ratio), 2, height - 1))
    w = int(np.clip(np.sqrt(area * ratio), 2, width - 1))
    return _pasted(image, (h, w), 0.0, rng)


def scar(image: ImageU8, rng: np.random.Generator) -> Drawn:
    """CutPaste's scar: 2 to 16 px wide, 10 to 25 long at 256 px, turned by up to 45 degrees."""
    scale = image.shape[0] / 256
    w, h = (max(2, round(scale * float(rng.uniform(*span)))) for span in ((2, 16), (10, 25)))
    return _pasted(image, (h, w), float(rng.uniform(-45, 45)), rng)


def any_of(image: ImageU8, sources: Sequence[ImageU8], rng: np.random.Generator) -> Drawn:
    """One of them all, the textured ones twice as often."""
    choice = int(rng.integers(7))
    if choice < 2:
        return textured(image, sources, rng)
    if choice < 4:
        return noise_patch(image, sources, rng)
    return (white_rectangle, cut_paste, scar)[choice - 4](image, rng)


def _pasted(image: ImageU8, patch_hw: tuple[int, int], degrees: float, rng: np.random.Generator) -> Drawn:
    height, width = image.shape[:2]
    h, w = patch_hw
    top, left = int(rng.integers(height - h)), int(rng.integers(width - w))
    patch = _jittered(image[top : top + h, left : left + w], rng)
    turn = cv2.getRotationMatrix2D((w / 2, h / 2), degrees, 1.0)
    reach = int(np.ceil(np.hypot(h, w)))
    turn[:, 2] += (reach / 2 - w / 2, reach / 2 - h / 2)
    patch = np.asarray(cv2.warpAffine(patch, turn, (reach, reach), flags=cv2.INTER_LINEAR), np.uint8)
    cover = cv2.warpAffine(np.full((h, w), 255, np.uint8), turn, (reach, reach), flags=cv2.INTER_NEAREST) > 0
    y, x = int(rng.integers(-reach // 4, height - reach // 2)), int(rng.integers(-reach // 4, width - reach // 2))
    y0, x0, y1, x1 = max(0, y), max(0, x), min(height, y + reach), min(width, x + reach)
    part = cover[y0 - y : y1 - y, x0 - x : x1 - x]
    shown, where = image.copy(), np.zeros((height, width), bool)
    where[y0:y1, x0:x1] = part
    shown[y0:y1, x0:x1][part] = patch[y0 - y : y1 - y, x0 - x : x1 - x][part]
    return shown, where


def _blend(image: ImageU8, source: ImageU8, where: MaskBool, keep: float) -> ImageU8:
    mixed = keep * image.astype(np.float32) + (1 - keep) * source
    return np.where(where[..., None], np.clip(mixed + 0.5, 0, 255).astype(np.uint8), image)


def _recoloured(image: ImageU8, rng: np.random.Generator) -> ImageU8:
    """Turned, mirrored, with other channels, brightness and contrast."""
    turned = np.rot90(image, int(rng.integers(4)) if image.shape[0] == image.shape[1] else 2 * int(rng.integers(2)))
    shown = turned[:, :: int(rng.choice((-1, 1)))][..., rng.permutation(3)].astype(np.float32)
    shown = (shown - 128) * float(rng.uniform(0.5, 1.5)) + 128 + float(rng.uniform(-80, 80))
    return np.asarray(np.clip(255 - shown if rng.random() < 0.25 else shown, 0, 255), np.uint8)


def _jittered(patch: ImageU8, rng: np.random.Generator) -> ImageU8:
    gain = rng.uniform(0.9, 1.1, 3) * float(rng.uniform(0.9, 1.1))
    middle = patch.mean((0, 1), keepdims=True)
    shown = (patch - middle) * float(rng.uniform(0.9, 1.1)) + middle * gain
    return np.asarray(np.clip(shown, 0, 255), np.uint8)


def _largest(mask: MaskBool) -> MaskBool:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    if count < 2:
        return np.zeros_like(mask)
    return np.asarray(labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA])))
