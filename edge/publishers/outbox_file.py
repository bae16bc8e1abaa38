"""The outbox's SQLite file: opening, schema, damage, and what SQLite's errors mean to a technician."""

from __future__ import annotations

import logging
import os
import sqlite3
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import Final

from edge.errors import OutboxError

_LOG = logging.getLogger(__name__)
SCHEMA_VERSION: Final = 1
_APPLICATION_ID: Final = 0x4C434F42  # "LCOB"
_SCHEMA: Final = f"""
BEGIN IMMEDIATE;
CREATE TABLE results (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    result_id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    created_at REAL NOT NULL,
    body TEXT NOT NULL
);
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    priority INTEGER NOT NULL,
    kind TEXT NOT NULL,
    topic TEXT NOT NULL,
    result_id TEXT NOT NULL,
    retain INTEGER NOT NULL,
    qos INTEGER NOT NULL,
    content_type TEXT NOT NULL,
    properties TEXT NOT NULL,
    created_at REAL NOT NULL,
    size INTEGER NOT NULL,
    payload BLOB NOT NULL
);
CREATE INDEX outbox_order ON outbox (priority, id);
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
PRAGMA application_id = {_APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
COMMIT;
"""
COUNT_SQL: Final = (
    "INSERT INTO counters (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = counters.value + excluded.value"
)


class Transaction:
    """BEGIN IMMEDIATE .. COMMIT, or ROLLBACK if the block raised."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        """Take the write lock now, so that the block never fails half-way for want of it."""
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Commit, or roll back; a commit that fails is rolled back and raises."""
        try:
            if kind is None:
                self._connection.execute("COMMIT")
        finally:
            if self._connection.in_transaction:
                with suppress(sqlite3.Error):  # SQLite has rolled back by itself after some errors (full disk)
                    self._connection.execute("ROLLBACK")


def open_outbox(path: Path, busy_timeout_s: float) -> tuple[sqlite3.Connection, sqlite3.Connection]:
    """Two connections to the outbox file, (judge: synchronous=FULL, sender: NORMAL); the file is created if absent.

    A damaged file is renamed to `<name>.damaged-<UTC time>`, logged and counted as `damaged_files`, and a new one begun.
    Raises OutboxError if it cannot be used. The caller holds the station's lock.
    """
    try:
        try:
            judge = _open_checked(path, busy_timeout_s)
        except _DamagedError as damage:
            kept = _set_aside(path)
            _LOG.critical("outbox_damaged file=%s why=%s kept_as=%s", path, damage, kept)
            judge = _open_checked(path, busy_timeout_s)
            judge.execute(COUNT_SQL, ("damaged_files", 1))
        return judge, _connect(path, busy_timeout_s, "NORMAL")
    except sqlite3.Error as error:
        raise outbox_error(error, path) from error
    except _DamagedError as damage:
        raise OutboxError(f"is damaged ({damage})", where=str(path), remedy="check the disk") from None
    except OSError as error:
        raise OutboxError(f"cannot be opened ({error})", where=str(path), remedy="check folder and disk") from error


def outbox_error(error: sqlite3.Error, path: Path) -> OutboxError:
    """What a SQLite error means and what to do about it."""
    text = str(error)
    if "locked" in text:
        meaning, remedy = "is locked by another program", "close what has it open (a database browser, a backup)"
    elif "disk is full" in text:
        meaning, remedy = "cannot grow: the disk is full", "free space on the disk that holds the state folder"
    elif _is_damage(error):
        meaning, remedy = "is damaged", "restart the station (it sets the file aside) and check the disk"
    elif "readonly" in text or "unable to open" in text:
        meaning, remedy = "cannot be written", "check owner and rights of the state folder, and that the disk is not read-only"
    else:
        meaning, remedy = "failed", "check the disk; restart the station"
    return OutboxError(f"the outbox {meaning} ({text})", where=str(path), remedy=remedy)


class _DamagedError(Exception):
    """The file is there but is no sound database."""


def _open_checked(path: Path, busy_timeout_s: float) -> sqlite3.Connection:
    connection = _connect(path, busy_timeout_s, "FULL")
    try:
        _check(connection, path)
    except sqlite3.DatabaseError as error:
        connection.close()
        if _is_damage(error):
            raise _DamagedError(str(error)) from error
        raise
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection, path: Path) -> None:
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise _DamagedError(found)
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if version == 0 and tables == 0:
        connection.executescript(_SCHEMA)
        return
    if connection.execute("PRAGMA application_id").fetchone()[0] != _APPLICATION_ID:
        raise OutboxError("is a database of another program", where=str(path), remedy="choose another state folder")
    if version != SCHEMA_VERSION:
        remedy = "use the lineclear version that wrote it until everything is sent, or move the file away"
        raise OutboxError(f"has schema {version}, this version reads {SCHEMA_VERSION}", where=str(path), remedy=remedy)


def _connect(path: Path, busy_timeout_s: float, synchronous: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        # Debian's SQLite overwrites what it deletes: every image would be written twice, and deleting would need space.
        connection.execute("PRAGMA secure_delete = OFF").fetchall()
    except BaseException as error:
        connection.close()
        if isinstance(error, sqlite3.DatabaseError) and _is_damage(error):
            raise _DamagedError(str(error)) from error
        raise
    return connection


def _is_damage(error: sqlite3.Error) -> bool:
    return any(words in str(error) for words in ("malformed", "not a database", "unsupported file format"))


def _set_aside(path: Path) -> Path:
    """Rename the file and its WAL; returns the new name, which no other file has."""
    stamp = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    kept = path.with_name(f"{path.name}.damaged-{stamp}")
    count = 1
    while kept.exists():
        count += 1
        kept = path.with_name(f"{path.name}.damaged-{stamp}-{count}")
    os.replace(path, kept)
    for suffix in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            os.replace(path.with_name(path.name + suffix), kept.with_name(kept.name + suffix))
    return kept
