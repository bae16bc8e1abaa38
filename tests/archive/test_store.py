"""Files first, then the index: after a crash at any point the index names only what is whole."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path

import pytest

from edge.archive import ArchiveError, ArchiveReader, verify
from edge.archive.index_file import INDEX, open_for_reading
from edge.archive.store import Store
from tests.archive.samples import START, bare, evidence, files, packed, store, stored


def test_what_is_committed_is_in_index_and_on_disk(tmp_path: Path) -> None:
    with store(tmp_path) as opened:
        assert opened.write(packed(1))
        assert ArchiveReader(tmp_path).count() == 0
        assert opened.commit() == 1
        assert ArchiveReader(tmp_path).count() == 1
        assert (opened.results, opened.size_bytes) == (1, packed(1).record.size_bytes)


@pytest.mark.parametrize("whole_files", [0, 1, 2, 3])
def test_a_result_half_written_is_swept(tmp_path: Path, whole_files: int) -> None:
    with store(tmp_path) as opened:
        opened.write(packed(1))
        opened.commit()
        opened.write(packed(2))  # and the machine stops
    names = list(packed(2).contents)
    folder = tmp_path / packed(2).record.folder
    for name in names[whole_files:]:
        (folder / name).unlink()
    (folder / names[whole_files]).write_bytes(packed(2).contents[names[whole_files]][:10])
    with store(tmp_path):
        pass
    assert [Path(name).name for name in files(tmp_path)] == sorted(packed(1).contents)
    assert list(verify(ArchiveReader(tmp_path))) == []


def test_a_result_written_whole_but_not_committed_is_taken_in(tmp_path: Path) -> None:
    with store(tmp_path) as opened:
        opened.write(packed(1))
    with store(tmp_path):
        pass
    reader = ArchiveReader(tmp_path)
    assert [entry.result_id for entry in reader.find()] == ["result-1"]
    assert list(verify(reader)) == []


def test_a_result_with_a_file_changed_by_the_crash_is_not_taken_in(tmp_path: Path) -> None:
    with store(tmp_path) as opened:
        opened.write(packed(1))
    name = packed(1).record.files["frame"].name
    path = tmp_path / packed(1).record.folder / name
    path.write_bytes(bytes(path.stat().st_size))  # right size, zeros: a power cut
    with store(tmp_path):
        pass
    assert ArchiveReader(tmp_path).count() == 0
    assert files(tmp_path) == []


def test_a_deletion_cut_short_is_finished(tmp_path: Path) -> None:
    with store(tmp_path) as opened:
        for number in (1, 2):
            opened.write(packed(number))
        opened.commit()
        opened.index.purge(opened.index.oldest("fail", 1), "age", 0)  # and the machine stops before the files are gone
    assert len(files(tmp_path)) == 8
    with store(tmp_path):
        pass
    assert len(files(tmp_path)) == 4
    assert [entry.result_id for entry in ArchiveReader(tmp_path).find()] == ["result-2"]


def test_what_was_deleted_is_never_taken_in_again(tmp_path: Path) -> None:
    with store(tmp_path) as opened:
        opened.write(packed(1))
        opened.commit()
        opened.purge(opened.index.oldest("fail", 1), "age", 0)
        folder = tmp_path / packed(1).record.folder
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in packed(1).contents.items():
            (folder / name).write_bytes(data)
        opened.index.touch(packed(1).record.folder)
    with store(tmp_path):
        pass
    assert (ArchiveReader(tmp_path).count(), files(tmp_path)) == (0, [])


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    with store(tmp_path) as opened:
        opened.write(packed(1))
        opened.commit()
    stranger = tmp_path / packed(1).record.folder / "notes.txt"
    stranger.write_text("mine")
    with store(tmp_path):
        pass
    assert stranger.read_text() == "mine"


def test_empty_folders_go_with_their_last_file(tmp_path: Path) -> None:
    with store(tmp_path) as opened:
        opened.write(packed(1))
        opened.commit()
    with store(tmp_path) as opened:
        opened.purge(opened.index.oldest("fail", 1), "age", 0)
    assert not list(tmp_path.glob("2*"))


def test_folders_that_are_done_with_are_not_looked_at_again(tmp_path: Path) -> None:
    with store(tmp_path) as opened:
        for hour in range(12):
            opened.write(packed(hour, decided_at=START.replace(hour=hour)))
            opened.commit()
        assert 1 <= len(opened.index.touched()) <= 9
        assert "2026-11-22/11" in opened.index.touched()
    with store(tmp_path) as opened:
        assert opened.index.touched() == []


@pytest.mark.parametrize("damage", ["garbage", "truncated", "a page", "another database"])
def test_a_damaged_index_is_set_aside_and_built_anew(tmp_path: Path, damage: str) -> None:
    given = [evidence(1), bare(2, batch="x/\n"), evidence(3, kind="clearance", outcome="CLEAR")]
    before = stored(tmp_path, *given).find()
    path = tmp_path / INDEX
    data = path.read_bytes()
    if damage == "garbage":
        path.write_bytes(os.urandom(5000))
    elif damage == "truncated":
        path.write_bytes(data[: len(data) // 2])
    elif damage == "a page":
        path.write_bytes(data[:4096] + os.urandom(4096 * 6) + data[4096 * 7 :])
    else:
        path.unlink()
        other = sqlite3.connect(path)
        other.execute("CREATE TABLE x (y)")
        other.close()
    with store(tmp_path) as opened:
        kept = opened.index.set_aside
    reader = ArchiveReader(tmp_path)
    assert kept is not None
    assert kept.name.startswith("index.sqlite.damaged-")
    assert reader.find() == before
    assert list(verify(reader)) == []


@pytest.mark.parametrize("how", ["gone", "empty"])
def test_an_index_that_is_gone_is_built_from_the_files(tmp_path: Path, how: str) -> None:
    before = stored(tmp_path, evidence(1), bare(2)).find()
    (tmp_path / INDEX).unlink()
    if how == "empty":
        (tmp_path / INDEX).touch()
    with store(tmp_path):
        pass
    assert ArchiveReader(tmp_path).find() == before


def test_building_anew_leaves_out_what_is_not_whole_and_deletes_nothing(tmp_path: Path) -> None:
    reader = stored(tmp_path, evidence(1), evidence(2), evidence(3))
    first, second, _ = reader.find(newest_first=False)
    (first.folder / first.files["frame"]).write_bytes(b"short")
    (second.folder / second.files["document"]).write_text("{}")
    (tmp_path / INDEX).unlink()
    before = files(tmp_path)
    with store(tmp_path):
        pass
    assert [entry.result_id for entry in reader.find()] == ["result-3"]
    assert files(tmp_path) == before
    assert {finding.kind for finding in verify(reader)} == {"unknown"}


def test_an_error_while_writing_leaves_none_of_its_files(tmp_path: Path) -> None:
    one = packed(1)
    with store(tmp_path) as opened:
        (tmp_path / one.record.folder).mkdir(parents=True)
        (tmp_path / one.record.folder / list(one.contents)[2]).mkdir()  # its third file cannot be written
        with pytest.raises(OSError, match="Is a directory"):
            opened.write(one)
        (tmp_path / one.record.folder / list(one.contents)[2]).rmdir()
        assert files(tmp_path) == []
        assert opened.write(one)
        assert opened.commit() == 1


def test_an_error_while_committing_leaves_nothing_in_the_index(tmp_path: Path) -> None:
    with store(tmp_path) as opened:
        opened.write(packed(1))
        opened.write(packed(2))
        (tmp_path / packed(2).record.folder / next(iter(packed(2).contents))).unlink()
        with pytest.raises(FileNotFoundError):
            opened.commit()
        assert ArchiveReader(tmp_path).count() == 0
        assert (opened.results, opened.size_bytes, files(tmp_path)) == (0, 0, [])


def test_building_cut_short_by_a_crash_is_done_again(tmp_path: Path) -> None:
    before = stored(tmp_path, evidence(1), evidence(2)).find()
    (tmp_path / INDEX).unlink()
    opened = Store(tmp_path)  # a new index, and the machine stops before it is filled
    opened.close()
    with store(tmp_path):
        pass
    assert ArchiveReader(tmp_path).find() == before


def test_one_process_at_a_time_writes(tmp_path: Path) -> None:
    with store(tmp_path), pytest.raises(ArchiveError, match="another process writes this archive"):
        Store(tmp_path)
    Store(tmp_path).close()


def test_the_ballast_is_there_for_a_full_disk(tmp_path: Path) -> None:
    with store(tmp_path) as opened:
        opened.take_ballast()
        assert (tmp_path / "archive.ballast").stat().st_size == 2 * 1024 * 1024


def test_an_index_is_read_while_it_is_written_and_on_a_read_only_folder(tmp_path: Path) -> None:
    with store(tmp_path) as opened:
        opened.write(packed(1))
        opened.commit()
        connection = open_for_reading(tmp_path / INDEX)
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            connection.execute("DELETE FROM entries")
        connection.close()
    assert not (tmp_path / (INDEX + "-wal")).exists()
    odd = tmp_path / "a ?#%&é"
    odd.mkdir()
    (tmp_path / INDEX).rename(odd / INDEX)
    odd.chmod(0o555)
    try:
        connection = open_for_reading(odd / INDEX)
        assert connection.execute("SELECT result_id FROM entries").fetchall() == [("result-1",)]
        connection.close()
    finally:
        odd.chmod(0o755)


def test_the_json_of_a_result_says_all_that_the_index_says(tmp_path: Path) -> None:
    reader = stored(tmp_path, evidence(1, batch="B\n1"))
    (entry,) = reader.find()
    document = json.loads((entry.folder / entry.files["document"]).read_text("ascii"))
    assert document["batch"] == "B\n1"
    assert {role: (file["name"], file["sha256"]) for role, file in document["files"].items()} == {
        role: (name, entry.sha256[role]) for role, name in entry.files.items() if role != "document"
    }
