"""The index of the archive, as its one writer uses it. One thread; every method may raise sqlite3.Error."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edge.archive.evidence import Keep
from edge.archive.index_file import INDEX, Transaction, open_index
from edge.archive.packing import FIELDS, Record, Stored

COLUMNS: Final = ("keep", "decided_us", "size_bytes", "folder", "files", *FIELDS)
_INSERT: Final = f"INSERT OR IGNORE INTO entries ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608
_LOST: Final = ("result_id", "kind", "view", "outcome", "decided_us", "batch", "clearance_id")
_PURGE: Final = f"""INSERT INTO purged (at_us, why, folder, files, {", ".join(_LOST)})
SELECT ?, ?, folder, files, {", ".join(_LOST)} FROM entries WHERE id = ?"""  # noqa: S608


@dataclass(frozen=True)
class Victim:
    """A result that may be deleted; id: its number in the index, which grows as results are stored."""

    id: int
    keep: Keep
    decided_us: int
    size_bytes: int
    folder: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Doomed:
    """Files of a deleted result that may still lie there; id: of its line in the list of what was deleted."""

    id: int
    folder: str
    names: tuple[str, ...]


class Index:
    """Open from construction until `close`. set_aside: the new name of a damaged index that was there, None mostly."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / INDEX
        self._connection, self.set_aside = open_index(self._path)
        self._identity = _identity(self._path)

    def close(self) -> None:
        """Give the file back."""
        self._connection.close()

    @property
    def is_there(self) -> bool:
        """False if the file is no longer the one that was opened: SQLite would go on writing into nothing."""
        return _identity(self._path) == self._identity

    def totals(self) -> tuple[int, int]:
        """How many results, and the bytes of their files."""
        count, size = self._connection.execute("SELECT count(*), coalesce(sum(size_bytes), 0) FROM entries").fetchone()
        return int(count), int(size)

    def knows(self, result_id: str) -> bool:
        """True if the result is stored."""
        return self._one("SELECT 1 FROM entries WHERE result_id = ?", result_id) is not None

    def was_purged(self, result_id: str) -> bool:
        """True if the result was stored once and deleted since."""
        return self._one("SELECT 1 FROM purged WHERE result_id = ?", result_id) is not None

    def names_in(self, folder: str) -> set[str]:
        """The files of one folder that the index knows."""
        rows = self._connection.execute("SELECT files FROM entries WHERE folder = ?", (folder,))
        return {name for (files,) in rows for name in _names(files)}

    def insert(self, records: Iterable[Record], missing: Iterable[tuple[int, str, Mapping[str, Any]]] = ()) -> None:
        """Durable when it returns. missing: time, why and fields of results whose evidence is lost."""
        lost = ", ".join(_LOST)
        with Transaction(self._connection):
            self._connection.executemany(_INSERT, (_row(record) for record in records))
            self._connection.executemany(
                f"INSERT INTO missing (at_us, why, {lost}) VALUES ({', '.join('?' * (2 + len(_LOST)))})",  # noqa: S608
                ((at_us, why, *(fields[name] for name in _LOST)) for at_us, why, fields in missing),
            )

    def touch(self, folder: str) -> None:
        """Remember, before the first file is written there, that a crash may leave half-written ones in this folder."""
        self._connection.execute("INSERT OR IGNORE INTO touched VALUES (?)", (folder,))

    def touched(self) -> list[str]:
        """The folders that were written to since the last `untouch`."""
        return [folder for (folder,) in self._connection.execute("SELECT folder FROM touched")]

    def untouch(self, folders: Iterable[str]) -> None:
        """These folders hold only what is in the index."""
        self._connection.executemany("DELETE FROM touched WHERE folder = ?", [(folder,) for folder in folders])

    def oldest(self, keep: Keep, limit: int) -> list[Victim]:
        """The results of one kind that were stored first."""
        return self._victims("keep = ? ORDER BY id LIMIT ?", (keep, limit))

    def older(self, keep: Keep, before_us: int, limit: int) -> list[Victim]:
        """The results of one kind that were decided before a time, oldest first."""
        return self._victims("keep = ? AND decided_us < ? ORDER BY decided_us LIMIT ?", (keep, before_us, limit))

    def purge(self, victims: Sequence[Victim], why: str, at_us: int) -> None:
        """Move results from the index to the list of what was deleted; their files are `doomed` then."""
        with Transaction(self._connection):
            self._connection.executemany(_PURGE, [(at_us, why, victim.id) for victim in victims])
            self._connection.executemany("DELETE FROM entries WHERE id = ?", [(victim.id,) for victim in victims])

    def doomed(self, limit: int) -> list[Doomed]:
        """Files that are to be deleted, of at most `limit` results."""
        rows = self._connection.execute("SELECT id, folder, files FROM purged WHERE files IS NOT NULL LIMIT ?", (limit,))
        return [Doomed(number, folder, _names(files)) for number, folder, files in rows]

    def buried(self, doomed: Sequence[Doomed]) -> None:
        """Their files are gone."""
        with Transaction(self._connection):
            self._connection.executemany("UPDATE purged SET files = NULL WHERE id = ?", [(one.id,) for one in doomed])

    def forget_before(self, before_us: int) -> None:
        """Shorten the lists of what was deleted and what is missing."""
        with Transaction(self._connection):
            self._connection.execute("DELETE FROM purged WHERE at_us < ? AND files IS NULL", (before_us,))
            self._connection.execute("DELETE FROM missing WHERE at_us < ?", (before_us,))

    def note(self, name: str) -> int | None:
        """A number that outlives the process."""
        row = self._one("SELECT value FROM notes WHERE name = ?", name)
        return int(row[0]) if row is not None else None

    def write_note(self, name: str, value: int) -> None:
        """Remember a number."""
        self._connection.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, value))

    def _one(self, query: str, value: str) -> Any:
        return self._connection.execute(query, (value,)).fetchone()

    def _victims(self, condition: str, values: tuple[object, ...]) -> list[Victim]:
        query = f"SELECT id, keep, decided_us, size_bytes, folder, files FROM entries WHERE {condition}"  # noqa: S608
        rows = self._connection.execute(query, values)
        return [Victim(number, keep, at_us, size, folder, _names(files)) for number, keep, at_us, size, folder, files in rows]


def files_of(text: str) -> dict[str, Stored]:
    """The index's column `files`."""
    return {role: Stored(*file) for role, file in json.loads(text).items()}


def _names(text: str) -> tuple[str, ...]:
    return tuple(file.name for file in files_of(text).values())


def _row(record: Record) -> tuple[object, ...]:
    files = json.dumps({role: [file.name, file.sha256, file.size_bytes] for role, file in record.files.items()})
    first = (record.keep, record.decided_us, record.size_bytes, record.folder, files)
    return (*first, *(record.values[name] for name in FIELDS))


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
