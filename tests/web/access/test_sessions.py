"""Sessions and wrong tries, on a clock that the test sets."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.web.access import Database, FirstAdmin, Lockout, Sessions
from calibration.web.access.first_admin import MAX_TRIES
from calibration.web.settings import LockoutSettings, SessionSettings
from tests.web.access.clocks import Clock


@pytest.fixture
def sessions(database: Database, clock: Clock) -> Sessions:
    return Sessions(database, SessionSettings(per_user=3), clock)


@pytest.fixture
def lockout(database: Database, clock: Clock) -> Lockout:
    return Lockout(database, LockoutSettings(), clock)


def test_a_token_is_long_and_kept_nowhere(sessions: Sessions, tmp_path: Path) -> None:
    token = sessions.begin("anna", address="10.0.0.7", agent="Browser " + "x" * 1000)
    found = sessions.find(token)
    assert found is not None
    assert (found.user, found.address, len(found.agent)) == ("anna", "10.0.0.7", 200)
    assert len(token) >= 43, "256 bits"
    assert not any(token.encode() in path.read_bytes() for path in (tmp_path / "page").iterdir())
    assert sessions.find(found.id) is None, "who reads the database has no token"
    assert sessions.find("") is None
    assert sessions.find("\ud800") is None


def test_it_ends_whatever_happens(sessions: Sessions, clock: Clock) -> None:
    token = sessions.begin("anna")
    for _ in range(12 * 60 - 1):
        clock.on(60)
        found = sessions.find(token)
        assert found is not None
        sessions.touch(found)
    clock.on(60)
    assert sessions.find(token) is None


def test_it_locks_when_nobody_touches_it_and_opens_again(sessions: Sessions, clock: Clock) -> None:
    token = sessions.begin("anna")
    clock.on(15 * 60 - 1)
    found = sessions.find(token)
    assert found is not None
    assert not found.locked
    assert sessions.idle_left_s(found) == pytest.approx(1)
    clock.on(1)
    found = sessions.find(token)
    assert found is not None
    assert found.locked
    sessions.unlock(found)
    found = sessions.find(token)
    assert found is not None
    assert not found.locked
    sessions.lock(found)
    locked = sessions.find(token)
    assert locked is not None
    assert locked.locked


def test_one_ends_or_all_of_them(sessions: Sessions) -> None:
    tokens = [sessions.begin("anna") for _ in range(3)]
    other = sessions.begin("otto")
    kept = sessions.find(tokens[0])
    assert kept is not None
    assert sessions.end_all("anna", but=kept.id) == 2
    assert [sessions.find(token) is not None for token in (*tokens, other)] == [True, False, False, True]
    sessions.end(kept.id)
    assert sessions.of("anna") == []


def test_the_oldest_of_too_many_end(sessions: Sessions, clock: Clock) -> None:
    tokens = []
    for _ in range(5):
        tokens.append(sessions.begin("anna"))
        clock.on(1)
    assert [sessions.find(token) is not None for token in tokens] == [False, False, True, True, True]


def test_what_is_said_is_heard_once(sessions: Sessions) -> None:
    token = sessions.begin("anna")
    found = sessions.find(token)
    assert found is not None
    for number in range(7):
        sessions.say(found.id, "ok", f"text {number}")
    found = sessions.find(token)
    assert found is not None
    assert found.said == tuple(("ok", f"text {number}") for number in range(2, 7))
    sessions.heard(found.id)
    found = sessions.find(token)
    assert found is not None
    assert found.said == ()


def test_wrong_tries_wait_longer_and_longer_but_never_for_ever(lockout: Lockout, clock: Clock) -> None:
    subjects = lockout.subjects("anna", "10.0.0.7")
    waits = []
    for _ in range(40):
        assert lockout.wait_s(subjects) == 0
        waits.append(lockout.failed(subjects))
        clock.on(waits[-1])
    assert waits[:8] == [0, 0, 0, 0, 5, 10, 20, 40]
    assert max(waits) == 900


def test_the_right_password_forgives_the_user_and_not_the_address(lockout: Lockout, clock: Clock) -> None:
    mine = lockout.subjects("otto", "10.0.0.7")
    for _ in range(19):
        lockout.failed(lockout.subjects(f"user{_}", "10.0.0.7"))
    lockout.succeeded(mine)
    assert lockout.failed(mine) > 0, "the twentieth from this address"
    assert lockout.wait_s(lockout.subjects("otto", "10.0.0.8")) == 0


def test_who_tries_from_elsewhere_does_not_lock_out_the_browser_that_the_user_has(lockout: Lockout, clock: Clock) -> None:
    device = lockout.know("anna")
    for _ in range(100):
        lockout.failed(lockout.subjects("anna", "10.6.6.6"))
    assert lockout.wait_s(lockout.subjects("anna", "10.0.0.9")) > 0
    own = lockout.subjects("anna", "10.6.6.6", device)
    assert lockout.wait_s(own) == 0
    for _ in range(5):
        lockout.failed(own)
    assert lockout.wait_s(own) > 0, "a stolen tablet waits too"
    assert not lockout.knows("otto", device)
    lockout.forget_devices("anna")
    assert not lockout.knows("anna", device)


def test_failures_are_forgotten_and_a_clock_that_was_set_back_locks_nobody_out(lockout: Lockout, clock: Clock) -> None:
    subjects = lockout.subjects("anna", "a")
    for _ in range(30):
        lockout.failed(subjects)
    clock.on(-365 * 86_400)
    assert lockout.wait_s(subjects) <= 900
    clock.on(2 * 365 * 86_400)
    assert lockout.failed(subjects) == 0
    lockout.forgive("anna")


@settings(deadline=None, max_examples=25)
@given(st.lists(st.booleans(), max_size=20))
def test_no_sequence_of_tries_waits_longer_than_the_limit(tries: list[bool]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = Database(Path(folder))
        lockout = Lockout(database, LockoutSettings(), Clock())
        subjects = lockout.subjects("anna", "a")
        for right in tries:
            if right:
                lockout.succeeded(subjects)
            else:
                assert 0 <= lockout.failed(subjects) <= 900
        database.close()


def test_the_first_code_is_private_and_good_once_for_an_hour(database: Database, tmp_path: Path, clock: Clock) -> None:
    first = FirstAdmin(database, tmp_path, clock)
    assert not first.is_open()
    code = first.make()
    assert first.file.read_text() == f"{code}\n"
    assert first.file.stat().st_mode & 0o777 == 0o600
    assert first.is_open()
    assert not first.matches("AAAA-AAAA-AAAA")
    assert first.matches(code.lower().replace("-", " "))
    clock.on(3600)
    assert not first.is_open()
    assert not first.matches(code)
    code = first.make()
    first.done()
    assert not first.file.exists()
    assert not first.matches(code)


def test_the_first_code_takes_only_so_many_tries(database: Database, tmp_path: Path, clock: Clock) -> None:
    first = FirstAdmin(database, tmp_path, clock)
    code = first.make()
    assert not any(first.matches("AAAA-AAAA-AAAA") for _ in range(MAX_TRIES))
    assert not first.matches(code)
    assert not first.is_open()
