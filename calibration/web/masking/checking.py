"""Would these masks hide what must be found? Each known bad frame is judged with them, and looked at under them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from calibration.progress import Progress
from calibration.web.masking.candidate import with_masks
from calibration.web.masking.draft import hash_of_masks
from edge import masks as rasters
from edge.bundle import Bundle
from edge.engines.base import Engine
from edge.pipeline import Judged, ViewPipeline
from edge.recipe import Recipe
from edge.settings.judging import MaskPolygon
from edge.types import Alignment, ImageU8, MaskBool, Outcome

UNDER_A_MASK: Final = 0.5
Box = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class KnownBad:
    """A frame on which something is that must be found. name: of the challenge's file, or the result's id. note: what is on
    it, for people. marked: bool HxW of the frame, where a person drew it; None where nobody did.
    """

    name: str
    image: ImageU8
    note: str = ""
    marked: MaskBool | None = None
    is_challenge: bool = True


@dataclass(frozen=True)
class Tried:
    """One known bad frame under the masks. before: without any mask; score None: none could be taken. covered: the share of
    its mark that is masked. masks: those that lie on it. boxes: its marks, left, top, width, height in 0..1 of the
    reference. detail: the station's reason where it could not decide.
    """

    name: str
    note: str
    is_challenge: bool
    before: str
    after: str
    score_before: float | None
    score_after: float | None
    threshold: float | None
    covered: float
    masks: tuple[str, ...]
    boxes: tuple[Box, ...]
    detail: str = ""

    @property
    def is_found(self) -> bool:
        """The view still fails on it."""
        return self.after == Outcome.FAIL.value

    @property
    def is_hidden(self) -> bool:
        """A defect would be missed, or what shows it lies under a mask although the frame fails by something else."""
        return not self.is_found or self.covered >= UNDER_A_MASK


@dataclass(frozen=True)
class Check:
    """What came of it. masks: the hash of the enabled masks that were tried. unusable: frames that could not be tried, a line
    each.
    """

    view: str
    version: int
    masks: str
    frames: tuple[Tried, ...]
    unusable: tuple[str, ...] = ()

    @property
    def hidden(self) -> tuple[Tried, ...]:
        """The frames whose defect these masks would hide."""
        return tuple(frame for frame in self.frames if frame.is_hidden)


def check_masks(
    recipe: Recipe,
    masks: tuple[MaskPolygon, ...],
    frames: Sequence[KnownBad],
    open_engine: Callable[[Bundle], Engine],
    camera_hash: str | None = None,
    progress: Progress | None = None,
    unusable: tuple[str, ...] = (),
) -> Check:
    """Judge each frame without masks and with these, on the station's own path and with the thresholds in force.

    Raises RecipeError (masks that the bundle does not heed), EngineFault, and what `progress` raises.
    """
    tried: list[Tried] = []
    if frames:
        with open_engine(recipe.bundle) as engine:
            bare = ViewPipeline(with_masks(recipe, ()), engine, camera_hash)
            masked = ViewPipeline(with_masks(recipe, masks), engine, camera_hash)
            for done, frame in enumerate(frames, 1):
                tried.append(_try(frame, bare, masked, masks))
                if progress is not None:
                    progress(done, len(frames), frame.name)
    return Check(recipe.view, recipe.version, hash_of_masks(masks), tuple(tried), unusable)


def _try(frame: KnownBad, bare: ViewPipeline, masked: ViewPipeline, masks: tuple[MaskPolygon, ...]) -> Tried:
    before, after = bare.judge(frame.image), masked.judge(frame.image)
    mark = _mark(frame, before, bare)
    covered, names = (0.0, ()) if mark is None else _under(mark, bare, masked, masks)
    reason = after.judgement.reason
    return Tried(
        name=frame.name,
        note=frame.note,
        is_challenge=frame.is_challenge,
        before=before.judgement.outcome.value,
        after=after.judgement.outcome.value,
        score_before=before.judgement.score,
        score_after=after.judgement.score,
        threshold=after.judgement.threshold,
        covered=covered,
        masks=names,
        boxes=_boxes(mark, bare) if mark is not None else (),
        detail=f"{reason.code.value}: {reason.detail}" if reason is not None else "",
    )


def _mark(frame: KnownBad, before: Judged, bare: ViewPipeline) -> MaskBool | None:
    """Where the defect is, on the map's grid: as a person drew it, else the area of the map that speaks loudest."""
    alignment, measurement = before.alignment, before.measurement
    if frame.marked is not None and alignment is not None and alignment.trusted:
        return _drawn(frame.marked, alignment, bare)
    limits = bare.limits
    if measurement is None or measurement.smoothed is None or limits is None or limits.pixel_threshold is None:
        return None
    above = (measurement.smoothed > limits.pixel_threshold) & measurement.judged
    if before.judgement.outcome is not Outcome.FAIL or not above.any():
        return None
    _, labels = cv2.connectedComponents(above.view(np.uint8), connectivity=8)
    loudest = np.unravel_index(int(np.argmax(np.where(above, measurement.smoothed, -np.inf))), above.shape)
    mark: MaskBool = labels == labels[loudest]
    return mark


def _drawn(marked: MaskBool, alignment: Alignment, bare: ViewPipeline) -> MaskBool | None:
    height, width = marked.shape
    drawn = marked.astype(np.uint8)
    matrix = bare.reference_to_map @ alignment.frame_to_reference
    grid_wh = bare.judged_area.shape[1], bare.judged_area.shape[0]
    if min(grid_wh[0] / width, grid_wh[1] / height) < 1:  # what is small must not fall between the map's pixels
        drawn = np.asarray(cv2.dilate(drawn, np.ones((3, 3), np.uint8), iterations=max(1, round(width / grid_wh[0] / 2))))
    mark: MaskBool = cv2.warpPerspective(drawn, matrix, grid_wh, flags=cv2.INTER_NEAREST) > 0
    return mark if mark.any() else None


def _under(
    mark: MaskBool, bare: ViewPipeline, masked: ViewPipeline, masks: tuple[MaskPolygon, ...]
) -> tuple[float, tuple[str, ...]]:
    """How much of the mark is masked, and by which masks."""
    hidden = mark & bare.judged_area & ~masked.judged_area
    share = int(np.count_nonzero(hidden)) / max(1, int(np.count_nonzero(mark & bare.judged_area)))
    grid_wh = mark.shape[1], mark.shape[0]
    names = tuple(
        mask.name
        for mask in masks
        if mask.enabled and (rasters.rasterise((mask,), bare.reference_size_wh, grid_wh, bare.reference_to_map) & mark).any()
    )
    return share, names


def _boxes(mark: MaskBool, bare: ViewPipeline) -> tuple[Box, ...]:
    """The mark's areas as boxes on the reference, the largest ten."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(mark.view(np.uint8), connectivity=8)
    found = sorted(stats[1:].tolist(), key=lambda stat: -stat[cv2.CC_STAT_AREA])[:10]
    width, height = bare.reference_size_wh
    boxes = []
    for left, top, wide, high, _ in found:
        corners = np.array([[[left - 0.5, top - 0.5]], [[left + wide - 0.5, top + high - 0.5]]], np.float64)
        (x0, y0), (x1, y1) = cv2.perspectiveTransform(corners, bare.map_to_reference).reshape(2, 2)
        boxes.append(((x0 + 0.5) / width, (y0 + 0.5) / height, (x1 - x0) / width, (y1 - y0) / height))
    return tuple((float(x), float(y), float(wide), float(high)) for x, y, wide, high in boxes)
