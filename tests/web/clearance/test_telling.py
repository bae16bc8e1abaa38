"""What a page tells of a clearance, to whom; and where clearances are found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from calibration.web.clearance.known import Clearances, Known
from calibration.web.clearance.telling import standing, told_of
from edge.archive import Archive, ArchiveReader, Evidence
from edge.publishers.payloads import clearance_body
from edge.settings.archive import ArchiveSettings
from edge.types import Clearance, Judgement, Origin, Outcome, Reason, ReasonCode, Verdict, ViewResult
from tests.web.clearance.test_releasing import START, clearance, view


def verdict(name: str, outcome: Outcome, score: float) -> Verdict:
    return Verdict(name, Judgement(outcome, score=score), Origin("nest", 1, 1, START), START)


def known(given: Clearance) -> Known:
    return Known(given, clearance_body(given), "archive")


def test_the_worst_frame_of_those_that_ended_as_the_view_did_stands_for_it() -> None:
    frames = (verdict("a", Outcome.PASS, 9), verdict("b", Outcome.FAIL, 3), verdict("c", Outcome.FAIL, 5))
    one = ViewResult("nest", Outcome.FAIL, None, frames)
    chosen = standing(one)
    assert chosen is not None
    assert chosen.result_id == "c"
    other = standing(one, frozenset({"a"}))
    assert other is not None
    assert other.result_id == "a"
    assert standing(ViewResult("nest", Outcome.UNDECIDED, None, ())) is None


def test_what_did_not_pass_comes_first() -> None:
    passed = replace(view(Outcome.PASS), view="feeder")
    told = told_of(known(clearance(passed, view())), lambda _: True)
    assert [each.name for each in told.views] == ["nest", "feeder"]
    assert [each.is_open for each in told.views] == [True, False]
    assert (told.hidden, told.hidden_open) == (0, 0)


def test_views_that_a_person_may_not_see_are_counted_and_never_named() -> None:
    blocked = Reason(ReasonCode.NOT_FIT, "no frame was taken, the station is not fit: nest: camera_lost")
    feeder = ViewResult("feeder", Outcome.UNDECIDED, blocked, ())
    doubts = (Reason(ReasonCode.RECIPE_INVALID, "nest has another recipe"), Reason(ReasonCode.CLOCK, "it jumped"))
    told = told_of(known(clearance(view(), feeder, reasons=doubts)), lambda name: name == "feeder")
    assert (told.hidden, told.hidden_open) == (1, 1)
    assert [each.name for each in told.views] == ["feeder"]
    assert told.views[0].reason is not None
    assert told.views[0].reason.detail == ""
    assert [(each.code, each.detail) for each in told.reasons] == [("recipe_invalid", ""), ("clock", "it jumped")]


def stored(folder: Path, *clearances: Clearance) -> ArchiveReader:
    with Archive(folder, ArchiveSettings(min_free_bytes=0)) as archive:
        for each in clearances:
            archive.submit(
                Evidence(
                    each.result_id, "clearance", each.outcome.value, "", each.decided_at, clearance_body(each),
                    batch=each.batch, request_id=each.request_id,
                )
            )  # fmt: skip
    return ArchiveReader(folder)


@pytest.fixture
def reader(tmp_path: Path) -> ArchiveReader:
    first = clearance()
    return stored(tmp_path, first, replace(first, result_id="clearance-2", request_id="r-2", sequence=2))


def clearances(
    reader: ArchiveReader, heard: Mapping[str, Any] | None = None, kept: Mapping[str, Any] | None = None
) -> Clearances:
    return Clearances(reader, lambda: heard, lambda _: kept)


def test_a_clearance_is_found_in_the_archive_else_where_it_was_heard(reader: ArchiveReader, tmp_path: Path) -> None:
    third = clearance_body(replace(clearance(), result_id="clearance-3", request_id="r-3", sequence=3))
    every = clearances(reader, third)
    sources = {name: found.source for name in ("1", "2", "3") if (found := every.find(f"clearance-{name}")) is not None}
    assert sources == {"1": "archive", "2": "archive", "3": "station"}
    kept = clearances(reader, None, third).find("clearance-3")
    assert kept is not None
    assert kept.source == "kept"
    assert clearances(ArchiveReader(tmp_path / "none"), third).find("clearance-3") is not None
    assert every.find("clearance-9") is None
    assert clearances(reader, {"resultId": "clearance-9"}).find("clearance-9") is None


def test_the_last_ones_stand_in_the_order_of_their_numbers(reader: ArchiveReader) -> None:
    third = clearance_body(
        replace(clearance(), result_id="clearance-3", sequence=3, decided_at=START - timedelta(days=1))
    )  # the clock went back
    every = clearances(reader, third)
    assert [line.sequence for line in every.last()] == [3, 2, 1]
    assert every.newest() == "clearance-3"
    assert clearances(reader).newest() == "clearance-2"


def test_the_answer_to_a_request_is_found(reader: ArchiveReader) -> None:
    assert clearances(reader).of_request("r-2") == "clearance-2"
    assert clearances(reader, {"requestId": "r-7", "resultId": "clearance-7"}).of_request("r-7") == "clearance-7"
    assert clearances(reader).of_request("r-8") == ""


def test_without_an_archive_nothing_is_found_and_nothing_fails(tmp_path: Path) -> None:
    none = clearances(ArchiveReader(tmp_path / "none"))
    assert (none.last(), none.newest(), none.of_request("r")) == ([], "", "")
