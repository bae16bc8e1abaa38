"""Space kept on the disk, to be thrown away when there is no other: SQLite needs some even to delete."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

_ROOM_FACTOR: Final = 4


class Ballast:
    """A file of size_bytes that holds nothing."""

    def __init__(self, path: Path, size_bytes: int) -> None:
        self._path = path
        self._size_bytes = size_bytes

    def take_aboard(self) -> bool:
        """Reserve the space where the disk has plenty; True if it is reserved. A disk that has not is no error here."""
        with suppress(OSError):
            if self._path.exists() and self._path.stat().st_size == self._size_bytes:
                return True
            disk = os.statvfs(self._path.parent)
            if disk.f_bavail * disk.f_frsize < _ROOM_FACTOR * self._size_bytes:
                return False
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, self._size_bytes)
            finally:
                os.close(descriptor)
            return True
        return False

    def drop_half(self) -> None:
        """Give half of the space back to the disk."""
        with suppress(OSError):
            os.truncate(self._path, self._size_bytes // 2)

    def drop(self) -> None:
        """Give all of it back."""
        with suppress(OSError):
            self._path.unlink()
