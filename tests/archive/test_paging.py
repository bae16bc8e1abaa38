"""A page at a time, however many results there are: nothing twice, nothing left out, also in indexes of older stations."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.archive import ArchiveError, ArchivePages, ArchiveReader, Place, Selection
from edge.archive.index_file import INDEX, LATER_INDEXES, open_index
from tests.archive.samples import START, bare, evidence, packed, store, stored

VIEWS = ("front", "back", "")
COUNT = 60


def one(number: int) -> Any:
    """Three results share each second; every tenth is a clearance."""
    is_clearance = number % 10 == 0
    undecided = number % 4 == 1
    return bare(
        number,
        decided_at=START + timedelta(seconds=number // 3),
        kind="clearance" if is_clearance else "verdict",
        outcome="CLEAR" if is_clearance else "UNDECIDED" if undecided else "PASS",
        reason="camera_lost" if undecided and not is_clearance else "",
        view="" if is_clearance else VIEWS[number % 2],
        batch=f"B{number // 20}",
        product="P1" if number < 40 else "P2",
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stored(tmp_path_factory.mktemp("archive"), *map(one, range(COUNT))).folder


@pytest.fixture(scope="module")
def pages(folder: Path) -> ArchivePages:
    return ArchivePages(ArchiveReader(folder))


SELECTIONS = [
    Selection(),
    Selection(view="front"),
    Selection(outcome="PASS", view="back"),
    Selection(outcome="PASS", product="P1"),
    Selection(reason="camera_lost"),
    Selection(kind="clearance"),
    Selection(kind="verdict", batch="B1"),
    Selection(batch="B1", outcome="UNDECIDED", reason="camera_lost", view="back", product="P1"),
    Selection(views=("front",)),
    Selection(views=()),
    Selection(views=("front", "back"), since=START + timedelta(seconds=3), until=START + timedelta(seconds=15)),
    Selection(view="nowhere"),
]


def matches(asked: Selection, entry: Any) -> bool:
    same = all(
        getattr(asked, name) in (None, getattr(entry, name))
        for name in ("view", "batch", "product", "outcome", "reason", "kind")
    )
    in_time = (asked.since is None or entry.decided_at >= asked.since) and (
        asked.until is None or entry.decided_at < asked.until
    )
    return same and in_time and (asked.views is None or entry.view in asked.views)


@pytest.mark.parametrize("asked", SELECTIONS)
@pytest.mark.parametrize("limit", [1, 7, 50, 100])
def test_pages_give_all_that_matches_once_in_both_directions(pages: ArchivePages, asked: Selection, limit: int) -> None:
    wanted = [entry.result_id for entry in map(one, range(COUNT - 1, -1, -1)) if matches(asked, entry)]
    seen, before, last = [], None, None
    while True:
        sheet = pages.page(asked, before=before, limit=limit)
        seen += [entry.result_id for entry in sheet.entries]
        assert len(sheet.entries) <= limit
        assert (sheet.newer is None) == (before is None)
        last, before = sheet, sheet.older
        if before is None:
            break
    assert seen == wanted
    back = [entry.result_id for entry in last.entries]
    while last.newer is not None:
        last = pages.page(asked, after=last.newer, limit=limit)
        back = [entry.result_id for entry in last.entries] + back
    assert back[: len(wanted)] == wanted[: len(back)] or sorted(set(back)) == sorted(wanted)
    assert [entry.result_id for entry in pages.walk(asked, at_once=limit)] == wanted
    assert pages.count_up_to(asked, 1000) == len(wanted)
    assert pages.count_up_to(asked, 3) == min(3, len(wanted))


def test_newer_than_nearly_the_first_is_the_first_page_and_full(pages: ArchivePages) -> None:
    first = pages.page(Selection(), limit=10)
    third = pages.page(Selection(), before=first.older, limit=4)
    assert third.newer is not None
    assert pages.page(Selection(), after=Place(third.newer.decided_us + 1_000_000, 0), limit=40).entries[:10] == first.entries


def test_results_that_come_meanwhile_move_nothing(tmp_path: Path) -> None:
    pages = ArchivePages(stored(tmp_path, *map(one, range(12))))
    first = pages.page(Selection(), limit=5)
    stored(tmp_path, *map(one, range(12, 20)))
    second = pages.page(Selection(), before=first.older, limit=5)
    assert [entry.result_id for entry in second.entries] == [f"result-{n}" for n in (6, 5, 4, 3, 2)]
    assert second.newer is not None
    assert [e.result_id for e in pages.page(Selection(), after=second.newer, limit=5).entries] == [
        e.result_id for e in first.entries
    ]


def test_a_place_that_is_gone_and_one_beyond_the_end(pages: ArchivePages) -> None:
    assert pages.page(Selection(), before=Place(0, 0)).entries == ()
    assert pages.page(Selection(), before=Place(0, 0)).newer == Place(0, 0)
    assert len(pages.page(Selection(), after=Place(2**60, 0), limit=5).entries) == 5


@given(st.integers(-(10**17), 10**17), st.integers(0, 10**17))
def test_a_place_survives_an_address(decided_us: int, number: int) -> None:
    assert Place.parse(str(Place(decided_us, number))) == Place(decided_us, number)


@given(st.text(max_size=40))
def test_no_other_text_is_a_place(text: str) -> None:
    place = Place.parse(text)
    assert place is None or (abs(place.decided_us) < 2**63 and place.number < 2**63)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=30), st.sampled_from(["view", "batch", "product", "outcome", "reason", "clearance_id"]))
def test_no_text_is_more_than_a_text(pages: ArchivePages, text: str, name: str) -> None:
    asked = Selection(**{name: text})  # type: ignore[arg-type]
    assert all(getattr(entry, name) == text for entry in pages.page(asked).entries)
    assert pages.count_up_to(asked, 10) <= 10


def test_what_there_is_to_ask_for(pages: ArchivePages) -> None:
    assert pages.values_of("view") == ["back", "front"]
    assert pages.values_of("outcome") == ["CLEAR", "PASS", "UNDECIDED"]
    assert pages.values_of("product") == ["P1", "P2"]
    assert pages.values_of("reason") == ["camera_lost"]
    assert pages.values_of("product", limit=1) == ["P1"]
    assert pages.values_of("outcome", views=("front",)) == ["PASS"]
    assert pages.values_of("reason", views=("front",)) == []
    assert pages.recent_batches() == ["B2", "B1", "B0"]
    assert pages.recent_batches(1, views=("front",)) == ["B2"]
    assert pages.recent_batches(views=()) == []
    assert pages.oldest() == START


def test_the_neighbours_of_a_result_are_of_its_view(pages: ArchivePages, folder: Path) -> None:
    reader = ArchiveReader(folder)
    middle, first = reader.get("result-23"), reader.get("result-0")
    assert middle is not None
    assert first is not None
    before, after = pages.neighbours(middle)
    assert (before and before.result_id, after and after.result_id) == ("result-21", "result-25")
    assert pages.neighbours(first)[0] is None
    gone = bare(999)
    assert pages.neighbours(_entry(gone.result_id, middle)) == (None, None)


def _entry(result_id: str, like: Any) -> Any:
    from dataclasses import replace

    return replace(like, result_id=result_id)


def test_what_became_of_a_result_is_known(tmp_path: Path) -> None:
    with store(tmp_path) as opened:
        for number in range(3):
            opened.write(packed(number, view=VIEWS[number % 2]))
        lost = (5, "the disk is full", vars(evidence(7, view="back", batch="B1")) | {"decided_us": 77})
        opened.commit([lost])
        opened.purge(opened.index.oldest("fail", 1), "age", 10)
        opened.purge(opened.index.oldest("fail", 1), "space", 20)
    pages = ArchivePages(ArchiveReader(tmp_path))
    aged, room, never = pages.fate("result-0"), pages.fate("result-1"), pages.fate("result-7")
    assert aged is not None
    assert (aged.how, aged.why, aged.view, aged.outcome) == ("purged", "age", "front", "FAIL")
    assert room is not None
    assert (room.how, room.why, room.view) == ("purged", "space", "back")
    assert never is not None
    assert (never.how, never.why, never.view) == ("missing", "the disk is full", "back")
    assert pages.fate("result-2") is None
    assert pages.fate("x' OR 1=1 --") is None
    gone = pages.gone(Selection(batch="B1"))
    assert (gone.by_age, gone.for_space, gone.missing, gone.any) == (1, 1, 1, True)
    assert pages.gone(Selection(batch="B1", view="front")).missing == 0
    assert pages.gone(Selection(batch="B1", views=("front",))).for_space == 0
    assert not pages.gone(Selection(batch="B2")).any
    with pytest.raises(ValueError, match="no batch"):
        pages.gone(Selection(view="front"))


def test_an_index_of_an_older_station_is_read_as_it_is_and_gains_its_indexes_when_a_station_opens_it(tmp_path: Path) -> None:
    reader = stored(tmp_path, *map(one, range(20)))
    path = tmp_path / INDEX
    connection = sqlite3.connect(path)
    for name in LATER_INDEXES:
        connection.execute(f"DROP INDEX {name}")
    connection.commit()
    connection.close()
    old = ArchivePages(reader)
    assert (old.values_of("product"), old.values_of("reason"), old.values_of("view")) == (
        ["P1"],
        ["camera_lost"],
        ["back", "front"],
    )
    for asked in SELECTIONS:
        wanted = [entry.result_id for entry in map(one, range(19, -1, -1)) if matches(asked, entry)]
        assert [entry.result_id for entry in old.page(asked).entries] == wanted
    opened, kept = open_index(path)
    assert kept is None
    assert _indexes(opened).issuperset(LATER_INDEXES)
    opened.close()
    assert old.values_of("product") == ["P1"]


def test_an_index_that_has_no_room_for_more_is_opened_without(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    reader = stored(tmp_path, *map(one, range(20)))
    path = tmp_path / INDEX
    connection = sqlite3.connect(path)
    for name in LATER_INDEXES:
        connection.execute(f"DROP INDEX {name}")
    connection.commit()
    connection.execute("VACUUM")
    connection.close()
    held = sqlite3.connect(path, isolation_level=None)
    held.execute("BEGIN IMMEDIATE")  # nothing can be written while somebody else writes
    from edge.archive import index_file

    opened = sqlite3.connect(path, isolation_level=None, timeout=0.0)
    index_file._add_later(opened)
    held.execute("ROLLBACK")
    held.close()
    assert "archive_index_without" in caplog.text
    assert not opened.in_transaction
    index_file._add_later(opened)
    assert _indexes(opened).issuperset(LATER_INDEXES)
    opened.close()
    assert reader.count() == 20


def _indexes(connection: sqlite3.Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'index'")}


@pytest.mark.parametrize(
    ("asked", "index"),
    [
        (Selection(), "entries_time"),
        (Selection(view="front"), "entries_view"),
        (Selection(view="front", outcome="PASS"), "entries_view"),
        (Selection(outcome="FAIL", view="front", product="P"), "entries_outcome"),
        (Selection(batch="B", outcome="FAIL", reason="x", view="front"), "entries_batch"),
        (Selection(reason="x", outcome="UNDECIDED"), "entries_reason"),
        (Selection(kind="clearance"), "entries_clearances"),
        (Selection(product="P", kind="verdict"), "entries_product"),
        (Selection(clearance_id="c", batch="B"), "entries_clearance "),
        (Selection(views=("front",), since=START), "entries_time"),
    ],
)
def test_the_index_that_is_worth_most_is_the_one_that_is_used(folder: Path, asked: Selection, index: str) -> None:
    where, values = asked.where()
    connection = sqlite3.connect(folder / INDEX)
    rows = connection.execute(
        f"EXPLAIN QUERY PLAN SELECT * FROM entries WHERE {where} ORDER BY decided_us DESC, id DESC", values
    )
    plan = " ".join(row[3] for row in rows)
    connection.close()
    assert f"INDEX {index}" in plan + " "
    assert "TEMP B-TREE" not in plan or asked.clearance_id is not None


def test_a_folder_without_an_archive_says_so(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="holds no archive"):
        ArchivePages(ArchiveReader(tmp_path)).page(Selection())


def test_a_damaged_index_says_so(tmp_path: Path) -> None:
    (tmp_path / INDEX).write_bytes(b"no index" * 1000)
    pages = ArchivePages(ArchiveReader(tmp_path))
    for ask in (
        lambda: pages.page(Selection()),
        lambda: pages.count_up_to(Selection(), 5),
        lambda: pages.values_of("view"),
        pages.oldest,
    ):
        with pytest.raises(ArchiveError, match="cannot be read"):
            ask()
