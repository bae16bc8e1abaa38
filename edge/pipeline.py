"""Frame -> judgement of one view, timed per stage: align, warp, infer, judge. No threads, no I/O, no YAML."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from edge import heatmap, masks, registration, scoring, symmetry, verdict
from edge.bundle import Bundle, Crop
from edge.engines.base import Engine
from edge.errors import EngineFault, FrameError, RecipeError
from edge.recipe import Recipe, stale, standing
from edge.settings.judging import Limits
from edge.settings.symmetry import SymmetrySettings
from edge.types import (
    Alignment,
    AnomalyMap,
    Gate,
    Homography,
    ImageU8,
    Judgement,
    MapF32,
    MaskBool,
    Origin,
    ReasonCode,
)


@dataclass(frozen=True, eq=False)
class Measurement:
    """What was measured of one frame, before anything is decided.

    judged: bool HxW of the model's grid, True where neither masked nor outside the frame. fault: why it cannot be judged
    (NaN, wrong shape), "" where it can. smoothed: float32 HxW of the map, None with a fault and where the bundle gives no
    map. score: the image score, None with a fault.
    """

    anomaly_map: AnomalyMap
    judged: MaskBool
    smoothed: MapF32 | None
    score: float | None
    fault: str


@dataclass(frozen=True, eq=False)
class Judged:
    """One frame's judgement with everything that led to it; alignment and measurement are None where it ended earlier."""

    judgement: Judgement
    alignment: Alignment | None
    measurement: Measurement | None
    stage_ms: dict[str, float]
    recipe: Recipe


class Stopwatch:
    """Milliseconds per stage."""

    def __init__(self) -> None:
        self.stage_ms: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time one stage, also when it raises."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.stage_ms[name] = (time.perf_counter() - started) * 1000


class ViewPipeline:
    """One recipe on one opened engine. One thread uses it.

    camera_hash: hash of the camera settings in force, None where unknown (files): then they are not part of staleness.
    needs_parity: nothing is judged without a parity report of this very engine in the recipe.
    RecipeError: the recipe has a symmetric part that its reference does not show, or a bundle that cannot use it, or masks
    that its image score would not heed (`check_score`).
    """

    def __init__(self, recipe: Recipe, engine: Engine, camera_hash: str | None = None, *, needs_parity: bool = False) -> None:
        self.recipe = recipe
        self._engine = engine
        self._previous: Homography | None = None
        bundle, manifest = recipe.bundle, recipe.bundle.manifest
        self._bundle_name = bundle.name
        self._kernel, self._resample = manifest.resize.kernel, manifest.resize.mode
        self._size_wh = manifest.size_wh
        self._inputs = {spec.name for spec in manifest.inputs}
        self._has_map = manifest.has_map
        self._fills = manifest.masking.fill == "reference"
        self._rule = recipe.score_rule
        reference = recipe.reference
        self.reference_size_wh = (reference.shape[1], reference.shape[0])
        self._field_wh, to_grid = model_grid(self.reference_size_wh, manifest.size_wh, manifest.crop)
        self.reference_to_map: Homography = to_grid @ recipe.reference_to_model
        self.map_to_reference: Homography = np.asarray(np.linalg.inv(self.reference_to_map), np.float64)
        self.judged_area = masks.judged_area(recipe.masks, self.reference_size_wh, self._size_wh, self.map_to_reference)
        on_reference = ~masks.rasterise(recipe.masks, self.reference_size_wh)
        self._part: symmetry.SymmetricPart | None = None
        if recipe.symmetry is not None:
            self._part = check_symmetry(bundle, reference, recipe.symmetry, str(recipe.path))
        if self._part is not None and self._part.settings.pose == "free":
            # What does not turn with the part cannot be compared with a reference that is turned to fit it.
            on_reference &= self._part.disc(self.reference_size_wh)
            self.judged_area &= self._part.disc(self._size_wh, self.map_to_reference)
        check_score(recipe, bool(np.all(on_reference)))
        self.reference = registration.Reference(reference, recipe.registration, on_reference)
        self._fill, _ = registration.register(
            reference, self.reference_to_map, self._size_wh, self._field_wh, self._kernel, self._resample
        )
        self.limits: Limits | None = recipe.card.limits(recipe.min_area_px) if recipe.card else None
        self._known = recipe.card.scores if recipe.card else None
        self.parity = standing(
            recipe.parity,
            bundle_hash=bundle.content_hash,
            card=recipe.card.sha256 if recipe.card else None,
            engine=engine.identity,
            required=needs_parity,
        )
        self.blocked = self._why_blocked(camera_hash)

    def _why_blocked(self, camera_hash: str | None) -> Judgement | None:
        if self.recipe.card is None:
            remedy = "take thresholds: lineclear-calibrate thresholds"
            return verdict.undecided(ReasonCode.CARD_MISSING, f"the recipe has no threshold card: {remedy}")
        changed = stale(self.recipe.card, self.recipe, self._engine.identity, camera_hash)
        if changed:
            detail = "; ".join(changed) + ": take new thresholds (lineclear-calibrate thresholds)"
            return verdict.undecided(ReasonCode.CARD_STALE, detail)
        if self.parity.blocks:
            return verdict.undecided(ReasonCode.PARITY_FAILED, self.parity.blocks)
        return None

    def name_parts(self, origin: Origin) -> Origin:
        """The origin with this pipeline's parts in it."""
        return replace(
            origin,
            product=self.recipe.product,
            recipe=self.recipe.name,
            recipe_version=self.recipe.version,
            bundle=self._bundle_name,
            engine=str(self._engine.identity),
            is_simulated=origin.is_simulated or self._engine.identity.is_simulated,
        )

    def align(self, image: ImageU8) -> Alignment:
        """Register one frame; the last trusted alignment is a hint for where to start, never more. FrameError: other size."""
        size_wh = (image.shape[1], image.shape[0])
        if size_wh != self.reference_size_wh:
            found, wanted = ("x".join(map(str, size)) for size in (size_wh, self.reference_size_wh))
            remedy = "set the camera as it was when the reference was taken, or take a new reference"
            raise FrameError(f"the frame is {found}, the recipe's reference {wanted}", where=self.recipe.view, remedy=remedy)
        if image.ndim != self.recipe.reference.ndim:
            found, wanted = ("colour" if axes == 3 else "grey" for axes in (image.ndim, self.recipe.reference.ndim))
            remedy = "set the camera's pixel format as it was when the reference was taken"
            raise FrameError(f"the frame is {found}, the recipe's reference {wanted}", where=self.recipe.view, remedy=remedy)
        if self._part is not None and self._part.settings.pose == "free":
            return self._align_free(image, self._part)
        alignment = registration.align(image, self.reference, self._previous)
        self._previous = alignment.frame_to_reference if alignment.trusted else None
        if self._part is not None and alignment.trusted:
            posed, _ = registration.warp(image, alignment.frame_to_reference, self.reference_size_wh)
            alignment = replace(alignment, gates=(*alignment.gates, *self._part.proof(posed)))
        return alignment

    def _align_free(self, image: ImageU8, part: symmetry.SymmetricPart) -> Alignment:
        """The symmetry says where the part lies and how it is turned; the registration proves it on what is left."""
        pose = part.pose(image)
        posed, _ = registration.warp(image, pose.frame_to_reference, self.reference_size_wh)
        alignment = registration.align(posed, self.reference)
        matrix = alignment.frame_to_reference @ pose.frame_to_reference
        return replace(alignment, frame_to_reference=matrix, gates=(*pose.gates, *alignment.gates))

    def measure(self, image: ImageU8, alignment: Alignment, watch: Stopwatch | None = None) -> Measurement:
        """The smoothed anomaly map of an aligned frame. Raises EngineFault."""
        watch = watch or Stopwatch()
        frame_to_map = self.reference_to_map @ alignment.frame_to_reference
        with watch.stage("warp"):
            model_image, covered = registration.register(
                image, frame_to_map, self._size_wh, self._field_wh, self._kernel, self._resample, self._fill
            )
            judged = self.judged_area & covered
        pairs = [(model_image, self._fill)]
        if self._part is not None:
            with watch.stage("reference"):
                median = self._part.median_of(model_image, self._fill, self.reference_to_map)
            compared = model_image if self._part.settings.ideal == "frame" else median
            pairs = [(model_image, median), (compared, self._fill)]
        with watch.stage("infer"):
            maps = [self._infer(shown, reference, judged) for shown, reference in pairs]
            anomaly_map = maps[0] if len(maps) == 1 else self._worst(maps)
        with watch.stage("judge"):
            fault = scoring.fault(anomaly_map, judged, self._rule)
            smoothed, score = (None, None) if fault else scoring.measured(anomaly_map, judged, self._rule)
        return Measurement(anomaly_map, judged, smoothed, score, fault)

    def judge(self, image: ImageU8) -> Judged:
        """One frame's judgement. Bad frames and engine faults are UNDECIDED; nothing a frame can hold raises."""
        watch = Stopwatch()
        alignment: Alignment | None = None
        measurement: Measurement | None = None
        try:
            with watch.stage("align"):
                alignment = self.align(image)
            if not alignment.trusted:
                return Judged(verdict.not_registered(alignment, self.limits), alignment, None, watch.stage_ms, self.recipe)
            measurement = self.measure(image, alignment, watch)
            alignment = self._gated_by_field(alignment, measurement)
            if not alignment.trusted:
                return Judged(verdict.not_registered(alignment, self.limits), alignment, None, watch.stage_ms, self.recipe)
        except FrameError as error:
            return Judged(
                verdict.undecided(ReasonCode.FRAME_INVALID, str(error), self.limits), None, None, watch.stage_ms, self.recipe
            )
        except EngineFault as error:
            judgement = verdict.undecided(ReasonCode.ENGINE_FAULT, str(error), self.limits)
            return Judged(judgement, alignment, None, watch.stage_ms, self.recipe)
        return Judged(self._decide(image, alignment, measurement, watch), alignment, measurement, watch.stage_ms, self.recipe)

    def _gated_by_field(self, alignment: Alignment, measurement: Measurement) -> Alignment:
        """With one gate more: the share of what the model should judge that this frame shows.

        The registration's own gate `visible` is a share of the whole reference, of which the model may see a small part.
        """
        share = int(np.count_nonzero(measurement.judged)) / max(1, int(np.count_nonzero(self.judged_area)))
        gate = Gate("visible_field", share, self.recipe.registration.gates.min_visible, "min")
        return replace(alignment, gates=(*alignment.gates, gate))

    def _decide(self, image: ImageU8, alignment: Alignment, measurement: Measurement, watch: Stopwatch) -> Judgement:
        if self.blocked is not None or self.limits is None:
            blocked = self.blocked or verdict.undecided(ReasonCode.CARD_MISSING, "the recipe has no threshold card")
            # The score helps whoever mends the recipe; without limits that can be believed it decides nothing.
            return replace(blocked, score=measurement.score if _finite(measurement.score) else None)
        with watch.stage("decide"):
            return verdict.judge(
                measurement.anomaly_map,
                alignment,
                self.limits,
                measurement.judged,
                self._rule,
                frame_size_wh=(image.shape[1], image.shape[0]),
                smoothed=measurement.smoothed,
                known=self._known,
            )

    def _infer(self, shown: ImageU8, reference: ImageU8, judged: MaskBool) -> AnomalyMap:
        if self._fills and not judged.all():
            shown = np.where(judged if shown.ndim == 2 else judged[..., None], shown, reference)
        feed: dict[str, NDArray[np.uint8]] = {"image": _three_channels(shown)[None]}
        if "reference" in self._inputs:
            feed["reference"] = _three_channels(reference)[None]
        if "keep" in self._inputs:
            feed["keep"] = judged.astype(np.uint8)[None]
        outputs = self._engine.infer(feed)
        wanted = "anomaly_map" if self._has_map else "image_score"
        if wanted not in outputs:
            raise EngineFault(f"gave no {wanted}", where=self._bundle_name, remedy="export the bundle again")
        return self._to_map(outputs[wanted] if self._has_map else None, outputs.get("image_score"))

    def _worst(self, maps: Sequence[AnomalyMap]) -> AnomalyMap:
        """Pixel by pixel the highest score of all; NaN wherever one is NaN, so that no fault of one hides behind another."""
        scores = [each.scores for each in maps if each.scores is not None]
        singles = [each.image_score for each in maps if each.image_score is not None]
        alike = all(each.shape == scores[0].shape and each.dtype == scores[0].dtype for each in scores)
        if not alike or len(scores) not in (0, len(maps)) or len(singles) not in (0, len(maps)):
            raise EngineFault("gave maps of two kinds", where=self._bundle_name, remedy="restart the station")
        single = float(np.max(np.array(singles, np.float64))) if singles else None
        return replace(maps[0], scores=np.asarray(np.maximum.reduce(scores)) if scores else None, image_score=single)

    def _to_map(self, scores: NDArray[np.float32] | None, image_score: NDArray[np.float32] | None) -> AnomalyMap:
        # An engine that gives an empty array gives no score; None is a fault wherever a score is needed.
        values = np.empty(0) if image_score is None else np.asarray(image_score).reshape(-1)
        single = float(values[0]) if values.size else None
        if scores is not None and scores.ndim == 3:
            scores = scores[0]
        return AnomalyMap(scores, self.map_to_reference, self._bundle_name, single)


def check_score(recipe: Recipe, whole: bool) -> None:
    """RecipeError where the recipe's score cannot be what it says. whole: True where nothing of the reference is masked.

    A score of the graph's own is not taken from the map, so that masking the map would not keep out of it what is masked:
    the graph must be told (`keep`) or be shown the reference there (`fill`).
    """
    manifest, rule = recipe.bundle.manifest, recipe.score_rule
    name, where = recipe.bundle.name, str(recipe.path)
    if rule.kind != "graph" and not manifest.has_map:
        message = f"bundle {name} gives an image score and no map: the score rule {rule.kind} has nothing to work on"
        raise RecipeError(message, where=where, remedy="take `score` out of the recipe")
    if rule.kind == "graph" and not whole and not manifest.masking.pre and manifest.masking.fill == "none":
        message = f"bundle {name} judges by a score of its own, which would see what the recipe masks or leaves out"
        remedy = "switch the masks off, or export the bundle with masking `fill: reference`"
        raise RecipeError(message, where=where, remedy=remedy)


def check_symmetry(bundle: Bundle, reference: ImageU8, settings: SymmetrySettings, where: str) -> symmetry.SymmetricPart:
    """The symmetric part of a recipe. RecipeError: the bundle takes no reference, or this one does not show the part."""
    if all(spec.name != "reference" for spec in bundle.manifest.inputs):
        remedy = "choose a bundle of a family that compares two images (lineclear-export comparison)"
        message = f"a symmetric part needs a reference, and bundle {bundle.name} takes none"
        raise RecipeError(message, where=where, remedy=remedy)
    return symmetry.SymmetricPart(reference, settings, where)


def picture_of(image: ImageU8, judgement: Judgement, judged: Judged | None, title: str = "") -> heatmap.Picture:
    """What an overlay of this frame needs; without `judged` (nothing was measured) it is the frame as it is.

    judgement may differ from judged.judgement: a verdict that could not be recorded says so on its picture.
    """
    if judged is None:
        return heatmap.Picture(image, judgement, (image.shape[1], image.shape[0]), title=title)
    reference, measurement = judged.recipe.reference, judged.measurement
    size_wh = (reference.shape[1], reference.shape[0])
    trusted = judged.alignment if judged.alignment is not None and judged.alignment.trusted else None
    if measurement is None or trusted is None:
        return heatmap.Picture(image, judgement, size_wh, trusted, masks=judged.recipe.masks, title=title)
    return heatmap.Picture(
        image,
        judgement,
        size_wh,
        trusted,
        measurement.smoothed,
        measurement.judged,
        measurement.anomaly_map.map_to_reference,
        judged.recipe.masks,
        title,
    )


def model_grid(
    reference_wh: tuple[int, int], model_wh: tuple[int, int], crop: Crop | None = None
) -> tuple[tuple[int, int], Homography]:
    """(size of the model's field in reference pixels, reference pixels -> model pixels).

    The field is the whole reference or the crop of it, to whole pixels, and fills the model's input edge to edge.
    """
    if crop is None:
        return reference_wh, registration.scaling(reference_wh, model_wh)
    width, height = reference_wh
    left, top = round(crop.left * width), round(crop.top * height)
    field_wh = max(1, round(crop.right * width) - left), max(1, round(crop.bottom * height) - top)
    to_field = np.array([[1, 0, -left], [0, 1, -top], [0, 0, 1]], np.float64)
    return field_wh, registration.scaling(field_wh, model_wh) @ to_field


def _three_channels(image: ImageU8) -> ImageU8:
    return image if image.ndim == 3 else np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2RGB), np.uint8)


def _finite(score: float | None) -> bool:
    return score is not None and math.isfinite(score)
