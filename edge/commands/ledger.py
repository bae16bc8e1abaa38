"""Which commands were done, and what was answered: so that none is done twice, also not by a replay after a restart.

What acts is on the disk before it is done. A client's last `sent_at` only grows: a message from before it is never done,
even where the station's clock was set back.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from typing_extensions import Self

from edge.commands.refusals import Refused

_READS_REMEMBERED: Final = 256
_APPLICATION_ID: Final = 0x4C43434D  # "LCCM"
_SCHEMA: Final = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS commands (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    client TEXT NOT NULL,
    request_id TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    reply TEXT,
    UNIQUE (client, request_id)
);
CREATE TABLE IF NOT EXISTS clients (client TEXT PRIMARY KEY, sent_us INTEGER NOT NULL) WITHOUT ROWID;
PRAGMA application_id = {_APPLICATION_ID};
PRAGMA user_version = 1;
COMMIT;
"""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
Key = tuple[str, str]


@dataclass(frozen=True)
class Known:
    """A command that was taken. reply: its last answer, None while there is none."""

    fingerprint: str
    reply: Mapping[str, Any] | None


class Ledger:
    """Any thread may call any method; Refused(not_recorded) if the file cannot be read or written.

    path None: in memory. keep: how many acting commands are remembered.
    """

    def __init__(self, path: Path | None, keep: int) -> None:
        self._path = path
        self._keep = keep
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._reads: OrderedDict[Key, Known] = OrderedDict()
        self._latest: dict[str, datetime] = {}

    def __enter__(self) -> Self:
        """Open or create the file."""
        where = ":memory:" if self._path is None else self._path
        try:
            self._connection = sqlite3.connect(where, timeout=1.0, isolation_level=None, check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            owner = self._connection.execute("PRAGMA application_id").fetchone()[0]
            if owner not in (0, _APPLICATION_ID):
                raise sqlite3.DatabaseError("it belongs to another program")
            self._connection.executescript(_SCHEMA)
        except sqlite3.Error as error:
            self.__exit__(None, None, None)
            raise self._failed(error) from None
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the file; never raises."""
        with self._lock:
            if self._connection is not None:
                with suppress(sqlite3.Error):
                    self._connection.close()
                self._connection = None

    def find(self, client: str, request_id: str) -> Known | None:
        """The command of this name, None for a new one."""
        with self._reading() as connection:
            if (client, request_id) in self._reads:
                return self._reads[client, request_id]
            query = "SELECT fingerprint, reply FROM commands WHERE client = ? AND request_id = ?"
            row = connection.execute(query, (client, request_id)).fetchone()
        return Known(row[0], json.loads(row[1]) if row[1] is not None else None) if row else None

    def latest(self, client: str) -> datetime | None:
        """The newest `sent_at` of this client's commands, None if it never asked."""
        with self._reading() as connection:
            row = connection.execute("SELECT sent_us FROM clients WHERE client = ?", (client,)).fetchone()
            kept = _moment(row[0]) if row else None
            recent = self._latest.get(client)
        return max((moment for moment in (kept, recent) if moment is not None), default=None)

    def begin(self, client: str, request_id: str, fingerprint: str, sent_at: datetime, *, acts: bool) -> None:
        """Remember that it is about to be done; durable when it returns, if it acts."""
        with self._reading() as connection:
            if acts:
                with _transaction(connection):
                    self._insert(connection, (client, request_id, fingerprint))
                    statement = (
                        "INSERT INTO clients VALUES (?, ?) ON CONFLICT (client) DO UPDATE SET"
                        " sent_us = max(sent_us, excluded.sent_us)"
                    )
                    connection.execute(statement, (client, _microseconds(sent_at)))
            else:
                self._reads[client, request_id] = Known(fingerprint, None)
                while len(self._reads) > _READS_REMEMBERED:
                    self._reads.popitem(last=False)
                if len(self._latest) < _READS_REMEMBERED or client in self._latest:
                    self._latest[client] = max(sent_at, self._latest.get(client, sent_at))

    def finish(self, client: str, request_id: str, reply: Mapping[str, Any]) -> None:
        """Remember the answer."""
        with self._reading() as connection:
            if (client, request_id) in self._reads:
                fingerprint = self._reads[client, request_id].fingerprint
                self._reads[client, request_id] = Known(fingerprint, dict(reply))
                return
            statement = "UPDATE commands SET reply = ? WHERE client = ? AND request_id = ?"
            connection.execute(statement, (json.dumps(reply), client, request_id))

    def forget(self, client: str, request_id: str) -> None:
        """It was not done: it may be asked again under the same name."""
        with self._reading() as connection:
            self._reads.pop((client, request_id), None)
            connection.execute("DELETE FROM commands WHERE client = ? AND request_id = ?", (client, request_id))

    def _insert(self, connection: sqlite3.Connection, values: tuple[str, str, str]) -> None:
        statement = "INSERT OR REPLACE INTO commands (client, request_id, fingerprint) VALUES (?, ?, ?)"
        newest = connection.execute(statement, values).lastrowid or 0
        connection.execute("DELETE FROM commands WHERE number <= ?", (newest - self._keep,))

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            if self._connection is None:
                raise Refused("not_recorded", "the memory of commands is not open", remedy="start the station")
            try:
                yield self._connection
            except (sqlite3.Error, ValueError, OverflowError) as error:
                raise self._failed(error) from None

    def _failed(self, error: Exception) -> Refused:
        remedy = "free the disk that holds the state folder, check its rights, then ask again"
        return Refused("not_recorded", f"commands cannot be remembered, so none is done: {self._path}: {error}", remedy=remedy)


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")


def _microseconds(moment: datetime) -> int:
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _moment(microseconds: int) -> datetime:
    return datetime.fromtimestamp(microseconds // 1_000_000, timezone.utc).replace(microsecond=microseconds % 1_000_000)
