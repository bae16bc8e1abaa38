"""One process per state file: a lock that the kernel drops when its holder dies, however it dies."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from edge.errors import OutboxError, StationBusy


class StateLock:
    """An exclusive flock on `path`. The file is never deleted: deleting it would let two holders lock two files."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock at once; StationBusy names the holder, OutboxError if the folder cannot be written."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            remedy = "check that the folder exists, is writable for the station's user, and that the disk is not full"
            raise OutboxError(f"cannot be opened ({error.strerror})", where=str(self._path), remedy=remedy) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(descriptor, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            remedy = "stop the other station, or give this one a state folder of its own"
            raise StationBusy(f"in use by process {holder}", where=str(self._path), remedy=remedy) from None
        with suppress(OSError):  # the number only helps the message above; a full disk must not stop the station here
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back; does nothing if it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
