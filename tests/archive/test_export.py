from __future__ import annotations

import hashlib
import json
import os
import subprocess
import zipfile
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.archive import ArchiveError, ArchiveReader, batch_entries, export_batch, verify_export
from edge.errors import Cancelled
from tests.archive.samples import bare, evidence, running, stored

ODD = "../../B\n/" + "x" * 300


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> ArchiveReader:
    return stored(
        tmp_path_factory.mktemp("archive"),
        evidence(1, clearance_id="c-1", batch=""),
        evidence(2, clearance_id="c-1", batch=ODD),
        bare(3, kind="clearance", outcome="NOT_CLEAR", batch=ODD, result_id="c-1"),
        evidence(4, batch="other"),
        bare(5, kind="clearance", outcome="CLEAR", batch="other", clearance_id=None),
    )


def test_a_batch_is_all_that_names_it_and_the_verdicts_of_its_clearances(reader: ArchiveReader) -> None:
    assert [entry.result_id for entry in batch_entries(reader, ODD)] == ["result-1", "result-2", "c-1"]
    assert [entry.result_id for entry in batch_entries(reader, "other")] == ["result-4", "result-5"]
    assert batch_entries(reader, "none") == []


def test_an_export_holds_every_file_with_its_hash(reader: ArchiveReader, tmp_path: Path) -> None:
    done = export_batch(reader, ODD, tmp_path / "B.zip", extra_files={"report.html": b"<html>", "more/a.txt": b""})
    assert (done.results, done.files, done.findings) == (3, 4 + 4 + 1 + 2, ())
    assert done.size_bytes == (tmp_path / "B.zip").stat().st_size
    with zipfile.ZipFile(tmp_path / "B.zip") as source:
        raw = source.read("manifest.json")
        manifest = json.loads(raw)
        assert hashlib.sha256(raw).hexdigest() == done.manifest_sha256
        assert set(source.namelist()) == {*manifest["files"], "manifest.json", "SHA256SUMS"}
        for name, file in manifest["files"].items():
            data = source.read(name)
            assert (hashlib.sha256(data).hexdigest(), len(data)) == (file["sha256"], file["size_bytes"])
        entry = reader.get("result-2")
        assert entry is not None
        inside = manifest["results"][1]["files"]["frame"]
        assert source.read(inside) == (entry.folder / entry.files["frame"]).read_bytes()
    assert (manifest["schema"], manifest["batch"]) == ("lineclear/archive-export/1", ODD)
    assert [result["result_id"] for result in manifest["results"]] == ["result-1", "result-2", "c-1"]
    assert verify_export(tmp_path / "B.zip") == []


def test_any_machine_can_check_it_without_lineclear(reader: ArchiveReader, tmp_path: Path) -> None:
    export_batch(reader, ODD, tmp_path / "B.zip")
    with zipfile.ZipFile(tmp_path / "B.zip") as source:
        source.extractall(tmp_path / "out")
    checked = subprocess.run(
        ["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=tmp_path / "out", capture_output=True, text=True
    )
    assert (checked.returncode, checked.stdout.count(": OK")) == (0, 10), checked.stderr


def test_no_name_in_it_leads_out_of_the_folder_it_is_unpacked_to(reader: ArchiveReader, tmp_path: Path) -> None:
    export_batch(reader, ODD, tmp_path / "B.zip")
    with zipfile.ZipFile(tmp_path / "B.zip") as source:
        for name in source.namelist():
            path = PurePosixPath(name)
            assert not path.is_absolute()
            assert ".." not in path.parts
            assert name.isascii()
            assert name.isprintable()


def test_the_same_batch_gives_the_same_bytes(reader: ArchiveReader, tmp_path: Path) -> None:
    export_batch(reader, ODD, tmp_path / "1.zip", extra_files={"a": b"1", "b": b"2"})
    os.utime(next(reader.folder.glob("*/*/*.png")), (0, 0))
    export_batch(reader, ODD, tmp_path / "2.zip", extra_files={"b": b"2", "a": b"1"})
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "/etc/passwd",
        "../x",
        "a/../b",
        "a//b",
        "./a",
        "a\nb",
        "C:\\x",
        "a\\b",
        "manifest.json",
        "SHA256SUMS",
        "evidence/x",
    ],
)
def test_unsafe_names_are_refused(reader: ArchiveReader, tmp_path: Path, name: str) -> None:
    with pytest.raises(ArchiveError, match="cannot be a file in an export"):
        export_batch(reader, ODD, tmp_path / "B.zip", extra_files={name: b""})
    assert list(tmp_path.iterdir()) == []


def test_a_batch_that_is_not_there_gives_no_file(reader: ArchiveReader, tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="has no evidence of batch 'none': ask `lineclear archive list`"):
        export_batch(reader, "none", tmp_path / "B.zip")
    assert list(tmp_path.iterdir()) == []


def test_cancelled_half_way_the_old_file_stays(reader: ArchiveReader, tmp_path: Path) -> None:
    (tmp_path / "B.zip").write_bytes(b"before")

    def cancel(done: int, total: int, what: str) -> None:
        if done == 2:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        export_batch(reader, ODD, tmp_path / "B.zip", progress=cancel)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("B.zip", b"before")]


def test_a_place_that_cannot_be_written_is_an_error(reader: ArchiveReader, tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match=r"cannot be written .*check space and rights"):
        export_batch(reader, ODD, tmp_path / "nowhere" / "B.zip")


def test_damaged_evidence_is_exported_and_said_to_be(tmp_path: Path) -> None:
    reader = stored(tmp_path / "archive", evidence(1), evidence(2))
    first, second = reader.find(newest_first=False)
    (first.folder / first.files["frame"]).write_bytes(b"other")
    (second.folder / second.files["map"]).unlink()
    done = export_batch(reader, "B1", tmp_path / "B.zip")
    assert [(finding.result_id, finding.problem) for finding in done.findings] == [
        ("result-1", "is not as it was written"),
        ("result-2", "is gone"),
    ]
    with zipfile.ZipFile(tmp_path / "B.zip") as source:
        manifest = json.loads(source.read("manifest.json"))
    assert [finding["problem"] for finding in manifest["findings"]] == ["is not as it was written", "is gone"]
    assert verify_export(tmp_path / "B.zip") == []  # the zip is what its manifest says, and that says it


def test_what_is_missing_and_what_was_deleted_is_in_the_manifest(tmp_path: Path) -> None:
    with running(tmp_path / "archive", max_bytes=30_000) as archive:
        for number in range(40):
            archive.submit(evidence(number, document={"score": float("nan")} if number == 39 else {}))
    done = export_batch(ArchiveReader(tmp_path / "archive"), "B1", tmp_path / "B.zip")
    with zipfile.ZipFile(tmp_path / "B.zip") as source:
        manifest = json.loads(source.read("manifest.json"))
    (missing,) = manifest["missing"]
    assert missing["result_id"] == "result-39"
    assert missing["decided_at"] == "2026-11-22T07:15:42.123000+00:00"
    assert len(manifest["purged"]) + done.results == 39
    assert manifest["purged"][0] | {"at": ""} == {
        "result_id": "result-0", "kind": "verdict", "view": "front", "outcome": "FAIL", "batch": "B1", "clearance_id": None,
        "why": "space", "at": "", "decided_at": "2026-11-22T07:15:03.123000+00:00",
    }  # fmt: skip


@pytest.fixture(scope="module")
def exported(reader: ArchiveReader, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "B.zip"
    export_batch(reader, ODD, path)
    return path


def rewritten(source: Path, target: Path, drop: str = "", put: dict[str, bytes] | None = None) -> Path:
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        contents = {name: old.read(name) for name in old.namelist() if name != drop} | (put or {})
        for name, data in contents.items():
            new.writestr(name, data)
    return target


def test_a_zip_that_was_changed_is_found_out(exported: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(exported) as source:
        frame = next(name for name in source.namelist() if name.endswith(".png"))
    gone = verify_export(rewritten(exported, tmp_path / "1.zip", drop=frame))
    assert [(finding.file, finding.problem) for finding in gone] == [(frame, "is gone")]
    changed = verify_export(rewritten(exported, tmp_path / "2.zip", put={frame: b"other"}))
    assert [(finding.file, finding.problem) for finding in changed] == [(frame, "is not as it was written")]
    added = verify_export(rewritten(exported, tmp_path / "3.zip", put={"evidence/new.png": b""}))
    assert [(finding.file, finding.problem) for finding in added] == [("evidence/new.png", "is not in the manifest")]


@settings(max_examples=150, deadline=None)
@given(place=st.integers(0, 10**9), value=st.integers(1, 255))
def test_a_byte_changed_anywhere_is_found_or_is_no_evidence(exported: Path, place: int, value: int) -> None:
    data = bytearray(exported.read_bytes())
    data[place % len(data)] ^= value
    work = exported.with_name("work.zip")
    work.write_bytes(data)
    try:
        findings = verify_export(work)
    except ArchiveError:
        return
    if not findings:  # times and attributes of the zip's own headers, or SHA256SUMS
        with zipfile.ZipFile(exported) as old, zipfile.ZipFile(work) as new:
            for name in old.namelist():
                assert name == "SHA256SUMS" or new.read(name) == old.read(name)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"x" * 1000])
def test_what_is_no_export_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.zip").write_bytes(data)
    with pytest.raises(ArchiveError, match="is no export of a batch, or is damaged"):
        verify_export(tmp_path / "x.zip")


@pytest.mark.parametrize("manifest", [b"", b"[]", b"{}", b'{"schema": "other", "files": {}}', b"[" * 100_000])
def test_a_zip_of_something_else_is_refused(tmp_path: Path, manifest: bytes) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as target:
        target.writestr("manifest.json", manifest)
    with pytest.raises(ArchiveError, match="is no export"):
        verify_export(tmp_path / "x.zip")
