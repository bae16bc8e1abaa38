from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge.archive import ArchiveError, ArchiveReader, verify
from edge.archive.index_file import INDEX
from tests.archive.samples import START, bare, evidence, frame, packed, running, store, stored, until

LONG = "B" * 4096
ODD = "a/../b\nc\x00'\"%_\ud800…"


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> ArchiveReader:
    return stored(
        tmp_path_factory.mktemp("archive"),
        bare(0, view="front", batch=LONG, product="P1", outcome="FAIL", reason=""),
        bare(1, view="back", batch=ODD, product="P2", outcome="UNDECIDED", reason="camera_lost"),
        bare(2, view="front", batch="B2", product="P2", outcome="PASS", reason="", clearance_id="c-1"),
        bare(3, view="", batch="B2", product="P2", outcome="NOT_CLEAR", kind="clearance", reason=""),
        bare(4, view="front", batch="B2", product="P1", outcome="UNDECIDED", reason="card_stale"),
    )


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, [4, 3, 2, 1, 0]),
        ({"newest_first": False}, [0, 1, 2, 3, 4]),
        ({"limit": 2}, [4, 3]),
        ({"limit": 0}, []),
        ({"view": "front"}, [4, 2, 0]),
        ({"batch": "B2"}, [4, 3, 2]),
        ({"batch": LONG}, [0]),
        ({"batch": ODD}, [1]),
        ({"batch": "b2"}, []),
        ({"batch": "B%"}, []),
        ({"product": "P2"}, [3, 2, 1]),
        ({"outcome": "UNDECIDED"}, [4, 1]),
        ({"outcome": "UNDECIDED", "reason": "camera_lost"}, [1]),
        ({"kind": "clearance"}, [3]),
        ({"clearance_id": "c-1"}, [2]),
        ({"view": "front", "product": "P1", "limit": 1}, [4]),
        ({"since": START + timedelta(seconds=3)}, [4, 3]),
        ({"until": START + timedelta(seconds=3)}, [2, 1, 0]),
        ({"since": START + timedelta(seconds=1), "until": START + timedelta(seconds=2)}, [1]),
        ({"since": (START + timedelta(seconds=4)).astimezone(timezone(timedelta(hours=5)))}, [4]),
    ],
)
def test_results_are_found_by_all_that_is_asked(reader: ArchiveReader, asked: dict[str, Any], found: list[int]) -> None:
    assert [entry.result_id for entry in reader.find(**asked)] == [f"result-{n}" for n in found]


def test_texts_come_back_as_they_were(reader: ArchiveReader) -> None:
    assert reader.find(batch=LONG)[0].batch == LONG
    assert reader.find(batch=ODD)[0].batch == ODD.replace("\ud800", "\\ud800")


def test_a_time_without_a_zone_is_refused(reader: ArchiveReader) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        reader.find(since=datetime(2026, 1, 1))  # noqa: DTZ001


def test_one_result_is_found_by_its_id(reader: ArchiveReader) -> None:
    entry = reader.get("result-2")
    assert entry is not None
    assert (entry.clearance_id, entry.decided_at, entry.recipe_version) == ("c-1", START + timedelta(seconds=2), 3)
    assert reader.get("result-99") is None


def test_what_a_result_does_not_have_is_said(reader: ArchiveReader) -> None:
    entry = reader.find()[0]
    for read in (reader.frame, reader.map, reader.overlay):
        with pytest.raises((ArchiveError, KeyError), match="has no"):
            read(entry)


def test_a_query_uses_an_index(reader: ArchiveReader) -> None:
    connection = sqlite3.connect(reader.folder / INDEX)
    for column in ("batch", "view", "outcome", "clearance_id"):
        query = f"EXPLAIN QUERY PLAN SELECT * FROM entries WHERE {column} = ? ORDER BY decided_us DESC"
        (plan, *_) = [row[3] for row in connection.execute(query, ("x",))]
        assert plan.startswith("SEARCH entries USING INDEX"), plan
    connection.close()


@pytest.mark.parametrize("colour", [True, False])
def test_frames_keep_their_colours(tmp_path: Path, colour: bool) -> None:
    image = frame(3, (31, 7), colour)
    reader = stored(tmp_path, evidence(1, frame=image))
    read = reader.frame(reader.find()[0])
    np.testing.assert_array_equal(read, image)
    assert not read.flags.writeable


@pytest.mark.parametrize("role", ["frame", "map", "overlay", "document"])
@pytest.mark.parametrize("harm", ["gone", "changed", "cut"])
def test_a_file_that_is_not_as_it_was_written_is_never_shown(tmp_path: Path, role: str, harm: str) -> None:
    reader = stored(tmp_path, evidence(1))
    (entry,) = reader.find()
    path = entry.folder / entry.files[role]
    data = path.read_bytes()
    if harm == "gone":
        path.unlink()
    else:
        path.write_bytes(data[:-1] if harm == "cut" else data[:-9] + bytes([data[-9] ^ 1]) + data[-8:])
    read: Callable[[Any], object] = getattr(reader, role)
    with pytest.raises(ArchiveError, match=r"cannot be read|is not as it was written"):
        read(entry)
    (finding,) = verify(reader)
    assert (finding.kind, finding.result_id) == ("missing" if harm == "gone" else "changed", "result-1")
    assert finding.file == f"2026-11-22/07/{entry.files[role]}"


def test_what_is_put_beside_the_evidence_is_found(tmp_path: Path) -> None:
    reader = stored(tmp_path, evidence(1))
    (entry,) = reader.find()
    name = entry.files["frame"].replace("FAIL", "PASS")
    (entry.folder / name).write_bytes(b"forged")
    (finding,) = verify(reader)
    assert (finding.kind, finding.file) == ("unknown", f"2026-11-22/07/{name}")


@pytest.mark.parametrize("change", ["outcome = 'PASS'", "batch = 'other'", "threshold = 99", "decided_us = 5", "reason = 'x'"])
def test_an_index_that_was_changed_by_hand_disagrees(tmp_path: Path, change: str) -> None:
    reader = stored(tmp_path, evidence(1))
    connection = sqlite3.connect(tmp_path / INDEX)
    connection.execute(f"UPDATE entries SET {change}")
    connection.commit()
    connection.close()
    assert [finding.kind for finding in verify(reader)] == ["disagrees"]


def test_verification_tells_how_far_it_is(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    reader = stored(tmp_path, evidence(1), bare(2))
    assert list(verify(reader, lambda done, total, what: told.append((done, total)))) == []
    assert told == [(1, 2), (2, 2)]


def test_it_is_read_and_verified_while_it_is_written(tmp_path: Path) -> None:
    with running(tmp_path, max_bytes=60_000) as archive:
        archive.submit(evidence(0))
        until(lambda: archive.health()["archive.stored"] == 1)
        reader = ArchiveReader(tmp_path)
        for number in range(1, 200):
            archive.submit(evidence(number))
            if number % 20 == 0:
                for entry in reader.find(limit=2):
                    assert entry.result_id
                bad = [finding for finding in verify(reader) if finding.kind != "unknown"]
                assert bad == []
    assert list(verify(reader)) == []


def test_an_entry_deleted_since_it_was_found_is_an_error_not_a_crash(tmp_path: Path) -> None:
    reader = stored(tmp_path, evidence(1))
    (entry,) = reader.find()
    with store(tmp_path) as opened:
        opened.purge(opened.index.oldest("fail", 1), "age", 0)
    with pytest.raises(ArchiveError, match="cannot be read"):
        reader.frame(entry)


def test_a_folder_without_an_archive_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="holds no archive: name the archive's folder"):
        ArchiveReader(tmp_path).find()
    assert list(tmp_path.iterdir()) == []


def test_an_index_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / INDEX).write_bytes(b"not a database at all" * 100)
    with pytest.raises(ArchiveError, match=r"cannot be read .*built anew"):
        ArchiveReader(tmp_path).find()


def test_a_frame_whose_bytes_are_no_picture_is_an_error(tmp_path: Path) -> None:
    one = packed(1)
    broken = {**one.contents}
    reader = stored(tmp_path, evidence(1))
    (entry,) = reader.find()
    assert set(broken) == set(entry.files.values())
    path = entry.folder / entry.files["frame"]
    path.write_bytes(b"no picture")
    import hashlib
    from dataclasses import replace

    forged = replace(entry, sha256={**entry.sha256, "frame": hashlib.sha256(b"no picture").hexdigest()})
    with pytest.raises(ArchiveError, match="is no picture"):
        reader.frame(forged)
    assert cv2.imdecode(np.frombuffer(b"no picture", np.uint8), cv2.IMREAD_UNCHANGED) is None
