"""The page's database damaged, locked, full, read-only: it says so, lets nobody in, and goes on once it is mended."""

from __future__ import annotations

import resource
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from calibration.web.access import Database, Sessions
from calibration.web.access import database as module
from calibration.web.access.database import PageDatabaseError
from calibration.web.settings import SessionSettings
from tests.web.access.clocks import Clock
from tests.web.parts import Rig, running_page


@contextmanager
def no_file_larger_than(size_bytes: int) -> Iterator[None]:
    """As on a full disk: what would make a file longer than this fails."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def locked_by_somebody(path: Path) -> Iterator[None]:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


def sessions_of(database: Database) -> Sessions:
    return Sessions(database, SessionSettings(), Clock())


def test_a_full_disk_changes_nothing_and_the_next_change_works(database: Database) -> None:
    sessions = sessions_of(database)
    token = sessions.begin("anna")
    with no_file_larger_than(4096), pytest.raises(PageDatabaseError):
        _begin_many(sessions)
    before = len(sessions.of("anna"))
    assert sessions.find(token) is not None
    sessions.begin("anna")
    assert len(sessions.of("anna")) == before + 1
    with sqlite3.connect(database.path) as other:
        assert other.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def _begin_many(sessions: Sessions) -> None:
    for _ in range(50):
        sessions.begin("anna", agent="x" * 200)


def test_a_change_that_fails_in_its_middle_is_not_half_done(database: Database) -> None:
    sessions = sessions_of(database)
    token = sessions.begin("anna")

    def half() -> None:
        with database.changing() as connection:
            connection.execute("DELETE FROM sessions")
            connection.execute("INSERT INTO no_such_table VALUES (1)")

    with pytest.raises(PageDatabaseError, match="no such table"):
        half()
    assert sessions.find(token) is not None
    sessions.end_all("anna")
    assert sessions.find(token) is None


def test_who_is_in_reads_on_while_somebody_else_writes(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BUSY_TIMEOUT_S", 0.05)
    sessions = sessions_of(database)
    token = sessions.begin("anna")
    with locked_by_somebody(database.path):
        assert sessions.find(token) is not None
        with pytest.raises(PageDatabaseError, match="locked"):
            sessions.end_all("anna")
        assert sessions.find(token) is not None
    assert sessions.end_all("anna") == 1


def test_a_read_only_file_system_is_said(database: Database) -> None:
    sessions = sessions_of(database)
    token = sessions.begin("anna")
    with database.open() as connection:
        connection.execute("PRAGMA query_only = ON")
    with pytest.raises(PageDatabaseError, match="readonly"):
        sessions.begin("otto")
    assert sessions.find(token) is not None
    with database.open() as connection:
        connection.execute("PRAGMA query_only = OFF")
    assert sessions.begin("otto")


@pytest.mark.parametrize("damage", [b"", b"no database at all " * 50, b"SQLite format 3\x00" + b"\xff" * 5000])
def test_a_damaged_file_lets_nobody_in_and_shows_no_traceback(config: Path, damage: bytes) -> None:
    """An empty one is a page without users: nobody is in either, and a code from the box begins anew."""
    with running_page(config) as rig:
        anna = rig.signed_in("anna")
        rig.site.users._database.close()
        for path in rig.site.folder.glob("page.db*"):
            path.write_bytes(damage) if path.name == "page.db" else path.unlink()
        answers = [anna.get("/me", follow_redirects=False), anna.get("/users", follow_redirects=False)]
        answers += [rig.browser().get("/sign-in", follow_redirects=False), rig.browser().sign_in("anna")]
        for answer in answers:
            assert answer.status_code in (303, 403, 409, 500, 503), answer.text
            assert answer.status_code == 303 or "Traceback" not in answer.text
            assert "Anna Meier" not in answer.text
        if damage:
            assert all(answer.status_code == 409 and "cannot be used" in answer.text for answer in answers)
        assert rig.browser().get("/static/page.css").status_code == 200


def refused(rig: Rig, path: str = "/me") -> tuple[int, str]:
    answer = rig.signed_in("otto").get(path)
    return answer.status_code, answer.text


def test_nobody_signs_in_on_a_full_disk_and_everybody_after_it(rig: Rig) -> None:
    anna = rig.signed_in("anna")
    nobody = rig.browser()
    with no_file_larger_than(0):
        answer = nobody.sign_in("otto")
        assert (answer.status_code, "cannot be used" in answer.text) == (409, True)
        assert anna.get("/me").status_code == 200, "who is in sees on"
        assert nobody.get("/me", follow_redirects=False).status_code == 303
    assert refused(rig)[0] == 200


def test_a_locked_database_answers_in_time(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.site.users._database.close()
    monkeypatch.setattr(module, "BUSY_TIMEOUT_S", 0.05)
    anna = rig.signed_in("anna")
    with locked_by_somebody(rig.site.users._database.path):
        assert anna.get("/me").status_code == 200
        assert anna.post("/me/theme", {"theme": "dark"}).status_code == 200, "a cookie alone"
        assert anna.post("/me/language", {"language": "de"}).status_code == 409
        assert rig.browser().sign_in("otto").status_code == 409
    assert anna.post("/me/language", {"language": "de"}).status_code == 200
