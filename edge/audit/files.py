"""The files of an audit log: their names, their order, the lock, and what stands at their end."""

from __future__ import annotations

import fcntl
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge.audit.entry import AuditError, Entry, decode
from edge.durable import sync

LOCK: Final = "audit.lock"
_NAME: Final = re.compile(r"audit-(\d{6})\.jsonl")
_POLL_S: Final = 0.002
_WINDOW_BYTES: Final = 4096


def name_of(number: int) -> str:
    """Name of the file with this number; numbers start at 1 and sort as text."""
    return f"audit-{number:06d}.jsonl"


def numbered(folder: Path) -> dict[int, Path]:
    """The log's files by number, in order. Raises OSError."""
    found = ((_NAME.fullmatch(name), name) for name in sorted(os.listdir(folder)))
    return {int(match[1]): folder / name for match, name in found if match is not None}


@dataclass(frozen=True)
class Tail:
    """The end of a file: the bytes after its last line end, and the lines before them, oldest first, as far as was read.

    size_bytes: of the file up to its last line end.
    """

    size_bytes: int
    lines: tuple[bytes, ...]
    torn: bytes

    def last_whole(self) -> tuple[Entry | None, int]:
        """The last line that is as it was written, and how many lines after it are not."""
        for after, line in enumerate(reversed(self.lines)):
            entry = decode(line)
            if entry is not None:
                return entry, after
        return None, len(self.lines)


def read_tail(path: Path) -> Tail:
    """The end of a file, back to its last whole entry, or all of it where there is none. Raises OSError."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        window = _WINDOW_BYTES
        while True:
            start = max(0, size - window)
            file.seek(start)
            whole, end, torn = file.read(size - start).rpartition(b"\n")
            lines = (whole.split(b"\n") if end else [])[0 if start == 0 else 1 :]
            tail = Tail(size - len(torn), tuple(lines), torn)
            if start == 0 or tail.last_whole()[0] is not None:
                return tail
            window *= 4


@contextmanager
def locked(folder: Path, timeout_s: float) -> Iterator[None]:
    """Alone among all processes and threads that write this log. Raises AuditError when that takes longer than timeout_s."""
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o660)
    try:
        deadline = time.monotonic() + timeout_s
        while not _try_lock(descriptor):
            if time.monotonic() >= deadline:
                message = f"another process has been writing for more than {timeout_s:g} s"
                raise AuditError(message, where=str(folder), remedy="find what holds it: fuser " + str(folder / LOCK))
            time.sleep(_POLL_S)
        yield
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def append_durably(path: Path, at_bytes: int, data: bytes) -> None:
    """Write data at the end, which is at_bytes, and onto the disk; on failure the file is cut back. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o660)
    try:
        try:
            written = 0
            while written < len(data):
                written += os.pwrite(descriptor, data[written:], at_bytes + written)
            os.fdatasync(descriptor)
        except OSError:
            with suppress(OSError):
                os.ftruncate(descriptor, at_bytes)
            raise
    finally:
        os.close(descriptor)
    if at_bytes == 0:
        sync(path.parent)
