"""The index's SQLite file: schema, opening, damage. It is only a list of the files beside it and can be built from them."""

from __future__ import annotations

import logging
import os
import sqlite3
from contextlib import closing, suppress
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import Final

log = logging.getLogger(__name__)
INDEX: Final = "index.sqlite"
_APPLICATION_ID: Final = 0x4C434152  # "LCAR"
_VERSION: Final = 1
# batch and product come from outside and may hold NUL or 4 kB: SQLite takes them as they are.
_SCHEMA: Final = f"""
BEGIN IMMEDIATE;
CREATE TABLE entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    result_id TEXT NOT NULL UNIQUE,
    keep TEXT NOT NULL,
    decided_us INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    folder TEXT NOT NULL,
    files TEXT NOT NULL,
    kind TEXT NOT NULL,
    view TEXT NOT NULL,
    outcome TEXT NOT NULL,
    reason TEXT NOT NULL,
    batch TEXT NOT NULL,
    product TEXT NOT NULL,
    clearance_id TEXT,
    request_id TEXT NOT NULL,
    recipe TEXT NOT NULL,
    recipe_version INTEGER,
    score REAL,
    threshold REAL
);
CREATE INDEX entries_time ON entries (decided_us);
CREATE INDEX entries_folder ON entries (folder);
CREATE INDEX entries_keep ON entries (keep, id);
CREATE INDEX entries_age ON entries (keep, decided_us);
CREATE INDEX entries_view ON entries (view, decided_us);
CREATE INDEX entries_batch ON entries (batch, decided_us);
CREATE INDEX entries_outcome ON entries (outcome, decided_us);
CREATE INDEX entries_clearance ON entries (clearance_id) WHERE clearance_id IS NOT NULL;
CREATE TABLE purged (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at_us INTEGER NOT NULL,
    why TEXT NOT NULL,
    result_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    view TEXT NOT NULL,
    outcome TEXT NOT NULL,
    decided_us INTEGER NOT NULL,
    batch TEXT NOT NULL,
    clearance_id TEXT,
    folder TEXT NOT NULL,
    files TEXT
);
CREATE INDEX purged_result ON purged (result_id);
CREATE INDEX purged_batch ON purged (batch);
CREATE INDEX purged_waiting ON purged (id) WHERE files IS NOT NULL;
CREATE TABLE missing (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at_us INTEGER NOT NULL,
    why TEXT NOT NULL,
    result_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    view TEXT NOT NULL,
    outcome TEXT NOT NULL,
    decided_us INTEGER NOT NULL,
    batch TEXT NOT NULL,
    clearance_id TEXT
);
CREATE INDEX missing_batch ON missing (batch);
CREATE TABLE touched (folder TEXT PRIMARY KEY);
CREATE TABLE notes (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
PRAGMA application_id = {_APPLICATION_ID};
PRAGMA user_version = {_VERSION};
COMMIT;
"""
# Came later, for looking back over years. A file made before gets them when a station opens it; readers do without.
_LATER: Final = """
BEGIN IMMEDIATE;
CREATE INDEX IF NOT EXISTS entries_product ON entries (product, decided_us);
CREATE INDEX IF NOT EXISTS entries_reason ON entries (reason, decided_us) WHERE reason != '';
CREATE INDEX IF NOT EXISTS entries_clearances ON entries (decided_us) WHERE kind = 'clearance';
CREATE INDEX IF NOT EXISTS missing_result ON missing (result_id);
COMMIT;
"""
LATER_INDEXES: Final = ("entries_product", "entries_reason", "entries_clearances", "missing_result")


class DamagedIndexError(Exception):
    """The file is there and is no sound index."""


class Transaction:
    """BEGIN IMMEDIATE .. COMMIT, or ROLLBACK if the block raised."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        """Take the write lock."""
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Commit or roll back; a commit that fails is rolled back and raises."""
        try:
            if kind is None:
                self._connection.execute("COMMIT")
        finally:
            if self._connection.in_transaction:
                with suppress(sqlite3.Error):  # after some errors SQLite has rolled back by itself
                    self._connection.execute("ROLLBACK")


def open_index(path: Path) -> tuple[sqlite3.Connection, Path | None]:
    """The index for writing, made if absent; where the one that was there is damaged, also the name it was set aside under.

    Raises sqlite3.Error, OSError.
    """
    try:
        return _open_checked(path), None
    except DamagedIndexError:
        kept = _set_aside(path)
    return _open_checked(path), kept


def open_for_reading(path: Path) -> sqlite3.Connection:
    """The index for reading, from any process, also while a station writes it. Raises sqlite3.Error."""
    place = "file:" + "".join(f"%{byte:02x}" for byte in os.fsencode(path))
    try:
        return _probed(sqlite3.connect(place + "?mode=ro", uri=True, isolation_level=None, timeout=10.0))
    except sqlite3.OperationalError:
        if path.with_name(path.name + "-wal").exists() or not path.exists():
            raise
        # A WAL database wants a file beside it even to be read; where the folder is read-only nobody writes it either.
        return _probed(sqlite3.connect(place + "?mode=ro&immutable=1", uri=True, isolation_level=None))


def _probed(connection: sqlite3.Connection) -> sqlite3.Connection:
    try:
        connection.execute("SELECT count(*) FROM notes").fetchone()
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _open_checked(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, timeout=10.0)
    try:
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA wal_autocheckpoint = 256")
        connection.execute("PRAGMA journal_size_limit = 4194304")
        with closing(connection.execute("SELECT name FROM sqlite_master")) as names:
            is_new = names.fetchone() is None
        if is_new:
            connection.executescript(_SCHEMA)
        else:
            _check(connection)
        _add_later(connection)
    except sqlite3.Error as error:
        connection.close()
        if isinstance(error, sqlite3.OperationalError):
            raise
        raise DamagedIndexError(str(error)) from None  # "file is not a database", "disk image is malformed"
    except DamagedIndexError:
        connection.close()
        raise
    return connection


def _add_later(connection: sqlite3.Connection) -> None:
    """What is only there to be quick must not keep the station from storing: a full disk is tried again at the next start."""
    with closing(connection.execute("SELECT name FROM sqlite_master WHERE type = 'index'")) as names:
        there = {name for (name,) in names}
    if there.issuperset(LATER_INDEXES):
        return
    try:
        connection.executescript(_LATER)
    except sqlite3.OperationalError as error:
        log.warning("archive_index_without what=%s why=%s", ",".join(sorted(set(LATER_INDEXES) - there)), error)
        if connection.in_transaction:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")


def _check(connection: sqlite3.Connection) -> None:
    for name, wanted in (("application_id", _APPLICATION_ID), ("user_version", _VERSION)):
        if connection.execute(f"PRAGMA {name}").fetchone()[0] != wanted:
            raise DamagedIndexError(f"{name} is not that of an archive")
    answer = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if answer != "ok":
        raise DamagedIndexError(str(answer))


def _set_aside(path: Path) -> Path:
    stamp = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    count = 1
    while (kept := path.with_name(f"{path.name}.damaged-{stamp}-{count}")).exists():
        count += 1
    os.replace(path, kept)
    for suffix in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            os.replace(path.with_name(path.name + suffix), kept.with_name(kept.name + suffix))
    return kept
