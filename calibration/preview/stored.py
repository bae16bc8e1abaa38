"""What an archived verdict still holds: its alignment, its map to be judged again, its picture."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from edge import registration, scoring, verdict
from edge.archive import ArchiveReader, Entry, StoredMap
from edge.heatmap import Picture
from edge.pipeline import ViewPipeline
from edge.recipe import Recipe
from edge.settings.judging import Limits
from edge.types import Alignment, AnomalyMap, Gate, Judgement, MaskBool, Outcome

FLOAT16_STEP: Final = 2.0**-11
FLOAT16_TINY: Final = 2.0**-25
MakePicture = Callable[[], Picture]


class NotReplayableError(Exception):
    """Why one verdict cannot be replayed; a phrase to count by."""


@dataclass(frozen=True, eq=False)
class Stored:
    """One entry under a candidate recipe. Its methods raise ArchiveError and NotReplayableError."""

    reader: ArchiveReader
    entry: Entry
    candidate: Recipe
    pipeline: ViewPipeline
    limits: Limits

    def judge_map(self, stored: StoredMap) -> tuple[Judgement, bool]:
        """The map smoothed, scored and judged again, and whether its float16 is too coarse to tell on which side it is.

        A mean of values within 1/2048 of themselves is within 1/2048 of the mean of their magnitudes.
        """
        alignment = alignment_of(self.reader.document(self.entry))
        judged = self._judged(alignment, stored)
        rule = self.candidate.score_rule
        size_wh = self.pipeline.reference_size_wh
        raw = AnomalyMap(stored.scores, self.pipeline.map_to_reference, self.candidate.bundle.name)
        gated = self._with_field_gate(alignment, judged)
        judgement = verdict.judge(raw, gated, self.limits, judged, rule, frame_size_wh=size_wh)
        if judgement.score is None:
            return judgement, False
        height = scoring.smooth(np.abs(stored.scores), judged, rule)
        error = FLOAT16_STEP * float(height[judged].max()) + FLOAT16_TINY
        return judgement, abs(judgement.score - self.limits.image_threshold) <= error

    def picture(self, judgement: Judgement) -> MakePicture:
        """Makes the stored frame's picture under another verdict, with the stored map where there is one."""

        def made() -> Picture:
            alignment = alignment_of(self.reader.document(self.entry))
            size_wh = self.pipeline.reference_size_wh
            frame, title = self.reader.frame(self.entry), self.entry.result_id
            shown = Picture(frame, judgement, size_wh, alignment, masks=self.candidate.masks, title=title)
            if "map" not in self.entry.files or not alignment.trusted:
                return shown
            return self._with_map(shown, alignment)

        return made

    def _with_map(self, shown: Picture, alignment: Alignment) -> Picture:
        stored, rule = self.reader.map(self.entry), self.candidate.score_rule
        judged = self._judged(alignment, stored)
        smoothed = scoring.smooth(stored.scores, judged, rule)
        to_reference = self.pipeline.map_to_reference
        painted = replace(shown, smoothed=smoothed, judged=judged, map_to_reference=to_reference)
        if shown.judgement.outcome is not Outcome.FAIL or shown.judgement.regions:
            return painted
        # The outcome stands: it was decided from the score. The map only says where.
        raw = AnomalyMap(stored.scores, to_reference, self.candidate.bundle.name, shown.judgement.score)
        by_score = rule.model_copy(update={"kind": "graph"})
        size_wh = self.pipeline.reference_size_wh
        again = verdict.judge(raw, alignment, self.limits, judged, by_score, frame_size_wh=size_wh, smoothed=smoothed)
        return replace(painted, judgement=replace(shown.judgement, regions=again.regions))

    def _judged(self, alignment: Alignment, stored: StoredMap) -> MaskBool:
        area = self.pipeline.judged_area
        if area.shape != stored.scores.shape:
            raise NotReplayableError("the stored map has another size")
        frame_to_map = self.pipeline.reference_to_map @ alignment.frame_to_reference
        seen = registration.covered(frame_to_map, self.pipeline.reference_size_wh, (area.shape[1], area.shape[0]))
        return np.asarray(area & seen, np.bool_)

    def _with_field_gate(self, alignment: Alignment, judged: MaskBool) -> Alignment:
        share = int(np.count_nonzero(judged)) / max(1, int(np.count_nonzero(self.pipeline.judged_area)))
        others = tuple(gate for gate in alignment.gates if gate.name != "visible_field")
        limit = self.candidate.registration.gates.min_visible
        return replace(alignment, gates=(*others, Gate("visible_field", share, limit, "min")))


def alignment_of(document: dict[str, Any]) -> Alignment:
    """The alignment as it was published. NotReplayableError: there is none, or it is not whole."""
    body = document.get("alignment")
    if not isinstance(body, dict):
        raise NotReplayableError("its alignment is not stored")
    try:
        gates = tuple(
            Gate(gate["name"], math.nan if gate["value"] is None else gate["value"], gate["limit"], gate["kind"])
            for gate in body["gates"]
        )
        return Alignment(
            np.array(body["frameToReference"], np.float64),
            body["mode"],
            body["start"],
            body["motion"],
            body["points"],
            body["inliers"],
            body["residualPx"],
            body["coverage"],
            body["cornerShiftPx"],
            body["similarity"],
            body["similarityBefore"],
            body["visible"],
            gates,
        )
    except (KeyError, TypeError, ValueError):
        raise NotReplayableError("its alignment is not whole") from None
