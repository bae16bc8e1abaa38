"""How sharp and how bright a picture is, beside the reference. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.collect.condition import BRIGHT_GREY, DARK_GREY, Condition, Yardstick
from edge.types import Homography, ImageU8, MaskBool

BINS: Final = 32
LEAST_RECT: Final = 0.02
CALM_SIGMA_PX: Final = 1.0
TOO_SATURATED: Final = 0.005
MOST_BLACK: Final = 0.05
DARK_SHARE, BRIGHT_SHARE = 0.85, 1.18
Advice = Literal["good", "saturated", "black", "darker", "brighter"]


@dataclass(frozen=True)
class Rect:
    """A part of the picture in 0..1 of its width and height."""

    x: float = 0.0
    y: float = 0.0
    width: float = 1.0
    height: float = 1.0

    def __post_init__(self) -> None:
        """ValueError: it is too small or lies outside."""
        values = (self.x, self.y, self.width, self.height)
        if not all(np.isfinite(values)) or min(values) < 0 or min(self.width, self.height) < LEAST_RECT:
            raise ValueError("is too small or lies outside of the picture")
        if self.x + self.width > 1 + 1e-9 or self.y + self.height > 1 + 1e-9:
            raise ValueError("reaches over the edge of the picture")

    def on_frame(self, to_reference: Homography, size_wh: tuple[int, int], frame_wh: tuple[int, int]) -> Rect:
        """Where the same place is on a frame that was not moved: what is interpolated is softer than it was."""
        x, y = (self.x + self.width / 2) * size_wh[0], (self.y + self.height / 2) * size_wh[1]
        over, under, depth = np.linalg.inv(to_reference) @ np.array([x, y, 1.0])
        width, height = (min(1.0, self.width * size_wh[0] / frame_wh[0]), min(1.0, self.height * size_wh[1] / frame_wh[1]))
        left = min(max(0.0, float(over / depth) / frame_wh[0] - width / 2), 1 - width)
        top = min(max(0.0, float(under / depth) / frame_wh[1] - height / 2), 1 - height)
        return Rect(left, top, width, height)

    def cut(self, image: ImageU8) -> ImageU8:
        """That part of an image; at least 8 pixels each way where it has them."""
        height, width = image.shape[:2]
        left, top = round(self.x * width), round(self.y * height)
        right, bottom = (
            max(left + 8, round((self.x + self.width) * width)),
            max(top + 8, round((self.y + self.height) * height)),
        )
        return image[max(0, min(top, height - 8)) : bottom, max(0, min(left, width - 8)) : right]


@dataclass(frozen=True)
class Focus:
    """laplacian: variance of the Laplacian; gradient: mean squared gradient; both in squared grey levels, after a blur that
    noise does not survive.
    """

    laplacian: float
    gradient: float


@dataclass(frozen=True)
class Light:
    """histogram: shares of the pixels by grey level, dark to bright, which add up to 1. saturated, black: shares of the pixels
    in which a colour is at its end, and in which all are. median: grey level.
    """

    histogram: tuple[float, ...]
    saturated: float
    black: float
    median: float


@dataclass(frozen=True)
class Reading:
    """One picture beside the reference. sharpness: share of the reference's, by the Laplacian within the rectangle and for the
    same brightness. texture: over the whole judged area, as `collect` judges it, freed of contrast too; None where the
    reference shows too little or the picture does not register. advice: what to do about the light.
    """

    focus: Focus
    sharpness: float
    texture: float | None
    light: Light
    reference_light: Light
    advice: Advice


def focus_of(image: ImageU8) -> Focus:
    """Of an image, or a part of it."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.ndim == 3 else image
    calm = cv2.GaussianBlur(grey.astype(np.float32), (0, 0), CALM_SIGMA_PX)
    laplacian = cv2.Laplacian(calm, cv2.CV_32F)
    x, y = cv2.Sobel(calm, cv2.CV_32F, 1, 0, scale=1 / 8), cv2.Sobel(calm, cv2.CV_32F, 0, 1, scale=1 / 8)
    return Focus(float(laplacian.var()), float((x * x + y * y).mean()))


def light_of(image: ImageU8) -> Light:
    """Of an image, or a part of it."""
    grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.ndim == 3 else image, np.uint8)
    brightest = image.max(-1) if image.ndim == 3 else image
    counts: NDArray[np.int64] = np.bincount((grey >> 3).ravel(), minlength=BINS)
    shares = counts / max(1, grey.size)
    return Light(
        tuple(float(share) for share in shares),
        float(np.mean(brightest >= BRIGHT_GREY)),
        float(np.mean(brightest <= DARK_GREY)),
        float(np.median(grey)),
    )


def advice_of(light: Light, reference: Light) -> Advice:
    """What to do about the light: what the reference is is right, and nothing may be at its end that was not there."""
    if light.saturated > max(TOO_SATURATED, 2 * reference.saturated):
        return "saturated"
    if light.black > max(MOST_BLACK, 2 * reference.black):
        return "black"
    share = light.median / max(reference.median, 1.0)
    if share < DARK_SHARE:
        return "darker"
    return "brighter" if share > BRIGHT_SHARE else "good"


def read(
    image: ImageU8, reference: ImageU8, rect: Rect, condition: Condition | None = None, on_frame: Rect | None = None
) -> Reading:
    """A picture beside the reference, within the rectangle. condition: of the registered picture, where it is. on_frame: where
    the rectangle lies on the picture, if not at the same place.
    """
    ours, theirs = (on_frame or rect).cut(image), rect.cut(reference)
    mine, others, light, known = focus_of(ours), focus_of(theirs), light_of(ours), light_of(theirs)
    return Reading(
        focus=mine,
        # Twice the light is four times the variance: a dim lamp must not look like a lens out of focus.
        sharpness=mine.laplacian / max(others.laplacian, 1e-6) * (max(known.median, 1.0) / max(light.median, 1.0)) ** 2,
        texture=condition.sharpness if condition is not None else None,
        light=light,
        reference_light=known,
        advice=advice_of(light, known),
    )


def condition_of(image: ImageU8, to_reference: Homography, reference: ImageU8, judged: MaskBool) -> Condition | None:
    """As `lineclear-calibrate collect` judges it; None where the reference shows too little."""
    yardstick = Yardstick(reference, judged)
    return yardstick.measure(image, to_reference) if yardstick.tells_sharpness else None
