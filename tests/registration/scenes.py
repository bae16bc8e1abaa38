"""Pictures with known motions for the registration tests."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.types import Homography, ImageU8

DATA = Path(__file__).parents[3] / "shared" / "data"
SIZE_WH = (640, 420)


def textured(seed: int, size_wh: tuple[int, int] = SIZE_WH) -> ImageU8:
    """Texture of several scales, RGB."""
    rng = np.random.default_rng(seed)
    image = np.zeros((size_wh[1], size_wh[0]), np.float32)
    for cell, height in ((64, 60), (16, 40), (4, 25)):
        small = rng.normal(0, 1, (size_wh[1] // cell + 2, size_wh[0] // cell + 2)).astype(np.float32)
        image += height * cv2.resize(small, size_wh, interpolation=cv2.INTER_CUBIC)
    grey = np.clip(128 + image, 0, 255)
    return np.stack([grey, grey * 0.9, grey * 0.7], -1).astype(np.uint8)


def nudge(
    shift: tuple[float, float] = (0, 0), turn_deg: float = 0.0, zoom: float = 1.0, tilt: tuple[float, float] = (0, 0)
) -> Homography:
    """Scene -> camera, about the middle of SIZE_WH."""
    middle = np.array([[1, 0, SIZE_WH[0] / 2], [0, 1, SIZE_WH[1] / 2], [0, 0, 1]], float)
    c, s = zoom * np.cos(np.deg2rad(turn_deg)), zoom * np.sin(np.deg2rad(turn_deg))
    move = np.array([[c, -s, shift[0]], [s, c, shift[1]], [tilt[0], tilt[1], 1]])
    return np.asarray(middle @ move @ np.linalg.inv(middle))


def shoot(scene: ImageU8, to_camera: Homography, seed: int = 0, gain: float = 1.0) -> ImageU8:
    """What the camera sees, with noise."""
    size_wh = (scene.shape[1], scene.shape[0])
    image = cv2.warpPerspective(scene, to_camera, size_wh, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    noise = np.random.default_rng(seed).normal(0, 2, image.shape)
    return np.clip(gain * image + noise, 0, 255).astype(np.uint8)


def error_px(found: Homography, to_camera: Homography, size_wh: tuple[int, int] = SIZE_WH) -> float:
    """Mean error of frame -> scene over a grid of the frame."""
    x, y = np.meshgrid(np.linspace(0, size_wh[0] - 1, 9), np.linspace(0, size_wh[1] - 1, 7))
    places = np.stack([x.ravel(), y.ravel(), np.ones(63)])
    gap = [matrix @ places for matrix in (found, np.linalg.inv(to_camera))]
    return float(np.linalg.norm(gap[0][:2] / gap[0][2] - gap[1][:2] / gap[1][2], axis=0).mean())


def real(*parts: str) -> Path:
    """A folder of real images, or a skipped test."""
    path = DATA.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"needs the real images at {path}")
    return path


def read(path: Path) -> ImageU8:
    return np.asarray(cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB), np.uint8)
