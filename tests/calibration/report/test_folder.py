import json
import os
from pathlib import Path

import pytest

from calibration.report.folder import check_folder, publish
from edge.errors import ConfigError

FILES = {
    "index.html": b"<!doctype html>",
    "report.json": json.dumps({"kind": "lineclear-report"}).encode(),
    "frames.csv": b"a\n",
}


def test_it_is_there_whole(tmp_path):
    publish(tmp_path / "deep" / "report", FILES)
    assert {path.name: path.read_bytes() for path in (tmp_path / "deep" / "report").iterdir()} == FILES
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["report"]


def test_an_empty_folder_is_taken(tmp_path):
    (tmp_path / "report").mkdir()
    publish(tmp_path / "report", FILES)
    assert (tmp_path / "report" / "index.html").exists()


def test_an_older_report_is_replaced_with_all_its_files(tmp_path):
    out = tmp_path / "report"
    publish(out, {**FILES, "configurations.csv": b"old"})
    publish(out, {**FILES, "index.html": b"new"})
    assert (out / "index.html").read_bytes() == b"new"
    assert not (out / "configurations.csv").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


@pytest.mark.parametrize("names", [["mine.txt"], ["index.html"], ["report.json"]])
def test_a_folder_with_something_else_is_refused_and_kept(tmp_path, names):
    out = tmp_path / "report"
    out.mkdir()
    for name in names:
        (out / name).write_text('{"kind": "somebody else"}')
    for ask in (lambda: check_folder(out), lambda: publish(out, FILES)):
        with pytest.raises(ConfigError, match="holds something that is no report of ours: name a new folder"):
            ask()
    assert [path.name for path in out.iterdir()] == names


def test_a_file_beside_an_older_report_would_be_lost(tmp_path):
    out = tmp_path / "report"
    publish(out, FILES)
    (out / "notes.txt").write_text("precious")
    with pytest.raises(ConfigError, match=r"holds notes\.txt beside an older report, which would be lost"):
        publish(out, FILES)
    assert (out / "notes.txt").read_text() == "precious"


@pytest.mark.parametrize("text", ["", "[", "[1]", "null", '{"kind": 1}', "[" * 100_000])
def test_a_damaged_document_is_no_report(tmp_path, text):
    (tmp_path / "report.json").write_text(text)
    with pytest.raises(ConfigError, match="no report of ours"):
        check_folder(tmp_path)


def test_a_file_and_a_link_are_no_folder(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "broken").symlink_to(tmp_path / "nowhere")
    for name in ("file", "link", "broken"):
        with pytest.raises(ConfigError, match="is no folder"):
            publish(tmp_path / name, FILES)
    assert not list((tmp_path / "real").iterdir())


def test_where_nothing_can_be_written_it_is_one_line(tmp_path):
    (tmp_path / "file").write_text("x")
    for ask in (lambda: check_folder(tmp_path / "file" / "report"), lambda: publish(tmp_path / "file" / "report", FILES)):
        with pytest.raises(ConfigError) as caught:
            ask()
        assert f"the report cannot be written: {tmp_path / 'file'} is a file: name a folder of your own" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_asking_leaves_nothing_behind(tmp_path):
    check_folder(tmp_path / "report")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_disk_that_fails_half_way_leaves_the_older_report(tmp_path, monkeypatch, at):
    out = tmp_path / "report"
    publish(out, FILES)
    real, calls = os.fsync, []

    def failing(descriptor):
        calls.append(descriptor)
        if len(calls) == at:
            raise OSError(28, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(ConfigError, match="No space left on device"):
        publish(out, dict.fromkeys(FILES, b"new"))
    assert {path.name: path.read_bytes() for path in out.iterdir()} == FILES
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


@pytest.mark.parametrize("at", [1, 2])
def test_a_rename_that_fails_leaves_the_older_report(tmp_path, monkeypatch, at):
    out = tmp_path / "report"
    publish(out, FILES)
    real, calls = os.rename, []

    def failing(source, target):
        calls.append(target)
        if len(calls) == at:
            raise OSError(16, "Device or resource busy")
        real(source, target)

    monkeypatch.setattr(os, "rename", failing)
    with pytest.raises(ConfigError, match="Device or resource busy"):
        publish(out, {**FILES, "index.html": b"new"})
    assert (out / "index.html").read_bytes() == FILES["index.html"]
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_interrupted_while_writing_nothing_is_there(tmp_path, monkeypatch):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        publish(tmp_path / "report", FILES)
    assert not list(tmp_path.iterdir())


def test_a_folder_without_rights_is_one_line(tmp_path, monkeypatch):
    def refused(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkdtemp", refused)  # as root, whom no right is denied, it cannot be had for real
    for ask in (lambda: check_folder(tmp_path / "report"), lambda: publish(tmp_path / "report", FILES)):
        with pytest.raises(ConfigError, match=r"report: the report cannot be written \(Permission denied\): name a folder"):
            ask()
    assert not list(tmp_path.iterdir())


def test_asking_for_a_deep_folder_makes_none_of_it(tmp_path):
    check_folder(tmp_path / "a" / "b" / "report")
    assert not list(tmp_path.iterdir())


def test_the_folder_one_stands_in_cannot_be_replaced(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for ask in (lambda: check_folder(Path(".")), lambda: publish(tmp_path, FILES)):
        with pytest.raises(ConfigError, match=r"the folder you are in, .*: name a folder inside it, such as"):
            ask()
    publish(Path("report"), FILES)
    assert (tmp_path / "report" / "index.html").exists()


def test_a_mounted_disk_is_refused_before_the_work_and_not_after(tmp_path, monkeypatch):
    (tmp_path / "disk").mkdir()
    monkeypatch.setattr(Path, "is_mount", lambda self: self.name == "disk")
    with pytest.raises(ConfigError, match="is a mounted disk"):
        check_folder(tmp_path / "disk")
    check_folder(tmp_path / "disk" / "report")


def test_interrupted_between_the_two_renames_the_older_report_stays(tmp_path, monkeypatch):
    out, real = tmp_path / "report", os.rename
    publish(out, FILES)

    def interrupted(source, target):
        if str(source).endswith("new"):
            raise KeyboardInterrupt
        real(source, target)

    monkeypatch.setattr(os, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        publish(out, {**FILES, "index.html": b"new"})
    assert (out / "index.html").read_bytes() == FILES["index.html"]
    assert [path.name for path in tmp_path.iterdir()] == ["report"]
