"""What stands in the page's address becomes a question to the archive, and nothing else does."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.web.history.asking import Filter, local_moment, read_filter, read_place
from edge.archive import Place, Selection

ROME = ZoneInfo("Europe/Rome")
NOW = datetime(2026, 11, 22, 0, 30, tzinfo=timezone.utc)  # half past one in Rome


def test_every_field_of_an_address_is_asked_for() -> None:
    asked = read_filter(
        {"view": "front", "batch": " B 1 ", "outcome": "FAIL", "reason": "clock", "product": "P", "kind": "verdict"}
    )
    assert asked.selection(NOW, ("front",)) == Selection(
        view="front", batch="B 1", outcome="FAIL", reason="clock", product="P", kind="verdict", views=("front",)
    )
    assert asked.is_any
    assert not Filter().is_any
    assert Filter().selection(NOW, None) == Selection()


def test_what_cannot_be_is_left_out() -> None:
    asked = read_filter({"outcome": "GREAT", "kind": "x", "span": "7y", "batch": "x" * 9000, "unknown": "1"})
    assert (asked.outcome, asked.kind, asked.span, len(asked.batch)) == ("", "", "", 4096)


@pytest.mark.parametrize(
    ("span", "since"),
    [
        ("today", datetime(2026, 11, 21, 23, 0, tzinfo=timezone.utc)),  # midnight in Rome
        ("24h", NOW - timedelta(hours=24)),
        ("7d", NOW - timedelta(days=7)),
        ("30d", NOW - timedelta(days=30)),
    ],
)
def test_quick_spans(span: str, since: datetime) -> None:
    selection = read_filter({"span": span}).selection(NOW, None, ROME)
    assert (selection.since, selection.until) == (since, None)


def test_times_are_the_stations_own_and_the_last_minute_belongs_to_them() -> None:
    asked = read_filter({"from": "2026-11-22T07:15", "to": "2026-11-22T07:15", "span": "7d"})
    selection = asked.selection(NOW, None, ROME)
    assert asked.span == ""
    assert selection.since == datetime(2026, 11, 22, 6, 15, tzinfo=timezone.utc)
    assert selection.until == datetime(2026, 11, 22, 6, 16, tzinfo=timezone.utc)
    day = read_filter({"from": "2026-07-01", "to": "2026-07-01"}).selection(NOW, None, ROME)
    assert (day.since, day.until) == (
        datetime(2026, 6, 30, 22, tzinfo=timezone.utc),
        datetime(2026, 7, 1, 22, tzinfo=timezone.utc),
    )


@pytest.mark.parametrize(
    "text",
    [
        "soon",
        "2026-13-01T00:00",
        "2026-11-22T25:00",
        "0001-01-01T00:00",
        "9999-12-31T23:59",
        "2026-11-22T07:15+01:00",
        "1" * 5000,
    ],
)
def test_a_time_that_is_none_is_said_and_not_used(text: str) -> None:
    asked = read_filter({"from": text, "to": text})
    assert asked.wrong == ("from", "to")
    assert asked.selection(NOW, None) == Selection()
    assert not asked.is_any


@given(st.text(max_size=30))
def test_no_text_is_more_than_a_time_or_none(text: str) -> None:
    moment = local_moment(text)
    assert moment is None or moment.tzinfo is not None


@given(
    st.fixed_dictionaries({
        "view": st.text(max_size=20), "batch": st.text(max_size=20), "product": st.text(max_size=20),
        "reason": st.text(max_size=9),
        "span": st.sampled_from(["", "today", "7d"]),
    })
)  # fmt: skip
def test_a_bookmark_asks_the_same(asked: dict[str, str]) -> None:
    if any(0xD800 <= ord(c) <= 0xDFFF for value in asked.values() for c in value):
        return  # no address holds half a character
    found = read_filter(asked)
    assert read_filter(dict(parse_qsl(found.query()))) == found


def test_links_change_one_thing() -> None:
    asked = read_filter({"batch": "B", "from": "2026-11-22T07:15", "view": "front"})
    assert asked.query(before="5.1") == "view=front&batch=B&from=2026-11-22T07%3A15&before=5.1"
    assert asked.query(view="") == "batch=B&from=2026-11-22T07%3A15"
    assert asked.within("7d") == "view=front&batch=B&span=7d"
    assert asked.within("") == "view=front&batch=B"


def test_places() -> None:
    assert read_place("5.1") == Place(5, 1)
    assert read_place("5.1; DROP") is None
