"""What is written takes the place of what was there whole, or not at all."""

import os
import stat
from pathlib import Path

import pytest

from edge.durable import replace_file, replacing, sync, write_file


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644])
def test_it_is_there_whole_with_its_own_permissions(tmp_path: Path, mode: int) -> None:
    before = os.umask(0o077)
    try:
        replace_file(tmp_path / "a", b"new", mode=mode)
    finally:
        os.umask(before)
    assert (tmp_path / "a").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == mode
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


def test_whoever_reads_meanwhile_reads_the_old(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    with replacing(tmp_path / "a") as file:
        file.write(b"half")
        file.flush()
        assert (tmp_path / "a").read_bytes() == b"old"
        file.write(b" more")
    assert (tmp_path / "a").read_bytes() == b"half more"


@pytest.mark.parametrize("fault", [OSError(28, "No space left on device"), KeyboardInterrupt(), ValueError("mine")])
def test_where_it_fails_all_is_as_it_was(tmp_path: Path, fault: BaseException) -> None:
    (tmp_path / "a").write_bytes(b"old")

    def write() -> None:
        with replacing(tmp_path / "a") as file:
            file.write(b"half")
            raise fault

    with pytest.raises(type(fault)):
        write()
    assert (tmp_path / "a").read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("step", ["fsync", "replace", "fchmod"])
def test_a_disk_that_refuses_any_step_leaves_the_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    (tmp_path / "a").write_bytes(b"old")

    def refuse(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, step, refuse)
    with pytest.raises(OSError, match="Input/output"):
        replace_file(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


def test_it_can_be_written_outside_a_folder_that_holds_its_own_files_only(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    with replacing(tmp_path / "b" / "a", beside=tmp_path) as file:
        file.write(b"new")
        assert not list((tmp_path / "b").iterdir())
    assert (tmp_path / "b" / "a").read_bytes() == b"new"


def test_a_file_that_must_not_be_there_yet(tmp_path: Path) -> None:
    write_file(tmp_path / "a", b"1", exclusive=True)
    with pytest.raises(FileExistsError):
        write_file(tmp_path / "a", b"2", exclusive=True)
    write_file(tmp_path / "a", b"3")
    assert (tmp_path / "a").read_bytes() == b"3"
    sync(tmp_path / "a")
    sync(tmp_path)
    with pytest.raises(FileNotFoundError):
        sync(tmp_path / "b")
