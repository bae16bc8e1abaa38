"""Where the axis of a symmetric part is: the point about which it may be turned without being moved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.symmetry.ring import Ring, grey
from edge.types import ImageU8

WORK_RADIUS_PX = 160.0
MARGIN = 0.2
PASSES = 6
ENOUGH_PX = 0.02  # working pixels
MOST_TURNS = 12
LEAST_LEVER = 0.5  # a small turn says little of where its centre is


@dataclass(frozen=True)
class Found:
    """The axis (x, y) in image pixels. spread_px: how far the turns disagree about it (median distance)."""

    centre: tuple[float, float]
    spread_px: float


def blob(image: ImageU8, kind: Literal["dark", "bright"], search: Ring, least_px2: float) -> Ring | None:
    """The largest dark or bright area (holes filled, Otsu's threshold) of the square around `search`: its centroid and how
    far it reaches from there. It must cover at least least_px2 and not touch the square's edge; None if none does.
    """
    half = search.outer_px
    left, top = (max(0, int(np.floor(place - half))) for place in search.centre)
    part = grey(image)[top : max(0, int(search.centre[1] + half) + 1), left : max(0, int(search.centre[0] + half) + 1)]
    if min(part.shape) < 3:
        return None
    # Small: the symmetry finds the rest, and Otsu on megapixels costs more than it tells.
    scale = min(1.0, 2 * WORK_RADIUS_PX / max(part.shape))
    small = cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    flag = cv2.THRESH_BINARY_INV if kind == "dark" else cv2.THRESH_BINARY
    _, mask = cv2.threshold(small, 0, 255, flag | cv2.THRESH_OTSU)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    inside = [contour for contour in contours if _is_inside(contour, mask.shape)]
    best = max(inside, key=cv2.contourArea, default=None)
    if best is None or cv2.contourArea(best) < max(1.0, least_px2 * scale**2):
        return None
    moments = cv2.moments(best)
    x, y = moments["m10"] / moments["m00"], moments["m01"] / moments["m00"]
    reach = float(np.linalg.norm(best[:, 0] - (x, y), axis=1).max()) + 0.5
    return Ring(((x + 0.5) / scale - 0.5 + left, (y + 0.5) / scale - 0.5 + top), reach / scale)


def _is_inside(contour: NDArray[np.int32], shape: tuple[int, ...]) -> bool:
    x, y, width, height = cv2.boundingRect(contour)
    return bool(x > 0 and y > 0 and x + width < shape[1] and y + height < shape[0])


def find_centre(image: ImageU8, ring: Ring, fold: int) -> Found:
    """The axis of an n-fold part near the ring's centre, to about a tenth of a working pixel (radius 160 at most).

    The part, turned about a point that is e off its axis, is the same part moved by (R - 1) e. Each turn's move is
    measured by phase correlation (Kuglin and Hines 1975) and gives its own e; their median is taken, so that damage does
    not draw it. Repeated from there, since the window that hides the surroundings holds the picture back a little.
    """
    scale = min(1.0, WORK_RADIUS_PX / ring.outer_px)
    side = 2 * int(np.ceil(ring.outer_px * scale * (1 + MARGIN))) + 1
    middle = (side - 1) / 2
    window = _window(side, ring.outer_px * scale, ring.inner_px * scale)
    source = grey(image)
    if scale < 1:  # antialiased once; every pass then cuts its piece out of the small one
        source = np.asarray(cv2.resize(source, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
    factors = source.shape[1] / image.shape[1], source.shape[0] / image.shape[0]
    centre = np.array([(place + 0.5) * factor - 0.5 for place, factor in zip(ring.centre, factors, strict=True)])
    spread = 0.0
    for _ in range(PASSES):
        shift = np.array([[1, 0, middle - centre[0]], [0, 1, middle - centre[1]]])
        piece = cv2.warpAffine(source, shift, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        steps = _steps(np.asarray(piece, np.float32), window, fold)
        step = np.median(steps, axis=0)
        spread = float(np.median(np.linalg.norm(steps - step, axis=1)))
        centre = centre + step
        if np.linalg.norm(step) < ENOUGH_PX:
            break
    x, y = ((place + 0.5) / factor - 0.5 for place, factor in zip(centre, factors, strict=True))
    return Found((float(x), float(y)), spread / min(factors))


def _steps(piece: NDArray[np.float32], window: NDArray[np.float32], fold: int) -> NDArray[np.float64]:
    """What each of some turns says of the way from the middle to the axis, float64 Nx2."""
    middle = (piece.shape[0] - 1) / 2
    still = (piece - float((piece * window).sum() / window.sum())) * window
    steps = []
    for turns in _turns(fold):
        angle = 2 * np.pi * turns / fold
        rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        about = np.column_stack((rotation, middle - rotation @ (middle, middle)))
        turned = cv2.warpAffine(still, about, piece.shape[::-1], flags=cv2.INTER_LINEAR)
        # Copies: OpenCV may write into its inputs.
        moved, _ = cv2.phaseCorrelate(still.copy(), turned.copy())
        steps.append(np.linalg.solve(rotation - np.eye(2), np.array(moved)))
    return np.array(steps)


def _turns(fold: int) -> list[int]:
    """At most a dozen turns, spread over all, none so small that its centre is uncertain."""
    useful = [turns for turns in range(1, fold) if 2 * np.sin(np.pi * turns / fold) >= LEAST_LEVER]
    chosen = np.unique(np.linspace(0, len(useful) - 1, min(MOST_TURNS, len(useful))).round().astype(int))
    return [useful[index] for index in chosen]


def _window(side: int, outer_px: float, inner_px: float) -> NDArray[np.float32]:
    """1 on the ring, falling to 0 over a tenth of its radius on both sides."""
    away = np.hypot(*(np.indices((side, side)) - (side - 1) / 2))
    soft = 0.1 * outer_px
    outer = np.clip((outer_px + soft - away) / soft, 0, 1)
    inner = np.clip((away - inner_px + soft) / soft, 0, 1) if inner_px > 0 else np.ones_like(away)
    rise = outer * inner
    return np.asarray(rise * rise * (3 - 2 * rise), np.float32)
