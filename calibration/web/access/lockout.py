"""Wrong passwords: each one more is answered later, for the user and for the address, and never for ever.

A browser on which a user has signed in before counts for itself: who tries passwords from elsewhere makes only strangers wait.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from typing import Final

from calibration.web.access.database import Database
from calibration.web.settings import LockoutSettings

MAX_SUBJECTS: Final = 20_000
MAX_DEVICES: Final = 20


class Lockout:
    """Counts failures by subject. now: seconds since 1970."""

    def __init__(self, database: Database, settings: LockoutSettings, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._settings = settings
        self._now = now

    def subjects(self, user: str, address: str, device: str = "") -> tuple[str, ...]:
        """What a try counts for. device: the token of this browser, "" if it has none."""
        if device and self.knows(user, device):
            return (f"device:{_digest(device)}",)
        return (f"user:{_digest(user)}", f"address:{address}")

    def wait_s(self, subjects: tuple[str, ...]) -> float:
        """For how long a try is not looked at; 0 if it is."""
        now = self._now()
        with self._database.open() as database:
            rows = [database.execute("SELECT * FROM failures WHERE subject = ?", (subject,)).fetchone() for subject in subjects]
        # A clock that was set back must not lock anybody out for longer than the longest wait.
        return max((min(row["until_s"] - now, self._settings.max_wait_s) for row in rows if row is not None), default=0.0)

    def failed(self, subjects: tuple[str, ...]) -> float:
        """One more wrong password; for how long the next is not looked at, in seconds."""
        now, waits = self._now(), [0.0]
        with self._database.changing() as database:
            database.execute("DELETE FROM failures WHERE last_s < ?", (now - self._settings.forget_h * 3600,))
            database.execute(
                "DELETE FROM failures WHERE subject IN (SELECT subject FROM failures ORDER BY last_s DESC LIMIT -1 OFFSET ?)",
                (MAX_SUBJECTS,),
            )
            for subject in subjects:
                row = database.execute("SELECT count FROM failures WHERE subject = ?", (subject,)).fetchone()
                count = (row["count"] if row is not None else 0) + 1
                wait = self._wait_after(count, self._free(subject))
                waits.append(wait)
                database.execute(
                    "INSERT INTO failures VALUES (?, ?, ?, ?) ON CONFLICT (subject) DO UPDATE "
                    "SET count = excluded.count, last_s = excluded.last_s, until_s = excluded.until_s",
                    (subject, count, now, now + wait),
                )
        return max(waits)

    def succeeded(self, subjects: tuple[str, ...]) -> None:
        """The right password: the user's failures are forgotten, those of an address are not: it may have tried others."""
        with self._database.changing() as database:
            for subject in subjects:
                if not subject.startswith("address:"):
                    database.execute("DELETE FROM failures WHERE subject = ?", (subject,))

    def forgive(self, user: str) -> None:
        """An admin gave this user another password: nobody waits for it."""
        self.succeeded((f"user:{_digest(user)}",))

    def know(self, user: str) -> str:
        """One more browser of the user's; its token."""
        token = secrets.token_urlsafe(32)
        with self._database.changing() as database:
            database.execute("INSERT INTO devices VALUES (?, ?, ?)", (_digest(token), user, self._now()))
            database.execute(
                "DELETE FROM devices WHERE user = ? AND id NOT IN "
                "(SELECT id FROM devices WHERE user = ? ORDER BY seen_s DESC, rowid DESC LIMIT ?)",
                (user, user, MAX_DEVICES),
            )
        return token

    def knows(self, user: str, device: str) -> bool:
        """True if the user signed in on this browser before."""
        with self._database.open() as database:
            row = database.execute("SELECT user FROM devices WHERE id = ?", (_digest(device),)).fetchone()
        return row is not None and row["user"] == user

    def forget_devices(self, user: str) -> None:
        """No browser is the user's any more."""
        with self._database.changing() as database:
            database.execute("DELETE FROM devices WHERE user = ?", (user,))

    def _free(self, subject: str) -> int:
        return self._settings.address_tries if subject.startswith("address:") else self._settings.free_tries

    def _wait_after(self, count: int, free: int) -> float:
        if count < free:
            return 0.0
        return min(self._settings.first_wait_s * 2.0 ** min(count - free, 30), self._settings.max_wait_s)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
