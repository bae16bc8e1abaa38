"""Inputs for golden vectors: real images where there are any, else scenes made up from a seed. Needs no torch."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from edge.bundle import Declaration, Tensors
from edge.cameras.folder import good_images
from edge.cameras.images import read_image
from edge.registration.resampling import resize
from edge.types import ImageU8

SEED = 5


def golden_inputs(declaration: Declaration, images: Path | None, count: int = 3, seed: int = SEED) -> list[Tensors]:
    """Inputs for golden vectors: real images of a folder, resized with the manifest's kernel, else made-up scenes.

    `reference` is the first image (a made-up one: the same scene without what was put on it); `keep` masks a corner of the
    last vector. ConfigError, FrameError: the folder holds no image, or one that cannot be read.
    """
    size_wh = declaration.size_wh
    if images is None:
        plain = _scene(size_wh, seed)
        frames = [_spoilt(plain, seed + place) if place else plain for place in range(count)]
    else:
        paths = good_images(images)
        chosen = [paths[place * len(paths) // count] for place in range(min(count, len(paths)))]
        frames = [_at_size(read_image(path), declaration) for path in dict.fromkeys(chosen)]
    wanted = {str(spec.name) for spec in declaration.inputs}
    vectors: list[Tensors] = []
    for place, frame in enumerate(frames):
        keep = np.ones(size_wh[::-1], np.uint8)
        if place == len(frames) - 1:
            keep[: size_wh[1] // 4, : size_wh[0] // 4] = 0
        tensors = {"image": frame[None], "reference": frames[0][None], "keep": keep[None]}
        vectors.append({name: tensor for name, tensor in tensors.items() if name in wanted})
    return vectors


def _at_size(image: ImageU8, declaration: Declaration) -> ImageU8:
    colour = image if image.ndim == 3 else np.repeat(image[:, :, None], 3, 2)
    if declaration.crop is not None:
        height, width = colour.shape[:2]
        crop = declaration.crop
        rows = slice(round(crop.top * height), max(round(crop.bottom * height), round(crop.top * height) + 1))
        columns = slice(round(crop.left * width), max(round(crop.right * width), round(crop.left * width) + 1))
        colour = colour[rows, columns]
    return resize(np.ascontiguousarray(colour), declaration.size_wh, declaration.resize.kernel)


def _scene(size_wh: tuple[int, int], seed: int) -> ImageU8:
    """A texture with edges, always the same for a seed: flat patches under smoothed noise."""
    width, height = size_wh
    random = np.random.default_rng(seed)
    flat = random.uniform(60, 190, (6, 8, 3)).astype(np.float32)
    image = cv2.resize(flat, size_wh, interpolation=cv2.INTER_NEAREST)
    image += 40 * cv2.GaussianBlur(random.normal(0, 1, (height, width, 3)).astype(np.float32), (0, 0), 1.5)
    return np.asarray(np.clip(image, 0, 255), np.uint8)


def _spoilt(plain: ImageU8, seed: int) -> ImageU8:
    """The scene with a few patches on it that do not belong there."""
    random = np.random.default_rng(seed)
    image: ImageU8 = plain.copy()
    height, width = image.shape[:2]
    for _ in range(3):
        x, y = int(random.integers(0, max(1, width * 3 // 4))), int(random.integers(0, max(1, height * 3 // 4)))
        image[y : y + max(1, height // 8), x : x + max(1, width // 8)] = random.integers(0, 256, 3)
    return image
