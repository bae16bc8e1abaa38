from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.publishers.base import RecordKind
from edge.publishers.payloads import (
    MAX_REGIONS,
    clearance_body,
    clearance_record,
    finite,
    image_meta_body,
    image_records,
    reduced,
    utc_text,
    verdict_body,
    verdict_record,
)
from edge.publishers.rows import encode
from edge.publishers.station_payloads import (
    StationStatus,
    ViewState,
    alarm_record,
    health_record,
    offline_body,
    state_record,
)
from edge.types import (
    Alignment,
    Box,
    Clearance,
    ClearanceOutcome,
    Gate,
    Judgement,
    Origin,
    Outcome,
    Reason,
    ReasonCode,
    Region,
    Verdict,
    ViewResult,
)
from tests.publishers.samples import NOW, alignment, clearance, png, region, verdict
from tests.schemas import validate_message

ANY_NUMBER = st.floats(allow_nan=True, allow_infinity=True)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
COUNT = st.integers(0, 10**9)
TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
ZONES = st.sampled_from([timezone.utc, timezone(timedelta(hours=5, minutes=30))])
TIMES = st.datetimes(datetime(1970, 1, 2), timezones=ZONES)  # noqa: DTZ001 - hypothesis adds the zone
BOXES = st.builds(Box, ANY_NUMBER, ANY_NUMBER, ANY_NUMBER, ANY_NUMBER)
POINTS = st.tuples(ANY_NUMBER, ANY_NUMBER)
REGIONS = st.builds(Region, BOXES, BOXES, POINTS, POINTS, ANY_NUMBER, ANY_NUMBER)
REASONS = st.builds(Reason, st.sampled_from(ReasonCode), TEXT)
GATES = st.builds(Gate, st.just("inliers"), ANY_NUMBER, ANY_NUMBER, st.sampled_from(["min", "max"]))
MATRICES = st.lists(ANY_NUMBER, min_size=9, max_size=9).map(lambda values: np.array(values).reshape(3, 3))
ALIGNMENTS = st.builds(
    Alignment, MATRICES, st.just("track"), TEXT, TEXT, COUNT, COUNT, *[ANY_NUMBER] * 6, st.lists(GATES, max_size=3).map(tuple)
)
MANY = st.lists(REGIONS, max_size=4).map(tuple)
JUDGEMENTS = st.one_of(
    st.builds(Judgement, st.just(Outcome.UNDECIDED), REASONS, *[st.none() | ANY_NUMBER] * 3, MANY),
    st.builds(Judgement, st.sampled_from([Outcome.PASS, Outcome.FAIL]), st.none(), NUMBER, NUMBER, st.none() | NUMBER, MANY),
)
ORIGINS = st.builds(
    Origin,
    st.just("front"),
    COUNT,
    st.none() | COUNT,
    st.none() | TIMES,
    TEXT,
    TEXT,
    TEXT,
    st.none() | COUNT,
    TEXT,
    TEXT,
    st.booleans(),
)
STAGES = st.dictionaries(TEXT, ANY_NUMBER, max_size=3)
IDS = st.uuids().map(str)
VERDICTS = st.builds(Verdict, IDS, JUDGEMENTS, ORIGINS, TIMES, st.none() | ALIGNMENTS, STAGES, st.none() | TEXT)


@settings(max_examples=150, deadline=None)
@given(one=VERDICTS)
def test_every_verdict_is_a_valid_message(one: Verdict) -> None:
    record = verdict_record(one)
    body = validate_message(record.topic, encode(record.body))
    assert (body["outcome"], body["resultId"], body["view"]) == (one.outcome.value, one.result_id, "front")
    assert (body["reason"] is None) == (one.reason is None)
    assert body["resultState"] == 1 or one.outcome is Outcome.UNDECIDED
    small = validate_message(record.topic, encode(reduced(record.body)))
    assert {**body, "alignment": None, "regions": [], "isPartial": True} == small


def test_a_verdict_says_what_was_measured() -> None:
    one = verdict(12, clearance_id="clearance-7")
    body = verdict_body(one)
    assert (body["score"], body["threshold"], body["pixelThreshold"]) == (9.5, 4.25, 4.0)
    assert (body["triggerNumber"], body["frameNumber"], body["jobId"]) == (12, 12, "clearance-7")
    assert (body["recipe"], body["recipeVersion"], body["bundle"]) == ("front-aspirin", 3, "variation-0123456789ab")
    assert body["creationTime"] == "2026-11-22T04:05:06.829Z"
    assert body["processingTimes"] == {
        "startTime": "2026-11-22T04:05:06.789Z",
        "endTime": "2026-11-22T04:05:06.829Z",
        "stageMs": {"align": 12.5, "infer": 20.25, "judge": 1.5},
    }
    (found,) = body["regions"]
    assert (found["box"], found["frameBox"]["x"]) == ({"x": 10.0, "y": 20.0, "width": 30.0, "height": 40.0}, 11.0)
    assert (found["areaPx"], found["peak"], found["centroid"]) == (812.0, 9.5, [25.0, 40.0])
    assert body["alignment"]["frameToReference"][0] == [1.0, 0.001, 2.5]
    assert body["alignment"]["gates"][1] == {"name": "residual_px", "value": 0.4, "limit": 1.5, "kind": "max", "passed": True}


def test_a_gate_that_measured_nothing_has_not_passed() -> None:
    broken = alignment(gates=(Gate("residual_px", math.nan, 1.5, "max"),))
    body = verdict_body(verdict(1, alignment=broken))["alignment"]
    assert not body["trusted"]
    assert body["gates"] == [{"name": "residual_px", "value": None, "limit": 1.5, "kind": "max", "passed": False}]


@pytest.mark.parametrize(
    ("outcome", "code", "state"),
    [
        (Outcome.PASS, None, 1),
        (Outcome.FAIL, None, 1),
        (Outcome.UNDECIDED, ReasonCode.CAMERA_LOST, 4),
        (Outcome.UNDECIDED, ReasonCode.STOPPED, 3),
        (Outcome.UNDECIDED, None, 4),
    ],
)
def test_result_state(outcome: Outcome, code: ReasonCode | None, state: int) -> None:
    reason = Reason(code, "because") if code else None
    assert verdict_body(verdict(1, judgement=Judgement(outcome, reason)))["resultState"] == state


def test_the_worst_regions_are_kept_and_all_are_counted() -> None:
    regions = tuple(region(float(peak)) for peak in [*range(150), math.nan])
    body = verdict_body(verdict(1, judgement=Judgement(Outcome.FAIL, None, 1.0, 1.0, 1.0, regions)))
    assert (body["regionCount"], body["isPartial"], len(body["regions"])) == (151, True, MAX_REGIONS)
    assert body["regions"][0]["peak"] is None  # unmeasured counts as worst
    assert [found["peak"] for found in body["regions"][1:]] == [float(peak) for peak in range(149, 50, -1)]


VIEWS = st.builds(
    ViewResult, st.just("front"), st.sampled_from(Outcome), st.none() | REASONS, st.lists(VERDICTS, max_size=2).map(tuple)
)
CLEARANCES = st.builds(
    Clearance,
    IDS,
    TEXT,
    COUNT,
    st.sampled_from([ClearanceOutcome.NOT_CLEAR, ClearanceOutcome.UNDECIDED]),
    TEXT,
    TEXT,
    TEXT,
    st.lists(VIEWS, max_size=3).map(tuple),
    TIMES,
    TIMES,
    TEXT,
)


@settings(max_examples=60, deadline=None)
@given(one=CLEARANCES)
def test_every_clearance_is_a_valid_message(one: Clearance) -> None:
    record = clearance_record(one)
    body = validate_message(record.topic, encode(record.body))
    assert (body["sequence"], body["requestId"], body["outcome"]) == (one.sequence, one.request_id, one.outcome.value)


def test_a_clearance_names_its_verdicts() -> None:
    body = clearance_body(clearance())
    assert [view["outcome"] for view in body["views"]] == ["FAIL", "UNDECIDED"]
    assert [result["resultId"] for result in body["views"][0]["results"]] == ["front-00000001", "front-00000002"]
    assert body["views"][1]["reason"] == {"code": "camera_lost", "detail": "sim-2 does not answer"}
    assert reduced(body) == body


def test_the_schema_refuses_a_clear_with_a_view_that_did_not_pass() -> None:
    body = {**clearance_body(clearance()), "outcome": "CLEAR"}
    with pytest.raises(AssertionError):
        validate_message("clearance/result", encode(body))


def test_images_are_tied_to_their_result() -> None:
    one = verdict(1)
    overlay, frame = image_records(one, {"overlay": png(), "frame": png(seed=2)})
    assert (overlay.kind, overlay.topic, overlay.blob) == (RecordKind.IMAGE, "view/front/image/overlay", png().data)
    assert frame.properties == {"result_id": one.result_id, "view": "front", "kind": "frame"}
    meta = image_meta_body(frame.properties, "image/png", 10, "0" * 64)
    assert validate_message("view/front/image/frame/meta", encode(meta))["resultId"] == one.result_id


def test_state_health_and_alarms_are_valid_messages() -> None:
    told = ("tensorrt: there is no GPU 0",)
    front = ViewState("front", True, "sim-1", "aspirin", "r", 3, "b", "e", engine_fallbacks=told)
    views = (front, ViewState("top", False, reason="camera_lost"))
    for status in set(StationStatus) - {StationStatus.OFFLINE}:
        state = state_record(status, NOW, station="north", versions={"lineclear": "0.1"}, views=views)
        assert state.retain
        said = validate_message(state.topic, encode(state.body))
        assert said["status"] == status.value
        assert [view["engineFallbacks"] for view in said["views"]] == [[*told], []]
    for why in ("connection_lost", "stopped"):
        assert validate_message("state", encode(offline_body(why)))["status"] == "offline"
    health = health_record({"a.b": math.nan, "c": 1, "d": True, "e": "text", "f": None}, NOW, math.inf)
    assert health.retain
    body = validate_message(health.topic, encode(health.body))
    assert (body["values"], body["uptimeS"]) == ({"a.b": None, "c": 1, "d": True, "e": "text", "f": None}, None)
    up, down = alarm_record("disk_low", "2 GB left", NOW), alarm_record("disk_low", None, NOW)
    assert validate_message(up.topic, encode(up.body))["text"] == "2 GB left"
    assert (down.topic, dict(down.body), down.retain) == ("alarm/disk_low", {}, True)


@pytest.mark.parametrize("code", ["", "Disk", "disk low", "a/b", "1st", "+", "ä"])
def test_alarm_codes_are_words(code: str) -> None:
    with pytest.raises(ValueError, match="alarm code"):
        alarm_record(code, "text", NOW)


@pytest.mark.parametrize("view", ["", "a/b", "a+b", "#", "a\0b", " a", "a\nb", "$SYS"])
def test_a_view_that_is_no_topic_level_is_refused(view: str) -> None:
    with pytest.raises(ValueError, match="topic level"):
        verdict_record(verdict(1, view))


def test_times_are_utc_and_never_guessed() -> None:
    east = timezone(timedelta(hours=9))
    assert utc_text(datetime(2026, 1, 1, 3, 0, 0, 999_999, tzinfo=east)) == "2025-12-31T18:00:00.999Z"
    with pytest.raises(ValueError, match="no time zone"):
        utc_text(datetime(2026, 1, 1))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("value", "expected"), [(1, 1.0), (None, None), (math.nan, None), (-math.inf, None), (np.float32(2.5), 2.5)]
)
def test_finite(value: Any, expected: float | None) -> None:
    result = finite(value)
    assert result == expected
    assert result is None or type(result) is float


def test_half_characters_do_not_stop_a_verdict() -> None:
    one = verdict(1, judgement=Judgement(Outcome.UNDECIDED, Reason(ReasonCode.FRAME_INVALID, "bild_\udce4.png")))
    record = verdict_record(one)
    assert validate_message(record.topic, encode(record.body))["reason"]["detail"] == "bild_?.png"
