"""Things that lie in the scene or move in it: forgotten products, and machine parts, as lit sprites."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from edge.cameras.relief import Relief, box, disc, dome, grain
from edge.types import ImageU8

_LIGHT = (-0.25, -0.45, 0.86)


@dataclass(frozen=True, eq=False)
class Sprite:
    """colour uint8 hxwx3 RGB; alpha uint8 hxw; height_px: how far it stands out, which makes its shadow."""

    colour: ImageU8
    alpha: ImageU8
    height_px: float


def product(kind: str, length_px: float) -> Sprite:
    """A tablet, capsule, blister or leaflet, length_px long, lying along x."""
    makers = {"tablet": _tablet, "capsule": _capsule, "blister": _blister, "leaflet": _leaflet}
    return makers[kind](max(3, round(length_px)))


def part(kind: str, size_wh: tuple[int, int]) -> Sprite:
    """A machine part that fits into size_wh: a spoked wheel (rotating) or a carriage a third as wide (sliding)."""
    return _wheel(min(size_wh)) if kind == "rotating" else _carriage((max(3, size_wh[0] // 3), size_wh[1]))


def turned(sprite: Sprite, angle_deg: float) -> Sprite:
    """The sprite turned about its centre, counter-clockwise on the screen, on a canvas that holds all of it."""
    height, width = sprite.alpha.shape
    side = int(np.ceil(np.hypot(width, height))) + 2
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle_deg, 1.0)
    matrix[:, 2] += ((side - width) / 2, (side - height) / 2)
    colour = cv2.warpAffine(sprite.colour, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    alpha = cv2.warpAffine(sprite.alpha, matrix, (side, side), flags=cv2.INTER_LINEAR)
    return Sprite(np.asarray(colour, np.uint8), np.asarray(alpha, np.uint8), sprite.height_px)


def paste(picture: ImageU8, sprite: Sprite, centre: tuple[float, float]) -> None:
    """Lay the sprite with its shadow into the picture (uint8 HxWx3, changed in place), centre in its pixels."""
    reach = max(1.0, sprite.height_px)
    pad = int(np.ceil(3 * reach))
    flat = cv2.copyMakeBorder(sprite.alpha, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=0)
    colour = cv2.copyMakeBorder(sprite.colour, pad, pad, pad, pad, cv2.BORDER_REPLICATE)
    height, width = flat.shape
    corner = np.array((centre[0] - (width - 1) / 2, centre[1] - (height - 1) / 2))
    whole = np.floor(corner).astype(int)
    rest = corner - whole
    move = np.array([[1, 0, rest[0]], [0, 1, rest[1]]], np.float64)
    alpha = cv2.warpAffine(flat, move, (width, height))
    shift = np.array([[1, 0, rest[0] + 0.5 * reach], [0, 1, rest[1] + 0.9 * reach]], np.float64)
    shadow = cv2.GaussianBlur(cv2.warpAffine(flat, shift, (width, height)), (0, 0), 0.6 * reach)
    x0, y0 = max(0, -whole[0]), max(0, -whole[1])
    x1, y1 = min(width, picture.shape[1] - whole[0]), min(height, picture.shape[0] - whole[1])
    if x1 <= x0 or y1 <= y0:
        return
    here = picture[whole[1] + y0 : whole[1] + y1, whole[0] + x0 : whole[0] + x1]
    cut = (slice(y0, y1), slice(x0, x1))
    share = alpha[cut].astype(np.float32)[..., None] / 255.0
    dark = 1 - 0.55 * shadow[cut].astype(np.float32)[..., None] / 255.0
    here[:] = np.clip(here * dark * (1 - share) + colour[cut] * share + 0.5, 0, 255).astype(np.uint8)


def _lit(relief: Relief, mask: ImageU8, height_px: float) -> Sprite:
    picture = cv2.GaussianBlur(relief.lit(_LIGHT, height_px), (0, 0), 0.7)
    return Sprite(np.clip(picture, 0, 255).astype(np.uint8), mask, height_px)


def _tablet(size: int) -> Sprite:
    relief, mask = Relief((size, size), (0.9, 0.88, 0.84)), disc(size)
    relief.lay(mask, (0, 0), level=dome((size, size), size * 0.16), gloss=0.2)
    groove = box(size * 0.7, max(1, size * 0.05))
    relief.lay(groove, (size * 0.15, size * 0.475), lift=-size * 0.03, colour=(0.75, 0.73, 0.69))
    return _lit(relief, mask, size * 0.2)


def _capsule(size: int) -> Sprite:
    width, height = size, max(2, round(size * 0.38))
    relief, mask = Relief((width, height), (0.93, 0.92, 0.88)), box(width, height, height / 2)
    relief.colour[:, : width // 2] = (0.72, 0.1, 0.12)
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    relief.height[:] = height * 0.45 * np.sqrt(np.clip(1 - y**2, 0, 1))
    relief.gloss[:] = 0.6
    return _lit(relief, mask, height * 0.5)


def _blister(size: int) -> Sprite:
    width, height = size, max(4, round(size * 0.45))
    relief, mask = Relief((width, height), (0.72, 0.73, 0.75)), box(width, height, height * 0.1)
    relief.gloss[:] = 0.7
    relief.colour *= (1 + 0.04 * grain(np.random.default_rng(5), (width, height), 2))[..., None]
    pocket = round(height * 0.36)
    for row in range(2):
        for column in range(5):
            at = (width * (0.06 + 0.18 * column), height * (0.1 + 0.45 * row))
            filled = (0.88, 0.87, 0.8) if (row, column) != (1, 3) else (0.4, 0.41, 0.43)
            bump = disc(pocket)
            relief.lay(bump, at, colour=filled, lift=dome((bump.shape[1], bump.shape[0]), pocket * 0.3), gloss=0.8)
    return _lit(relief, mask, height * 0.12)


def _leaflet(size: int) -> Sprite:
    width, height = size, max(6, round(size * 0.7))
    relief, mask = Relief((width, height), (0.93, 0.93, 0.9)), box(width, height)
    relief.height[:] = size * 0.012 * np.sin(np.linspace(0, 2.5 * np.pi, width, dtype=np.float32))
    rng = np.random.default_rng(3)
    pitch = max(2.0, height / 16)
    for line in range(2, int(height / pitch) - 1):
        start = width * 0.08
        while start < width * 0.88:
            word = width * float(rng.uniform(0.03, 0.1))
            relief.lay(box(word, pitch * 0.4), (start, line * pitch), colour=(0.3, 0.3, 0.33))
            start += word + width * 0.02
    relief.lay(box(width * 0.5, pitch), (width * 0.08, pitch * 0.5), colour=(0.1, 0.22, 0.5))
    return _lit(relief, mask, max(1.0, size * 0.02))


def _wheel(size: int) -> Sprite:
    relief, mask = Relief((size, size), (0.52, 0.53, 0.55)), disc(size)
    relief.lay(mask, (0, 0), level=size * 0.06, gloss=0.6)
    for turn in np.arange(5) * 2 * np.pi / 5:
        hole = disc(size * 0.24)
        x, y = size / 2 + size * 0.29 * np.array((np.cos(turn), np.sin(turn))) - hole.shape[0] / 2
        relief.lay(hole, (x, y), colour=(0.12, 0.12, 0.13), lift=-size * 0.05, gloss=0.1)
    hub = disc(size * 0.2)
    relief.lay(hub, (size * 0.4, size * 0.4), colour=(0.7, 0.62, 0.2), lift=size * 0.04, gloss=0.7)
    mark = box(size * 0.05, size * 0.1)
    relief.lay(mark, (size * 0.475, size * 0.02), colour=(0.8, 0.1, 0.1))
    return _lit(relief, mask, size * 0.05)


def _carriage(size_wh: tuple[int, int]) -> Sprite:
    width, height = size_wh
    relief, mask = Relief(size_wh, (0.33, 0.42, 0.5)), box(width, height, min(size_wh) * 0.08)
    relief.lay(mask, (0, 0), level=min(size_wh) * 0.06, gloss=0.5)
    head = disc(min(size_wh) * 0.22)
    for x in (0.25, 0.75):
        for y in (0.12, 0.88):
            at = (x * width - head.shape[0] / 2, y * height - head.shape[0] / 2)
            relief.lay(head, at, colour=(0.65, 0.65, 0.66), lift=min(size_wh) * 0.05, gloss=0.7)
    return _lit(relief, mask, min(size_wh) * 0.06)
