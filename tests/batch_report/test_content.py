from __future__ import annotations

import random
import sqlite3
from pathlib import Path

import pytest

from edge.archive import ArchiveReader
from edge.archive.index_file import INDEX
from edge.batch_report import BatchContent, Limits, gather
from edge.batch_report.content import chosen_frame, views_of
from edge.errors import Cancelled
from tests.batch_report.samples import (
    BATCH,
    after,
    batch,
    clearance,
    evidence_of,
    record_of,
    stored,
    story,
    verdict,
    view_of,
    with_gaps,
)  # fmt: skip


def test_a_batch_is_its_clearances_in_order_and_their_verdicts(content: BatchContent) -> None:
    assert [each.entry.result_id for each in content.clearances] == ["clearance-1", "clearance-2", "clearance-3"]
    assert len(content.verdicts) == 8
    assert content.loose == ()
    assert content.results == 11
    assert (content.damage, content.missing, content.purged) == ((), (), ())


def test_every_file_is_listed_with_its_hash_and_the_name_that_it_has_in_the_export(content: BatchContent) -> None:
    assert len(content.files) == 8 * 3 + 3
    assert all(file.name.startswith("evidence/2026-11-22/") and len(file.sha256) == 64 for file in content.files)
    assert sum(file.name.endswith(".frame.png") for file in content.files) == 8


def test_one_picture_stands_for_each_view(content: BatchContent) -> None:
    assert set(content.pictures) == {"front-11", "back-13", "front-31", "back-33"}
    assert content.unshown == {}
    assert all(shown.as_stored for shown in content.pictures.values())


def test_the_number_orders_clearances_also_where_the_clock_went_back(tmp_path: Path) -> None:
    early = clearance(9, "CLEAR", (), decided_at=after(-5000))
    unnumbered = clearance(0, "UNDECIDED", (), decided_at=after(350), result_id="lost")
    given = [record_of(one) for one in (clearance(3, "CLEAR", ()), early, unnumbered, clearance(4, "CLEAR", ()))]
    random.Random(1).shuffle(given)
    found = [each.entry.result_id for each in gather(stored(tmp_path, *given), BATCH).clearances]
    assert found == ["clearance-3", "clearance-4", "clearance-9", "lost"]


def test_a_clearance_without_a_number_comes_where_its_time_is(tmp_path: Path) -> None:
    lost = clearance(0, "UNDECIDED", (), decided_at=after(350), result_id="lost")
    given = [record_of(one) for one in (clearance(4, "CLEAR", ()), lost, clearance(3, "CLEAR", ()))]
    found = [each.entry.result_id for each in gather(stored(tmp_path, *given), BATCH).clearances]
    assert found == ["clearance-3", "lost", "clearance-4"]


def test_the_worst_frame_stands_for_a_view_else_the_highest_of_those_that_ended_as_it_did(content: BatchContent) -> None:
    view = views_of(content.clearances[0])[0]
    frame = chosen_frame(view, content.verdicts)
    assert frame is not None
    assert frame.entry.result_id == view["worstResultId"]
    frames = [{**each, "score": place, "outcome": "PASS"} for place, each in enumerate(view["results"])]
    without = {**view, "worstResultId": None, "outcome": "PASS", "results": frames}
    frame = chosen_frame(without, content.verdicts)
    assert frame is not None
    assert frame.entry.result_id == frames[1]["resultId"]
    other = {**without, "results": [frames[0], {**frames[1], "outcome": "UNDECIDED"}]}
    frame = chosen_frame(other, content.verdicts)
    assert frame is not None
    assert frame.entry.result_id == frames[0]["resultId"]
    assert chosen_frame({**without, "results": []}, content.verdicts) is None
    assert chosen_frame(without, {}) is None


def test_a_file_that_was_changed_or_is_gone_is_damage(tmp_path: Path) -> None:
    reader = batch(tmp_path)
    entries = {entry.result_id: entry for entry in reader.find()}
    changed, gone, torn = (entries[name] for name in ("front-11", "back-13", "clearance-3"))
    (changed.folder / changed.files["frame"]).write_bytes(b"another")
    (gone.folder / gone.files["overlay"]).unlink()
    (torn.folder / torn.files["document"]).write_bytes(b"{}")
    content = gather(reader, BATCH)
    said = sorted(line.partition(": ")[2] for line in content.damage)
    assert said == ["cannot be read (No such file or directory)", "is not as it was written", "is not as it was written"]
    assert "back-13" in content.unshown
    assert content.clearances[-1].document == {}


def test_an_index_that_says_something_else_than_the_document_is_damage(tmp_path: Path) -> None:
    reader = batch(tmp_path)
    with sqlite3.connect(tmp_path / INDEX) as index:
        index.execute("UPDATE entries SET outcome = 'CLEAR' WHERE result_id = 'clearance-1'")
    index.close()
    (line,) = gather(reader, BATCH).damage
    assert line == "result clearance-1: the index says CLEAR, its own document NOT_CLEAR"


def test_verdicts_that_no_clearance_names_are_loose(tmp_path: Path) -> None:
    one, two = verdict("front-1", "front", "FAIL", 1, None), verdict("front-2", "front", "PASS", 2, "lost-clearance")
    content = gather(stored(tmp_path, evidence_of(one), evidence_of(two)), BATCH)
    assert [entry.result_id for entry in content.loose] == ["front-1", "front-2"]
    assert set(content.pictures) == {"front-1"}


def test_pictures_have_a_budget_and_what_did_not_pass_comes_first(reader: ArchiveReader, content: BatchContent) -> None:
    largest = max(len(shown.data) for shown in content.pictures.values())
    few = gather(reader, BATCH, limits=Limits(all_bytes=largest))
    assert set(few.pictures) == {"front-11"}
    assert set(few.unshown) == {"back-13", "front-31", "back-33"}
    assert set(few.unshown.values()) == {"left out of this report for its size; it is in the export"}


def test_an_overlay_that_is_no_picture_or_was_never_kept_is_said(tmp_path: Path) -> None:
    verdicts, clearances = story()
    broken = evidence_of(verdicts[0], draw=lambda _: (b"\xff\xd8 a picture \xff\xd9", "image/jpeg"))
    bare = [evidence_of(one, overlay=None, frame=None) for one in verdicts[1:]]
    content = gather(stored(tmp_path, broken, *bare, *map(record_of, clearances)), BATCH)
    assert content.pictures == {}
    assert content.unshown["front-11"] == "the overlay is no picture that can be shown"
    assert content.unshown["back-13"].startswith("no overlay was kept: no frame was taken")


def test_what_was_deleted_or_never_stored_is_told(tmp_path: Path) -> None:
    content = gather(with_gaps(tmp_path), BATCH)
    (purged,), (missing,) = content.purged, content.missing
    assert (purged.result_id, purged.what, purged.why, purged.at) == ("front-1", "front FAIL", "age", after(9))
    assert (missing.result_id, missing.what, missing.why) == ("front-2", "front PASS", "the disk is full")
    assert (missing.decided_at, missing.at) == (after(2), after(8))


def test_it_can_be_watched_and_stopped(reader: ArchiveReader) -> None:
    seen: list[tuple[int, int]] = []

    def stop(done: int, total: int, what: str) -> None:
        seen.append((done, total))
        if done == 2:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        gather(reader, BATCH, progress=stop)
    assert seen == [(1, 11), (2, 11)]


def test_a_document_of_another_time_or_of_a_liar_is_read_without_an_error(tmp_path: Path) -> None:
    odd = clearance(1, "CLEAR", (view_of("front", "PASS", ()),))
    documents = [
        {"views": None, "sequence": "one"},
        {"views": [None, 3, {"view": 3, "results": [[], {"resultId": {}}]}], "sequence": 10**400},
        {"views": {"a": 1}, "reasons": "none", "versions": [], "stageMs": 3, "sequence": True},
    ]
    given = [
        record_of(clearance(number, "CLEAR", odd.views, result_id=f"odd-{number}"), **document)
        for number, document in enumerate(documents, 1)
    ]
    assert len(gather(stored(tmp_path, *given), BATCH).clearances) == 3
