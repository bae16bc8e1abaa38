"""Whether what was heard may still be believed: never a green that is not current."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.web.link import Mirror
from calibration.web.link.trouble import Trouble, Why
from calibration.web.station import Doubt, Limits, digest, show
from calibration.web.station.bar import MARK, bar_of
from calibration.web.station.showing import Shown, alarm_family
from tests.web.link.parts import JPEG, example, heard, mirror

AT = datetime(2026, 11, 22, 6, 9, 16, tzinfo=timezone.utc)
LIMITS = Limits()
FINITE = st.floats(allow_nan=False, allow_infinity=False, width=32)


def passing(**changes: Any) -> Mirror:
    """Everything is well: one view, PASS and CLEAR a second ago."""
    page = mirror("feeder")
    views = [{**example("state")["views"][0], "ready": True}]
    page.hear(heard("state", example("state", status=changes.get("status", "ready"), views=views)))
    page.hear(heard("health", example("health")))
    at = "2026-11-22T06:09:15.000Z"
    page.hear(heard("view/feeder/result", example("view/feeder/result", outcome="PASS", score=0.5, creationTime=at)))
    page.hear(heard("clearance/result", example("clearance/result", outcome="CLEAR", creationTime=at, sequence=4)))
    page.hear(heard("clearance/state", example("clearance/state", state="ready", sequence=changes.get("sequence", 4))))
    return page


def shown(page: Mirror, at: datetime = AT, sees: tuple[str, ...] = ("feeder", "nest")) -> Shown:
    return show(page.now(), at, LIMITS, sees.__contains__)


def doubts(page: Mirror, at: datetime = AT) -> tuple[Doubt | None, Doubt | None, Doubt | None]:
    contents = shown(page, at)
    return contents.doubt, contents.banner.doubt, contents.cards[0].doubt


def test_what_is_fresh_is_current() -> None:
    page = passing()
    assert doubts(page) == (None, None, None)
    contents = shown(page)
    assert (contents.banner.outcome, contents.cards[0].outcome, contents.status) == ("CLEAR", "PASS", "ready")
    assert contents.cards[0].camera == "live"


@pytest.mark.parametrize(
    ("status", "doubt"),
    [("offline", Doubt.OFFLINE), ("safe_mode", Doubt.SAFE_MODE), ("starting", Doubt.STARTING)],
)
def test_a_station_that_does_not_judge_makes_everything_doubtful(status: str, doubt: Doubt) -> None:
    assert doubts(passing(status=status)) == (doubt, doubt, doubt)


def test_a_degraded_station_gave_no_current_clearance_but_its_good_views_stand() -> None:
    assert doubts(passing(status="degraded")) == (None, Doubt.DEGRADED, None)


def test_a_view_that_is_not_ready() -> None:
    page = passing()
    views = [{**example("state")["views"][1], "view": "feeder"}]
    page.hear(heard("state", example("state", status="degraded", views=views)))
    assert doubts(page)[2] is Doubt.NOT_READY
    assert "unplugged" in shown(page).cards[0].why_not


@pytest.mark.parametrize(
    ("minutes", "banner", "card"),
    [(5, None, None), (11, None, Doubt.OLD), (61, Doubt.OLD, Doubt.OLD), (-5, Doubt.CLOCK, Doubt.CLOCK)],
)
def test_results_grow_old(minutes: float, banner: Doubt | None, card: Doubt | None) -> None:
    page = passing()
    at = AT + timedelta(minutes=minutes)
    page._clock = lambda: at
    page.hear(heard("health", example("health")))
    assert doubts(page, at) == (None, banner, card)


def test_a_station_that_says_nothing_more_is_not_believed() -> None:
    assert doubts(passing(), AT + timedelta(seconds=41)) == (Doubt.SILENT,) * 3


def test_without_the_broker_nothing_is_current() -> None:
    page = passing()
    page.connection(Trouble(Why.BROKEN, "cable"))
    assert doubts(page) == (Doubt.LINK,) * 3
    assert shown(page).banner.outcome == "CLEAR", "what it was is still told"
    page.connection(None)
    assert doubts(page) == (Doubt.UNHEARD,) * 3
    page.connection(Trouble(Why.NO_BROKER))
    assert doubts(page) == (Doubt.NO_BROKER,) * 3


def test_after_an_interruption_a_newer_result_may_have_been_missed() -> None:
    page = passing()
    page.connection(Trouble(Why.BROKEN))
    page.connection(None)
    page.hear(heard("state", example("state", status="ready")))
    page.hear(heard("health", example("health")))
    assert doubts(page) == (None, Doubt.MISSED, Doubt.MISSED)
    page.hear(heard("clearance/state", example("clearance/state", state="ready", sequence=4)))
    assert doubts(page)[1] is None, "the number says that there was none"


@pytest.mark.parametrize("change", [{"sequence": 5}, {"state": "frames"}, {"state": "stopped"}])
def test_a_clearance_ends_with_the_next_one(change: dict[str, Any]) -> None:
    page = passing()
    page.hear(heard("clearance/state", example("clearance/state", **{"state": "ready", "sequence": 4, **change})))
    assert doubts(page)[1] is Doubt.SUPERSEDED


def test_a_reader_sees_only_what_they_may() -> None:
    page = mirror()
    for topic in ("state", "clearance/result", "clearance/state", "alarm/view_nest"):
        page.hear(heard(topic, example(topic)))
    everything, half = shown(page), shown(page, sees=("feeder",))
    assert [card.view for card in everything.cards] == ["feeder", "nest"]
    assert [alarm.code for alarm in everything.alarms] == ["view_nest"]
    assert [why.view for why in everything.banner.reasons] == ["nest"]
    assert ([card.view for card in half.cards], half.alarms, half.banner.reasons) == (["feeder"], (), ())
    assert everything.running is not None
    assert half.running is not None
    assert (everything.running.total, half.running.total) == (6, 3)


def test_only_what_is_seen_changes_the_page() -> None:
    page = passing()
    before = digest(shown(page))
    page.hear(heard("health", example("health", creationTime="2026-11-22T06:09:16.000Z")))
    assert digest(shown(page)) == before
    assert digest(shown(page, AT + timedelta(minutes=20))) != before, "growing old is a change"


def properties_of(result_id: str) -> dict[str, str]:
    return {"result_id": result_id, "sha256": hashlib.sha256(JPEG).hexdigest()}


def test_an_earlier_picture_stays_only_while_the_next_one_is_on_its_way() -> None:
    page = passing()
    page._clock = lambda: AT
    page.hear(heard("view/feeder/image/overlay", JPEG, properties=properties_of("earlier")))
    card = shown(page).cards[0]
    assert (card.picture, card.is_its, card.is_recent) == ("earlier", False, True)
    assert not shown(page, AT + timedelta(seconds=7)).cards[0].is_recent
    own = page.now().views["feeder"].result
    assert own is not None
    page.hear(heard("view/feeder/image/overlay", JPEG, properties=properties_of(own["resultId"])))
    card = shown(page).cards[0]
    assert (card.is_its, card.is_recent) == (True, False)


@pytest.mark.parametrize(
    ("code", "family"),
    [
        ("view_nest_2", ("view", "nest_2")), ("trigger_gate", ("trigger", "gate")), ("check_drift", ("check", "drift")),
        ("check_drift_old", ("check_old", "drift")), ("audit", ("audit", "")), ("view_", ("other", "")), ("new", ("other", "")),
    ],
)  # fmt: skip
def test_whose_words_explain_an_alarm(code: str, family: tuple[str, str]) -> None:
    assert alarm_family(code) == family


@given(score=FINITE, threshold=FINITE)
def test_a_bar_never_lies(score: float, threshold: float) -> None:
    bar = bar_of(score, threshold)
    assert bar is not None
    assert 0 <= bar.fill <= 100
    assert (bar.fill >= MARK) == (score >= threshold)


@given(scores=st.tuples(FINITE, FINITE), threshold=st.floats(1e-3, 1e6))
def test_a_higher_score_has_no_shorter_bar(scores: tuple[float, float], threshold: float) -> None:
    low, high = (bar_of(score, threshold) for score in sorted(scores))
    assert low is not None
    assert high is not None
    assert low.fill <= high.fill or min(scores) < 0 <= max(scores)


def test_without_score_or_threshold_there_is_no_bar() -> None:
    assert bar_of(None, 1.0) is None
    assert bar_of(1.0, None) is None
