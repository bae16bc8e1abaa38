"""Labels as they lie on the disk: the calibration reads them, retention cannot take them, the audit log has every change."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calibration.labels import read_labels
from calibration.web.history.labels import DrawingError, LabelError, Labels, as_zip, picture
from calibration.web.history.labels.records import name_of
from edge.archive import ArchiveError, ArchiveReader, Entry
from edge.audit import Action, AuditError, AuditLog, entries, verify
from tests.archive.samples import START, evidence, frame, store, stored

BOX = json.dumps([{"kind": "box", "points": [[2, 2], [8, 6]]}])


@pytest.fixture
def reader(tmp_path: Path) -> ArchiveReader:
    many = [evidence(number, frame=frame(number, (24, 16))) for number in range(5)]
    return stored(tmp_path / "archive", *many, evidence(9, frame=frame(0, (24, 16))), evidence(10, frame=None))


@pytest.fixture
def labels(tmp_path: Path) -> Iterator[Labels]:
    times = iter(START + timedelta(minutes=count) for count in range(1000))
    return Labels(tmp_path / "labels", AuditLog(tmp_path / "audit"), now=lambda: next(times))  # type: ignore[return-value]


def entry_of(reader: ArchiveReader, number: int) -> Entry:
    found = reader.get(f"result-{number}")
    assert found is not None
    return found


def audited(labels: Labels) -> list[tuple[str, Any, Any]]:
    lines = [
        json.loads(line) for path in sorted(labels._audit.folder.glob("*.jsonl")) for line in path.read_text().splitlines()
    ]
    return [(line["who"], line["before"], line["after"]) for line in lines if line["subject"].startswith("label ")]


def test_good_bad_and_drawn_are_read_by_the_calibration(labels: Labels, reader: ArchiveReader) -> None:
    labels.give(reader, entry_of(reader, 0), "good", "Otto")
    labels.give(reader, entry_of(reader, 1), "bad", "Otto")
    labels.give(reader, entry_of(reader, 2), "bad", "Otto", drawn=BOX, note=" a cap ")
    read = read_labels(labels.folder("front"))
    assert {(item.path.stem, item.label, item.pixels_known) for item in read.items} == {
        (name_of(entry_of(reader, 0)), "good", True),
        (name_of(entry_of(reader, 1)), "bad", False),
        (name_of(entry_of(reader, 2)), "bad", True),
    }
    drawn = next(item for item in read.items if item.pixels_known and item.label == "bad")
    assert drawn.truth is not None
    assert drawn.truth.sum() == 24
    assert drawn.truth[2:6, 2:8].all()
    assert [problem.what for problem in read.problems] == ["has no mask: used as a bad image whose pixels are not known"]
    assert drawn.path.read_bytes() == reader.read(entry_of(reader, 2), "frame")
    label = labels.of(entry_of(reader, 2))
    assert label is not None
    assert (label.who, label.note, label.result_id, label.marked_px, len(label.shapes)) == ("Otto", "a cap", "result-2", 24, 1)
    assert labels.counts("front") == {"good": 1, "bad": 2, "drawn": 1}
    assert labels.names("front")[0] == name_of(entry_of(reader, 2))


@pytest.mark.parametrize("first", ["good", "bad", "drawn"])
@pytest.mark.parametrize("then", ["good", "bad", "drawn"])
def test_a_label_may_be_changed_to_any_other(labels: Labels, reader: ArchiveReader, first: str, then: str) -> None:
    for says in (first, then):
        given = labels.give(
            reader, entry_of(reader, 0), "good" if says == "good" else "bad", "Otto", drawn=BOX if says == "drawn" else ""
        )
        assert (given.says, given.marked_px) == ("good" if says == "good" else "bad", 24 if says == "drawn" else None)
    read = read_labels(labels.folder("front"))
    (item,) = read.items
    assert (item.label, item.pixels_known) == ("good" if then == "good" else "bad", then != "bad")
    assert sorted(labels.counts("front").values()) == sorted({"good": [1, 0, 0], "bad": [0, 1, 0], "drawn": [0, 1, 1]}[then])
    before = audited(labels)[1][1]
    assert before["label"] == ("good" if first == "good" else "bad")


def test_one_picture_has_one_label_whichever_result_it_is_of(labels: Labels, reader: ArchiveReader) -> None:
    labels.give(reader, entry_of(reader, 0), "good", "Otto")
    twin = labels.of(entry_of(reader, 9))
    assert twin is not None
    assert (twin.says, twin.result_id) == ("good", "result-0")
    labels.give(reader, entry_of(reader, 9), "bad", "Tina")
    assert labels.says(entry_of(reader, 0)) == "bad"
    assert len(read_labels(labels.folder("front")).items) == 1


def test_a_label_that_is_taken_back_leaves_nothing(labels: Labels, reader: ArchiveReader) -> None:
    labels.give(reader, entry_of(reader, 2), "bad", "Otto", drawn=BOX)
    name = name_of(entry_of(reader, 2))
    taken = labels.take_back("front", name, "Tina", "was wrong")
    assert taken is not None
    assert labels.take_back("front", name, "Tina") is None
    assert [path for path in labels.folder("front").rglob("*") if path.is_file()] == []
    assert labels.of(entry_of(reader, 2)) is None
    assert [who for who, _, _ in audited(labels)] == ["Otto", "Tina"]
    assert audited(labels)[1][1]["marked_px"] == 24
    assert audited(labels)[1][2] is None
    assert {entry.action for entry in entries(labels._audit.folder)} == {Action.LABEL}
    assert list(verify(labels._audit.folder).findings) == []


def test_retention_cannot_take_a_labelled_frame(labels: Labels, reader: ArchiveReader) -> None:
    entry = entry_of(reader, 0)
    labels.give(reader, entry, "good", "Otto")
    with store(reader.folder) as opened:
        opened.purge(opened.index.oldest("fail", 1), "age", 0)
    assert reader.get("result-0") is None
    assert [item.label for item in read_labels(labels.folder("front")).items] == ["good"]
    label = labels.get("front", name_of(entry))
    assert label is not None
    assert picture(labels, label, 200).startswith(b"\xff\xd8")


def test_a_frame_that_is_not_as_it_was_written_is_no_label(labels: Labels, reader: ArchiveReader) -> None:
    entry = entry_of(reader, 0)
    path = entry.folder / entry.files["frame"]
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(ArchiveError, match="is not as it was written"):
        labels.give(reader, entry, "good", "Otto")
    assert labels.of(entry) is None
    assert audited(labels) == []


def test_what_is_not_a_drawing_of_this_frame_is_refused(labels: Labels, reader: ArchiveReader) -> None:
    outside = json.dumps([{"kind": "box", "points": [[500, 500], [600, 600]]}])
    erased = json.dumps([{"kind": "box", "points": [[2, 2], [8, 6]]}, {"kind": "erase", "width": 100, "points": [[5, 5]]}])
    for drawn in (outside, erased):
        with pytest.raises(DrawingError, match="marks nothing"):
            labels.give(reader, entry_of(reader, 0), "bad", "Otto", drawn=drawn)
    with pytest.raises(LabelError, match="has no frame"):
        labels.give(reader, entry_of(reader, 10), "bad", "Otto")
    assert labels.of(entry_of(reader, 10)) is None
    assert labels.says(entry_of(reader, 10)) == ""


def test_what_cannot_be_audited_is_not_labelled(tmp_path: Path, reader: ArchiveReader) -> None:
    (tmp_path / "blocked").write_text("a file where the log should be")
    labels = Labels(tmp_path / "labels", AuditLog(tmp_path / "blocked" / "audit"))
    with pytest.raises(AuditError):
        labels.give(reader, entry_of(reader, 0), "good", "Otto")
    assert labels.of(entry_of(reader, 0)) is None


def test_a_full_disk_keeps_the_label_as_it_was(tmp_path: Path, reader: ArchiveReader) -> None:
    labels = Labels(tmp_path / "labels", AuditLog(tmp_path / "audit"), min_free_bytes=1 << 62)
    with pytest.raises(LabelError, match="the disk is nearly full"):
        labels.give(reader, entry_of(reader, 0), "good", "Otto")
    assert labels.of(entry_of(reader, 0)) is None


def test_a_folder_that_cannot_be_written_says_so(tmp_path: Path, reader: ArchiveReader) -> None:
    (tmp_path / "labels").write_text("in the way")
    with pytest.raises(LabelError, match="cannot be written"):
        Labels(tmp_path / "labels", AuditLog(tmp_path / "audit")).give(reader, entry_of(reader, 0), "good", "Otto")


@pytest.mark.parametrize("view", ["", ".", "..", "../x", "a/b", ".hidden", "x\0y", "x" * 300])
def test_no_view_leads_out_of_the_folder(labels: Labels, view: str) -> None:
    with pytest.raises(LabelError, match="is no view"):
        labels.folder(view)


@pytest.mark.parametrize("name", ["", "..", "../../etc/passwd", "A" * 32, "0" * 31, "0" * 33])
def test_no_name_is_more_than_a_name(labels: Labels, name: str) -> None:
    assert labels.get("front", name) is None
    assert labels.take_back("front", name, "Otto") is None


@pytest.mark.parametrize("about", [b"", b"{", b"[]", b'{"label":"good"}', b'{"label":"bad","size_wh":[1]}', b"\xff\xfe"])
def test_a_record_that_a_crash_damaged_costs_the_record_not_the_label(
    labels: Labels, reader: ArchiveReader, about: bytes
) -> None:
    entry = entry_of(reader, 2)
    labels.give(reader, entry, "bad", "Otto", drawn=BOX)
    (labels.folder("front") / "about" / f"{name_of(entry)}.json").write_bytes(about)
    label = labels.of(entry)
    assert label is not None
    assert (label.says, label.who, label.marked_px) == ("bad", "", 0)
    assert len(list(labels.all("front"))) == 1
    again = labels.give(reader, entry, "bad", "Tina", drawn=BOX)
    assert (again.who, again.marked_px) == ("Tina", 24)


def test_the_set_as_a_zip_is_read_as_it_lies_on_the_disk(tmp_path: Path, labels: Labels, reader: ArchiveReader) -> None:
    labels.give(reader, entry_of(reader, 0), "good", "Otto", note="=HYPERLINK(1)")
    labels.give(reader, entry_of(reader, 1), "bad", "Otto", drawn=BOX)
    with zipfile.ZipFile(io.BytesIO(b"".join(as_zip(labels, "front")))) as packed:
        assert packed.testzip() is None
        packed.extractall(tmp_path / "out")
    table = (tmp_path / "out" / "front" / "labels.csv").read_text()
    assert ",'=HYPERLINK(1)," in table
    read = read_labels(tmp_path / "out" / "front")
    assert sorted(item.label for item in read.items) == ["bad", "good"]
    assert read.problems == ()
    assert b"".join(as_zip(labels, "nothing-there"))[:2] == b"PK"


def test_a_labelled_frame_is_shown_with_what_was_drawn(labels: Labels, reader: ArchiveReader) -> None:
    import cv2

    label = labels.give(reader, entry_of(reader, 1), "bad", "Otto", drawn=BOX)
    plain = labels.give(reader, entry_of(reader, 3), "bad", "Otto")
    shown = [
        cv2.imdecode(np.frombuffer(picture(labels, one, side), np.uint8), cv2.IMREAD_COLOR)
        for one, side in ((label, 240), (plain, 12))
    ]
    assert shown[0].shape == (16, 24, 3)
    assert shown[1].shape[1] == 12
    (labels.folder("front") / "test" / "bad" / f"{label.name}.png").write_bytes(b"no picture")
    with pytest.raises(LabelError, match="cannot be shown"):
        picture(labels, label, 240)
