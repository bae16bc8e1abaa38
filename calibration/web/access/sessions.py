"""Who is signed in: a random token in the browser, its hash in the database, an end that is fixed, and a lock when idle."""

from __future__ import annotations

import hashlib
import json
import secrets
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from calibration.web.access.database import Database
from calibration.web.settings import SessionSettings

TOUCH_EVERY_S: Final = 20.0
MAX_SAID: Final = 5
CLOCK_SLACK_S: Final = 60.0
"""A clock that is set back further than this ends what began after it, and locks: nobody knows how long it lay there."""


@dataclass(frozen=True)
class Session:
    """One browser that somebody signed in on. id: hash of its token. said: (kind, text) that the next page shows.

    locked: nothing was touched for too long; the password opens it again.
    """

    id: str
    user: str
    csrf: str
    address: str
    agent: str
    made_s: float
    seen_s: float
    ends_s: float
    said: tuple[tuple[str, str], ...] = ()
    locked: bool = False


class Sessions:
    """Reads and changes sessions. now: seconds since 1970."""

    def __init__(self, database: Database, settings: SessionSettings, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._settings = settings
        self._now = now

    def begin(self, user: str, *, address: str = "", agent: str = "") -> str:
        """A new session; returns its token, which is kept nowhere. The oldest of a user with too many of them end."""
        token, now = secrets.token_urlsafe(32), self._now()
        with self._database.changing() as database:
            database.execute("DELETE FROM sessions WHERE ends_s <= ?", (now,))
            database.execute(
                "INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?, '[]')",
                (
                    id_of(token), user, secrets.token_urlsafe(32), address, agent[:200], now, now,
                    now + self._settings.absolute_h * 3600,
                ),
            )  # fmt: skip
            database.execute(
                "DELETE FROM sessions WHERE user = ? AND id NOT IN "
                "(SELECT id FROM sessions WHERE user = ? ORDER BY made_s DESC, rowid DESC LIMIT ?)",
                (user, user, self._settings.per_user),
            )
        return token

    def find(self, token: str) -> Session | None:
        """The session of a token, None if there is none or it has ended."""
        return self.get(id_of(token))

    def get(self, session_id: str) -> Session | None:
        """The session of an id, None if there is none or it has ended."""
        with self._database.open() as database:
            row = database.execute("SELECT * FROM sessions WHERE id = ?", (session_id,)).fetchone()
        if row is None or row["ends_s"] <= self._now() or row["made_s"] > self._now() + CLOCK_SLACK_S:
            return None
        return self._session(row)

    def of(self, user: str) -> list[Session]:
        """A user's sessions, the newest first."""
        query = "SELECT * FROM sessions WHERE user = ? AND ends_s > ? ORDER BY made_s DESC"
        with self._database.open() as database:
            return [self._session(row) for row in database.execute(query, (user, self._now()))]

    def touch(self, session: Session) -> None:
        """Somebody did something; written at most every TOUCH_EVERY_S."""
        now = self._now()
        if now - session.seen_s >= TOUCH_EVERY_S or now < session.seen_s:
            with self._database.changing() as database:
                database.execute("UPDATE sessions SET seen_s = ? WHERE id = ?", (now, session.id))

    def unlock(self, session: Session) -> None:
        """The password was given again."""
        with self._database.changing() as database:
            database.execute("UPDATE sessions SET seen_s = ? WHERE id = ?", (self._now(), session.id))

    def lock(self, session: Session) -> None:
        """Whoever comes next must give the password."""
        with self._database.changing() as database:
            database.execute("UPDATE sessions SET seen_s = 0 WHERE id = ?", (session.id,))

    def end(self, session_id: str) -> None:
        """One browser is signed out."""
        with self._database.changing() as database:
            database.execute("DELETE FROM sessions WHERE id = ?", (session_id,))

    def end_all(self, user: str, *, but: str = "") -> int:
        """A user is signed out everywhere, but for the session with this id; how many sessions that were."""
        with self._database.changing() as database:
            return database.execute("DELETE FROM sessions WHERE user = ? AND id != ?", (user, but)).rowcount

    def say(self, session_id: str, kind: str, text: str) -> None:
        """Something that the session's next page shows, once."""
        with self._database.changing() as database:
            row = database.execute("SELECT said FROM sessions WHERE id = ?", (session_id,)).fetchone()
            if row is not None:
                said = [*json.loads(row["said"]), [kind, text]][-MAX_SAID:]
                database.execute("UPDATE sessions SET said = ? WHERE id = ?", (json.dumps(said), session_id))

    def heard(self, session_id: str) -> None:
        """What was said has been shown."""
        with self._database.changing() as database:
            database.execute("UPDATE sessions SET said = '[]' WHERE id = ?", (session_id,))

    def idle_left_s(self, session: Session) -> float:
        """Seconds until the session is locked; negative once it is."""
        return session.seen_s + self._settings.idle_min * 60 - self._now()

    def _session(self, row: sqlite3.Row) -> Session:
        idle_s = self._now() - row["seen_s"]
        return Session(
            id=row["id"],
            user=row["user"],
            csrf=row["csrf"],
            address=row["address"],
            agent=row["agent"],
            made_s=row["made_s"],
            seen_s=row["seen_s"],
            ends_s=row["ends_s"],
            said=tuple((kind, text) for kind, text in json.loads(row["said"])),
            locked=not -CLOCK_SLACK_S <= idle_s < self._settings.idle_min * 60,
        )


def id_of(token: str) -> str:
    """What is kept of a token: who reads the database cannot sign in with it."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
