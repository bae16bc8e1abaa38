"""How a picture lies on the reference: the station's own alignment with its gates, and where what is left over points."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge import masks, registration
from edge.recipe import Recipe
from edge.registration import warp
from edge.types import Alignment, Gate, Homography, ImageU8, MaskBool

MOST_ARROWS: Final = 90
SIDE_PX: Final = 1280
_WINDOW: Final = (21, 21)
_BACK_PX: Final = 0.2
_FAR_PX: Final = 12.0
_PERCENT: Final = 95


@dataclass(frozen=True)
class Arrow:
    """What is left over at one place of the reference, in its pixels: from there to where the picture shows it."""

    x: float
    y: float
    dx: float
    dy: float


@dataclass(frozen=True, eq=False)
class Check:
    """One picture against the reference. arrows: none where it could not be registered. shift_px, rotation_deg: of the middle
    of the picture, with their signs: right, down, clockwise.
    """

    alignment: Alignment
    arrows: tuple[Arrow, ...]
    shift_px: tuple[float, float]
    rotation_deg: float
    size_wh: tuple[int, int]

    @property
    def left_over_px(self) -> float:
        """The 95th percentile of the arrows' lengths; 0 where there are none."""
        lengths = [float(np.hypot(arrow.dx, arrow.dy)) for arrow in self.arrows]
        return float(np.percentile(lengths, _PERCENT)) if lengths else 0.0


def judged_area(recipe: Recipe) -> MaskBool:
    """Bool HxW of the reference: where the verdict looks."""
    size_wh = (recipe.reference.shape[1], recipe.reference.shape[0])
    return np.asarray(~masks.rasterise(recipe.masks, size_wh), np.bool_)


def check(frame: ImageU8, recipe: Recipe) -> Check:
    """As the station aligns it, from scratch."""
    judged = judged_area(recipe)
    reference = registration.Reference(recipe.reference, recipe.registration, judged)
    alignment = registration.align(frame, reference)
    shift, turn = motion_of(alignment.frame_to_reference, reference.size_wh)
    left = arrows(frame, alignment.frame_to_reference, recipe.reference, judged) if alignment.trusted else ()
    return Check(alignment, left, shift, turn, reference.size_wh)


def motion_of(frame_to_reference: Homography, size_wh: tuple[int, int]) -> tuple[tuple[float, float], float]:
    """How far the picture lies off the reference in the middle: (right, down) in pixels, and clockwise in degrees."""
    back = np.linalg.inv(frame_to_reference)
    x, y = (size_wh[0] - 1) / 2, (size_wh[1] - 1) / 2
    (at_x, at_y), (ahead_x, ahead_y) = _mapped(back, x, y), _mapped(back, x + 1, y)
    return (at_x - x, at_y - y), math.degrees(math.atan2(ahead_y - at_y, ahead_x - at_x))


def arrows(frame: ImageU8, to_reference: Homography, reference: ImageU8, judged: MaskBool) -> tuple[Arrow, ...]:
    """What is left over once the picture lies on the reference, at places with texture; tracked there and back again."""
    size_wh = (reference.shape[1], reference.shape[0])
    laid, outside = warp(frame, to_reference, size_wh)
    scale = min(1.0, SIDE_PX / max(size_wh))
    ours, theirs = _small(reference, scale), _small(laid, scale)
    kept = cv2.resize((judged & outside.astype(bool)).astype(np.uint8), ours.shape[::-1], interpolation=cv2.INTER_NEAREST)
    found = cv2.goodFeaturesToTrack(ours, 4 * MOST_ARROWS, 0.06, max(ours.shape) / 18, mask=kept * 255)
    if found is None:
        return ()
    start = np.asarray(found, np.float32).reshape(-1, 1, 2)
    there, ok, _ = cv2.calcOpticalFlowPyrLK(ours, theirs, start, None, winSize=_WINDOW, maxLevel=1)
    again, ok_back, _ = cv2.calcOpticalFlowPyrLK(theirs, ours, there, None, winSize=_WINDOW, maxLevel=1)
    moved, back = (there - start).reshape(-1, 2), (again - start).reshape(-1, 2)
    sound = (ok.ravel() == 1) & (ok_back.ravel() == 1) & (np.hypot(*back.T) < _BACK_PX) & (np.hypot(*moved.T) < _FAR_PX)
    places = start.reshape(-1, 2)[sound] / scale
    return tuple(
        Arrow(float(x), float(y), float(dx), float(dy))
        for (x, y), (dx, dy) in zip(places[:MOST_ARROWS], moved[sound][:MOST_ARROWS] / scale, strict=True)
    )


def worst(gates: tuple[Gate, ...]) -> tuple[Gate, ...]:
    """The gates, those that are broken first."""
    return tuple(sorted(gates, key=lambda gate: gate.passed))


def _mapped(matrix: NDArray[np.floating[Any]], x: float, y: float) -> tuple[float, float]:
    over, under, depth = (float(value) for value in matrix @ np.array([x, y, 1.0]))
    return over / depth, under / depth


def _small(image: ImageU8, scale: float) -> ImageU8:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.ndim == 3 else image
    if scale == 1.0:
        return np.ascontiguousarray(grey, np.uint8)
    return np.asarray(cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
