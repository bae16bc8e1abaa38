"""Small synthetic views: a fixed textured scene in which light and noise vary as they would on a line."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from edge.types import ImageU8

SIZE_WH = (256, 160)


def scene(seed: int = 0, size_wh: tuple[int, int] = SIZE_WH) -> ImageU8:
    """Stripes, blobs and texture, uint8 HxWx3 RGB, with enough corners to be registered."""
    rng = np.random.default_rng(seed)
    width, height = size_wh
    image = np.full((height, width, 3), (120, 110, 90), np.float32)
    for scale in (4, 16):
        coarse = rng.normal(0, 14, (height // scale + 2, width // scale + 2, 1)).astype(np.float32)
        image += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)[..., None]
    for _ in range(30):
        x, y = (int(rng.integers(size)) for size in size_wh)
        cv2.circle(image, (x, y), int(rng.integers(2, 9)), tuple(float(v) for v in rng.integers(40, 210, 3)), -1)
    return np.clip(image, 0, 255).astype(np.uint8)


def frames(count: int, base: ImageU8, seed: int = 1) -> list[ImageU8]:
    """Shots of one scene: other noise and slightly other light each time."""
    rng = np.random.default_rng(seed)
    shots = []
    for _ in range(count):
        light = rng.uniform(0.96, 1.04) * np.linspace(rng.uniform(0.97, 1), rng.uniform(1, 1.03), base.shape[1])[:, None]
        if base.ndim == 2:
            light = light[:, 0]
        shots.append(np.clip(base * light + rng.normal(0, 1.5, base.shape), 0, 255).astype(np.uint8))
    return shots


def with_object(image: ImageU8, colour: tuple[int, int, int] = (215, 215, 220), at: tuple[int, int] = (120, 70)) -> ImageU8:
    """The image with a pale rectangle of 26x18 pixels on it."""
    shown = image.copy()
    x, y = at
    shown[y : y + 18, x : x + 26] = colour
    return shown


def write(folder: Path, images: list[ImageU8]) -> Path:
    """PNG files 0.png, 1.png, ..."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(images):
        stored = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(folder / f"{number}.png"), stored)
    return folder
