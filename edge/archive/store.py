"""The archive's folder: files first, then the index, so that the index never names a file that is not whole.

One thread uses it. A crash leaves files that no index knows; the next opening takes in those that are whole and deletes
the others. Raises OSError and sqlite3.Error as they come: the writer knows what each means.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from edge.archive.evidence import DOCUMENT, ArchiveError
from edge.archive.index import Index, Victim
from edge.archive.index_file import DamagedIndexError
from edge.archive.packing import FOLDERS_GLOB, NAMES_GLOB, Packed, Record, unpack_document
from edge.durable import sync

log = logging.getLogger(__name__)
LOCK: Final = "archive.lock"
BALLAST: Final = "archive.ballast"
_CHUNK: Final = 500
_BALLAST_BYTES: Final = 2 * 1024 * 1024
_DISK_FULL: Final = "is full"
_MANY_FOLDERS: Final = 8
_BUILT: Final = "built"


class Store:
    """Open from construction until `close`. ArchiveError: another process writes this archive."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(folder)
        try:
            self.index = Index(folder)
        except (OSError, sqlite3.Error, DamagedIndexError):
            os.close(self._lock)
            raise
        self._touched: set[str] = set()
        self._written: list[Packed] = []
        self.results, self.size_bytes = self.index.totals()

    def close(self) -> None:
        """Give index and lock back."""
        self.index.close()
        os.close(self._lock)

    def recover(self) -> None:
        """After a crash: delete what was to be deleted, take in what is whole, sweep the rest; build a damaged index anew."""
        if self.index.set_aside is not None:
            log.error("archive_index_damaged kept_as=%s", self.index.set_aside)
        if self.index.note(_BUILT) is None:  # new, or the machine stopped while it was being built
            self._rebuild()
            self.index.write_note(_BUILT, 1)
        self.bury()
        folders = self.index.touched()
        for folder in folders:
            self._sweep(folder)
        self.index.untouch(folders)
        self._touched.clear()
        self.results, self.size_bytes = self.index.totals()

    def write(self, packed: Packed) -> bool:
        """Write the files of one result; `commit` makes them last. False: the result is stored already.

        On an error none of its files stays.
        """
        record = packed.record
        if any(record.result_id == other.record.result_id for other in self._written) or self.index.knows(record.result_id):
            return False
        folder = self.folder / record.folder
        if record.folder not in self._touched:
            folder.mkdir(parents=True, exist_ok=True)
            self.index.touch(record.folder)
            self._touched.add(record.folder)
        try:
            for name, data in packed.contents.items():
                (folder / name).write_bytes(data)
        except OSError:
            _delete(folder, packed.contents)
            raise
        self._written.append(packed)
        return True

    def commit(self, missing: Sequence[tuple[int, str, Mapping[str, Any]]] = ()) -> int:
        """Everything written since the last commit is on the disk, then in the index; how many results. On an error none."""
        written, self._written = self._written, []
        try:
            for packed in written:
                for name in packed.contents:
                    sync(self.folder / packed.record.folder / name)
            for folder in {packed.record.folder for packed in written}:
                sync(self.folder / folder)
                sync((self.folder / folder).parent)
            if written:
                sync(self.folder)
            self.index.insert([packed.record for packed in written], missing)
        except (OSError, sqlite3.Error):
            for packed in written:
                _delete(self.folder / packed.record.folder, packed.contents)
            raise
        if len(self._touched) > _MANY_FOLDERS:
            self._untouch({packed.record.folder for packed in written})
        self.results += len(written)
        self.size_bytes += sum(packed.record.size_bytes for packed in written)
        return len(written)

    @property
    def uncommitted_bytes(self) -> int:
        """Of what `commit` is going to commit."""
        return sum(packed.record.size_bytes for packed in self._written)

    def purge(self, victims: Sequence[Victim], why: str, at_us: int) -> None:
        """Delete results; which and why stays in the index. On a full disk the ballast is what SQLite writes into."""
        try:
            self.index.purge(victims, why, at_us)
        except sqlite3.OperationalError as error:
            if _DISK_FULL not in str(error) or not drop_ballast(self.folder):
                raise
            self.index.purge(victims, why, at_us)
        self.results -= len(victims)
        self.size_bytes -= sum(victim.size_bytes for victim in victims)
        self.bury()

    def bury(self) -> None:
        """Delete the files of results that are no longer in the index."""
        while doomed := self.index.doomed(_CHUNK):
            for one in doomed:
                _delete(self.folder / one.folder, one.names)
            for folder in {one.folder for one in doomed} - self._touched:
                with suppress(OSError):  # not empty, mostly
                    (self.folder / folder).rmdir()
                    (self.folder / folder).parent.rmdir()
            self.index.buried(doomed)

    def take_ballast(self) -> None:
        """Keep some space back where the disk has plenty: even to delete, SQLite must write."""
        ballast = self.folder / BALLAST
        if ballast.exists() or self.free_bytes() < 4 * _BALLAST_BYTES:
            return
        with suppress(OSError), ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, _BALLAST_BYTES)

    def free_bytes(self) -> int:
        """What the disk has left for this process."""
        disk = os.statvfs(self.folder)
        return disk.f_bavail * disk.f_frsize

    def free_files(self) -> int | None:
        """How many more files the disk can hold; None where it does not say."""
        disk = os.statvfs(self.folder)
        return disk.f_favail if disk.f_files else None

    def _untouch(self, but: set[str]) -> None:
        self.index.untouch(self._touched - but)
        self._touched &= but

    def _sweep(self, relative: str) -> None:
        """Files of one folder that the index does not know: taken in where they are whole, deleted where not."""
        folder = self.folder / relative
        unknown = {path.name for path in folder.glob(NAMES_GLOB)} - self.index.names_in(relative)
        found = [record for name in sorted(unknown) if name.endswith(".json") and (record := _read(folder, name, relative))]
        whole = [record for record in found if _is_whole(folder, record) and not self.index.was_purged(record.result_id)]
        self.index.insert(whole)
        orphans = unknown - {file.name for record in whole for file in record.files.values()}
        _delete(folder, orphans)
        if whole or orphans:
            log.warning("archive_swept folder=%s taken_in=%d deleted_files=%d", relative, len(whole), len(orphans))

    def _rebuild(self) -> None:
        """The index from the files; contents are not hashed here: `lineclear archive verify` does it."""
        for folder in sorted(self.folder.glob(FOLDERS_GLOB)):
            relative = folder.relative_to(self.folder).as_posix()
            names = sorted(path.name for path in folder.glob(NAMES_GLOB + ".json"))
            records = [record for name in names if (record := _read(folder, name, relative)) is not None]
            self.index.insert(record for record in records if _has_all(folder, record))


def drop_ballast(folder: Path) -> bool:
    """Give the ballast's space back to the disk; False if there is none."""
    with suppress(OSError):
        (folder / BALLAST).unlink()
        return True
    return False


def _lock(folder: Path) -> int:
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        remedy = "give each station an archive of its own"
        raise ArchiveError("another process writes this archive", where=str(folder), remedy=remedy) from None
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _read(folder: Path, name: str, relative: str) -> Record | None:
    with suppress(OSError, ValueError):
        return unpack_document((folder / name).read_bytes(), name, relative)[0]
    return None


def _has_all(folder: Path, record: Record) -> bool:
    with suppress(OSError):
        return all((folder / file.name).stat().st_size == file.size_bytes for file in record.files.values())
    return False


def _is_whole(folder: Path, record: Record) -> bool:
    with suppress(OSError):
        files = [file for role, file in record.files.items() if role != DOCUMENT]
        return all(hashlib.sha256((folder / file.name).read_bytes()).hexdigest() == file.sha256 for file in files)
    return False


def _delete(folder: Path, names: Iterable[str]) -> None:
    for name in names:
        with suppress(FileNotFoundError):
            (folder / name).unlink()
