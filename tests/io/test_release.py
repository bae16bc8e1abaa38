"""The gate: a fresh CLEAR opens it once; everything else closes it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from edge.io.release import ReleaseGate
from edge.settings.io import Condition
from edge.types import ClearanceOutcome
from tests.io.building import clearance, config

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=timezone.utc)
T = 10**12
SECOND = 10**9


def opened(**changes: object) -> ReleaseGate:
    gate = ReleaseGate(config(**changes))
    gate.started("r1")
    assert gate.done(clearance(1, now=NOW), NOW, T)
    return gate


def test_a_fresh_clear_opens_it_until_the_hold_time_is_over() -> None:
    gate = opened(hold_s=5)
    permit = gate.permit(T + 5 * SECOND - 1)
    assert permit is not None
    assert (permit.sequence, permit.until_ns) == (1, T + 5 * SECOND)
    assert gate.permit(T + 5 * SECOND) is None
    assert gate.permit(T) is None, "once closed it stays closed, whatever the clock does"
    assert gate.why_closed == "5 s are over"


def test_the_hold_time_counts_from_the_decision() -> None:
    gate = ReleaseGate(config(hold_s=5))
    gate.started("r1")
    gate.done(clearance(1, now=NOW, age_s=1.5), NOW, T)
    permit = gate.permit(T)
    assert permit is not None
    assert permit.until_ns == T + int(3.5 * SECOND)


def test_nobody_asked_in_this_life_of_the_station() -> None:
    gate = ReleaseGate(config())
    assert not gate.done(clearance(1, now=NOW), NOW, T)
    assert "not the one that is at work" in gate.why_closed


@pytest.mark.parametrize(
    ("result", "why"),
    [
        (clearance(2, ClearanceOutcome.NOT_CLEAR, now=NOW), "NOT_CLEAR"),
        (clearance(2, ClearanceOutcome.UNDECIDED, now=NOW), "UNDECIDED"),
        (clearance(2, ClearanceOutcome.RELEASED_BY, now=NOW), "RELEASED_BY"),
        (clearance(2, request_id="another", now=NOW), "is not the one"),
        (clearance(1, request_id="r2", now=NOW), "sequence 1 is not above 1"),
        (clearance(0, request_id="r2", now=NOW), "sequence 0 is not above 1"),
        (clearance(2, now=NOW, age_s=2.1), "decided 2.1 s ago"),
        (clearance(2, now=NOW, age_s=-1.1), "decided -1.1 s ago"),
        (clearance(2, now=NOW, age_s=-86400), "s ago"),
    ],
)
def test_nothing_else_opens_it_and_each_of_them_closes_it(result: object, why: str) -> None:
    gate = opened()
    gate.started("r2")
    assert gate.permit(T) is None
    assert not gate.done(result, NOW, T)  # type: ignore[arg-type]
    assert gate.permit(T) is None
    assert why in gate.why_closed


def test_the_same_result_again_closes_it() -> None:
    gate = opened()
    assert not gate.done(clearance(1, now=NOW), NOW, T)
    assert gate.permit(T) is None


def test_the_result_of_the_one_before_does_not_open_it_while_the_next_is_at_work() -> None:
    gate = ReleaseGate(config())
    gate.started("r1")
    gate.started("r2")
    assert not gate.done(clearance(1, now=NOW), NOW, T)
    assert gate.conditions == (Condition.BUSY,)
    assert gate.done(clearance(2, now=NOW), NOW, T)


def test_what_was_dropped_stays_dropped() -> None:
    gate = opened()
    gate.drop("changeover")
    assert gate.permit(T) is None
    assert gate.why_closed == "changeover"
    assert not gate.done(clearance(1, now=NOW), NOW, T)
    gate.started("r2")
    assert gate.done(clearance(2, now=NOW), NOW, T)


def test_a_simulated_clearance_moves_no_real_relay() -> None:
    for chip, opens in (({"kind": "gpio"}, False), ({"kind": "simulated", "path": "x"}, True)):
        gate = ReleaseGate(config(chip=chip))
        gate.started("r1")
        assert gate.done(clearance(1, simulated=True, now=NOW), NOW, T) is opens
        assert opens or "simulated" in gate.why_closed


def test_a_person_may_release_only_where_the_config_says_so() -> None:
    gate = ReleaseGate(config(released_by=True))
    gate.started("r1")
    assert gate.done(clearance(1, ClearanceOutcome.RELEASED_BY, now=NOW), NOW, T)
    gate.started("r2")
    assert not gate.done(clearance(2, ClearanceOutcome.UNDECIDED, now=NOW), NOW, T)


def test_a_clock_that_jumps_between_decision_and_hearing_releases_nothing() -> None:
    for jump_s in (-3600, -5, 5, 3600):
        gate = ReleaseGate(config())
        gate.started("r1")
        assert not gate.done(clearance(1, now=NOW), NOW + timedelta(seconds=jump_s), T)


@pytest.mark.parametrize(
    ("outcome", "shown"),
    [
        (ClearanceOutcome.CLEAR, ()),
        (ClearanceOutcome.NOT_CLEAR, (Condition.NOT_CLEAR,)),
        (ClearanceOutcome.UNDECIDED, (Condition.UNDECIDED,)),
        (ClearanceOutcome.RELEASED_BY, (Condition.RELEASED_BY,)),
    ],
)
def test_how_the_last_one_ended_is_shown_until_the_next_starts(outcome: ClearanceOutcome, shown: tuple[Condition, ...]) -> None:
    gate = ReleaseGate(config())
    assert gate.conditions == ()
    gate.started("r1")
    assert gate.conditions == (Condition.BUSY,)
    gate.done(clearance(1, outcome, now=NOW), NOW, T)
    assert gate.conditions == shown
    gate.started("r2")
    assert gate.conditions == (Condition.BUSY,)
