"""What two engines make of each frame: through a recipe as the station does it, or at the bundle's own size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from edge import scoring, verdict
from edge.bundle import Bundle, Tensors
from edge.engines.agreement import Seen
from edge.engines.base import Engine
from edge.errors import EngineFault, FrameError
from edge.pipeline import ViewPipeline
from edge.recipe import Recipe
from edge.registration.resampling import resize
from edge.types import Alignment, AnomalyMap, ImageU8, MaskBool, Outcome
from export.parity_frames import Shown, Source, frames_of

__all__ = ["Looked", "frames_of", "look"]

FrameDone = Callable[[str, str, Seen, Seen], None]
_IDENTITY = np.eye(3)


@dataclass
class Looked:
    """How many frames were compared, by source, and why others were not."""

    frames: dict[Source, int] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


def look(
    shown: list[Shown],
    pair: tuple[Engine, Engine],
    bundle: Bundle,
    recipe: Recipe | None,
    done: FrameDone,
    progress: Callable[[int, int, str], None],
) -> Looked:
    """Show every frame to both opened engines, the float32 one first; a frame that cannot be judged is refused, with why."""
    looked = Looked()
    both = _through(recipe, pair) if recipe is not None else _at_size(bundle, pair)
    for place, frame in enumerate(shown, 1):
        try:
            here, there = both(frame.read())
        except FrameError as error:
            looked.refused[frame.name] = error.message
        else:
            done(frame.source, frame.name, here, there)
            looked.frames[frame.source] = looked.frames.get(frame.source, 0) + 1
        progress(place, len(shown), frame.name)
    return looked


def _through(recipe: Recipe, pair: tuple[Engine, Engine]) -> Callable[[ImageU8], tuple[Seen, Seen]]:
    """Registered once, since no engine has a part in that; then measured by each."""
    first, second = (ViewPipeline(recipe, engine) for engine in pair)

    def both(image: ImageU8) -> tuple[Seen, Seen]:
        alignment = first.align(image)
        if not alignment.trusted:
            raise FrameError("does not register ({})".format("; ".join(map(str, alignment.broken)) or "no homography"))
        here = _base(_seen(first, image, alignment))
        return here, _or_fault(lambda: _seen(second, image, alignment), here.judged)

    return both


def _base(seen: Seen) -> Seen:
    if seen.score is None:
        raise FrameError("the float32 model itself gives no score for it")
    return seen


def _or_fault(measure: Callable[[], Seen], judged: MaskBool) -> Seen:
    """A fault of the engine that is tried is an answer too: the station would be UNDECIDED."""
    try:
        return measure()
    except EngineFault:
        return Seen(None, None, judged, Outcome.UNDECIDED)


def _seen(pipeline: ViewPipeline, image: ImageU8, alignment: Alignment) -> Seen:
    found = pipeline.measure(image, alignment)
    if pipeline.limits is None:
        return Seen(found.score, found.smoothed, found.judged)
    judgement = verdict.judge(
        found.anomaly_map,
        alignment,
        pipeline.limits,
        found.judged,
        pipeline.recipe.score_rule,
        frame_size_wh=(image.shape[1], image.shape[0]),
        smoothed=found.smoothed,
    )
    return Seen(found.score, found.smoothed, found.judged, judgement.outcome)


def _at_size(bundle: Bundle, pair: tuple[Engine, Engine]) -> Callable[[ImageU8], tuple[Seen, Seen]]:
    """Without a recipe nothing can be registered: the image is brought to the model's size as the training did.

    `reference` is the bundle's own, else the first image.
    """
    manifest = bundle.manifest
    kept = bundle.reference()
    references = [] if kept is None else [_fitted(kept, bundle)]
    names = {str(spec.name) for spec in manifest.inputs}
    judged = np.ones(manifest.size_wh[::-1], np.bool_)

    def both(image: ImageU8) -> tuple[Seen, Seen]:
        fitted = _fitted(image, bundle)
        references.append(fitted)
        keep = np.ones((1, *manifest.size_wh[::-1]), np.uint8)
        given = {"image": fitted[None], "reference": references[0][None], "keep": keep}
        feed: Tensors = {name: array for name, array in given.items() if name in names}
        return _base(_plain(bundle, pair[0], feed)), _or_fault(lambda: _plain(bundle, pair[1], feed), judged)

    return both


def _plain(bundle: Bundle, engine: Engine, feed: Tensors) -> Seen:
    manifest = bundle.manifest
    judged = np.ones(manifest.size_wh[::-1], np.bool_)
    made = engine.infer(feed)
    scores, single = made.get("anomaly_map"), made.get("image_score")
    anomaly_map = AnomalyMap(
        None if scores is None else scores[0], _IDENTITY, bundle.name, None if single is None else float(single[0])
    )
    if scoring.fault(anomaly_map, judged, manifest.score):
        return Seen(None, None, judged)
    smoothed, score = scoring.measured(anomaly_map, judged, manifest.score)
    return Seen(score, smoothed, judged)


def _fitted(image: ImageU8, bundle: Bundle) -> ImageU8:
    colour = image if image.ndim == 3 else np.repeat(image[:, :, None], 3, 2)
    crop = bundle.manifest.crop
    if crop is not None:
        height, width = colour.shape[:2]
        left, top = round(crop.left * width), round(crop.top * height)
        right, bottom = max(round(crop.right * width), left + 1), max(round(crop.bottom * height), top + 1)
        colour = np.ascontiguousarray(colour[top:bottom, left:right])
    return resize(colour, bundle.manifest.size_wh, bundle.manifest.resize.kernel)
