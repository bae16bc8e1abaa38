"""The pictures of the viewer: frame, reference and heat map, all on the reference's pixels so that they lie on each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np

from calibration.web.clearance.judged_by import JudgedBy
from edge import scoring
from edge.archive import StoredMap
from edge.heatmap import Scale, encode
from edge.registration import scaling, warp
from edge.types import Homography, ImageU8, MapF32

SMALL_PX: Final = 1024
"""Width of what is shown first, and of the heat map, which is no sharper than that."""
FULL_PX: Final = 4096
_QUALITY: Final = 88
_COLOURS: ImageU8 = np.ascontiguousarray(
    cv2.applyColorMap(np.arange(256, dtype=np.uint8)[None], cv2.COLORMAP_PLASMA)[0], np.uint8
)
"""BGR of plasma, the table of the station's own overlays (edge.heatmap); a test holds them together."""


@dataclass(frozen=True, eq=False)
class Placed:
    """Where a result's frame lies. to_reference: frame pixels to reference pixels; None: it could not be registered."""

    to_reference: Homography | None


def placed(result: Mapping[str, Any]) -> Placed:
    """The alignment of a `lineclear/result/1` body, as far as the station trusted it."""
    alignment = result.get("alignment")
    if not isinstance(alignment, Mapping) or not alignment.get("trusted"):
        return Placed(None)
    try:
        matrix = np.asarray(alignment["frameToReference"], np.float64)
    except (KeyError, TypeError, ValueError):
        return Placed(None)
    sound = matrix.shape == (3, 3) and bool(np.isfinite(matrix).all()) and abs(float(np.linalg.det(matrix))) > 1e-9
    return Placed(matrix if sound else None)


def shown_size(size_wh: tuple[int, int], width: int) -> tuple[int, int]:
    """A size of the same shape, at most `width` wide and never larger than it is."""
    scale = min(1.0, width / size_wh[0])
    return max(1, round(size_wh[0] * scale)), max(1, round(size_wh[1] * scale))


def frame_jpeg(frame: ImageU8, place: Placed, size_wh: tuple[int, int], width: int) -> bytes:
    """The frame as it lies on the reference (size_wh), or as it was grabbed where it could not be registered."""
    if place.to_reference is None:
        return encode(_resized(frame, shown_size((frame.shape[1], frame.shape[0]), width)), "jpeg", _QUALITY)
    laid, _ = warp(frame, place.to_reference, size_wh)
    return encode(_resized(laid, shown_size(size_wh, width)), "jpeg", _QUALITY)


def reference_jpeg(judged_by: JudgedBy, width: int) -> bytes:
    """The reference. RecipeError, BundleError: it cannot be read."""
    return encode(_resized(judged_by.reference(), shown_size(judged_by.size_wh, width)), "jpeg", _QUALITY)


def heat_png(stored: StoredMap, judged_by: JudgedBy, threshold: float) -> bytes:
    """The map as colours over nothing: clear below half the threshold, solid from three quarters of the scale's middle on.

    The scale is that of every overlay (0 to twice the threshold), so the same colour means the same in any picture.
    """
    size_wh = shown_size(judged_by.size_wh, SMALL_PX)
    to_shown = scaling(judged_by.size_wh, size_wh) @ stored.map_to_reference
    smoothed = smoothed_of(stored, judged_by)
    share = np.where(stored.judged, Scale.around(threshold).share(smoothed), np.float32(0))
    laid = np.clip(cv2.warpPerspective(share, to_shown, size_wh, flags=cv2.INTER_LINEAR), 0, 1)
    alpha = np.clip((laid - 0.25) * 4, 0, 1)
    bgra = np.dstack((_COLOURS[np.round(laid * 255).astype(np.uint8)], np.round(alpha * 255).astype(np.uint8)))
    bgra[bgra[..., 3] == 0] = 0
    ok, data = cv2.imencode(".png", bgra, [cv2.IMWRITE_PNG_COMPRESSION, 6])
    if not ok:
        raise ValueError(f"a heat map of {size_wh} cannot be written")
    return bytes(data)


def smoothed_of(stored: StoredMap, judged_by: JudgedBy) -> MapF32:
    """The map as it was judged: smoothed by the recipe's rule, within what was judged."""
    return scoring.smooth(stored.scores, stored.judged, judged_by.rule)


def _resized(image: ImageU8, size_wh: tuple[int, int]) -> ImageU8:
    if size_wh == (image.shape[1], image.shape[0]):
        return image
    return np.asarray(cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA), np.uint8)
