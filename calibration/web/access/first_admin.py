"""The first admin: a one-time code that only somebody at the box can read, in its journal and in a file of its user."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from calibration.web.access.database import Database
from edge.durable import replace_file

FILE: Final = "first-admin-code"
GOOD_FOR_S: Final = 3600.0
CLOCK_SLACK_S: Final = 60.0
"""A clock that is set back further than this ends a code: nobody knows how old it is."""
MAX_TRIES: Final = 10
_LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_PURPOSE: Final = "first admin"


class FirstAdmin:
    """Makes and takes the code: 60 bits, good for one hour, for ten tries, and once. now: seconds since 1970.

    turn: held from `matches` to `done` by whoever uses the code, so that of two at once one has it.
    """

    def __init__(self, database: Database, folder: Path, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self.file = folder / FILE
        self._now = now
        self.turn = threading.Lock()

    def make(self) -> str:
        """A new code, which replaces any before; it stands in `file` too."""
        code = "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(3))
        with self._database.changing() as database:
            database.execute(
                "INSERT OR REPLACE INTO codes VALUES (?, ?, ?, ?)", (_PURPOSE, _digest(code), self._now() + GOOD_FOR_S, 0)
            )
        replace_file(self.file, f"{code}\n".encode(), mode=0o600)
        return code

    def is_open(self) -> bool:
        """True if a code is out that is still good."""
        with self._database.open() as database:
            row = database.execute("SELECT * FROM codes WHERE purpose = ?", (_PURPOSE,)).fetchone()
        return row is not None and self._is_good(row)

    def matches(self, code: str) -> bool:
        """Whether this is the code; each call is one try."""
        with self._database.changing() as database:
            row = database.execute("SELECT * FROM codes WHERE purpose = ?", (_PURPOSE,)).fetchone()
            if row is None or not self._is_good(row):
                return False
            database.execute("UPDATE codes SET tries = tries + 1 WHERE purpose = ?", (_PURPOSE,))
            return hmac.compare_digest(row["digest"], _digest(code))

    def _is_good(self, row: sqlite3.Row) -> bool:
        left_s = float(row["until_s"]) - self._now()
        return 0 < left_s <= GOOD_FOR_S + CLOCK_SLACK_S and bool(row["tries"] < MAX_TRIES)

    def done(self) -> None:
        """The code has served; nobody can use it again."""
        with self._database.changing() as database:
            database.execute("DELETE FROM codes WHERE purpose = ?", (_PURPOSE,))
        self.file.unlink(missing_ok=True)


def _digest(code: str) -> str:
    letters = "".join(character for character in code.upper() if character in _LETTERS)
    return hashlib.sha256(letters.encode("ascii")).hexdigest()
