"""A disk that is too small, full, read-only or unplugged: real ones, mounted for the test, where the machine lets us."""

from __future__ import annotations

import errno
import os
import resource
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from edge.archive import ArchiveReader, verify
from edge.archive.worker import meaning
from tests.archive.samples import bare, evidence, frame, running, until

MIB = 1024**2


def mount(*arguments: str | Path) -> None:
    """Skip where this machine does not let us."""
    done = subprocess.run(["mount", *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"`mount {' '.join(map(str, arguments))}` as root is not possible here: {done.stderr.strip()}")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 24 MiB; run the tests as root to have it."""
    place = tmp_path / "disk"
    place.mkdir()
    mount("-t", "tmpfs", "-o", f"size={24 * MIB}", "none", place)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True, capture_output=True)


def free(place: Path) -> int:
    status = os.statvfs(place)
    return status.f_bavail * status.f_frsize


def fill(place: Path) -> Path:
    """Somebody else takes every byte."""
    with (place / "filler").open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(64 * 1024))
    assert free(place) == 0
    return place / "filler"


def test_the_floor_is_held_and_no_clearance_goes(disk: Path) -> None:
    floor = 6 * MIB
    lowest = free(disk)
    with running(disk / "archive", min_free_bytes=floor) as archive:
        for number in range(800):
            kind = "clearance" if number % 20 == 0 else "verdict"
            outcome = ("PASS", "PASS", "UNDECIDED", "FAIL")[number % 4]
            archive.submit(evidence(number, kind=kind, outcome=outcome, frame=frame(number, (120, 100))))
            if number % 40 == 0:
                until(lambda: archive.health()["archive.waiting"] == 0)
                lowest = min(lowest, free(disk))
    reader = ArchiveReader(disk / "archive")
    assert lowest >= floor
    assert free(disk) >= floor
    assert len(reader.find(kind="clearance")) == 40
    gone = {row["outcome"] for row in reader.purged()}
    assert "PASS" in gone
    assert all(row["kind"] == "verdict" for row in reader.purged())
    assert archive.health()["archive.missing_clearance"] == 0  # a PASS may find no room when all else is worth more
    assert list(verify(reader)) == []


def test_a_disk_filled_by_others_is_survived(disk: Path) -> None:
    with running(disk / "archive", min_free_bytes=1 * MIB) as archive:
        for number in range(30):
            archive.submit(evidence(number, clearance_id="c"))
        until(lambda: archive.health()["archive.stored"] == 30)
        filler = fill(disk)
        for number in range(30, 60):
            archive.submit(evidence(number, clearance_id="c"))
        until(lambda: archive.alarm is not None)
        filler.unlink()
        archive.submit(evidence(99))
        until(lambda: archive.health()["archive.waiting"] == 0 and archive.health()["archive.writable"] is True)
        until(lambda: ArchiveReader(disk / "archive").get("result-99") is not None)
    health = archive.health()
    assert health["archive.stored"] + health["archive.missing"] == 61  # type: ignore[operator]
    assert list(verify(ArchiveReader(disk / "archive"))) == []


def test_on_a_disk_filled_by_others_old_pass_makes_room(disk: Path) -> None:
    with running(disk / "archive", min_free_bytes=1 * MIB) as archive:
        for number in range(60):
            archive.submit(bare(number, outcome="PASS"))
            archive.submit(evidence(100 + number, outcome="PASS", frame=frame(number, (120, 100))))
        until(lambda: archive.health()["archive.stored"] == 120)
        fill(disk)
        archive.submit(evidence(999, kind="clearance"))
        until(lambda: archive.health()["archive.stored"] == 121)
    reader = ArchiveReader(disk / "archive")
    assert reader.get("result-999") is not None
    assert 0 < reader.count() < 121
    assert list(verify(reader)) == []


def test_a_read_only_disk_from_the_start_is_an_alarm(disk: Path) -> None:
    mount("-o", "remount,ro", disk)
    with running(disk / "archive") as archive:
        archive.submit(evidence(1))
        until(lambda: archive.alarm is not None)
        assert "the disk is read-only ([Errno 30] Read-only file system" in (archive.alarm or "")
        mount("-o", "remount,rw", disk)
        until(lambda: archive.health()["archive.stored"] == 1)
        assert archive.alarm is None


def test_when_its_disk_is_gone_the_one_below_is_not_filled(disk: Path) -> None:
    with running(disk / "archive") as archive:
        archive.submit(evidence(1))
        until(lambda: archive.health()["archive.stored"] == 1)
        subprocess.run(["umount", "-l", disk], check=True)
        archive.submit(evidence(2))
        until(lambda: "lies on another disk than before: mount its disk again" in (archive.alarm or ""))
        below = list(disk.iterdir())
        mount("-t", "tmpfs", "-o", f"size={24 * MIB}", "none", disk)
    assert below == []
    health = archive.health()  # the new disk may have the number of the old one, and then it is taken for it
    assert health["archive.stored"] + health["archive.missing"] == 2  # type: ignore[operator]


def test_a_disk_without_names_for_new_files_makes_room_too(tmp_path: Path) -> None:
    place = tmp_path / "few"
    place.mkdir()
    mount("-t", "tmpfs", "-o", "size=64m,nr_inodes=200", "none", place)
    try:
        with running(place / "archive") as archive:
            for number in range(150):
                archive.submit(evidence(number, outcome="PASS"))
        reader = ArchiveReader(place / "archive")
        assert reader.get("result-149") is not None
        assert reader.count() + len(reader.purged()) == 150
        assert archive.health()["archive.missing"] == 0
    finally:
        subprocess.run(["umount", "-l", place], check=True, capture_output=True)


def test_a_file_that_the_system_refuses_costs_this_result_only(tmp_path: Path) -> None:
    """Without root: the kernel refuses files beyond a size, as a quota does; nothing half-written stays."""
    with running(tmp_path) as archive:
        archive.submit(evidence(1))
        until(lambda: archive.health()["archive.stored"] == 1)
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4 * MIB, before[1]))
        try:
            archive.submit(evidence(2, frame=frame(2, (2000, 1000)), clearance_id="c"))
            until(lambda: archive.health()["archive.missing"] == 1)
            archive.submit(evidence(3))
            until(lambda: archive.health()["archive.stored"] >= 2)  # type: ignore[operator]
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, handler)
        assert "the disk is full but for its floor" in (archive.alarm or "")
    reader = ArchiveReader(tmp_path)
    assert reader.get("result-2") is None
    assert "result-2" in {row["result_id"] for row in reader.missing()}
    assert list(verify(reader)) == []


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "the disk is full"),
        (sqlite3.OperationalError("database or disk is full"), "the disk is full"),
        (OSError(errno.EROFS, "Read-only file system"), "the disk is read-only"),
        (sqlite3.OperationalError("attempt to write a readonly database"), "the disk is read-only"),
        (OSError(errno.EACCES, "Permission denied"), "the folder is not the station's"),
        (OSError(errno.ENODEV, "No such device"), "the folder is gone"),
        (OSError(errno.EEXIST, "File exists"), "the folder is gone or cannot be made"),
        (sqlite3.OperationalError("unable to open database file"), "the folder is gone"),
        (OSError(errno.EIO, "Input/output error"), "the disk does not do its work"),
        (sqlite3.DatabaseError("database disk image is malformed"), "the disk does not do its work"),
    ],
)
def test_every_fault_has_a_meaning_and_a_remedy(error: OSError | sqlite3.Error, says: str) -> None:
    text = meaning(error)
    assert text.startswith(says)
    assert str(error) in text
    assert text.rpartition(": ")[2].split()[0] in ("free", "check", "mount")
