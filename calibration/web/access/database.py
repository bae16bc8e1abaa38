"""The page's one database: users, sessions, failed tries. A file that only the page's own user reads."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from edge.errors import LineclearError

NAME: Final = "page.db"
VERSION: Final = 1
BUSY_TIMEOUT_S: Final = 5.0
_TABLES: Final = """
CREATE TABLE users (
    name TEXT PRIMARY KEY, person TEXT NOT NULL, role TEXT NOT NULL, may_release INTEGER NOT NULL, views TEXT NOT NULL,
    language TEXT, active INTEGER NOT NULL, secret TEXT NOT NULL, must_change INTEGER NOT NULL, secret_until_s REAL,
    made_s REAL NOT NULL, signed_in_s REAL
);
CREATE TABLE sessions (
    id TEXT PRIMARY KEY, user TEXT NOT NULL, csrf TEXT NOT NULL, address TEXT NOT NULL, agent TEXT NOT NULL,
    made_s REAL NOT NULL, seen_s REAL NOT NULL, ends_s REAL NOT NULL, said TEXT NOT NULL
);
CREATE INDEX sessions_of_user ON sessions (user);
CREATE TABLE devices (id TEXT PRIMARY KEY, user TEXT NOT NULL, seen_s REAL NOT NULL);
CREATE TABLE failures (subject TEXT PRIMARY KEY, count INTEGER NOT NULL, last_s REAL NOT NULL, until_s REAL NOT NULL);
CREATE TABLE codes (purpose TEXT PRIMARY KEY, digest TEXT NOT NULL, until_s REAL NOT NULL, tries INTEGER NOT NULL);
"""


class PageDatabaseError(LineclearError):
    """The page's database cannot be used."""


class Database:
    """One connection, which threads take in turns; made when it is first needed. `close` at the end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.path = folder / NAME
        self._turn = threading.RLock()
        self._connection: sqlite3.Connection | None = None

    @contextmanager
    def open(self) -> Iterator[sqlite3.Connection]:
        """The connection, in which every statement stands alone. Raises PageDatabaseError."""
        with self._turn:
            try:
                if self._connection is None:
                    self._connection = self._connected()
                yield self._connection
            except (sqlite3.Error, OSError) as error:
                raise PageDatabaseError(
                    f"cannot be used ({error})", where=str(self.path), remedy="check space and rights of its folder"
                ) from None

    @contextmanager
    def changing(self, *, durable: bool = False) -> Iterator[sqlite3.Connection]:
        """The same, where all changes happen or none of them. durable: on the disk when this ends; else a power cut may
        take the last seconds of them, as it may of who is signed in.
        """
        with self.open() as connection:
            connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def close(self) -> None:
        """Let go of the file; the next use opens it again."""
        with self._turn:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _connected(self) -> sqlite3.Connection:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        try:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("BEGIN IMMEDIATE")
            if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
                for statement in filter(None, map(str.strip, _TABLES.split(";"))):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {VERSION}")
            connection.execute("COMMIT")
        except sqlite3.Error:
            connection.close()
            raise
        return connection
