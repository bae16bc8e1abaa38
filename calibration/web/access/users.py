"""The people who may sign in, in the page's database; every change is in the station's audit log before it is made."""

from __future__ import annotations

import json
import sqlite3
import time
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from calibration.web.access.database import Database
from calibration.web.access.passwords import Passwords
from calibration.web.access.roles import Right, Role, allows
from edge.audit import Action, AuditLog
from edge.errors import LineclearError

MAX_NAME: Final = 64
MAX_USERS: Final = 500
_SHOWN: Final = ("person", "role", "may_release", "views", "language", "active", "must_change")


class UserRefused(LineclearError):
    """A change of users that must not be made. key: of the message in the reader's language."""

    def __init__(self, key: str, message: str, *, where: str = "", remedy: str = "") -> None:
        super().__init__(message, where=where, remedy=remedy)
        self.key = key


@dataclass(frozen=True)
class User:
    """One person. name: to sign in with. person: who that is, in results and logs. views: what they see, () for all.

    must_change: the password was handed out by somebody else and must be changed before anything is done.
    """

    name: str
    person: str
    role: Role
    may_release: bool = False
    views: tuple[str, ...] = ()
    language: str | None = None
    active: bool = True
    must_change: bool = False

    def may(self, right: Right) -> bool:
        """Whether this person has a right."""
        return self.active and allows(self.role, right, may_release=self.may_release)

    def may_see(self, view: str) -> bool:
        """Whether this person sees a view."""
        return not self.views or view in self.views

    def document(self) -> dict[str, Any]:
        """What the audit log keeps: never a password or its hash."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name in _SHOWN
            for value in [self.role.value if name == "role" else getattr(self, name)]
        }


def sign_in_name(text: str) -> str:
    """A name as it is kept: composed, in lower case. ValueError: it can be none."""
    name = unicodedata.normalize("NFKC", text).casefold().strip()
    if not 1 <= len(name) <= MAX_NAME or not all(c.isalnum() or c in "._-@" for c in name) or not name[0].isalnum():
        raise ValueError("a name has 1 to 64 letters, digits, dots, dashes, and begins with a letter or digit")
    return name


class Users:
    """Reads and changes users. audit: takes each change first; what it refuses is not done. now: seconds since 1970."""

    def __init__(self, database: Database, passwords: Passwords, audit: AuditLog, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._passwords = passwords
        self._audit = audit
        self._now = now

    def get(self, name: str) -> User | None:
        """One user, None if there is none of this name."""
        with self._database.open() as database:
            row = database.execute("SELECT * FROM users WHERE name = ?", (name,)).fetchone()
        return _user(row) if row is not None else None

    def all(self) -> list[User]:
        """Everybody, by name."""
        with self._database.open() as database:
            return [_user(row) for row in database.execute("SELECT * FROM users ORDER BY name")]

    def signed_in_at(self) -> Mapping[str, float | None]:
        """When each user signed in last, in seconds since 1970."""
        with self._database.open() as database:
            return {row["name"]: row["signed_in_s"] for row in database.execute("SELECT name, signed_in_s FROM users")}

    def has_admin(self) -> bool:
        """True if somebody can manage users."""
        with self._database.open() as database:
            found = database.execute("SELECT 1 FROM users WHERE role = ? AND active LIMIT 1", (Role.ADMIN.value,)).fetchone()
        return found is not None

    def check(self, name: str, password: str) -> User | None:
        """The active user of this name and password; takes the same time for a name that there is not."""
        with self._database.open() as database:
            row = database.execute("SELECT * FROM users WHERE name = ?", (name,)).fetchone()
        right = self._passwords.check(row["secret"] if row is not None else None, password)
        if row is None or not right or not row["active"]:
            return None
        if row["secret_until_s"] is not None and row["secret_until_s"] < self._now():
            return None
        if self._passwords.is_outdated(row["secret"]):
            secret = self._passwords.hash(password)
            with self._database.changing() as database:
                database.execute("UPDATE users SET secret = ? WHERE name = ? AND secret = ?", (secret, name, row["secret"]))
        return _user(row)

    def note_sign_in(self, name: str) -> None:
        """Keep when somebody signed in."""
        with self._database.changing() as database:
            database.execute("UPDATE users SET signed_in_s = ? WHERE name = ?", (self._now(), name))

    def add(self, user: User, password: str, *, who: str, why: str = "", good_for_s: float | None = None) -> None:
        """One more. good_for_s: how long the password is good if it is not changed. UserRefused: the name is taken."""
        secret = self._passwords.hash(password)
        until = self._now() + good_for_s if good_for_s is not None else None
        with self._database.changing(durable=True) as database:
            if database.execute("SELECT 1 FROM users WHERE name = ?", (user.name,)).fetchone() is not None:
                raise UserRefused("base.name_taken", "this name is taken", where=user.name, remedy="choose another")
            if database.execute("SELECT count(*) FROM users").fetchone()[0] >= MAX_USERS:
                raise UserRefused("base.too_many_users", f"there are {MAX_USERS} users already", remedy="ask the vendor")
            self._audit.append(Action.USER, who=who, subject=_subject(user.name), why=why or "added", after=user.document())
            database.execute(
                "INSERT INTO users (name, person, role, may_release, views, language, active, secret, must_change, "
                "secret_until_s, made_s) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (user.name, *_columns(user), secret, user.must_change, until, self._now()),
            )

    def change(self, changed: User, *, who: str, why: str = "") -> None:
        """Everything of a user but the password. UserRefused: nobody could manage users any more."""
        with self._database.changing(durable=True) as database:
            before = self._existing(database, changed.name)
            if before == changed:
                return
            stays_admin = changed.role is Role.ADMIN and changed.active
            if before.role is Role.ADMIN and before.active and not stays_admin:
                self._keep_an_admin(database, changed.name)
            self._audit.append(
                Action.USER, who=who, subject=_subject(changed.name), why=why or "changed",
                before=before.document(), after=changed.document(),
            )  # fmt: skip
            database.execute(
                "UPDATE users SET person = ?, role = ?, may_release = ?, views = ?, language = ?, active = ?, must_change = ? "
                "WHERE name = ?",
                (*_columns(changed), changed.must_change, changed.name),
            )

    def set_password(self, name: str, password: str, *, who: str, why: str, good_for_s: float | None = None) -> None:
        """Another password. good_for_s: it was handed out, is good for so long and must be changed at the next sign-in."""
        secret = self._passwords.hash(password)
        handed_out = good_for_s is not None
        until = self._now() + good_for_s if good_for_s is not None else None
        with self._database.changing(durable=True) as database:
            before = self._existing(database, name)
            after = replace(before, must_change=handed_out)
            self._audit.append(
                Action.USER, who=who, subject=_subject(name), why=why,
                before=before.document(), after={**after.document(), "password": "handed out" if handed_out else "changed"},
            )  # fmt: skip
            database.execute(
                "UPDATE users SET secret = ?, must_change = ?, secret_until_s = ? WHERE name = ?",
                (secret, handed_out, until, name),
            )

    def remove(self, name: str, *, who: str, why: str = "") -> None:
        """One less. UserRefused: the only admin."""
        with self._database.changing(durable=True) as database:
            before = self._existing(database, name)
            if before.role is Role.ADMIN and before.active:
                self._keep_an_admin(database, name)
            self._audit.append(Action.USER, who=who, subject=_subject(name), why=why or "removed", before=before.document())
            for table, column in (("users", "name"), ("sessions", "user"), ("devices", "user")):
                database.execute(f"DELETE FROM {table} WHERE {column} = ?", (name,))  # noqa: S608 - our own names

    def _existing(self, database: sqlite3.Connection, name: str) -> User:
        row = database.execute("SELECT * FROM users WHERE name = ?", (name,)).fetchone()
        if row is None:
            raise UserRefused("base.no_such_user", "there is no such user", where=name, remedy="look at the list again")
        return _user(row)

    def _keep_an_admin(self, database: sqlite3.Connection, but: str) -> None:
        query = "SELECT 1 FROM users WHERE role = ? AND active AND name != ? LIMIT 1"
        if database.execute(query, (Role.ADMIN.value, but)).fetchone() is None:
            remedy = "make somebody else an admin first"
            raise UserRefused("base.only_admin", "this is the only admin", where=but, remedy=remedy)


def _subject(name: str) -> str:
    return f"user {name}"


def _columns(user: User) -> tuple[Any, ...]:
    return (user.person, user.role.value, user.may_release, json.dumps(user.views), user.language, user.active)


def _user(row: sqlite3.Row) -> User:
    return User(
        name=row["name"],
        person=row["person"],
        role=Role(row["role"]),
        may_release=bool(row["may_release"]),
        views=tuple(json.loads(row["views"])),
        language=row["language"],
        active=bool(row["active"]),
        must_change=bool(row["must_change"]),
    )
