"""Small disks in memory that can be filled, made read-only and taken away. They need root."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import RawIOBase
from pathlib import Path
from typing import BinaryIO

from benchmarks.fault_rig import Failed, LeftOut

_STEP = 64 * 1024
_CLOSED_S = 60.0


@contextmanager
def small_disk(folder: Path, size_mb: int) -> Iterator[Path]:
    """A tmpfs mounted there while it lasts. LeftOut: nobody may mount here."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() != 0:
        raise LeftOut("small disks need root (mount -t tmpfs)")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_mb}m", "tmpfs", str(folder)], check=False)
    if done.returncode:
        raise LeftOut("mount -t tmpfs is refused here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


def fill(disk: Path, name: str = "filler") -> Path:
    """To the last byte; delete the file to make room again."""
    path = disk / name
    try:
        with path.open("ab", buffering=0) as file:
            for step in (_STEP, 4096, 1):
                _fill_with(file, bytes(step))
    except OSError:  # there is not even room for its name
        return path
    return path


def _fill_with(file: BinaryIO | RawIOBase, data: bytes) -> None:
    try:
        while file.write(data):
            pass
    except OSError:
        return


class Ext4:
    """A disk of its own (a file behind a loop device), which becomes read-only as a real one does: after an error."""

    def __init__(self, folder: Path, size_mb: int) -> None:
        """LeftOut: nobody may mount here, or ext4 has no fault injection."""
        self.folder = folder
        self._file = folder.with_suffix(".img")
        folder.mkdir(parents=True, exist_ok=True)
        if os.geteuid() != 0:
            raise LeftOut("small disks need root (mount -o loop)")
        with self._file.open("wb") as file:
            file.truncate(size_mb << 20)
        self._run("mkfs.ext4", "-q", "-F", str(self._file))

    def __enter__(self) -> Ext4:
        self._mount()
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(["umount", "-l", str(self.folder)], check=False)
        self._file.unlink()

    def fail(self) -> None:
        """The kernel meets an error on it, and writes no more."""
        device = self._run("losetup", "-n", "-O", "NAME", "-j", str(self._file)).strip().rsplit("/", 1)[-1]
        trigger = Path("/sys/fs/ext4") / device / "trigger_fs_error"
        if not trigger.exists():
            raise LeftOut("this kernel cannot make an ext4 fail (trigger_fs_error)")
        trigger.write_text("1")

    def mend(self) -> None:
        """As a technician: checked, and mounted again, once nobody has a file open on it."""
        end_s = time.monotonic() + _CLOSED_S
        while subprocess.run(["umount", str(self.folder)], check=False, capture_output=True).returncode:
            if time.monotonic() > end_s:
                raise Failed(f"{self.folder} is still held {_CLOSED_S:g} s after it failed")
            time.sleep(0.1)
        subprocess.run(["e2fsck", "-fy", str(self._file)], check=False, capture_output=True)
        self._mount()

    def _mount(self) -> None:
        self._run("mount", "-o", "loop,errors=remount-ro", str(self._file), str(self.folder))

    @staticmethod
    def _run(*command: str) -> str:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LeftOut(f"`{' '.join(command)}` is refused here: {done.stderr.strip()}")
        return done.stdout
