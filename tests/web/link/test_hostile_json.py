"""Whatever anybody publishes: the page stays up, and only a whole, right message makes a PASS or a CLEAR of it."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.web.http.rendering import local
from calibration.web.link import Mirror, reading
from calibration.web.link.events import summary
from calibration.web.link.reading import body_of, moment_in
from calibration.web.station.doubts import Limits
from calibration.web.station.showing import Shown, show
from tests.web.link.parts import AT, JPEG, example, heard, mirror
from tests.web.parts import Rig

RESULT, CLEARANCE = "view/feeder/result", "clearance/result"
TOPICS = ("state", "health", RESULT, CLEARANCE, "clearance/state", "alarm/view_nest", "view/feeder/image/overlay/meta")
KINDS: dict[str, Any] = {
    "state": reading.State, "health": reading.Health, RESULT: reading.Result, CLEARANCE: reading.Clearance,
    "clearance/state": reading.ClearanceState, "alarm/view_nest": reading.Alarm,
}  # fmt: skip
WORDS = [
    "PASS",
    "CLEAR",
    "pass",
    "CLEAR ",
    "RELEASED_BY",
    "ready",
    "live",
    "__proto__",
    "<script>",
    "\ud800",
    "\x00",
    "../..",
    "",
]
TIMES = ["0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59-23:59", "2026-11-22T06:09:16", 0, -1e18, "20261122T060916Z"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.sampled_from(WORDS + TIMES),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


def places(body: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something stands in a body."""
    yield path
    for key, value in body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ():
        yield from places(value, (*path, key))


@st.composite
def spoilt(draw: st.DrawFn, topic: str) -> bytes:
    """A right message in which a few things are something else, absent, or too much."""
    body: Any = copy.deepcopy(example("view/feeder/image/overlay/meta" if topic.endswith("meta") else topic))
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from(sorted([path for path in places(body) if path], key=repr)))
        inner = body
        for key in way:
            inner = inner[key]
        change = draw(st.sampled_from(["other", "gone", "more"]))
        if change == "gone" and isinstance(inner, dict):
            del inner[last]
        elif change == "more" and isinstance(inner, dict):
            inner[draw(st.sampled_from(WORDS))] = draw(JSON)
        else:
            inner[last] = draw(JSON)
        if not body:
            break
    return json.dumps(body).encode()


def seen(page: Mirror) -> Shown:
    """Everything that a page makes of it; must never raise."""
    now = page.now()
    json.dumps(summary(now, lambda _: True))
    return show(now, AT, Limits(), lambda _: True)


@settings(max_examples=80, deadline=None)
@given(st.sampled_from([topic for topic in TOPICS if topic in KINDS]).flatmap(lambda at: st.tuples(st.just(at), spoilt(at))))
def test_a_spoilt_message_does_no_harm_and_makes_nothing_good(sent: tuple[str, bytes]) -> None:
    topic, payload = sent
    page = mirror()
    page.hear(heard(topic, payload))
    shown = seen(page)
    taken = body_of(KINDS[topic], payload)
    for card in shown.cards:
        assert card.outcome in ("", "PASS", "FAIL", "UNDECIDED")
        assert card.outcome != "PASS" or (taken is not None and taken["outcome"] == "PASS" and taken["view"] == card.view)
    assert shown.banner.outcome in ("", "CLEAR", "NOT_CLEAR", "UNDECIDED", "RELEASED_BY")
    assert shown.banner.outcome != "CLEAR" or (taken is not None and taken["outcome"] == "CLEAR")
    assert all(card.doubt is not None or not card.outcome for card in shown.cards), "one message alone is no live station"


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(KINDS)), JSON)
def test_no_json_at_all_is_a_message_by_chance(topic: str, body: Any) -> None:
    payload = json.dumps(body).encode()
    assert body_of(KINDS[topic], payload) is None
    page = mirror()
    page.hear(heard(topic, payload))
    assert seen(page).banner.outcome == ""


@pytest.mark.parametrize(
    "change", [{"views": []}, {"reasons": [{"code": "clock", "detail": "it went back"}]}, {"of": "FAIL"}, {"of": "UNDECIDED"}]
)
def test_a_clear_that_contradicts_itself_is_none(change: dict[str, Any]) -> None:
    page = mirror()
    body = example(CLEARANCE, outcome="CLEAR", **{key: value for key, value in change.items() if key != "of"})
    if "of" in change:
        body["views"][-1]["outcome"] = change["of"]
    page.hear(heard(CLEARANCE, json.dumps(body).encode()))
    assert seen(page).banner.outcome == ""


@settings(max_examples=60, deadline=None)
@given(JSON)
def test_a_clearance_is_clear_by_the_one_word_alone(outcome: Any) -> None:
    page = mirror()
    body = example(CLEARANCE, outcome=outcome)
    page.hear(heard(CLEARANCE, json.dumps(body).encode()))
    assert (seen(page).banner.outcome == "CLEAR") == (outcome == "CLEAR")


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60), st.dictionaries(st.sampled_from(["result_id", "sha256", "x"]), st.text(max_size=20), max_size=3))
def test_no_picture_is_shown_that_is_none_or_names_no_result(tail: bytes, properties: dict[str, str]) -> None:
    for data in (tail, JPEG[:3] + tail, b"<svg onload=alert(1)>" + tail):
        page = mirror()
        page.hear(heard("view/feeder/image/overlay", data, properties=properties))
        picture = page.now().views["feeder"].picture
        assert picture is None or (picture.content_type == "image/jpeg" and picture.result_id == properties["result_id"])
        assert page.now().views["nest"].picture is None


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59+00:00", "9999-12-31T23:59:59-12:00"])
@pytest.mark.parametrize("zone", ["America/New_York", "Pacific/Kiritimati"])
def test_no_time_breaks_a_page_in_any_zone(text: str, zone: str, rig: Rig) -> None:
    from dataclasses import replace

    site = replace(rig.site, settings=rig.site.settings.model_copy(update={"time_zone": zone}))
    assert local(site, "en", moment_in({"creationTime": text}))
    assert "2026" in local(site, "en", moment_in({"creationTime": "2026-11-22T06:09:16.123Z"}))


def test_a_moment_is_one_with_a_zone_and_of_our_time() -> None:
    assert moment_in({"creationTime": "2026-11-22T06:09:16Z"}) == datetime(2026, 11, 22, 6, 9, 16, tzinfo=timezone.utc)
    for text in ("2026-11-22T06:09:16", "0001-01-01T00:00:00Z", "9999-01-01T00:00:00Z", "", 5, None, "x" * 20):
        assert moment_in({"creationTime": text}) is None
