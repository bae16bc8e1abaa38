"""One archived verdict with another card, from the least that is exact: the score, the map, or the frame."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from calibration.drift.lineage import Lineage, is_of_engine
from calibration.preview.results import Replayed, Rung
from calibration.preview.stored import MakePicture, NotReplayableError, Stored
from edge import verdict
from edge.archive import ArchiveReader, Entry
from edge.errors import ConfigError
from edge.pipeline import ViewPipeline, picture_of
from edge.recipe import Recipe
from edge.settings.judging import Limits, ScoreRule
from edge.types import Alignment, AnomalyMap, Judgement, Outcome, ReasonCode

__all__ = ["NotReplayableError", "Replay", "Told"]

_MADE_BY_LIMITS: Final = (ReasonCode.CARD_MISSING.value, ReasonCode.CARD_STALE.value, ReasonCode.RECIPE_INVALID.value)
_MADE_BY_REGISTRATION: Final = ReasonCode.NOT_REGISTERED.value
_MADE_BY_MODEL: Final = (ReasonCode.ENGINE_FAULT.value, ReasonCode.MAP_INVALID.value, ReasonCode.FRAME_INVALID.value)
_BY_SCORE: Final = ScoreRule(kind="graph")


@dataclass(frozen=True, eq=False)
class Told:
    """A replayed verdict and what its overlay needs; picture is None where no frame is stored."""

    replayed: Replayed
    picture: MakePicture | None = None


class Replay:
    """Judges archived verdicts with a candidate recipe (its card, masks and score rule). One thread uses it.

    pipeline: of the candidate on an opened engine. ConfigError: the candidate has no card, or one that does not hold for it.
    """

    def __init__(self, reader: ArchiveReader, candidate: Recipe, pipeline: ViewPipeline) -> None:
        if candidate.card is None:
            raise ConfigError("has no card to preview", where=str(candidate.path), remedy="give --card or --method")
        if pipeline.blocked is not None and pipeline.blocked.reason is not None:
            remedy = "take the card with this recipe, engine and camera"
            raise ConfigError(pipeline.blocked.reason.detail, where=f"card of {candidate.path}", remedy=remedy)
        self._reader, self._candidate, self._pipeline = reader, candidate, pipeline
        self._limits: Limits = candidate.card.limits(candidate.min_area_px)
        self._lineage = Lineage(candidate)
        rule = candidate.score_rule
        inputs = {spec.name for spec in candidate.bundle.manifest.inputs}
        # What is fed to the model or to another score cannot be had from a map.
        self._map_suffices = rule.kind != "graph" and candidate.symmetry is None
        self._masks_guide = candidate.registration.mode != "none"
        self._masks_feed = "keep" in inputs

    def replay(self, entry: Entry) -> Told:
        """One verdict. NotReplayableError: nothing is stored that could tell. Raises ArchiveError, EngineFault."""
        changed = self._lineage.changed(entry.recipe, entry.recipe_version, entry.product)
        others = bool(entry.product and self._candidate.product and entry.product != self._candidate.product)
        if others or (entry.recipe and entry.recipe != self._candidate.name):
            raise NotReplayableError("was judged by another recipe")
        if entry.outcome == Outcome.UNDECIDED.value and not self._is_about_judging(entry, changed):
            return Told(self._replayed(entry, _kept(entry), "kept"))
        if changed is not None and not changed and entry.score is not None and self._is_of_this_engine(entry):
            return self._from_score(entry)
        if changed is not None and not changed and entry.reason == _MADE_BY_REGISTRATION:
            return Told(self._replayed(entry, _kept(entry), "kept"))
        if "frame" in entry.files and (changed is None or changed - {"score_rule"} or not self._is_of_this_engine(entry)):
            return self._from_frame(entry)
        if not self._is_of_this_engine(entry):
            raise NotReplayableError("was judged on another engine, and no frame is stored")
        masks_only = changed is not None and changed <= {"score_rule", "masks"}
        if masks_only and self._map_suffices and "map" in entry.files and not ("masks" in (changed or ()) and self._masks_feed):
            return self._from_map(entry, approximate=self._masks_guide and "masks" in (changed or ()))
        if "frame" in entry.files:
            return self._from_frame(entry)
        raise NotReplayableError("neither frame nor map is stored" if "map" not in entry.files else "no frame is stored")

    def _is_of_this_engine(self, entry: Entry) -> bool:
        """Another backend or precision gives other scores for the same frame."""
        card = self._candidate.card
        if card is None or "document" not in entry.files:
            return True
        return is_of_engine(self._reader.document(entry).get("engine"), card.engine)

    def _is_about_judging(self, entry: Entry, changed: frozenset[str] | None) -> bool:
        """False for what no recipe changes: a lost camera, a timeout, a vote."""
        if entry.reason in _MADE_BY_LIMITS:
            return True
        return entry.reason in (_MADE_BY_REGISTRATION, *_MADE_BY_MODEL) and (changed is None or bool(changed))

    def _from_score(self, entry: Entry) -> Told:
        judgement = self._by_score(entry.score)
        picture = None
        if judgement.outcome.value != entry.outcome and {"frame", "document"} <= entry.files.keys():
            picture = self._stored(entry).picture(judgement)
        return Told(self._replayed(entry, judgement, "score"), picture)

    def _by_score(self, score: float | None) -> Judgement:
        """The verdict of a score alone, in double precision, as of a family that gives no map: it cannot say where."""
        value = math.nan if score is None else score
        single = AnomalyMap(None, np.eye(3), self._candidate.bundle.name, value)
        whole = np.ones((1, 1), np.bool_)
        judgement = verdict.judge(single, _trusted(), self._limits, whole, _BY_SCORE, frame_size_wh=(1, 1))
        return replace(judgement, pixel_threshold=self._limits.pixel_threshold)

    def _from_map(self, entry: Entry, *, approximate: bool) -> Told:
        stored = self._stored(entry)
        judgement, close = stored.judge_map(self._reader.map(entry))
        replayed = replace(self._replayed(entry, judgement, "map"), close=close, approximate=approximate)
        picture = stored.picture(judgement) if "frame" in entry.files else None
        return Told(replayed, picture)

    def _stored(self, entry: Entry) -> Stored:
        return Stored(self._reader, entry, self._candidate, self._pipeline, self._limits)

    def _from_frame(self, entry: Entry) -> Told:
        image = self._reader.frame(entry)
        judged = self._pipeline.judge(image)
        replayed = self._replayed(entry, judged.judgement, "frame")
        return Told(replayed, lambda: picture_of(image, judged.judgement, judged, entry.result_id))

    @staticmethod
    def _replayed(entry: Entry, judgement: Judgement, rung: Rung) -> Replayed:
        return Replayed(
            entry.result_id,
            entry.decided_at,
            entry.outcome,
            entry.reason,
            entry.score,
            entry.threshold,
            judgement,
            rung,
        )


def _kept(entry: Entry) -> Judgement:
    try:
        code = ReasonCode(entry.reason)
    except ValueError:
        raise NotReplayableError(f"its reason {entry.reason!r} is not known") from None
    return replace(verdict.undecided(code, "as it was"), score=entry.score)


def _trusted() -> Alignment:
    return Alignment(np.eye(3), "none", "identity", "identity", 0, 0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0)
