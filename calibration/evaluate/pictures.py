"""A frame that was judged wrong, in panels: input, reference, map, truth, prediction, overlay. All in the frame's pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from edge.heatmap import Scale, encode
from edge.types import ImageU8, MapF32, MaskBool

PANEL_BYTES_PER_PX: Final = 0.22  # JPEG at this quality, of real frames
WIDTHS_PX: Final = (420, 300, 200, 140)
QUALITY: Final = 78
TRUTH_RGB: Final = (0, 205, 255)
PREDICTION_RGB: Final = (255, 255, 255)
_UNJUDGED_RGB: Final = (96, 96, 104)
_PLASMA: ImageU8 = cv2.applyColorMap(np.arange(256, dtype=np.uint8)[None], cv2.COLORMAP_PLASMA)[0, :, ::-1].copy()


@dataclass(frozen=True, eq=False)
class Scene:
    """What is shown. frame, reference: uint8 RGB or grey. map: float32, reduced, NaN where not judged, None of a frame that
    was not judged at all or of a bundle that gives no map. truth: bool, reduced, None where nobody labelled it.
    image_level, pixel_level: the thresholds, the latter None where there is no map.
    """

    frame: ImageU8
    reference: ImageU8
    map: MapF32 | None
    truth: MaskBool | None
    image_level: float
    pixel_level: float | None


def width_for(frames: int, frame_wh: tuple[int, int], budget_bytes: int) -> int:
    """How wide a panel may be so that six of each of so many frames fit the budget; 0 if none does."""
    for width in WIDTHS_PX:
        width_px = min(width, frame_wh[0])
        if frames * 6 * width_px * (width_px * frame_wh[1] / frame_wh[0]) * PANEL_BYTES_PER_PX <= budget_bytes:
            return width_px
    return 0


def panels(scene: Scene, width: int) -> tuple[tuple[str, bytes], ...]:
    """(caption, JPEG) of each panel, `width` pixels wide."""
    height = max(1, round(width * scene.frame.shape[0] / scene.frame.shape[1]))
    size = (width, height)
    frame = _fitted(scene.frame, size)
    shown = [("input", frame), ("reference", _fitted(scene.reference, size))]
    truth = None if scene.truth is None else _fitted_mask(scene.truth, size)
    if scene.map is not None:
        shown.append(("map", _painted(scene.map, scene.image_level, size)))
    if truth is not None:
        shown.append(("truth", _white(truth)))
    if scene.map is not None and scene.pixel_level is not None:
        found = _fitted_mask(scene.map > scene.pixel_level, size)
        shown.append(("prediction", _white(found)))
        shown.append(("overlay", _overlay(frame, scene.map, scene.image_level, truth, found)))
    return tuple((caption, encode(image, "jpeg", QUALITY)) for caption, image in shown)


def _fitted(image: ImageU8, size: tuple[int, int]) -> ImageU8:
    colour = cv2.cvtColor(image, cv2.COLOR_GRAY2RGB) if image.ndim == 2 else image
    smaller = size[0] < image.shape[1]
    return np.asarray(cv2.resize(colour, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR), np.uint8)


def _fitted_mask(mask: MaskBool, size: tuple[int, int]) -> MaskBool:
    """A pixel is set where any of what it stands for is, so that a small region does not vanish."""
    grey = mask.astype(np.uint8) * 255
    smaller = size[0] < mask.shape[1]
    fitted = cv2.resize(grey, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_NEAREST)
    return np.asarray(fitted > (40 if smaller else 127))


def _white(mask: MaskBool) -> ImageU8:
    return np.repeat((mask.astype(np.uint8) * 255)[..., None], 3, axis=2)


def _painted(scores: MapF32, level: float, size: tuple[int, int]) -> ImageU8:
    """The map in the station's own colours: 0 to twice the image threshold, grey where not judged."""
    share = Scale.around(level).share(np.nan_to_num(scores))
    colours: ImageU8 = _PLASMA[np.round(share * 255).astype(np.intp)]
    colours[np.isnan(scores)] = _UNJUDGED_RGB
    return _fitted(colours, size)


def _overlay(frame: ImageU8, scores: MapF32, level: float, truth: MaskBool | None, found: MaskBool) -> ImageU8:
    size = (frame.shape[1], frame.shape[0])
    grey = np.repeat(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2).astype(np.float32)
    share = Scale.around(level).share(np.nan_to_num(scores))
    weight = cv2.resize(share, size, interpolation=cv2.INTER_LINEAR)[..., None] * np.float32(0.75)
    painted = _painted(scores, level, size).astype(np.float32)
    canvas = np.ascontiguousarray(np.clip(grey * (1 - weight) + painted * weight, 0, 255).astype(np.uint8))
    thickness = 2 if size[0] >= 280 else 1  # JPEG keeps half of the colour's resolution
    for mask, colour in ((found, PREDICTION_RGB), (truth, TRUTH_RGB)):
        if mask is not None:
            outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
            cv2.drawContours(canvas, outlines, -1, colour, thickness, cv2.LINE_AA)
    return canvas
