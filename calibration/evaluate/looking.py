"""One frame through a recipe in several configurations, by the station's own pipeline; inferred once per different input."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from calibration.evaluate.configurations import Configuration, Timing
from edge import scoring
from edge.engines.base import Engine
from edge.errors import EngineFault, FrameError
from edge.pipeline import Measurement, ViewPipeline
from edge.recipe import Recipe
from edge.settings.registration import RegistrationSettings
from edge.types import Alignment, Homography, ImageU8, MapF32, MaskBool

Kind = tuple[Timing, bool]


@dataclass(frozen=True, eq=False)
class Look:
    """What one configuration saw of one frame.

    score: None where the station would answer UNDECIDED; refusal says why. smoothed, judged: float32 and bool HxW of the
    map, None with the score, smoothed also where the bundle gives no map. frame_to_reference: the alignment that was used.
    """

    score: float | None
    refusal: str = ""
    smoothed: MapF32 | None = None
    judged: MaskBool | None = None
    frame_to_reference: Homography | None = None


class Viewer:
    """One recipe on one opened engine, looked through in the wanted configurations. One thread uses it."""

    def __init__(self, recipe: Recipe, engine: Engine, wanted: Iterable[Configuration]) -> None:
        bare = replace(recipe, card=None)
        self.has_masks = any(mask.enabled for mask in recipe.masks)
        self.wanted = tuple(dict.fromkeys(each.measured_as(self.has_masks) for each in wanted))
        self.recipe = recipe
        self._masked = ViewPipeline(bare, engine)
        self._plain = ViewPipeline(replace(bare, masks=()), engine) if self.has_masks else self._masked
        self._rule = recipe.score_rule
        self.map_to_reference = self._masked.map_to_reference
        self.reference_size_wh = self._masked.reference_size_wh

    def look(self, image: ImageU8) -> dict[Configuration, Look]:
        """The frame in every wanted configuration. Nothing that a frame can hold raises."""
        found: dict[Configuration, Look] = {}
        for registered in dict.fromkeys(each.registered for each in self.wanted):
            kinds = {(each.timing, each.masked): each for each in self.wanted if each.registered == registered}
            try:
                looks = self._registered(image, set(kinds)) if registered else self._as_it_is(image, set(kinds))
            except (FrameError, EngineFault) as error:
                looks = {kind: Look(None, error.message) for kind in kinds}
            found |= {kinds[kind]: look for kind, look in looks.items()}
        return found

    def _registered(self, image: ImageU8, kinds: set[Kind]) -> dict[Kind, Look]:
        looks: dict[Kind, Look] = {}
        if ("pre", False) in kinds:
            looks["pre", False], _ = _judged(self._plain, image)
        if kinds - {("pre", False)}:
            pre, alignment = _judged(self._masked, image)
            if ("pre", True) in kinds:
                looks["pre", True] = pre
            if ("post", True) in kinds:
                refused = Look(None, pre.refusal)
                looks["post", True] = refused if alignment is None else self._post(self._measured(image, alignment), alignment)
        return looks

    def _as_it_is(self, image: ImageU8, kinds: set[Kind]) -> dict[Kind, Look]:
        _check_size(image, self.recipe)
        looks: dict[Kind, Look] = {}
        if ("pre", True) in kinds:
            looks["pre", True] = _look(self._masked.measure(image, _IDENTITY), _IDENTITY)
        if kinds - {("pre", True)}:
            plain = self._measured(image, _IDENTITY)
            if ("pre", False) in kinds:
                looks["pre", False] = _look(plain, _IDENTITY)
            if ("post", True) in kinds:
                looks["post", True] = self._post(plain, _IDENTITY)
        return looks

    def _measured(self, image: ImageU8, alignment: Alignment) -> Measurement:
        return self._plain.measure(image, alignment)

    def _post(self, plain: Measurement, alignment: Alignment) -> Look:
        """The map of a frame without masks, with the masked pixels set aside."""
        if plain.fault:
            return Look(None, plain.fault)
        judged = plain.judged & self._masked.judged_area
        if not judged.any():
            return Look(None, "nothing is left to judge: masks and the frame's border cover the whole map")
        if plain.smoothed is None:
            return Look(plain.score, "", None, judged, alignment.frame_to_reference)
        score = scoring.image_score(plain.smoothed, judged, self._rule, plain.anomaly_map.image_score)
        smoothed = np.where(judged, plain.smoothed, np.float32(0))
        return Look(score, "", smoothed, judged, alignment.frame_to_reference)


def tracking(recipe: Recipe) -> Recipe:
    """The recipe with the registration `track` where its own is `none`: a sweep compares with and without.

    The gates are the default ones then: those of the recipe were set for frames that are taken as they are.
    """
    if recipe.registration.mode != "none":
        return recipe
    settings = RegistrationSettings(mode="track", points=recipe.registration.points)
    return replace(recipe, document=recipe.document.model_copy(update={"registration": settings}))


def _judged(pipeline: ViewPipeline, image: ImageU8) -> tuple[Look, Alignment | None]:
    """By the station's own `judge`, so that what it refuses is refused here; the alignment is None then."""
    judged = pipeline.judge(image)
    if judged.measurement is None or judged.alignment is None:
        reason = judged.judgement.reason
        return Look(None, reason.detail if reason else "not measured"), None
    return _look(judged.measurement, judged.alignment), judged.alignment


def _look(measurement: Measurement, alignment: Alignment) -> Look:
    score = measurement.score
    if measurement.fault or score is None or not np.isfinite(score):
        return Look(None, measurement.fault or "gave a score that is no number")
    return Look(score, "", measurement.smoothed, measurement.judged, alignment.frame_to_reference)


def _check_size(image: ImageU8, recipe: Recipe) -> None:
    if image.shape != recipe.reference.shape:
        found, wanted = ("x".join(map(str, shape)) for shape in (image.shape, recipe.reference.shape))
        raise FrameError(f"the frame is {found}, the recipe's reference {wanted}", where=recipe.view)


_IDENTITY = Alignment(
    frame_to_reference=np.eye(3),
    mode="none",
    start="identity",
    motion="identity",
    points=0,
    inliers=0,
    residual_px=0.0,
    coverage=0.0,
    corner_shift_px=0.0,
    similarity=0.0,
    similarity_before=0.0,
    visible=1.0,
)
