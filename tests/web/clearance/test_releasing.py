"""What the page says in advance is what the station would say: held against edge.clearance.review."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from calibration.web.clearance.releasing import (
    Circumstances,
    Looked,
    answerable,
    judged_at,
    named,
    open_views,
    why_no_release,
    why_unseen,
)
from edge.clearance.base import Snapshot
from edge.clearance.requests import ReviewOrder
from edge.clearance.review import objections, unreleasable
from edge.settings.clearance import ReviewConfig
from edge.types import (
    Clearance,
    ClearanceOutcome,
    Judgement,
    Origin,
    Outcome,
    Reason,
    ReasonCode,
    Release,
    Verdict,
    ViewParts,
    ViewResult,
)

START = datetime(2026, 11, 22, 12, 0, tzinfo=timezone.utc)
REVIEW = ReviewConfig()
STATE = {"status": "ready", "views": [{"view": "nest", "recipeVersion": 2, "bundle": "b-1", "engine": "cpu"}]}
PARTS = ViewParts(recipe_version=2, bundle="b-1", engine="cpu")
AROUND = Circumstances("clearance-1", STATE, may_release=True, person_known=True, client_may=True)


def view(outcome: Outcome = Outcome.FAIL, code: ReasonCode | None = None, release: Release | None = None) -> ViewResult:
    reason = Reason(code, "said so") if code is not None else None
    verdict = Verdict("v-1", Judgement(outcome), Origin("nest", 1, 1, START), START)
    return ViewResult("nest", outcome, reason, (verdict,), PARTS, None, release)


def clearance(*views: ViewResult, reasons: tuple[Reason, ...] = ()) -> Clearance:
    return Clearance(
        "clearance-1", "r-1", 1, ClearanceOutcome.NOT_CLEAR, "B1", "aspirin", "Kim", views or (view(),), START, START,
        reasons=reasons,
    )  # fmt: skip


def codes(given_clearance: Clearance, around: Circumstances = AROUND, after_min: float = 1) -> frozenset[str]:
    now = START + timedelta(minutes=after_min)
    return named(why_no_release(given_clearance, given_clearance.views[0], around, REVIEW, now))


def test_a_fresh_false_alarm_can_be_released() -> None:
    assert codes(clearance()) == frozenset()
    assert [each.view for each in open_views(clearance())] == ["nest"]


def test_every_hindrance_has_its_code() -> None:
    released = view(release=Release("Kim", "looked", START, "s-1"))
    assert codes(clearance(released)) == {"released_already"}
    assert open_views(clearance(released)) == ()
    assert codes(clearance(view(Outcome.PASS))) == {"passed"}
    assert codes(clearance(view(Outcome.UNDECIDED, ReasonCode.CAMERA_LOST))) == {"not_releasable"}
    assert codes(clearance(view(Outcome.UNDECIDED, ReasonCode.VOTE_SPLIT))) == frozenset()
    assert codes(clearance(reasons=(Reason(ReasonCode.CLOCK, "jumped"),))) == {"station_reasons"}
    assert codes(clearance(), replace(AROUND, newest="clearance-2")) == {"not_newest"}
    assert codes(clearance(), after_min=61) == {"too_old"}
    assert codes(clearance(), after_min=-1) == {"clock"}
    assert codes(clearance(), replace(AROUND, may_release=False)) == {"no_right"}
    assert codes(clearance(), replace(AROUND, person_known=False)) == {"person_unknown"}
    assert codes(clearance(), replace(AROUND, client_may=False)) == {"client_no_right"}
    assert codes(clearance(), replace(AROUND, state=None)) == {"no_station"}
    assert codes(clearance(), replace(AROUND, state={**STATE, "status": "degraded"})) == {"not_ready"}
    newer = {"status": "ready", "views": [{**STATE["views"][0], "recipeVersion": 3}]}  # type: ignore[index]
    assert codes(clearance(), replace(AROUND, state=newer)) == {"parts_changed"}


def test_the_time_runs_from_the_oldest_frame() -> None:
    late = replace(clearance(), decided_at=START + timedelta(minutes=30))
    assert judged_at(late) == START
    assert named(answerable(late, "clearance-1", REVIEW, START + timedelta(minutes=61))) == {"too_old"}


def test_a_look_counts_when_it_is_fresh_and_was_seen() -> None:
    now = START + timedelta(minutes=3)
    given_clearance = clearance()

    def why(looked: Looked | None) -> str:
        return why_unseen(given_clearance, given_clearance.views[0], looked, REVIEW, now)

    assert why(None) == "none"
    assert why(Looked("s", START, seen=True)) == "before"
    assert why(Looked("s", START + timedelta(seconds=1), seen=False)) == "unseen"
    assert why(Looked("s", START + timedelta(seconds=1), seen=True)) == ""
    assert why(Looked("s", now + timedelta(seconds=1), seen=True)) == "too_old"
    old = why_unseen(
        given_clearance, given_clearance.views[0], Looked("s", START + timedelta(seconds=1), seen=True), REVIEW,
        START + timedelta(minutes=6),
    )  # fmt: skip
    assert old == "too_old"


CODES = st.sampled_from([None, *ReasonCode])


@given(
    outcome=st.sampled_from(list(Outcome)),
    code=CODES,
    released=st.booleans(),
    doubted=st.booleans(),
    newest=st.sampled_from(["clearance-1", "clearance-2"]),
    minutes=st.integers(1, 120),
    looked_s=st.one_of(st.none(), st.integers(-60, 600)),
)
def test_the_page_and_the_station_agree(
    outcome: Outcome,
    code: ReasonCode | None,
    released: bool,
    doubted: bool,
    newest: str,
    minutes: float,
    looked_s: float | None,
) -> None:
    release = Release("Kim", "looked", START, "s-1") if released else None
    reasons = (Reason(ReasonCode.CLOCK, "jumped"),) if doubted else ()
    one = view(outcome, code if outcome is Outcome.UNDECIDED else None, release)
    given_clearance = clearance(one, reasons=reasons)
    now = START + timedelta(minutes=minutes)
    taken_at = START + timedelta(seconds=looked_s) if looked_s is not None else None
    looked = Looked("s-9", taken_at, seen=True) if taken_at is not None else None
    snapshots: dict[str, Any] = {"nest": Snapshot("s-9", "nest", taken_at) if taken_at is not None else None}
    order = ReviewOrder(
        request_id="r-2", result_id="clearance-1", views=("nest",), action="false_alarm", who="Kim", why="looked",
        snapshots={"nest": "s-9"},
    )  # fmt: skip
    station = objections(given_clearance, order, newest, REVIEW, now)
    station += unreleasable(given_clearance, order, snapshots, REVIEW, now)
    around = replace(AROUND, newest=newest)
    ours = why_no_release(given_clearance, one, around, REVIEW, now)
    unseen = why_unseen(given_clearance, one, looked, REVIEW, now)
    assert bool(ours or unseen) == bool(station), (named(ours), unseen, station)
