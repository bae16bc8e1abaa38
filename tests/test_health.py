"""Counters of a station: what is counted is what health and Prometheus say."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from edge.health import Health
from edge.types import Alignment, Judgement, Origin, Outcome, Reason, ReasonCode, Verdict

START = datetime(2026, 11, 22, 4, 0, tzinfo=timezone.utc)


def alignment(shift_px: float, trusted: bool = True) -> Alignment:
    import numpy as np

    from edge.types import Gate

    gates = (Gate("inliers", 100 if trusted else 1, 12, "min"),)
    return Alignment(np.eye(3), "track", "identity", "translation", 100, 90, 0.2, 0.9, shift_px, 0.9, 0.8, 1.0, gates)


def verdict(outcome: Outcome = Outcome.PASS, view: str = "front", **changes: object) -> Verdict:
    reason = Reason(ReasonCode.CAMERA_LOST, "unplugged") if outcome is Outcome.UNDECIDED else None
    made = Verdict(
        "id", Judgement(outcome, reason), Origin(view, 1, 1, START), START, alignment(1.0), {"infer": 4.0, "align": 20.0}
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def test_verdicts_are_counted_by_outcome_and_reason() -> None:
    health = Health()
    for outcome in (Outcome.PASS, Outcome.PASS, Outcome.FAIL, Outcome.UNDECIDED):
        health.verdict(verdict(outcome))
    values = health.values()
    assert values["view.front.verdicts.PASS"] == 2
    assert values["view.front.verdicts.FAIL"] == 1
    assert values["view.front.verdicts.UNDECIDED"] == 1
    assert values["view.front.reasons.camera_lost"] == 1


def test_what_is_observed_is_the_same_with_stage_times() -> None:
    health = Health()
    health.verdict(verdict(Outcome.UNDECIDED))
    health.event("front", "frames_lost", 3)
    health.observe(health.values())
    observed = health.observed
    assert observed.verdicts == {("front", "UNDECIDED", "camera_lost"): 1}
    assert observed.stages["front", "infer"].sum_s == pytest.approx(0.004)
    assert observed.latencies["front"].sum_s == pytest.approx(0.024)
    assert observed.values["view.front.events.frames_lost"] == 3


@pytest.mark.parametrize("count", [0, -2])
def test_nothing_is_no_event(count: int) -> None:
    health = Health()
    health.event("front", "frames_lost", count)
    assert health.values() == {}


def test_events_of_the_station_have_no_view() -> None:
    health = Health()
    health.event("", "thread_failed_judge")
    assert health.values() == {"events.thread_failed_judge": 1}


def test_a_camera_that_creeps_away_shows_a_slope() -> None:
    health = Health()
    for minute in range(60):
        when = START + timedelta(minutes=minute)
        health.verdict(verdict(alignment=alignment(1 + minute / 30), origin=Origin("front", minute, minute, when)))
    trend = health.nudge_trend("front")
    assert trend is not None
    assert trend.px_per_h == pytest.approx(2.0, rel=1e-3)
    assert trend.recent_px - trend.earlier_px == pytest.approx(1.8, abs=0.1)
    assert trend.samples == 60


def test_one_wild_alignment_does_not_bend_the_trend() -> None:
    health = Health()
    for minute in range(60):
        when = START + timedelta(minutes=minute)
        shift_px = 400.0 if minute == 30 else 1.0
        health.verdict(verdict(alignment=alignment(shift_px), origin=Origin("front", minute, minute, when)))
    trend = health.nudge_trend("front")
    assert trend is not None
    assert trend.px_per_h == pytest.approx(0.0, abs=1e-9)


def test_untrusted_alignments_and_few_of_them_make_no_trend() -> None:
    health = Health()
    for _ in range(50):
        health.verdict(verdict(Outcome.UNDECIDED, alignment=alignment(9, trusted=False)))
    for _ in range(9):
        health.verdict(verdict())
    assert health.nudge_trend("front") is None
    assert health.nudge_trend("nowhere") is None
