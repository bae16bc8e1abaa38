"""Files that a power cut leaves whole: as they were, or as they were meant."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

PREFIX = ".new-"
"""How the names of files begin that are being written; what a crash left behind is known by it."""


def replace_file(path: Path, data: bytes, *, mode: int = 0o644, beside: Path | None = None) -> None:
    """Put `data` at `path` in one step, on the disk when it returns. OSError: then `path` is as it was. See `replacing`."""
    with replacing(path, mode=mode, beside=beside) as file:
        file.write(data)


@contextmanager
def replacing(path: Path, *, mode: int = 0o644, beside: Path | None = None) -> Iterator[IO[bytes]]:
    """A file to write that takes the place of `path` when the block ends, and is gone where it raises.

    mode: its permissions, whatever the umask says. beside: the folder that it is written in, on the same disk (default: where
    it goes); for a folder that may hold nothing but its own files at any moment.
    """
    descriptor, name = tempfile.mkstemp(prefix=PREFIX, dir=beside or path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync(path.parent)


def write_file(path: Path, data: bytes, *, exclusive: bool = False) -> None:
    """Write a file that nobody reads yet, onto the disk. OSError; FileExistsError if exclusive and it is there."""
    with path.open("xb" if exclusive else "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync(path: Path) -> None:
    """Bring a file, or a folder's list of names, onto the disk. OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
