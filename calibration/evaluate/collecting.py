"""Every frame once through every configuration: scores, and maps in the pixels of the frame as it was taken."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from calibration.evaluate.configurations import Configuration
from calibration.evaluate.looking import Look, Viewer
from calibration.evaluate.samples import Sample
from calibration.evaluate.store import MapStore
from edge.cameras.images import read_image
from edge.engines.base import Engine
from edge.errors import ConfigError, FrameError
from edge.recipe import Recipe
from edge.types import Homography, ImageU8, MapF32, MaskBool

MAX_FRAME_PIXELS = 150_000_000
MAX_POOLED = 12_000_000
Step = Callable[[str], None]
"""Told after each frame; it cancels by raising."""


@dataclass
class Seen:
    """One configuration's view of all frames; lists run along the labelled frames.

    maps: numbers in the store, None where undecided and where the bundle gives no map. good_*: of the good frames that
    could be used, pixels pooled.
    """

    scores: list[float | None] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    maps: list[int | None] = field(default_factory=list)
    good_scores: list[float] = field(default_factory=list)
    good_pixels: list[MapF32] = field(default_factory=list)
    good_refused: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Collected:
    """Everything that was measured.

    truths: bool of the reduced frame, None where unknown or where all is good. pictures: names of the good frames, by hash
    of their pixels; labelled: the labelled ones likewise. repeated: (name, name of the first) of labelled twins.
    """

    seen: dict[Configuration, Seen]
    store: MapStore
    reduction: int
    has_masks: bool
    truths: list[MaskBool | None] = field(default_factory=list)
    pictures: dict[str, str] = field(default_factory=dict)
    labelled: dict[str, Sample] = field(default_factory=dict)
    repeated: list[tuple[str, str]] = field(default_factory=list)


def collect(
    recipe: Recipe,
    engine: Engine,
    wanted: Iterable[Configuration],
    good: Sequence[Sample],
    tests: Sequence[Sample],
    store: MapStore,
    step: Step,
) -> Collected:
    """Measure the good frames, then the labelled ones, on an opened engine.

    ConfigError: a labelled frame is the same picture as a good one, or a mask has another size than its image.
    """
    viewer = Viewer(recipe, engine, wanted)
    reduction = reduction_for(viewer, len(tests))
    collected = Collected({each: Seen() for each in viewer.wanted}, store, reduction, viewer.has_masks)
    width, height = recipe.bundle.manifest.size_wh
    stride = max(1, -(-len(good) * width * height // MAX_POOLED))
    for sample in good:
        _take_good(sample, viewer, collected, stride)
        step(sample.name)
    for sample in tests:
        _take_labelled(sample, viewer, collected)
        step(sample.name)
    return collected


def reduction_for(viewer: Viewer, frames: int) -> int:
    """Every n-th pixel of the frame: no finer than the map can tell, and within memory for so many frames."""
    scale = float(np.sqrt(abs(np.linalg.det(viewer.map_to_reference[:2, :2]))))
    width, height = viewer.reference_size_wh
    factor = max(1, int(scale + 0.05))
    while frames * (width // factor) * (height // factor) > MAX_FRAME_PIXELS and factor < 64:
        factor += 1
    return factor


def to_frame(look: Look, map_to_reference: Homography, frame_wh: tuple[int, int], reduction: int) -> MapF32:
    """The smoothed map at every `reduction`-th pixel of the frame (bilinear); NaN where it is not judged."""
    if look.smoothed is None or look.judged is None or look.frame_to_reference is None:
        raise ValueError("a refused look has no map")
    shrink = np.array([[1 / reduction, 0, 0], [0, 1 / reduction, 0], [0, 0, 1]])
    matrix = shrink @ np.linalg.inv(look.frame_to_reference) @ map_to_reference
    size = tuple(-(-side // reduction) for side in frame_wh)
    scores = cv2.warpPerspective(look.smoothed, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    judged = cv2.warpPerspective(look.judged.astype(np.uint8), matrix, size, flags=cv2.INTER_NEAREST)
    scores[judged == 0] = np.nan
    return np.asarray(scores, np.float32)


def reduced(truth: MaskBool, reduction: int) -> MaskBool:
    """The truth at every `reduction`-th pixel; a region so small that it falls between them stays as the blocks it touches."""
    kept = np.ascontiguousarray(truth[::reduction, ::reduction])
    if reduction == 1 or not truth.any():
        return kept
    count, regions = cv2.connectedComponents(np.ascontiguousarray(truth).view(np.uint8), connectivity=8, ltype=cv2.CV_32S)
    lost = np.ones(count, bool)
    lost[0] = False
    lost[regions[::reduction, ::reduction]] = False
    rows, columns = np.nonzero(lost[regions])
    kept[rows // reduction, columns // reduction] = True
    return kept


def _take_good(sample: Sample, viewer: Viewer, collected: Collected, stride: int) -> None:
    reason, image = _read(sample)
    picture = "" if image is None else _picture(image)
    if not reason and picture in collected.pictures:
        reason = f"is the same picture as {collected.pictures[picture]}"
    looks = viewer.look(image) if image is not None and not reason else {}
    for configuration, seen in collected.seen.items():
        look = looks.get(configuration, Look(None, reason))
        if look.score is None or look.judged is None:
            seen.good_refused.append((sample.name, look.refusal))
            continue
        seen.good_scores.append(look.score)
        if look.smoothed is None:
            continue
        pixels = look.smoothed[look.judged]
        seen.good_pixels.append(pixels if stride == 1 else np.append(pixels[::stride], pixels.max()))
    if picture:
        collected.pictures.setdefault(picture, sample.name)


def _take_labelled(sample: Sample, viewer: Viewer, collected: Collected) -> None:
    reason, image = _read(sample)
    if image is None:
        collected.truths.append(None)
        looks: dict[Configuration, Look] = {}
    else:
        _check_twins(sample, _picture(image), collected)
        collected.truths.append(_truth(sample, image, collected.reduction))
        looks = viewer.look(image)
    for configuration, seen in collected.seen.items():
        look = looks.get(configuration, Look(None, reason))
        seen.scores.append(look.score)
        seen.refusals.append(look.refusal)
        if image is None or look.smoothed is None:
            seen.maps.append(None)
        else:
            size_wh = (image.shape[1], image.shape[0])
            seen.maps.append(collected.store.put(to_frame(look, viewer.map_to_reference, size_wh, collected.reduction)))


def _check_twins(sample: Sample, picture: str, collected: Collected) -> None:
    """ConfigError if the picture set thresholds or has another label elsewhere; one with the same label is noted."""
    if picture in collected.pictures:
        remedy = "take thresholds from other frames: a frame that set them proves nothing"
        raise ConfigError(
            f"is the same picture as the good frame {collected.pictures[picture]}", where=sample.name, remedy=remedy
        )
    twin = collected.labelled.setdefault(picture, sample)
    if twin.bad != sample.bad:
        message = f"is the same picture as {twin.name}, once called good and once bad"
        raise ConfigError(message, where=sample.name, remedy="keep the label that is right")
    if twin is not sample:
        collected.repeated.append((sample.name, twin.name))


def _truth(sample: Sample, image: ImageU8, reduction: int) -> MaskBool | None:
    truth = sample.item.truth if sample.item is not None and sample.bad else None
    if truth is None:
        return None
    if truth.shape != image.shape[:2]:
        found, wanted = ("x".join(map(str, shape[1::-1])) for shape in (truth.shape, image.shape))
        raise ConfigError(
            f"its mask is {found}, the image {wanted}", where=sample.name, remedy="label the image as it was taken"
        )
    return reduced(truth, reduction)


def _read(sample: Sample) -> tuple[str, ImageU8 | None]:
    try:
        return "", read_image(sample.path)
    except FrameError as error:
        return error.message, None


def _picture(image: ImageU8) -> str:
    return hashlib.sha256(repr(image.shape).encode() + image.tobytes()).hexdigest()
