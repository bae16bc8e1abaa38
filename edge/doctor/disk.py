"""The disks that the station writes to: room, kind, speed."""

from __future__ import annotations

import os
import re
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge.doctor.check import Case, Check, fail, ok, skip, warn
from edge.doctor.limits import DISK_FREE, DISK_LEAST, FSYNC, INODES_FREE

MB: Final = 1_000_000
_FLEETING: Final = frozenset({"tmpfs", "ramfs", "devtmpfs"})
_NETWORK: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "glusterfs", "ceph"})
_SIMPLE: Final = frozenset({"vfat", "exfat", "msdos", "fuseblk", "ntfs", "ntfs3"})
_ESCAPE: Final = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True)
class Mount:
    """One line of /proc/self/mountinfo. options: of the mount and of the file system."""

    point: str
    kind: str
    source: str
    options: frozenset[str]


def folders(case: Case) -> dict[str, Path]:
    """What the station writes to, by a word for it; the present folder without a config."""
    if case.config is None or case.state_dir is None:
        return {"state": Path.cwd()}
    found = {"state": case.state_dir}
    if case.config.archive.enabled and case.config.archive.path is not None:
        found["archive"] = case.config.archive.folder(case.state_dir)
    return found


def there(folder: Path) -> Path:
    """The folder, or what there is of the way to it."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def room(case: Case) -> Iterator[Check]:
    """Each folder can be written and has room."""
    for word, folder in folders(case).items():
        yield _room("disk" if word == "state" else f"disk {word}", word, there(folder))


def _room(name: str, word: str, folder: Path) -> Check:
    if not folder.is_dir():
        return fail(name, f"{folder} is no folder", f"correct {'state_dir' if word == 'state' else 'archive.path'}")
    if not os.access(folder, os.W_OK | os.X_OK):
        return fail(
            name, f"{folder} cannot be written", "give it to the station's user, and look whether the disk is read-only"
        )
    found = os.statvfs(folder)
    free_mb = found.f_bavail * found.f_frsize / MB
    files = 100.0 if found.f_files == 0 else 100 * found.f_favail / found.f_files
    detail = f"{free_mb / 1000:.1f} GB free at {folder}"
    if free_mb < DISK_LEAST.value:
        return fail(name, detail, "free some space: below this the station cannot record what it judges")
    if free_mb < DISK_FREE.value:
        return warn(name, detail, "free some space: verdicts wait there for the broker")
    if files < INODES_FREE.value:
        return warn(
            name, f"{detail}, but only {files:.1f} % of its files are free", "delete small files: it is full without them"
        )
    return ok(name, detail)


def mounts(text: str | None) -> tuple[Mount, ...]:
    """What is mounted, as /proc/self/mountinfo has it; lines of another form are left out."""
    found = []
    for line in (text or "").splitlines():
        head, separator, tail = line.partition(" - ")
        fields, more = head.split(" "), tail.split(" ")
        if separator and len(fields) >= 6 and len(more) >= 3:
            options = frozenset(fields[5].split(",")) | frozenset(more[2].split(","))
            found.append(Mount(_plain(fields[4]), more[0], _plain(more[1]), options))
    return tuple(found)


def mount_of(found: tuple[Mount, ...], path: Path) -> Mount | None:
    """The mount that a path lies on: the deepest, and of two at one place the later."""
    best: Mount | None = None
    for mount in found:
        inside = mount.point == "/" or path.is_relative_to(mount.point)
        if inside and (best is None or len(mount.point) >= len(best.point)):
            best = mount
    return best


def filesystem(case: Case) -> Iterator[Check]:
    """What kind of disk each folder is on."""
    found = mounts(case.machine.text("/proc/self/mountinfo"))
    for word, folder in folders(case).items():
        mount = mount_of(found, there(folder).resolve())
        name = "filesystem" if word == "state" else f"filesystem {word}"
        yield skip(name, "/proc/self/mountinfo does not say") if mount is None else _filesystem(name, mount)


def _filesystem(name: str, mount: Mount) -> Check:
    detail = f"{mount.kind} on {mount.source} at {mount.point}"
    if "ro" in mount.options:
        remedy = "the kernel turns a broken disk read-only: look at dmesg, copy what matters, replace the disk"
        return fail(name, f"{detail} is read-only", remedy)
    if mount.kind in _FLEETING:
        return warn(name, f"{detail} is memory", "it is gone with the power: put state_dir on a disk")
    if mount.kind in _NETWORK:
        return warn(
            name, f"{detail} is on the network", "its locks do not hold what SQLite needs: put state_dir on a local disk"
        )
    if mount.kind in _SIMPLE:
        return warn(name, f"{detail} has no journal and no owners", "put state_dir on ext4, xfs or btrfs")
    if mount.kind == "overlay":
        return warn(name, f"{detail} is a container's own", "it is gone with the container: mount a volume there")
    return ok(name, detail)


def speed(case: Case) -> Iterator[Check]:
    """How long the disk of the state takes to make a small file durable: what every verdict waits for."""
    folder = case.state_dir
    if folder is None or not folder.is_dir():
        yield skip("disk speed", "no config" if folder is None else f"{folder} is not there yet")
        return
    try:
        took_ms = _fsync_ms(folder)
    except OSError as error:
        remedy = "run the doctor as the station's user (sudo -u lineside)"
        yield warn("disk speed", f"{folder}: cannot be tried ({error.strerror})", remedy)
        return
    detail = f"{took_ms:.1f} ms to make 4 kB durable in {folder}"
    if took_ms > FSYNC.value:
        yield warn("disk speed", detail, "an SD card, a worn or a busy disk: move state_dir to an SSD")
    else:
        yield ok("disk speed", detail)


def _fsync_ms(folder: Path, times: int = 3) -> float:
    descriptor, name = tempfile.mkstemp(".tmp", ".doctor-", folder)
    took = []
    try:
        for _ in range(times):
            began_s = time.perf_counter()
            os.pwrite(descriptor, b"\0" * 4096, 0)
            os.fsync(descriptor)
            took.append((time.perf_counter() - began_s) * 1000)
    finally:
        os.close(descriptor)
        with suppress(OSError):
            Path(name).unlink()
    return statistics.median(took)


def _plain(text: str) -> str:
    """A blank is written as backslash 040."""
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), text)
