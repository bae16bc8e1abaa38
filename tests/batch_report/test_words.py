from __future__ import annotations

import hashlib
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.batch_report import fields, words


@given(st.text(alphabet=st.characters()))
def test_text_is_one_line_that_can_be_read(raw: str) -> None:
    line = words.printable(raw)
    assert line.isprintable()
    line.encode("utf-8")
    assert len(words.short(raw, 10)) <= 10 * 2 + len(f"... ({len(raw)} characters)")


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("B1\n2", "B1\\n2"),
        ("a/b <i>", "a/b <i>"),
        ("\u202egnp", "\\u202egnp"),
        ("\ud800", "\\ud800"),
        ("批次7", "批次7"),
        ("", ""),
    ],
)
def test_names_look_like_what_they_are(raw: str, shown: str) -> None:
    assert words.printable(raw) == shown


def test_a_name_that_could_be_another_one_is_spelt_out() -> None:
    assert words.name_pairs("batch", "B1") == [("batch", "B1")]
    assert words.name_pairs("batch", "") == [("batch", "(empty)")]
    assert words.name_pairs("batch", "\u0412\u0031")[1] == ("batch, spelt", "\\u04121")
    name, digest = words.name_pairs("batch", "x" * 4096)[1]
    assert name == "batch, SHA-256"
    assert digest == hashlib.sha256(b"x" * 4096).hexdigest()


def test_long_names_tell_their_length() -> None:
    assert words.short("x" * 4096, 5) == "xxxxx... (4096 characters)"
    assert words.short("x" * 5, 5) == "xxxxx"


def test_times_are_utc() -> None:
    moment = datetime(2026, 11, 22, 8, 0, 1, tzinfo=timezone(timedelta(hours=1)))
    assert words.instant(moment) == "2026-11-22 07:00:01 UTC"
    assert words.clock(moment) == "2026-11-22 07:00:01"
    assert words.instant_text("2026-11-22T07:00:01.250Z") == "2026-11-22 07:00:01 UTC"


@pytest.mark.parametrize("raw", ["tomorrow", "2026-11-22T07:00:01", "9999-99-99", "\n"])
def test_what_is_no_time_is_shown_as_it_is(raw: str) -> None:
    assert words.instant_text(raw) == words.printable(raw)


def test_no_time_is_said() -> None:
    assert words.instant_text("") == "not recorded"


@pytest.mark.parametrize(
    ("score", "threshold", "said"),
    [
        (None, 0.5, "no score"),
        (0.25, None, "0.25, no threshold"),
        (0.75, 0.5, "0.75 against threshold 0.5 (150% of it)"),
        (0.75, -1.0, "0.75 against threshold -1"),
        (1e-9, 0.0, "1e-09 against threshold 0"),
    ],
)
def test_a_score_against_its_threshold(score: float | None, threshold: float | None, said: str) -> None:
    assert words.against(score, threshold) == said


def test_counts_and_sizes() -> None:
    assert [words.counted(number, "frame") for number in (0, 1, 2)] == ["0 frames", "1 frame", "2 frames"]
    assert [words.size(size) for size in (10, 1500, 2_500_000)] == ["0.0 kB", "1.5 kB", "2.5 MB"]
    assert words.listed({"NOT_CLEAR": 2, "CLEAR": 1}) == "2 NOT CLEAR, 1 CLEAR"
    assert words.listed({}) == "none"


def test_reasons_are_code_and_sentence() -> None:
    assert words.reason({"reason": {"code": "clock", "detail": "went back"}}) == "clock: went back"
    assert words.reason({"reason": {"code": "clock"}}) == "clock"
    assert words.reason({"reason": None}) == ""


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["a", "b"]), JSON))
def test_documents_of_any_kind_are_read(document: dict[str, object]) -> None:
    assert isinstance(fields.text(document, "a"), str)
    number = fields.number(document, "a")
    assert number is None or abs(number) < float("inf")
    assert all(isinstance(each, dict) for each in fields.parts(document, "a"))
    assert isinstance(fields.part(document, "a"), dict)
    assert all(fields.texts(document).values())


def test_a_truth_is_no_number() -> None:
    assert fields.number({"a": True}, "a") is None
    assert fields.text({"a": True}, "a") == ""
    assert fields.text({"a": 3}, "a") == "3"
