"""The only place that decides: PASS, FAIL or UNDECIDED of a frame, a vote, a clearance. Pure.

No other module constructs `Outcome.PASS`, `Outcome.FAIL` or `ClearanceOutcome.CLEAR` (a test walks the source for that).
PASS is given only to a map that is finite wherever it is judged, of a frame whose alignment is trusted, with something
left to judge, and a score that is at or below a finite threshold. A family without a map must give the score itself, and
then only that is asked. Nor is what no working engine gives: one value everywhere, or a score of exactly 0, where no good
frame of the card scored so. Everything else is FAIL or UNDECIDED with a reason.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import numpy as np

from edge import regions, scoring
from edge.settings.judging import Limits, ScoreRule, VoteRule
from edge.types import (
    Alignment,
    AnomalyMap,
    ClearanceOutcome,
    Judgement,
    MapF32,
    MaskBool,
    Outcome,
    Reason,
    ReasonCode,
    Region,
    ViewResult,
)

_SINGULAR = 1e-9


def undecided(code: ReasonCode, detail: str, limits: Limits | None = None) -> Judgement:
    """UNDECIDED with its reason; the thresholds, where known, tell what the frame would have been held to."""
    return Judgement(
        Outcome.UNDECIDED,
        Reason(code, detail),
        threshold=limits.image_threshold if limits else None,
        pixel_threshold=limits.pixel_threshold if limits else None,
    )


def not_registered(alignment: Alignment, limits: Limits | None = None) -> Judgement:
    """UNDECIDED(not_registered), naming every broken gate with value and limit; for an alignment that is not trusted."""
    broken = "; ".join(str(gate) for gate in alignment.broken) or "the homography is not finite or cannot be inverted"
    remedy = "look whether the camera is covered, dirty, out of focus or was moved"
    return undecided(ReasonCode.NOT_REGISTERED, f"{broken}: {remedy}", limits)


def judge(
    anomaly_map: AnomalyMap,
    alignment: Alignment,
    limits: Limits,
    judged: MaskBool,
    rule: ScoreRule,
    *,
    frame_size_wh: tuple[int, int],
    smoothed: MapF32 | None = None,
    known: Sequence[float] | None = None,
) -> Judgement:
    """Decide one frame. Never raises for what a frame, an engine or an alignment can get wrong: that is UNDECIDED.

    judged: bool HxW of the map, True where neither masked nor outside the frame. FAIL if the image score is above
    limits.image_threshold; a score that equals it passes, so that the good frame that set a threshold by its maximum
    does. smoothed: `scoring.smooth(anomaly_map.scores, judged, rule)`, where the caller has it already. known: the image scores
    of the card's good frames, None where there is no card: then a dead engine is not told from a clean frame.

    Regions, of a FAIL only, by hysteresis (as Canny has it, PAMI 1986): the pixel threshold outlines them, the image
    threshold lets them in, so that each one is reason enough for the FAIL and noise elsewhere is not listed. Without a map
    there are none: nobody can say where.
    """
    if not alignment.trusted or abs(float(np.linalg.det(alignment.frame_to_reference))) < _SINGULAR:
        return not_registered(alignment, limits)
    levels = (limits.image_threshold, limits.pixel_threshold or 0.0, limits.min_area_px)
    if not all(math.isfinite(level) for level in levels):
        return undecided(ReasonCode.RECIPE_INVALID, "a threshold is not a finite number")
    if problem := scoring.fault(anomaly_map, judged, rule):
        return undecided(ReasonCode.MAP_INVALID, problem, limits)
    if known is not None and (dead := scoring.lifeless(anomaly_map, judged, rule, known)):
        return undecided(ReasonCode.ENGINE_FAULT, dead, limits)
    if anomaly_map.scores is None:
        return _by_score(anomaly_map.image_score, limits)
    if limits.pixel_threshold is None:
        detail = "the card has no pixel threshold, but the bundle gives a map: take new thresholds"
        return undecided(ReasonCode.RECIPE_INVALID, detail, limits)
    if smoothed is None:
        smoothed = scoring.smooth(anomaly_map.scores, judged, rule)
    score = scoring.image_score(smoothed, judged, rule, anomaly_map.image_score)
    highest, at = scoring.peak(smoothed, judged)
    if not (math.isfinite(score) and math.isfinite(highest)):
        return undecided(ReasonCode.MAP_INVALID, f"the image score is {score} and the map's peak {highest}", limits)
    failed = score > limits.image_threshold
    geometry = regions.Geometry(anomaly_map.map_to_reference, alignment.frame_to_reference, frame_size_wh)
    found: tuple[Region, ...] = ()
    if failed and highest > limits.pixel_threshold:
        found = regions.find_regions(smoothed, judged, limits.pixel_threshold, limits.min_area_px, geometry)
        if rule.kind != "graph":
            found = tuple(region for region in found if region.peak > limits.image_threshold)
    if failed and not found:
        level = _level_below(highest, limits.pixel_threshold, limits.image_threshold)
        found = (regions.region_at(smoothed, judged, level, at, geometry),)
    outcome = Outcome.FAIL if failed else Outcome.PASS
    return Judgement(outcome, None, score, limits.image_threshold, limits.pixel_threshold, found)


def _by_score(score: float | None, limits: Limits) -> Judgement:
    """The verdict of a score that no map is behind."""
    if score is None or not math.isfinite(score):
        return undecided(ReasonCode.MAP_INVALID, f"the image score is {score}", limits)
    outcome = Outcome.FAIL if score > limits.image_threshold else Outcome.PASS
    return Judgement(outcome, None, score, limits.image_threshold)


def vote(judgements: Sequence[Judgement], rule: VoteRule) -> tuple[Outcome, Reason | None]:
    """Vote k of n over one view's frames. FAIL is asked first; frames that are UNDECIDED count for neither side.

    No frame decided: the first frame's reason. Otherwise, where neither side has its votes: UNDECIDED(vote_split).
    """
    fails = sum(judgement.outcome is Outcome.FAIL for judgement in judgements)
    passes = sum(judgement.outcome is Outcome.PASS for judgement in judgements)
    if fails >= rule.fail_votes:
        return Outcome.FAIL, None
    if passes >= rule.pass_votes:
        return Outcome.PASS, None
    reasons = [judgement.reason for judgement in judgements if judgement.reason is not None]
    if not fails and not passes:
        return Outcome.UNDECIDED, reasons[0] if reasons else Reason(ReasonCode.FRAME_LOST, "no frame was judged")
    detail = (
        f"{passes} pass (needs {rule.pass_votes}), {fails} fail (needs {rule.fail_votes}), "
        f"{len(judgements) - passes - fails} undecided"
    )
    if reasons:
        detail += f", first: {reasons[0].code.value}: {reasons[0].detail}"
    return Outcome.UNDECIDED, Reason(ReasonCode.VOTE_SPLIT, detail)


def clear(results: Sequence[ViewResult], expected_views: Collection[str], unfit: Collection[Reason] = ()) -> ClearanceOutcome:
    """NOT_CLEAR if any view fails; CLEAR only if exactly the expected views are there, once each, all pass, and nothing
    speaks against the station itself. A view that a person released keeps its outcome and no longer stands in the way,
    but then the answer is RELEASED_BY.
    """
    open_views = [result for result in results if result.release is None]
    if any(result.outcome is Outcome.FAIL for result in open_views):
        return ClearanceOutcome.NOT_CLEAR
    complete = bool(expected_views) and sorted(result.view for result in results) == sorted(set(expected_views))
    if not complete or unfit or any(result.outcome is not Outcome.PASS for result in open_views):
        return ClearanceOutcome.UNDECIDED
    return ClearanceOutcome.CLEAR if len(open_views) == len(results) else ClearanceOutcome.RELEASED_BY


def recorded(
    outcome: str, reason: Reason | None, score: float | None, threshold: float | None, regions: Sequence[Region] = ()
) -> Judgement:
    """A judgement that this station made and wrote down, read back; nothing is decided again. ValueError: no outcome."""
    return Judgement(Outcome(outcome), reason, score, threshold, None, tuple(regions))


def _level_below(highest: float, *levels: float) -> float:
    """What outlines the peak of a FAIL that has no region large enough: the operator always sees where."""
    below = [level for level in levels if level < highest]
    return float(np.nextafter(np.float32(max(below)), np.float32(np.inf))) if below else highest
