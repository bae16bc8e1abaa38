"""A clearance while it runs, and a clearance read back: what was published comes out again, byte by byte."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.publishers.base import RecordKind
from edge.publishers.clearance_payloads import (
    ClearancePhase,
    ClearanceProgress,
    ViewProgress,
    clearance_state_record,
    read_challenge,
    read_clearance,
    read_time,
)
from edge.publishers.payloads import challenge_body, clearance_body, utc_text, worst_of
from edge.publishers.rows import encode
from edge.types import (
    ChallengeImage,
    ChallengeResult,
    Clearance,
    ClearanceOutcome,
    Outcome,
    Reason,
    ReasonCode,
    Release,
    Speaker,
    ViewParts,
    ViewResult,
)
from tests.publishers.samples import NOW, clearance, region, verdict
from tests.schemas import validate_message

REASONS = st.builds(Reason, st.sampled_from(ReasonCode), st.text(max_size=20))
SCORES = st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True))
VERDICTS = st.builds(
    lambda number, outcome, score, peaks: replace(
        verdict(number, outcome=outcome),
        judgement=replace(
            verdict(number, outcome=outcome).judgement,
            score=score,
            regions=tuple(region(peak) for peak in peaks) if outcome is Outcome.FAIL else (),
        ),
    ),
    st.integers(0, 10**6),
    st.sampled_from(Outcome),
    SCORES,
    st.lists(st.floats(), max_size=15),
)
IMAGES = st.builds(
    ChallengeImage, st.just("good-0.png"), st.just("0" * 64), st.sampled_from([Outcome.PASS, Outcome.FAIL]),
    st.sampled_from(Outcome), st.none() | REASONS, SCORES, SCORES,
)  # fmt: skip
TIMES = st.timedeltas(timedelta(0), timedelta(days=400)).map(lambda age: NOW + age)
VIEWS = st.builds(
    ViewResult,
    st.text(min_size=1, max_size=8),
    st.sampled_from(Outcome),
    st.none() | REASONS,
    st.lists(VERDICTS, max_size=3, unique_by=lambda one: one.result_id).map(tuple),
    st.none() | st.builds(ViewParts, recipe_version=st.none() | st.integers(1, 9), hashes=st.just({"card": "0" * 64})),
    st.none() | st.builds(ChallengeResult, st.just(""), TIMES, st.just("k"), st.lists(IMAGES, max_size=2).map(tuple)),
    st.none() | st.builds(Release, st.just("Chef"), st.just("why"), TIMES, st.just("shot")),
)
CLEARANCES = st.builds(
    Clearance,
    st.just("c1"),
    st.text(),
    st.integers(0, 10**9),
    st.sampled_from([ClearanceOutcome.NOT_CLEAR, ClearanceOutcome.UNDECIDED]),
    st.text(),
    st.text(),
    st.text(),
    st.lists(VIEWS, max_size=3).map(tuple),
    TIMES,
    TIMES,
    st.text(),
    st.lists(REASONS, max_size=2).map(tuple),
    st.none() | st.just("c0"),
    st.builds(Speaker, st.text(), st.just({"lineclear": "1"}), st.text()),
    st.dictionaries(st.sampled_from(["fitness", "frames"]), st.floats(min_value=0), max_size=2),
)


@settings(max_examples=80, deadline=None)
@given(one=CLEARANCES)
def test_what_was_published_comes_out_again(one: Clearance) -> None:
    body = json.loads(encode(clearance_body(one)))
    validate_message("clearance/result", encode(body))
    again = read_clearance(body)
    assert json.loads(encode(clearance_body(again))) == body
    assert (again.outcome, again.sequence, again.batch) == (one.outcome, one.sequence, one.batch)
    assert [view.outcome for view in again.views] == [view.outcome for view in one.views]
    assert [view.release is None for view in again.views] == [view.release is None for view in one.views]


def test_a_failed_view_shows_the_worst_of_its_frames() -> None:
    mild, bad = verdict(1), verdict(2)
    bad = replace(bad, judgement=replace(bad.judgement, score=99.0, regions=tuple(region(peak) for peak in range(14))))
    view = ViewResult("front", Outcome.FAIL, None, (mild, bad, verdict(3, outcome=Outcome.PASS)))
    assert worst_of(view) is bad
    (shown,) = clearance_body(replace(clearance(), views=(view,)))["views"]
    assert shown["worstResultId"] == bad.result_id
    assert [found["peak"] for found in shown["regions"]] == [13.0 - number for number in range(10)]
    assert worst_of(replace(view, verdicts=(verdict(3, outcome=Outcome.PASS),))) is None


@pytest.mark.parametrize("drop", ["resultId", "views", "reasons", "stageMs"])
def test_what_is_no_clearance_is_not_read(drop: str) -> None:
    body = clearance_body(clearance())
    del body[drop]
    with pytest.raises(KeyError):
        read_clearance(body)
    with pytest.raises(ValueError, match="PERHAPS"):
        read_clearance({**clearance_body(clearance()), "outcome": "PERHAPS"})


def test_a_challenge_comes_out_again() -> None:
    image = ChallengeImage("bad-1.png", "a" * 64, Outcome.FAIL, Outcome.PASS, None, 1.5, 4.0)
    one = ChallengeResult("front", read_time(utc_text(NOW)), "key", (image,))
    body = challenge_body(one)
    assert not body["passed"]
    assert read_challenge("front", body) == one


@pytest.mark.parametrize(
    "change",
    [
        {"outcome": "CLEAR"},
        {"outcome": "RELEASED_BY"},
        {"outcome": "MAYBE"},
        {"isSimulated": None},
        {"previousResultId": 7},
        {"more": 1},
    ],
)
def test_the_schema_refuses_contradictions(change: dict[str, object]) -> None:
    with pytest.raises(AssertionError):
        validate_message("clearance/result", encode({**clearance_body(clearance()), **change}))


@pytest.mark.parametrize("phase", ClearancePhase)
def test_every_step_is_a_valid_message(phase: ClearancePhase) -> None:
    rests = phase in (ClearancePhase.READY, ClearancePhase.STOPPED)
    views = () if rests else (ViewProgress("front", 1, 3),)
    progress = (
        ClearanceProgress(phase, 7) if rests else ClearanceProgress(phase, 7, "r1", "clearance-1", "B1", "aspirin", NOW, views)
    )
    record = clearance_state_record(progress, NOW)
    assert (record.kind, record.retain) == (RecordKind.STATE, True)
    body = validate_message(record.topic, encode(record.body))
    assert (body["state"], body["sequence"], body["requestId"]) == (phase.value, 7, None if rests else "r1")
    with pytest.raises(AssertionError):
        validate_message(record.topic, encode({**body, "requestId": "r1" if rests else None}))
