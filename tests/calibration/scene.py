"""A machine part that never was, filmed by a camera that never moved far: good frames with light, noise and nudges."""

from pathlib import Path

import cv2
import numpy as np

SIZE_WH = (480, 320)


def part(seed: int = 0):
    """The scene without noise: uint8 HxWx3 RGB."""
    random = np.random.default_rng(seed)
    width, height = SIZE_WH
    image = np.full((height, width, 3), 90, np.uint8)
    for _ in range(60):
        x, y, r = int(random.integers(width)), int(random.integers(height)), int(random.integers(8, 36))
        colour = tuple(int(value) for value in random.integers(40, 220, 3))
        cv2.rectangle(image, (x, y), (x + r, y + r // 2 + 2), colour, cv2.FILLED)
    return cv2.GaussianBlur(image, (0, 0), 1.5)


def shot(number: int, *, seed: int = 0, leftover: tuple[int, int] | None = None, nudge_px: float = 1.0):
    """Frame `number`: other light, noise and a small nudge."""
    random = np.random.default_rng(1000 + number)
    image = part(seed).astype(np.float32)
    if leftover:
        cv2.circle(image, leftover, 18, (230, 60, 40), cv2.FILLED, cv2.LINE_AA)
    image = image * random.uniform(0.96, 1.04) + random.normal(0, 2.5, image.shape)
    shift = np.array([[1, 0, random.uniform(-nudge_px, nudge_px)], [0, 1, random.uniform(-nudge_px, nudge_px)]])
    image = cv2.warpAffine(image.astype(np.float32), shift, SIZE_WH, borderMode=cv2.BORDER_REPLICATE)
    return np.clip(np.round(image), 0, 255).astype(np.uint8)


def write(path: Path, image) -> Path:
    """An image file, RGB in and the same RGB out."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return path


def write_shots(folder: Path, numbers, **keywords) -> Path:
    for number in numbers:
        write(folder / f"{number:03d}.png", shot(number, **keywords))
    return folder
