"""Draw surfaces with a height, a colour and a gloss, and light them: what the simulated scene is made of."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.types import ImageU8, MapF32

Colour = tuple[float, float, float]
Light = tuple[float, float, float]


class Relief:
    """colour float32 HxWx3 RGB 0..1, height float32 HxW in pixels, gloss float32 HxW 0..1."""

    def __init__(self, size_wh: tuple[int, int], colour: Colour) -> None:
        width, height = size_wh
        self.size_wh = size_wh
        self.colour = np.empty((height, width, 3), np.float32)
        self.colour[:] = colour
        self.height: MapF32 = np.zeros((height, width), np.float32)
        self.gloss: MapF32 = np.zeros((height, width), np.float32)

    def lay(
        self,
        mask: ImageU8,
        at: tuple[float, float],
        *,
        colour: Colour | NDArray[np.float32] | None = None,
        level: float | MapF32 | None = None,
        lift: float | MapF32 = 0.0,
        gloss: float | None = None,
    ) -> None:
        """Put a piece with coverage `mask` (uint8 hxw, 0..255) with its top left corner at `at`.

        level: its height, whatever was below; lift: added to what is below. Parts outside the picture are cut off.
        """
        x0, y0 = round(at[0]), round(at[1])
        left, top = max(0, -x0), max(0, -y0)
        right, bottom = min(mask.shape[1], self.size_wh[0] - x0), min(mask.shape[0], self.size_wh[1] - y0)
        if right <= left or bottom <= top:
            return
        cut = (slice(top, bottom), slice(left, right))
        here = (slice(y0 + top, y0 + bottom), slice(x0 + left, x0 + right))
        share = mask[cut].astype(np.float32) / 255.0
        if colour is not None:
            paint = np.asarray(colour, np.float32)
            paint = paint[cut] if paint.ndim == 3 else paint
            self.colour[here] += (paint - self.colour[here]) * share[..., None]
        if level is not None:
            target = level[cut] if isinstance(level, np.ndarray) else level
            self.height[here] += (target - self.height[here]) * share
        self.height[here] += (lift[cut] if isinstance(lift, np.ndarray) else lift) * share
        if gloss is not None:
            self.gloss[here] += (gloss - self.gloss[here]) * share

    def lit(self, light: Light, shadow_reach_px: float) -> NDArray[np.float32]:
        """float32 HxWx3 RGB 0..255: Lambert and a broad highlight from a direction (x, y, z), with cast shadows."""
        direction = np.asarray(light, np.float32) / np.linalg.norm(light)
        slope_x = cv2.Sobel(self.height, cv2.CV_32F, 1, 0, ksize=3, scale=1 / 8)
        slope_y = cv2.Sobel(self.height, cv2.CV_32F, 0, 1, ksize=3, scale=1 / 8)
        facing = (direction[2] - slope_x * direction[0] - slope_y * direction[1]) / np.sqrt(1 + slope_x**2 + slope_y**2)
        facing = np.clip(facing, 0, None)
        bright = 0.34 + 0.66 * facing * (1 - 0.75 * self._shadow(direction, shadow_reach_px))
        shine = self.gloss * np.clip(facing, 0, 1) ** 12 * 0.35
        return np.asarray((self.colour * bright[..., None] + shine[..., None]) * 255.0, np.float32)

    def _shadow(self, direction: NDArray[np.float32], reach_px: float) -> MapF32:
        shade = np.zeros_like(self.height)
        across = float(np.hypot(direction[0], direction[1]))
        if across < 1e-6 or reach_px < 1:
            return shade
        climb = float(direction[2]) / across
        for step in np.linspace(reach_px / 8, reach_px, 8):
            move = np.array([[1, 0, -step * direction[0] / across], [0, 1, -step * direction[1] / across]], np.float64)
            over = cv2.warpAffine(self.height, move, self.size_wh, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            over -= self.height + np.float32(step * climb)
            np.maximum(shade, np.clip(over / max(1.0, reach_px / 8), 0, 1), out=shade)
        return np.asarray(cv2.GaussianBlur(shade, (0, 0), max(0.6, reach_px / 10)), np.float32)


def box(width: float, height: float, radius: float = 0.0) -> ImageU8:
    """Coverage of a rectangle with round corners, uint8."""
    w, h = max(1, round(width)), max(1, round(height))
    r = int(min(radius, w / 2, h / 2))
    mask = np.zeros((h, w), np.uint8)
    if r < 1:
        mask[:] = 255
        return mask
    cv2.rectangle(mask, (r, 0), (w - 1 - r, h - 1), 255, -1)
    cv2.rectangle(mask, (0, r), (w - 1, h - 1 - r), 255, -1)
    for centre in ((r, r), (w - 1 - r, r), (r, h - 1 - r), (w - 1 - r, h - 1 - r)):
        cv2.circle(mask, centre, r, 255, -1, cv2.LINE_AA)
    return mask


def disc(diameter: float) -> ImageU8:
    """Coverage of a circle, uint8."""
    size = max(1, round(diameter))
    mask = np.zeros((size, size), np.uint8)
    cv2.circle(mask, ((size - 1) * 8, (size - 1) * 8), size * 8, 255, -1, cv2.LINE_AA, 4)
    return mask


def polygon(points: NDArray[np.float64], size: int) -> ImageU8:
    """Coverage of a polygon given in pixels inside a square of `size`, uint8."""
    mask = np.zeros((size, size), np.uint8)
    cv2.fillPoly(mask, [np.round(points * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return mask


def dome(size_wh: tuple[int, int], height_px: float) -> MapF32:
    """Height of half an ellipsoid over a rectangle, float32 hxw."""
    width, height = size_wh
    x = np.linspace(-1, 1, width, dtype=np.float32)
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    return np.asarray(height_px * np.sqrt(np.clip(1 - x**2 - y**2, 0, 1)), np.float32)


def grain(rng: np.random.Generator, size_wh: tuple[int, int], along_px: float, vertical: bool = False) -> MapF32:
    """Brushed metal: noise smeared along one direction, mean 0, standard deviation 1, float32 hxw."""
    width, height = size_wh
    noise = rng.standard_normal((height, width), np.float32)
    long, short = 2 * int(along_px) + 1, 1
    kernel = (short, long) if vertical else (long, short)
    smeared = cv2.blur(noise, kernel, borderType=cv2.BORDER_REFLECT) + 0.25 * noise / np.sqrt(long)
    return np.asarray((smeared - smeared.mean()) / max(1e-6, float(smeared.std())), np.float32)
