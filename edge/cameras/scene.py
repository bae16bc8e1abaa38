"""A machine seen from above, drawn from a seed: plates of brushed metal, bolts, slots, holes, hoses, a printed label."""

from __future__ import annotations

import math

import cv2
import numpy as np

from edge.cameras.relief import Colour, Light, Relief, box, disc, dome, grain, polygon
from edge.types import ImageU8

LIGHTS: tuple[Light, Light] = ((-0.55, -0.35, 0.76), (0.45, -0.45, 0.77))
_PLATES: tuple[Colour, ...] = ((0.62, 0.64, 0.66), (0.5, 0.52, 0.55), (0.7, 0.69, 0.66), (0.36, 0.39, 0.43), (0.56, 0.6, 0.62))
_HOSES: tuple[Colour, ...] = ((0.1, 0.1, 0.11), (0.75, 0.33, 0.07), (0.12, 0.3, 0.55))
_DRAWN_PIXELS = 2_000_000
_INK: Colour = (0.1, 0.1, 0.12)


def machine(seed: int, size_wh: tuple[int, int]) -> tuple[ImageU8, ImageU8]:
    """The scene `seed` without anything that moves, lit from the left and from the right: uint8 HxWx3 RGB each."""
    rng = np.random.default_rng((seed, 1))
    shrink = max(1.0, math.sqrt(size_wh[0] * size_wh[1] / _DRAWN_PIXELS))
    left, right = _drawn(rng, (math.ceil(size_wh[0] / shrink), math.ceil(size_wh[1] / shrink)))
    if shrink == 1.0:
        return left, right
    # Drawing costs seconds at 6 megapixels: draw smaller, enlarge, and give back the texture that enlarging cannot make.
    fine = grain(rng, size_wh, 12) * 2.5
    brighter, darker = (np.clip(sign * fine, 0, 255).astype(np.uint8) for sign in (1, -1))
    return _enlarged(left, size_wh, brighter, darker), _enlarged(right, size_wh, brighter, darker)


def _enlarged(picture: ImageU8, size_wh: tuple[int, int], brighter: ImageU8, darker: ImageU8) -> ImageU8:
    large = cv2.resize(picture, size_wh, interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.subtract(cv2.add(large, cv2.merge([brighter] * 3)), cv2.merge([darker] * 3)), np.uint8)


def _drawn(rng: np.random.Generator, size_wh: tuple[int, int]) -> tuple[ImageU8, ImageU8]:
    unit = min(size_wh) / 100.0
    relief = _base(rng, size_wh, unit)
    for plate in _plates(rng, size_wh):
        _plate(relief, rng, plate, unit)
    _label(relief, rng, unit)
    for _ in range(int(rng.integers(1, 3))):
        _hose(relief, rng, unit)
    # A lens is never sharper than its pixels; without this, resampling a nudged frame would change the texture itself.
    sigma = max(0.75, 0.06 * unit)
    relief.height = cv2.GaussianBlur(relief.height, (0, 0), max(0.7, 0.12 * unit))
    left, right = (_finished(relief, light, unit, sigma) for light in LIGHTS)
    return left, right


def _finished(relief: Relief, light: Light, unit: float, sigma: float) -> ImageU8:
    lit = cv2.GaussianBlur(relief.lit(light, 2.2 * unit), (0, 0), sigma)
    width, height = relief.size_wh
    x = np.linspace(-1, 1, width, dtype=np.float32)
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    falloff = 1.0 - 0.10 * (x**2 + y**2) + 0.12 * np.float32(-light[0]) * x
    return np.asarray(np.clip(lit * falloff[..., None], 0, 255), np.uint8)


def _base(rng: np.random.Generator, size_wh: tuple[int, int], unit: float) -> Relief:
    relief = Relief(size_wh, (0.45, 0.46, 0.48))
    relief.colour *= (1 + 0.05 * grain(rng, size_wh, 9 * unit))[..., None]
    stains = cv2.resize(rng.standard_normal((9, 13), np.float32), size_wh, interpolation=cv2.INTER_CUBIC)
    relief.colour *= (1 + 0.03 * stains)[..., None]
    relief.gloss[:] = 0.25
    return relief


def _plates(rng: np.random.Generator, size_wh: tuple[int, int]) -> list[tuple[float, float, float, float]]:
    width, height = size_wh
    columns, rows = max(2, round(3.2 * width / max(size_wh))), max(2, round(3.2 * height / max(size_wh)))
    plates = []
    for row in range(rows):
        for column in range(columns):
            cell_w, cell_h = width / columns, height / rows
            w, h = cell_w * rng.uniform(0.6, 0.95), cell_h * rng.uniform(0.6, 0.95)
            x = column * cell_w + rng.uniform(0, cell_w - w)
            y = row * cell_h + rng.uniform(0, cell_h - h)
            plates.append((x, y, w, h))
    return plates


def _plate(relief: Relief, rng: np.random.Generator, plate: tuple[float, float, float, float], unit: float) -> None:
    x, y, w, h = plate
    mask = box(w, h, rng.uniform(0.5, 4) * unit)
    texture = grain(rng, (mask.shape[1], mask.shape[0]), rng.uniform(3, 10) * unit, bool(rng.integers(2)))
    base = np.asarray(_PLATES[int(rng.integers(len(_PLATES)))], np.float32)
    relief.lay(mask, (x, y), colour=base * (1 + 0.055 * texture)[..., None], level=rng.uniform(0.8, 2.2) * unit, gloss=0.5)
    inset, head = 4.0 * unit, rng.uniform(3.6, 5.2) * unit
    for cx in (x + inset, x + w - inset):
        for cy in (y + inset, y + h - inset):
            _bolt(relief, rng, (cx, cy), head)
    content = int(rng.integers(4))
    room = (x + 9 * unit, y + 9 * unit, w - 18 * unit, h - 18 * unit)
    if min(room[2:]) < 8 * unit:
        return
    if content == 0:
        _slots(relief, rng, room, unit)
    elif content == 1:
        _holes(relief, room, rng.uniform(2.5, 4.0) * unit)
    elif content == 2:
        _ruler(relief, room, unit)
    else:
        _boss(relief, rng, room, unit)


def _bolt(relief: Relief, rng: np.random.Generator, centre: tuple[float, float], head: float) -> None:
    def at(size: int) -> tuple[float, float]:
        return centre[0] - size / 2, centre[1] - size / 2

    washer = disc(head * 1.35)
    relief.lay(washer, at(washer.shape[0]), colour=(0.6, 0.6, 0.6), lift=head * 0.06, gloss=0.7)
    size = max(3, round(head))
    turn = rng.uniform(0, np.pi / 3) + np.arange(6) * np.pi / 3
    corners = (size - 1) / 2 + np.stack([np.cos(turn), np.sin(turn)], 1) * size / 2
    relief.lay(polygon(corners, size), at(size), colour=(0.5, 0.5, 0.53), lift=head * 0.28, gloss=0.8)
    socket = disc(head * 0.42)
    relief.lay(socket, at(socket.shape[0]), colour=(0.12, 0.12, 0.13), lift=-head * 0.22, gloss=0.0)


def _slots(relief: Relief, rng: np.random.Generator, room: tuple[float, float, float, float], unit: float) -> None:
    x, y, w, h = room
    count = int(rng.integers(2, 5))
    for index in range(count):
        height = 0.45 * h / count
        top = y + (index + 0.25) * h / count
        relief.lay(box(w, height, height / 2), (x, top), colour=(0.1, 0.1, 0.11), level=-2.5 * unit, gloss=0.05)


def _holes(relief: Relief, room: tuple[float, float, float, float], diameter: float) -> None:
    x, y, w, h = room
    hole = disc(diameter)
    for row in range(int(h / (2 * diameter))):
        for column in range(int(w / (2 * diameter))):
            at = (x + 2 * diameter * column, y + 2 * diameter * row)
            relief.lay(hole, at, colour=(0.09, 0.09, 0.1), lift=-diameter * 0.5, gloss=0.05)


def _ruler(relief: Relief, room: tuple[float, float, float, float], unit: float) -> None:
    x, y, w, _ = room
    for index in range(int(w / (1.5 * unit))):
        length = (5.0 if index % 5 == 0 else 3.0) * unit
        relief.lay(box(max(1, 0.3 * unit), length), (x + 1.5 * unit * index, y), colour=_INK)


def _boss(relief: Relief, rng: np.random.Generator, room: tuple[float, float, float, float], unit: float) -> None:
    x, y, w, h = room
    size = min(w, h) * rng.uniform(0.6, 0.95)
    at = (x + (w - size) / 2, y + (h - size) / 2)
    ring = disc(size)
    relief.lay(ring, at, colour=(0.66, 0.66, 0.68), lift=2.0 * unit, gloss=0.7)
    inner = disc(size * 0.62)
    offset = size * 0.19
    relief.lay(inner, (at[0] + offset, at[1] + offset), colour=(0.3, 0.31, 0.33), lift=-1.4 * unit, gloss=0.3)
    knob = disc(size * 0.3)
    lift = dome((knob.shape[1], knob.shape[0]), size * 0.08)
    relief.lay(knob, (at[0] + size * 0.35, at[1] + size * 0.35), colour=(0.62, 0.1, 0.09), lift=lift, gloss=0.6)


def _label(relief: Relief, rng: np.random.Generator, unit: float) -> None:
    w, h = 30 * unit, 15 * unit
    x = rng.uniform(0.1, 0.9) * (relief.size_wh[0] - w)
    y = rng.uniform(0.15, 0.85) * (relief.size_wh[1] - h)
    relief.lay(box(w, h, unit), (x, y), colour=(0.86, 0.86, 0.8), lift=0.15 * unit, gloss=0.15)
    ink = np.zeros((round(h), round(w)), np.uint8)
    for line, words in enumerate((f"STATION {int(rng.integers(1, 40)):02d}", f"S/N {int(rng.integers(10**6)):06d}")):
        place = (round(1.5 * unit), round((4 + 4 * line) * unit))
        cv2.putText(ink, words, place, cv2.FONT_HERSHEY_SIMPLEX, unit / 9, 255, max(1, round(unit / 5)), cv2.LINE_AA)
    edge = 1.5 * unit
    while edge < w - 2 * unit:
        bar = float(rng.choice((0.3, 0.6, 0.9))) * unit
        cv2.rectangle(ink, (round(edge), round(9.5 * unit)), (round(edge + bar), round(13.5 * unit)), 255, -1)
        edge += bar + float(rng.choice((0.4, 0.7))) * unit
    relief.lay(ink, (x, y), colour=_INK)


def _hose(relief: Relief, rng: np.random.Generator, unit: float) -> None:
    width, height = relief.size_wh
    knots = np.stack([np.linspace(-0.05, 1.05, 5) * width, rng.uniform(0.05, 0.95, 5) * height], 1)
    steps = np.linspace(0, 4, 160)
    path = np.stack([np.polyval(np.polyfit(np.arange(5), knots[:, axis], 4), steps) for axis in (0, 1)], 1)
    points = [np.round(np.clip(path, -width, 2 * width) * 8).astype(np.int32)]
    thick = rng.uniform(2.0, 3.0) * unit
    body = np.zeros((height, width), np.uint8)
    cv2.polylines(body, points, False, 255, max(2, round(thick)), cv2.LINE_AA, 3)
    inside = np.minimum(cv2.distanceTransform(body, cv2.DIST_L2, 3), thick)
    tube = np.sqrt(inside * (thick - inside)) + 2.2 * unit
    relief.lay(body, (0, 0), colour=_HOSES[int(rng.integers(len(_HOSES)))], level=np.asarray(tube, np.float32), gloss=0.35)
