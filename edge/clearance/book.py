"""What this station was asked and what it answered: one small SQLite file, so that the same question has one answer.

A request is written down before anything happens (`running`), its answer before it is announced (`decided`), and that it
was announced after that (`announced`). Whatever dies in between is found at the next start.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal

from typing_extensions import Self

from edge.errors import OutboxError

_LOG = logging.getLogger(__name__)
_APPLICATION_ID: Final = 0x4C434342  # "LCCB"
_SCHEMA_VERSION: Final = 1
_SCHEMA: Final = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS requests (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    request_id TEXT NOT NULL UNIQUE,
    asked TEXT NOT NULL,
    result_id TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,
    started_at REAL NOT NULL,
    decided_at REAL,
    sequence INTEGER,
    body TEXT
);
CREATE TABLE IF NOT EXISTS challenges (view TEXT PRIMARY KEY, body TEXT NOT NULL);
PRAGMA application_id = {_APPLICATION_ID};
PRAGMA user_version = {_SCHEMA_VERSION};
COMMIT;
"""
_SELECT: Final = "SELECT request_id, asked, result_id, state, started_at, sequence, body FROM requests"
State = Literal["running", "decided", "announced"]


@dataclass(frozen=True)
class Entry:
    """One request. asked: the request as JSON-ready data. body: the answer as published, None while there is none."""

    request_id: str
    asked: Mapping[str, Any]
    result_id: str
    state: State
    started_at: datetime
    sequence: int | None
    body: Mapping[str, Any] | None


class Book:
    """Any thread may call any method; OutboxError if the file cannot be read or written. keep: how many are remembered.

    path None: in memory, for tests and tools.
    """

    def __init__(self, path: Path | None = None, keep: int = 2000) -> None:
        self._path = path
        self._keep = keep
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        """Open or create the file; one that is damaged is set aside, named and logged, and a new one begun."""
        try:
            self._connection = self._open()
        except sqlite3.DatabaseError as error:
            if self._path is None or not _is_damage(error):
                raise self._failed(error) from None
            kept = self._path.with_name(f"{self._path.name}.damaged-{datetime.now(timezone.utc):%Y%m%dT%H%M%S%fZ}")
            _LOG.critical("clearances_damaged file=%s why=%s kept_as=%s", self._path, error, kept)
            try:
                self._set_aside(kept)
                self._connection = self._open()
            except (OSError, sqlite3.Error) as again:
                raise self._failed(again) from None
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the file; never raises."""
        with self._lock:
            if self._connection is not None:
                with suppress(sqlite3.Error):
                    self._connection.close()
                self._connection = None

    def find(self, request_id: str) -> Entry | None:
        """The request of this id, None if it is unknown or too long ago."""
        found = self._select(f"{_SELECT} WHERE request_id = ?", (request_id,))
        return found[0] if found else None

    def by_result(self, result_id: str) -> Entry | None:
        """The request whose answer has this result_id."""
        found = self._select(f"{_SELECT} WHERE result_id = ?", (result_id,))
        return found[0] if found else None

    def newest(self) -> Entry | None:
        """The last request that was answered."""
        found = self._select(f"{_SELECT} WHERE body IS NOT NULL ORDER BY sequence DESC LIMIT 1")
        return found[0] if found else None

    def unsettled(self) -> tuple[Entry, ...]:
        """Requests whose answer was not announced as far as is known, oldest first: a former life ended in them."""
        return self._select(f"{_SELECT} WHERE state != 'announced' ORDER BY number")

    def last_sequence(self) -> int:
        """The highest sequence number that is written here, 0 for none."""
        with self._reading() as connection:
            return int(connection.execute("SELECT coalesce(max(sequence), 0) FROM requests").fetchone()[0])

    def last_time(self) -> datetime | None:
        """When the last answer was given, by the clock of then."""
        query = "SELECT decided_at FROM requests WHERE decided_at IS NOT NULL ORDER BY sequence DESC LIMIT 1"
        with self._reading() as connection:
            row = connection.execute(query).fetchone()
        return datetime.fromtimestamp(row[0], timezone.utc) if row else None

    def begin(self, request_id: str, asked: Mapping[str, Any], result_id: str, now: datetime) -> None:
        """Write down a new request before anything is done for it; forget the oldest ones."""
        with self._writing() as connection:
            values = (request_id, json.dumps(asked), result_id, "running", now.timestamp())
            statement = "INSERT INTO requests (request_id, asked, result_id, state, started_at) VALUES (?, ?, ?, ?, ?)"
            newest = connection.execute(statement, values).lastrowid or 0
            connection.execute("DELETE FROM requests WHERE state = 'announced' AND number <= ?", (newest - self._keep,))

    def decide(self, request_id: str, sequence: int, body: Mapping[str, Any], now: datetime) -> None:
        """Write down the answer that is about to be announced; may be called again until it is."""
        statement = "UPDATE requests SET state = 'decided', sequence = ?, body = ?, decided_at = ? WHERE request_id = ?"
        with self._writing() as connection:
            values = (sequence, json.dumps(body, allow_nan=False), now.timestamp(), request_id)
            connection.execute(statement + " AND state != 'announced'", values)

    def announce(self, request_id: str) -> None:
        """The answer is where it cannot be lost."""
        with self._writing() as connection:
            connection.execute("UPDATE requests SET state = 'announced' WHERE request_id = ?", (request_id,))

    def challenge(self, view: str) -> Mapping[str, Any] | None:
        """The last challenge of a view as it was written down."""
        with self._reading() as connection:
            row = connection.execute("SELECT body FROM challenges WHERE view = ?", (view,)).fetchone()
        return dict(json.loads(row[0])) if row else None

    def keep_challenge(self, view: str, body: Mapping[str, Any]) -> None:
        """Write down the last challenge of a view."""
        with self._writing() as connection:
            statement = "INSERT OR REPLACE INTO challenges (view, body) VALUES (?, ?)"
            connection.execute(statement, (view, json.dumps(body, allow_nan=False)))

    def _select(self, query: str, values: tuple[object, ...] = ()) -> tuple[Entry, ...]:
        with self._reading() as connection:
            return tuple(_entry(row) for row in connection.execute(query, values))

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            if self._connection is None:
                raise OutboxError("the book of clearances is not open", where=str(self._path or ""), remedy="start the station")
            try:
                yield self._connection
            except (sqlite3.Error, ValueError, OverflowError) as error:
                raise self._failed(error) from None

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._reading() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    with suppress(sqlite3.Error):  # SQLite has rolled back by itself after some errors (full disk)
                        connection.execute("ROLLBACK")

    def _open(self) -> sqlite3.Connection:
        where = ":memory:" if self._path is None else self._path
        connection = sqlite3.connect(where, timeout=1.0, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            version, owner = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("user_version", "application_id"))
            if (version, owner) not in ((0, 0), (_SCHEMA_VERSION, _APPLICATION_ID)):
                remedy = "use the lineclear version that wrote it, or move the file away"
                raise OutboxError("is the book of another program or version", where=str(self._path), remedy=remedy)
            if connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                raise sqlite3.DatabaseError("malformed")
            connection.executescript(_SCHEMA)
        except BaseException:
            connection.close()
            raise
        return connection

    def _set_aside(self, kept: Path) -> None:
        if self._path is not None:
            self._path.replace(kept)
            for suffix in ("-wal", "-shm"):
                with suppress(FileNotFoundError):
                    self._path.with_name(self._path.name + suffix).replace(kept.with_name(kept.name + suffix))

    def _failed(self, error: Exception) -> OutboxError:
        remedy = "free the disk that holds the state folder, check its rights, then ask again"
        return OutboxError(f"the book of clearances failed ({error})", where=str(self._path or ""), remedy=remedy)


def _entry(row: tuple[Any, ...]) -> Entry:
    request_id, asked, result_id, state, started_at, sequence, body = row
    moment = datetime.fromtimestamp(started_at, timezone.utc)
    answer = json.loads(body) if body is not None else None
    return Entry(request_id, json.loads(asked), result_id, state, moment, sequence, answer)


def _is_damage(error: sqlite3.Error) -> bool:
    return any(words in str(error) for words in ("malformed", "not a database", "unsupported file format"))
