"""Pictures of a verdict for people: where, how much, against which threshold. Pure.

Colour always means the same: the scale runs from 0 to twice the image threshold and never follows an image, so that two
pictures can be compared and a clean frame stays clean. The colours are matplotlib's plasma (van der Walt and Smith 2015,
perceptually uniform and made to survive colour blindness): at the threshold magenta, which no metal, paper or plastic on a line
is likely to be, over a frame without colour. Outcome is also told by word and shape, and what is not judged by hatching.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from edge import banner
from edge.settings.judging import MaskPolygon
from edge.types import Alignment, Homography, ImageU8, Judgement, MapF32, MaskBool, Outcome, Region

MAX_WIDTH_PX = 1024
_HATCH_RGB = (120, 120, 128)
_COLOURS: ImageU8 = cv2.applyColorMap(np.arange(256, dtype=np.uint8)[None], cv2.COLORMAP_PLASMA)[0, :, ::-1].copy()


@dataclass(frozen=True)
class Scale:
    """The fixed range of scores that the colours span: low is where they start, high where they end."""

    low: float
    high: float

    @classmethod
    def around(cls, threshold: float) -> Scale:
        """0 to twice the threshold; for a threshold that is not positive the same width around it."""
        reach = abs(threshold) or 1.0
        return cls(threshold - reach, threshold + reach)

    def share(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores as 0..1 of the scale, clipped; NaN becomes 1, the worst."""
        share = (scores - np.float32(self.low)) / np.float32(self.high - self.low)
        known = np.nan_to_num(share, nan=1.0, posinf=1.0, neginf=0.0)
        return np.asarray(np.clip(known, 0, 1), np.float32)


@dataclass(frozen=True, eq=False)
class Picture:
    """All that a picture shows. Without map or alignment (UNDECIDED) it shows the frame as it is.

    frame: uint8 HxWx3 RGB or HxW. smoothed: float32 map on its own grid, judged: bool of the same shape. masks: the
    view's polygons. title: one line, such as view and time.
    """

    frame: ImageU8
    judgement: Judgement
    reference_size_wh: tuple[int, int]
    alignment: Alignment | None = None
    smoothed: MapF32 | None = None
    judged: MaskBool | None = None
    map_to_reference: Homography | None = None
    masks: Sequence[MaskPolygon] = ()
    title: str = ""


def overlay(picture: Picture, max_width: int = MAX_WIDTH_PX) -> ImageU8:
    """The frame in reference pixels with the map, its regions and masks, under a header and over a scale bar.

    Returns uint8 HxWx3 RGB, at most max_width wide (at least 320).
    """
    body = paint(picture, max_width)
    if body.shape[1] < 320:
        grown = 320 / body.shape[1]
        body = _resized(body, (320, max(1, round(body.shape[0] * grown))))
    width = body.shape[1]
    parts = [banner.header(picture.judgement, picture.title, width), body]
    if picture.judgement.threshold is not None and picture.smoothed is not None:
        scale = Scale.around(picture.judgement.threshold)
        parts.append(banner.footer(picture.judgement, scale.low, scale.high, _COLOURS, width))
    return np.ascontiguousarray(np.vstack(parts))


def paint(picture: Picture, max_width: int = MAX_WIDTH_PX) -> ImageU8:
    """The same without header and scale bar: exactly the reference's area, scaled down to max_width where it is wider."""
    frame = cv2.cvtColor(picture.frame, cv2.COLOR_GRAY2RGB) if picture.frame.ndim == 2 else picture.frame
    alignment = picture.alignment
    if alignment is None or not alignment.trusted:
        scale = min(1.0, max_width / frame.shape[1])
        return _resized(frame, (max(1, round(frame.shape[1] * scale)), max(1, round(frame.shape[0] * scale))))
    scale = min(1.0, max_width / picture.reference_size_wh[0])
    size_wh = (max(1, round(picture.reference_size_wh[0] * scale)), max(1, round(picture.reference_size_wh[1] * scale)))
    to_display = _scaling(picture.reference_size_wh, size_wh)
    canvas = _warped_frame(frame, to_display @ alignment.frame_to_reference, size_wh)
    _paint_masks(canvas, picture.masks)
    if picture.smoothed is not None and picture.map_to_reference is not None and picture.judgement.threshold is not None:
        map_to_display = to_display @ picture.map_to_reference
        judged = np.ones(picture.smoothed.shape, np.bool_) if picture.judged is None else picture.judged
        canvas = _blended(canvas, picture.smoothed, judged, map_to_display, Scale.around(picture.judgement.threshold))
        _outline(canvas, picture, judged, to_display)
    _name_masks(canvas, picture.masks)
    _number(canvas, picture.judgement, to_display)
    return canvas


def encode(image: ImageU8, kind: Literal["png", "jpeg"], quality: int = 85) -> bytes:
    """Uint8 HxWx3 RGB or HxW as a PNG or JPEG file; quality 1..100 is for JPEG only."""
    pixels = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.ndim == 3 else image
    if kind == "png":
        ok, data = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 3])
    else:
        ok, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not ok:
        raise ValueError(f"an image of {image.dtype} {image.shape} cannot be written as {kind}")
    return bytes(data)


def _resized(image: ImageU8, size_wh: tuple[int, int]) -> ImageU8:
    smaller = size_wh[0] < image.shape[1]
    resized: ImageU8 = cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
    return resized


def _scaling(from_wh: tuple[int, int], to_wh: tuple[int, int]) -> Homography:
    """The homography of a resize: pixel edges stay edges, so centres move by half a pixel."""
    x, y = to_wh[0] / from_wh[0], to_wh[1] / from_wh[1]
    return np.array([[x, 0, x / 2 - 0.5], [0, y, y / 2 - 0.5], [0, 0, 1]])


def _warped_frame(frame: ImageU8, frame_to_display: Homography, size_wh: tuple[int, int]) -> ImageU8:
    """The frame on the display's grid, reduced before it is warped (no aliasing); what it does not show is hatched."""
    height, width = frame.shape[:2]
    grow = float(np.sqrt(abs(np.linalg.det(frame_to_display[:2, :2]))))
    if grow < 0.75:
        small_wh = (max(1, round(width * grow)), max(1, round(height * grow)))
        frame_to_display = frame_to_display @ np.linalg.inv(_scaling((width, height), small_wh))
        frame = _resized(frame, small_wh)
    seen = np.full(frame.shape[:2], 255, np.uint8)
    covered = cv2.warpPerspective(seen, frame_to_display, size_wh, flags=cv2.INTER_NEAREST) > 0
    canvas = cv2.warpPerspective(frame, frame_to_display, size_wh, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    if not covered.all():
        empty = np.where(_stripes(size_wh, 12, -1)[..., None], np.uint8(70), np.uint8(40)).astype(np.uint8)
        canvas = np.where(covered[..., None], canvas, empty)
    return np.ascontiguousarray(canvas, np.uint8)


def _stripes(size_wh: tuple[int, int], step: int, slope: int) -> MaskBool:
    """Diagonal lines, `step` pixels apart; slope 1 falls, -1 rises."""
    x, y = np.arange(size_wh[0])[None], np.arange(size_wh[1])[:, None]
    lines: MaskBool = (x - slope * y) % step < 2
    return lines


def _paint_masks(canvas: ImageU8, masks: Sequence[MaskPolygon]) -> None:
    """Thin hatching and a dashed outline over what is not judged; the picture below stays readable."""
    height, width = canvas.shape[:2]
    area = np.zeros((height, width), np.uint8)
    outlines = [np.array(mask.points) * (width, height) - 0.5 for mask in masks if mask.enabled]
    if not outlines:
        return
    for corners in outlines:
        cv2.fillPoly(area, [np.round(corners * 16).astype(np.int32)], 1, shift=4)
    hatched = (area > 0) & _stripes((width, height), 9, 1)
    canvas[hatched] = (canvas[hatched] * 0.45 + np.array(_HATCH_RGB) * 0.55).astype(np.uint8)
    for corners in outlines:
        _dashes(canvas, corners)


def _name_masks(canvas: ImageU8, masks: Sequence[MaskPolygon]) -> None:
    height, width = canvas.shape[:2]
    for mask in masks:
        if mask.enabled:
            near = (np.array(mask.points) * (width, height)).min(axis=0)
            at = np.clip(near, 2, (max(2, width - 40), max(2, height - 18))).astype(int)
            banner.text_on_box(canvas, mask.name, (int(at[0]) + 3, int(at[1]) + 13), 0.42, banner.WHITE)


def _dashes(canvas: ImageU8, corners: NDArray[np.float64]) -> None:
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        length = float(np.hypot(*(end - start)))
        for at in np.arange(0, max(length, 1.0), 8.0):
            a, b = (start + (end - start) * (min(part, length) / max(length, 1.0)) for part in (at, at + 4))
            cv2.line(canvas, _point(a), _point(b), (200, 200, 205), 1, cv2.LINE_AA)


def _blended(canvas: ImageU8, smoothed: MapF32, judged: MaskBool, map_to_display: Homography, scale: Scale) -> ImageU8:
    """Colours over a frame without colour: clear below half the threshold, ever more solid above it."""
    shown = np.where(judged, scale.share(smoothed), np.float32(0))
    share = cv2.warpPerspective(shown, map_to_display, (canvas.shape[1], canvas.shape[0]), flags=cv2.INTER_LINEAR)
    grey = cv2.cvtColor(cv2.cvtColor(canvas, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    canvas = cv2.addWeighted(canvas, 0.35, grey, 0.65, 0)
    left, top, width, height = cv2.boundingRect((share > 0.25).astype(np.uint8))
    if width and height:
        part = np.s_[top : top + height, left : left + width]
        alpha = np.clip((share[part] - 0.25) * 4, 0, 1)[..., None] * np.float32(0.55)
        coloured = _COLOURS[np.round(share[part] * 255).astype(np.uint8)].astype(np.float32)
        canvas[part] += np.round((coloured - canvas[part]) * alpha).astype(np.int16).astype(np.uint8)
    return np.asarray(canvas, np.uint8)


def _outline(canvas: ImageU8, picture: Picture, judged: MaskBool, to_display: Homography) -> None:
    """Contours of the regions, black under white, so that they show on every ground."""
    judgement = picture.judgement
    if not judgement.regions or picture.smoothed is None or picture.map_to_reference is None:
        return
    listed = np.zeros(canvas.shape[:2], np.uint8)
    for region in judgement.regions:
        left, top, right, bottom = _edges(region, to_display)
        listed[max(0, top - 1) : bottom + 2, max(0, left - 1) : right + 2] = 1
    level = min(judgement.pixel_threshold or 0.0, *(region.peak for region in judgement.regions))
    above = (judged & (picture.smoothed >= level)).astype(np.uint8) * 255
    size_wh = (canvas.shape[1], canvas.shape[0])
    raised = cv2.warpPerspective(above, to_display @ picture.map_to_reference, size_wh, flags=cv2.INTER_LINEAR)
    contours, _ = cv2.findContours((raised > 127).astype(np.uint8) & listed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(canvas, contours, -1, banner.BLACK, 3, cv2.LINE_AA)
    cv2.drawContours(canvas, contours, -1, banner.WHITE, 1, cv2.LINE_AA)


def _edges(region: Region, to_display: Homography) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of a region's box in display pixels."""
    box = region.box
    near = to_display @ (box.x - 0.5, box.y - 0.5, 1)
    far = to_display @ (box.x + box.width - 0.5, box.y + box.height - 0.5, 1)
    return round(float(near[0])), round(float(near[1])), round(float(far[0])), round(float(far[1]))


def _number(canvas: ImageU8, judgement: Judgement, to_display: Homography) -> None:
    """Brackets around the regions of a FAIL, numbered as in the verdict's list; the tenth and later only bracketed."""
    if judgement.outcome is not Outcome.FAIL:
        return
    height, width = canvas.shape[:2]
    for number, region in reversed(list(enumerate(judgement.regions, 1))):
        left, top, right, bottom = _edges(region, to_display)
        left, top = max(1, left - 5), max(1, top - 5)
        right, bottom = min(width - 2, right + 5), min(height - 2, bottom + 5)
        for colour, thickness in ((banner.BLACK, 4), (banner.OUTCOME_RGB[Outcome.FAIL], 2)):
            _brackets(canvas, (left, top, right, bottom), colour, thickness)
        if number <= 9:
            banner.text_on_box(canvas, str(number), (max(2, left - 2), top - 5 if top > 20 else bottom + 17), 0.5, banner.WHITE)


def _brackets(canvas: ImageU8, edges: tuple[int, int, int, int], colour: banner.Colour, thickness: int) -> None:
    left, top, right, bottom = edges
    arm = max(4, min(right - left, bottom - top) // 4)
    for x, y, dx, dy in ((left, top, 1, 1), (right, top, -1, 1), (right, bottom, -1, -1), (left, bottom, 1, -1)):
        cv2.line(canvas, (x, y), (x + dx * arm, y), colour, thickness, cv2.LINE_AA)
        cv2.line(canvas, (x, y), (x, y + dy * arm), colour, thickness, cv2.LINE_AA)


def _point(xy: NDArray[np.float64]) -> tuple[int, int]:
    return round(float(xy[0])), round(float(xy[1]))
