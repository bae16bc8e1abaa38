"""Thumbnails, lists, what a document tells, evidence of a batch: without HTTP."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import zipfile
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.web.history import Thumbnails, as_csv, as_json_lines, find, told_of, views_of
from calibration.web.history.batches import KEPT_S, ExportError, export_for, forget_old
from calibration.web.history.thumbnails import MAX_SIDE_PX, has_picture, tag_of
from calibration.web.language import load_words
from edge.archive import ArchiveError, ArchiveReader, Entry, Fate, verify_export
from edge.archive.packing import microseconds
from edge.audit import AuditError, AuditLog
from edge.errors import Cancelled
from tests.archive.samples import START, bare, evidence, frame, store, stored
from tests.cli.running import ROOT


def jpeg(size_wh: tuple[int, int]) -> bytes:
    return bytes(cv2.imencode(".jpg", frame(1, size_wh))[1].tobytes())


def size_of(data: bytes) -> tuple[int, int]:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return image.shape[1], image.shape[0]


@pytest.mark.parametrize("size_wh", [(24, 16), (1600, 900), (300, 2000), (241, 240)])
def test_a_thumbnail_is_small_and_made_once(tmp_path: Path, size_wh: tuple[int, int]) -> None:
    reader = stored(tmp_path / "archive", evidence(1, overlay=lambda: (jpeg(size_wh), "image/jpeg")))
    (entry,) = reader.find()
    thumbnails = Thumbnails(tmp_path / "thumbnails")
    made = thumbnails.of(reader, entry)
    assert made is not None
    assert max(size_of(made.data)) <= MAX_SIDE_PX
    assert made.tag == tag_of(entry)
    (entry.folder / entry.files["overlay"]).unlink()
    assert thumbnails.of(reader, entry) == made


def test_a_thumbnail_of_the_frame_where_nothing_was_painted(tmp_path: Path) -> None:
    reader = stored(tmp_path / "archive", evidence(1, overlay=None, frame=frame(1, (400, 100))), bare(2))
    of_frame, nothing = (reader.get(f"result-{n}") for n in (1, 2))
    assert of_frame is not None
    assert nothing is not None
    thumbnails = Thumbnails(tmp_path / "thumbnails")
    made = thumbnails.of(reader, of_frame)
    assert made is not None
    assert size_of(made.data) == (240, 60)
    assert (has_picture(of_frame), has_picture(nothing), tag_of(nothing)) == (True, False, "")
    assert thumbnails.of(reader, nothing) is None


def test_what_is_no_picture_has_no_thumbnail_and_what_was_changed_is_an_error(tmp_path: Path) -> None:
    reader = stored(tmp_path / "archive", evidence(1), evidence(2, overlay=lambda: (jpeg((50, 50)), "image/jpeg")))
    odd, changed = (reader.get(f"result-{n}") for n in (1, 2))
    assert odd is not None
    assert changed is not None
    thumbnails = Thumbnails(tmp_path / "thumbnails")
    assert thumbnails.of(reader, odd) is None
    (changed.folder / changed.files["overlay"]).write_bytes(b"another")
    with pytest.raises(ArchiveError):
        thumbnails.of(reader, changed)


def test_the_kept_thumbnails_never_grow_beyond_their_bound(tmp_path: Path) -> None:
    many = [evidence(n, overlay=lambda n=n: (jpeg((100 + n, 100)), "image/jpeg")) for n in range(12)]
    reader = stored(tmp_path / "archive", *many)
    entries = reader.find(newest_first=False)
    one = len(Thumbnails(tmp_path / "probe").of(reader, entries[0]).data)  # type: ignore[union-attr]
    folder = tmp_path / "thumbnails"
    thumbnails = Thumbnails(folder, max_bytes=5 * one)
    for at, entry in enumerate(entries):
        thumbnails.of(reader, entry)
        for path in folder.glob("*/*.jpg"):
            if tag_of(entries[0]) in path.name:
                os.utime(path, (at + 1e9, at + 1e9))
        assert sum(path.stat().st_size for path in folder.glob("*/*")) <= 6 * one
    assert Thumbnails(folder, max_bytes=5 * one).of(reader, entries[0]) is not None


def test_a_disk_that_takes_nothing_still_gives_thumbnails(tmp_path: Path) -> None:
    reader = stored(tmp_path / "archive", evidence(1, overlay=lambda: (jpeg((50, 50)), "image/jpeg")))
    (tmp_path / "thumbnails").write_text("in the way")
    assert Thumbnails(tmp_path / "thumbnails").of(reader, reader.find()[0]) is not None


class Person:
    def __init__(self, *views: str) -> None:
        self.views = views

    def may_see(self, view: str) -> bool:
        return not self.views or view in self.views


def test_who_sees_what(tmp_path: Path) -> None:
    with store(tmp_path) as opened:
        opened.commit([(microseconds(START), "full", vars(evidence(7, view="back")) | {"decided_us": 77})])
    reader = stored(
        tmp_path, bare(1, view="front"), bare(2, view="back"), bare(3, view="", kind="clearance"), bare(4, view="gone"),
    )  # fmt: skip
    everybody, front = views_of(Person(), ("front", "back")), views_of(Person("front"), ("front", "back"))
    both = views_of(Person("front", "back", "other"), ("front", "back"))
    assert (everybody, front, both) == (None, ("front",), None)
    seen = [n for n in range(1, 5) if isinstance(find(reader, f"result-{n}", front), Entry)]
    assert seen == [1]
    assert isinstance(find(reader, "result-7", None), Fate)
    assert find(reader, "result-7", front) is None
    assert find(reader, "result-99", None) is None


def test_a_list_for_a_spreadsheet_calculates_nothing() -> None:
    hostile = ["=1+1", "+1", "-1", "@x", "\t=1", "  =1", 'a"b,c\nd', "ok", "＝1", "\0x", "漢"]
    entries = [_entry(batch=text, score=-1.5) for text in hostile]
    data = b"".join(as_csv(entries)).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(data)))
    cells = [row["batch"] for row in rows]
    assert cells == ["'=1+1", "'+1", "'-1", "'@x", "'\t=1", "'  =1", 'a"b,c\nd', "ok", "'＝1", "\ufffdx", "漢"]
    assert {row["score"] for row in rows} == {"-1.5"}
    assert rows[0]["decided_at"] == START.isoformat()
    assert rows[0]["threshold"] == ""


def test_a_list_for_programs_is_one_object_per_line_however_long_it_is() -> None:
    pieces = list(as_json_lines(_entry(batch=f"B{n}") for n in range(1001)))
    assert len(pieces) == 6
    lines = b"".join(pieces).splitlines()
    assert [json.loads(line)["batch"] for line in lines] == [f"B{n}" for n in range(1001)]
    assert b"".join(as_json_lines([])) == b""
    assert len(b"".join(as_csv(_entry() for _ in range(1001))).splitlines()) == 1002


def _entry(**changes: Any) -> Entry:
    given: dict[str, Any] = {
        "result_id": "r", "kind": "verdict", "view": "front", "outcome": "FAIL", "reason": "", "decided_at": START, "batch": "",
        "product": "", "clearance_id": None, "request_id": "", "recipe": "front", "recipe_version": 1, "score": 0.5,
        "threshold": None, "folder": Path(), "files": {}, **changes,
    }  # fmt: skip
    return Entry(**given)


def test_a_document_tells_what_it_can() -> None:
    told = told_of({
        "reason": {"code": "not_registered", "detail": "moved"}, "isSimulated": True, "score": 3.0, "threshold": 2.0,
        "camera": "c",
        "frameNumber": 7,
        "processingTimes": {"startTime": "t", "stageMs": {"align": 30.0, "infer": 10, "odd": "x", "none": None}},
        "alignment": {
            "trusted": False, "mode": "track", "points": 9, "inlierRatio": None,
            "gates": [{"name": "inliers", "value": 5, "limit": 12, "kind": "min", "passed": False},
                {"name": "x", "value": None}],
        },
    })  # fmt: skip
    assert (told.reason, told.detail, told.simulated, told.share, told.total_ms) == (
        "not_registered",
        "moved",
        True,
        0.75,
        40.0,
    )
    assert [(stage.name, stage.share, stage.start) for stage in told.stages] == [("align", 0.75, 0.0), ("infer", 0.25, 0.75)]
    assert told.alignment is not None
    assert [gate.passed for gate in told.alignment.gates] == [False, False]
    assert dict(told.made_by) == {"camera": "c", "frame_number": "7"}
    part = {"view": "front", "results": [{"resultId": "r1", "outcome": "FAIL", "reason": None}]}
    clearance = told_of({"reasons": [{"code": "clock", "detail": "d"}], "views": [part, {"view": "b", "outcome": "PASS"}]})
    assert clearance.reason == "clock"
    assert [(part.view, part.result_id, part.outcome) for part in clearance.parts] == [
        ("front", "r1", "FAIL"),
        ("b", "", "PASS"),
    ]


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)
_KEYS = (
    "reason",
    "reasons",
    "score",
    "threshold",
    "processingTimes",
    "alignment",
    "views",
    "camera",
    "operator",
    "isSimulated",
)


@given(st.dictionaries(st.sampled_from(_KEYS), _JSON))
def test_no_document_is_too_odd_to_be_told(document: dict[str, Any]) -> None:
    told = told_of(document)
    assert told.share is None or 0 <= told.share <= 1


def test_the_evidence_of_a_batch_is_audited_before_anybody_has_it(tmp_path: Path) -> None:
    reader = stored(tmp_path / "archive", evidence(1), evidence(2, batch="B2"), evidence(3))
    audit = AuditLog(tmp_path / "audit")
    steps: list[tuple[int, int]] = []
    made = export_for(
        reader, audit, tmp_path / "out", "B1", "Otto", progress=lambda done, total, what: steps.append((done, total))
    )
    assert (made.results, made.findings) == (2, 0)
    assert verify_export(made.path) == []
    with zipfile.ZipFile(made.path) as packed:
        assert "report.html" in packed.namelist()
    (line,) = (tmp_path / "audit" / "audit-000001.jsonl").read_text().splitlines()
    entry = json.loads(line)
    assert (entry["action"], entry["who"], entry["subject"]) == ("export", "Otto", "batch B1")
    assert entry["after"]["manifest_sha256"] == made.manifest_sha256
    assert steps[-1] == (2, 2)


def test_an_export_that_fails_leaves_nothing(tmp_path: Path) -> None:
    reader = stored(tmp_path / "archive", evidence(1))
    (tmp_path / "blocked").write_text("")
    out, blocked, audit = tmp_path / "out", AuditLog(tmp_path / "blocked" / "audit"), AuditLog(tmp_path / "audit")

    def stop(done: int, total: int, what: str) -> None:
        raise Cancelled("stopped")

    with pytest.raises(AuditError):
        export_for(reader, blocked, out, "B1", "Otto")
    with pytest.raises(Cancelled):
        export_for(reader, audit, out, "B1", "Otto", progress=stop)
    with pytest.raises(ArchiveError, match="no evidence of batch"):
        export_for(reader, audit, out, "B9", "Otto")
    with pytest.raises(ExportError, match="the disk has no room"):
        export_for(reader, audit, out, "B1", "Otto", min_free_bytes=1 << 62)
    assert list(out.glob("*")) == []


def test_exports_that_nobody_fetched_go(tmp_path: Path) -> None:
    old, new = tmp_path / "old.zip", tmp_path / "new.zip"
    for path in (old, new):
        path.write_bytes(b"x")
    now_s = datetime.now(timezone.utc) + timedelta(seconds=KEPT_S + 60)
    os.utime(new, (now_s.timestamp(), now_s.timestamp()))
    forget_old(tmp_path, now_s.timestamp())
    assert list(tmp_path.iterdir()) == [new]
    forget_old(tmp_path / "nowhere")
    assert isinstance(ArchiveReader(tmp_path), ArchiveReader)


@pytest.mark.parametrize("stage", ["grab", "queue", "align", "warp", "reference", "infer", "judge", "decide", "record"])
def test_every_step_of_the_judging_has_words(stage: str) -> None:
    assert load_words().knows(f"history.stage_{stage}")


def test_the_steps_named_here_are_those_of_the_station() -> None:
    sources = "".join((ROOT / "edge" / name).read_text() for name in ("pipeline.py", "loop/judging.py"))
    named = set(re.findall(r'\.stage\("([a-z]+)"\)', sources)) | set(re.findall(r'\{"([a-z]+)": max\(0\.0', sources))
    assert named
    assert all(load_words().knows(f"history.stage_{name}") for name in named)
