"""What the station said last: every message of the documentation is understood, and nothing else does anything."""

from __future__ import annotations

import hashlib
import json
import tracemalloc
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.web.link import Mirror, product_of
from calibration.web.link.connection import Heard
from calibration.web.link.reading import MAX_JSON_BYTES, MAX_PICTURE_BYTES
from calibration.web.link.trouble import Trouble, Why
from tests.commands.parts import ROOT
from tests.web.link.parts import AT, JPEG, PNG, example, examples, heard, mirror

RESULT, IMAGE = "view/feeder/result", "view/feeder/image/overlay"


def test_every_message_of_the_documentation_is_understood() -> None:
    page = mirror()
    for topic, body in examples():
        page.hear(heard(topic, body))
    now = page.now()
    assert now.refused == 0
    assert {name: view.result["outcome"] for name, view in now.views.items() if view.result} == {
        "feeder": "FAIL",
        "nest": "UNDECIDED",
    }
    assert now.state == {"schema": "lineclear/state/1", "status": "offline", "reason": "stopped"}
    assert now.clearance is not None
    assert now.clearance_state is not None
    assert now.health is not None
    assert (now.clearance["outcome"], now.clearance_state["state"], now.health["values"]["camera.feeder.status"]) == (
        "NOT_CLEAR",
        "frames",
        "live",
    )
    assert list(now.alarms) == ["view_nest"]
    page.hear(heard("alarm/view_nest", b""))
    assert not page.now().alarms


def test_the_product_is_what_all_views_are_for() -> None:
    page = mirror()
    page.hear(heard("state", example("state")))
    assert product_of(page.now()) == "tablets-10mg"
    views = example("state")["views"]
    page.hear(heard("state", example("state", views=[views[0], {**views[1], "product": "other"}])))
    assert product_of(page.now()) is None


def hostile(body: dict[str, Any]) -> list[Any]:
    text = json.dumps(body)
    return [
        b"",
        b"\xff\xfe{}",
        b"null",
        b"[" * 100_000,
        b"[" * 20 + b"1" + b"]" * 20,
        text.replace('"FAIL"', '"<script>"').encode(),
        text.replace('"FAIL"', '["FAIL"]').encode(),
        text.replace("6.54", "NaN").encode(),
        text.replace("6.54", "1e999").encode(),
        text.replace('"resultId": "', '"resultId": "../../etc/passwd\\n').encode(),
        text.replace("{", '{"schema": "other", ', 1).encode(),
        {**body, "score": "6.5"},
        {**body, "score": True},
        {**body, "view": "nest"},
        {**body, "resultId": "x" * 1000},
        {**body, "reason": {"code": "Camera Lost", "detail": ""}},
        {**body, "reason": {"code": "camera_lost", "detail": "x" * 100_000}},
        {**body, "creationTime": "yesterday"},
        {**body, "note": "x" * MAX_JSON_BYTES},
        {**body, "deep": json.loads("[" * 40 + "]" * 40)},
    ]


@pytest.mark.parametrize("payload", hostile(example(RESULT)), ids=range(20))
def test_what_is_no_result_changes_nothing(payload: Any) -> None:
    page = mirror()
    page.hear(heard(RESULT, example(RESULT)))
    before = page.now()
    page.hear(heard(RESULT, payload))
    after = page.now()
    assert after.views == before.views
    assert after.refused == 1


@settings(max_examples=30)
@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists).map(repr).map(str.encode)
)
def test_no_bytes_on_any_topic_do_harm(payload: bytes) -> None:
    page = mirror()
    topics = ("state", "health", RESULT, IMAGE, f"{IMAGE}/meta", "clearance/result", "clearance/state", "alarm/x", "x", "")
    for topic in topics:
        page.hear(heard(topic, payload))
    assert page.now().state is None
    assert all(view.result is None for view in page.now().views.values())


def test_views_that_are_not_configured_and_other_stations_are_not_heard() -> None:
    page = mirror("feeder")
    page.hear(heard("view/nest/result", example(RESULT, view="nest")))
    page.hear(Heard("lineclear/elsewhere/state", json.dumps(example("state")).encode()))
    assert list(page.now().views) == ["feeder"]
    assert page.now().state is None


def test_an_old_result_that_comes_again_does_not_hide_a_newer_one() -> None:
    """docs/mqtt.md: after a broken connection 1 2 3 may be followed by 2 3 4."""
    page = mirror()
    for name in ("one", "two", "one"):
        page.hear(heard(RESULT, example(RESULT, resultId=name)))
    result = page.now().views["feeder"].result
    assert result is not None
    assert result["resultId"] == "two"


def test_the_clearance_with_the_highest_number_stands() -> None:
    page = mirror()
    for number in (5, 7, 6):
        page.hear(heard("clearance/result", example("clearance/result", sequence=number)))
    clearance = page.now().clearance
    assert clearance is not None
    assert clearance["sequence"] == 7


def note(picture: bytes, result_id: str) -> dict[str, Any]:
    return example(f"{IMAGE}/meta", resultId=result_id, sha256=hashlib.sha256(picture).hexdigest())


def shown(page: Mirror) -> tuple[str, bytes] | None:
    picture = page.now().views["feeder"].picture
    return None if picture is None else (picture.result_id, picture.data)


def test_a_picture_belongs_to_the_result_that_names_it() -> None:
    page = mirror()
    page.hear(heard(IMAGE, JPEG, properties={"result_id": "r-5"}))
    assert shown(page) == ("r-5", JPEG)
    page.hear(heard(IMAGE, PNG))
    assert shown(page) == ("r-5", JPEG), "a picture of nobody knows what is not shown"
    page.hear(heard(f"{IMAGE}/meta", note(PNG, "r-6")))
    assert shown(page) == ("r-6", PNG)
    page.hear(heard(f"{IMAGE}/meta", note(JPEG, "r-7")))
    page.hear(heard(IMAGE, JPEG))
    assert shown(page) == ("r-7", JPEG)


@pytest.mark.parametrize(
    ("payload", "properties"),
    [
        (b"<svg onload=alert(1)>", {"result_id": "r"}),
        (b"GIF89a" + bytes(100), {"result_id": "r"}),
        (JPEG + bytes(MAX_PICTURE_BYTES), {"result_id": "r"}),
        (JPEG, {"result_id": "r", "sha256": "0" * 64}),
        (JPEG, {"result_id": "a b\n"}),
        (JPEG, {}),
    ],
)
def test_what_is_no_picture_of_a_result_is_not_shown(payload: bytes, properties: dict[str, str]) -> None:
    page = mirror()
    page.hear(heard(IMAGE, payload, properties=properties))
    assert shown(page) is None


def test_memory_is_bounded_whatever_comes_in() -> None:
    page = mirror("feeder")
    picture = JPEG + bytes(100_000)
    tracemalloc.start()
    try:
        for number in range(60):
            page.hear(heard(IMAGE, picture + number.to_bytes(4, "big"), properties={"result_id": f"r-{number}"}))
            page.hear(heard(RESULT, example(RESULT, resultId=f"r-{number}")))
            for code in (f"a_{number}", f"b_{number}"):
                page.hear(heard(f"alarm/{code}", example("alarm/view_nest", code=code)))
            page.hear(heard(f"view/v{number}/result", example(RESULT, view=f"v{number}")))
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(page.now().alarms) == 100
    assert held < 1_200_000


def test_nothing_that_the_broker_keeps_outlives_a_connection() -> None:
    """An alarm that was cleared while the page was away is not said again."""
    page = mirror()
    for topic, body in examples():
        page.hear(heard(topic, body))
    page.connection(Trouble(Why.BROKEN, "cable"))
    lost = page.now()
    assert (lost.connected, lost.why, lost.lost_at, list(lost.alarms)) == (False, "broken", AT, ["view_nest"])
    page.connection(None)
    now = page.now()
    assert (now.connected, now.state, now.health, dict(now.alarms)) == (True, None, None, {})
    assert now.views["feeder"].result is not None
    assert now.views["feeder"].heard_at is None, "a newer one may have been missed"


def test_the_archive_fills_what_was_missed() -> None:
    page = mirror()
    page.hear(heard(RESULT, example(RESULT, resultId="before")))
    page.connection(Trouble(Why.BROKEN))
    page.connection(None)
    page.seed_result(example(RESULT, resultId="missed", creationTime="2026-11-22T06:09:15.000Z"), (JPEG, "image/jpeg"))
    view = page.now().views["feeder"]
    assert view.result is not None
    assert (view.result["resultId"], view.heard_at) == ("missed", AT - timedelta(seconds=1))
    page.seed_result(example(RESULT, resultId="older", creationTime="2026-11-22T06:00:00.000Z"))
    again = page.now().views["feeder"].result
    assert again is not None
    assert again["resultId"] == "missed"


def test_what_the_archive_also_has_as_the_newest_is_confirmed() -> None:
    page = mirror()
    page.hear(heard(RESULT, example(RESULT)))
    page.connection(None)
    page.seed_result(example(RESULT))
    assert page.now().views["feeder"].heard_at is not None


def test_only_what_comes_in_fresh_proves_that_the_station_lives() -> None:
    page = mirror()
    old = example("health", creationTime="2026-11-22T05:00:00.000Z")
    page.hear(heard("health", old, retained=True))
    assert page.now().heard_at == AT - timedelta(hours=1, minutes=9, seconds=16)
    page.hear(heard("health", example("health")))
    assert page.now().heard_at == AT


def test_listeners_are_told_until_they_leave() -> None:
    page = mirror()
    told: list[int] = []
    leave = page.listen(lambda: told.append(page.now().version))
    page.hear(heard("state", example("state")))
    page.close()
    leave()
    page.hear(heard("state", example("state")))
    assert len(told) == 2
    assert page.closed
    assert ROOT
