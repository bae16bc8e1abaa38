"""Whether a frame is a picture that is there already: the same exposure, copied, moved or saved again by another program."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.collect.condition import noise_of
from edge.types import Homography, ImageU8, MaskBool

TILE_PX = 24
TILES = 100
TRIMMED = 0.95  # share of the pixels that counts: what lies above is an edge that the alignment missed by a hair
TRIMMED_POWER = 0.759  # mean square of a standard normal within its closest 95 %
STILL_PX = 0.15
MIN_SEEN = 0.5  # of the compared pixels must be in both frames


@dataclass(frozen=True, eq=False)
class Print:
    """What is kept of a frame to recognise it: small tiles of its own pixels, spread over the judged area.

    places: float64 3xN, homogeneous pixel positions in this frame. values: float32 N, grey. noise: grey levels.
    """

    name: str
    frame_to_reference: Homography
    places: NDArray[np.float64]
    values: NDArray[np.float32]
    noise: float


@dataclass(frozen=True)
class Nearest:
    """The stored frame that is most like a new one, once aligned and given the best gain and offset.

    distance: root mean square difference in units of the stored frame's noise: sqrt(2) for two exposures of one still
    scene. moved: the new frame had to be interpolated, which takes up to half of its noise away (then at least 1.1).
    """

    name: str
    distance: float
    moved: bool


def fingerprint(name: str, image: ImageU8, frame_to_reference: Homography, judged: MaskBool) -> Print:
    """Take the tiles: uint8 image HxWx3 RGB or HxW; judged: bool HxW of the reference."""
    grey = _grey(image)
    height, width = grey.shape
    back = np.linalg.inv(frame_to_reference)
    kept = cv2.warpPerspective(judged.astype(np.uint8), back, (width, height), flags=cv2.INTER_NEAREST)
    step = max(TILE_PX, int(np.sqrt(height * width / TILES)))
    tops, lefts = np.arange(0, max(1, height - TILE_PX), step), np.arange(0, max(1, width - TILE_PX), step)
    rows = (tops[:, None] + np.arange(TILE_PX)).ravel()
    columns = (lefts[:, None] + np.arange(TILE_PX)).ravel()
    rows, columns = rows[rows < height], columns[columns < width]
    y, x = np.meshgrid(rows, columns, indexing="ij")
    inside = kept[y, x] > 0
    y, x = y[inside], x[inside]
    places = np.stack([x, y, np.ones_like(x)]).astype(np.float64)
    return Print(name, frame_to_reference, places, grey[y, x], noise_of(image))


def nearest(image: ImageU8, frame_to_reference: Homography, prints: list[Print]) -> Nearest | None:
    """The most similar of the stored frames once both are aligned; None if there is none to compare with."""
    grey = _grey(image)
    back = np.linalg.inv(frame_to_reference)
    found = [near for known in prints if (near := _compared(grey, back @ known.frame_to_reference, known)) is not None]
    return min(found, key=lambda near: near.distance, default=None)


def _compared(grey: NDArray[np.float32], to_new: Homography, known: Print) -> Nearest | None:
    moved = to_new @ known.places
    x, y = moved[0] / moved[2], moved[1] / moved[2]
    shift = max(np.abs(x - known.places[0]).max(initial=0), np.abs(y - known.places[1]).max(initial=0))
    if shift < STILL_PX:  # compared pixel by pixel: an interpolation would take noise away, and with it distance
        x, y = known.places[0], known.places[1]
    inside = (x >= 0) & (y >= 0) & (x <= grey.shape[1] - 1) & (y <= grey.shape[0] - 1)
    if not inside.size or inside.mean() < MIN_SEEN:
        return None
    new, old = _sampled(grey, x[inside], y[inside]), known.values[inside].astype(np.float64)
    spread = float(new.var())
    gain = float(np.mean((new - new.mean()) * (old - old.mean()))) / spread if spread > 0 else 0.0
    difference = np.sort(np.square(old - old.mean() - gain * (new - new.mean())))
    power = float(difference[: max(1, int(TRIMMED * difference.size))].mean()) / TRIMMED_POWER
    return Nearest(known.name, float(np.sqrt(power)) / known.noise, bool(shift >= STILL_PX))


def _sampled(grey: NDArray[np.float32], x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bilinear, in parts: OpenCV's remap takes at most 32767 columns."""
    u, v = x.astype(np.float32)[None], y.astype(np.float32)[None]
    parts = [cv2.remap(grey, u[:, at : at + 32000], v[:, at : at + 32000], cv2.INTER_LINEAR) for at in range(0, u.size, 32000)]
    return np.asarray(np.concatenate(parts, axis=1)[0], np.float64)


def _grey(image: ImageU8) -> NDArray[np.float32]:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.ndim == 3 else image
    return np.asarray(grey, np.float32)
