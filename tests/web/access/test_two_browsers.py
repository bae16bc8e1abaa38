"""Two browsers of one person, two people at once, and clocks that are set: who is in, who is out, who waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from calibration.web.access import Database, FirstAdmin, Lockout, Role, Sessions
from calibration.web.access.first_admin import GOOD_FOR_S
from calibration.web.access.users import UserRefused
from calibration.web.settings import LockoutSettings, SessionSettings
from tests.web.access.clocks import Clock
from tests.web.parts import PASSWORD, Browser, Rig, running_page

NEW = "vier rote Löffel"
HOUR_S = 3600.0


def at_once(count: int, work: Callable[[int], httpx.Response]) -> list[httpx.Response]:
    """All begin at the same moment."""
    begin = threading.Barrier(count)

    def one(number: int) -> httpx.Response:
        begin.wait(20)
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def is_in(browser: Browser) -> bool:
    return browser.get("/me", follow_redirects=False).status_code == 200


def test_a_new_password_ends_the_other_browser_and_this_one_goes_on(rig: Rig) -> None:
    here, there, anna = rig.signed_in("tina"), rig.signed_in("tina"), rig.signed_in("anna")
    old_token = dict(here.client.cookies)
    here.get("/me")
    assert here.post("/me/password", {"old": PASSWORD, "password": NEW, "again": NEW}).status_code == 200
    assert is_in(here)
    assert not is_in(there)
    assert is_in(anna)
    thief = rig.browser()
    thief.client.cookies.update(old_token)
    assert not is_in(thief), "this browser has a new token, too"
    assert rig.browser().sign_in("tina").status_code == 403
    assert rig.browser().sign_in("tina", NEW).status_code == 200


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"old": "wrong", "password": NEW, "again": NEW}, 403),
        ({"old": PASSWORD, "password": NEW, "again": NEW + "x"}, 422),
        ({"old": PASSWORD, "password": PASSWORD, "again": PASSWORD}, 422),
        ({"old": PASSWORD, "password": "kurz", "again": "kurz"}, 422),
    ],
)
def test_a_password_that_is_not_changed_ends_nothing(rig: Rig, form: dict[str, str], status: int) -> None:
    here, there = rig.signed_in("tina"), rig.signed_in("tina")
    here.get("/me")
    assert here.post("/me/password", form).status_code == status
    assert is_in(here)
    assert is_in(there)


def test_signing_out_here_leaves_the_other_browser_and_everywhere_does_not(rig: Rig) -> None:
    here, there = rig.signed_in("otto"), rig.signed_in("otto")
    here.get("/me")
    here.post("/sign-out")
    assert not is_in(here)
    assert is_in(there)
    third = rig.signed_in("otto")
    third.get("/me")
    third.post("/me/sign-out-everywhere")
    assert is_in(third)
    assert not is_in(there)


def test_a_form_of_the_other_browser_is_not_taken(rig: Rig) -> None:
    here, there = rig.signed_in("otto"), rig.signed_in("otto")
    here.csrf, there.csrf = there.csrf, here.csrf
    assert here.post("/me/language", {"language": "de"}).status_code == 403
    user = rig.site.users.get("otto")
    assert user is not None
    assert user.language is None


def test_of_many_with_the_first_code_at_once_one_becomes_admin(config: Path) -> None:
    with running_page(config, users=False) as rig:
        code = rig.site.first_admin.make()
        browsers = [rig.browser() for _ in range(6)]

        def claim(number: int) -> httpx.Response:
            form = {"name": f"chef{number}", "person": f"Chef {number}x", "password": NEW, "again": NEW, "code": code}
            return browsers[number].post("/first", form, follow_redirects=False)

        statuses = sorted(answer.status_code for answer in at_once(6, claim))
        assert statuses.count(303) == 1, statuses
        assert set(statuses) <= {303, 403, 410}
        assert [user.role for user in rig.site.users.all()] == [Role.ADMIN]
        assert not rig.site.first_admin.is_open()


def test_two_admins_who_take_the_right_from_each_other_at_once_leave_one(rig: Rig) -> None:
    anna = rig.site.users.get("anna")
    assert anna is not None
    rig.site.users.add(replace(anna, name="berta", person="Berta"), PASSWORD, who="t")
    begin = threading.Barrier(2)

    def demote(name: str) -> bool:
        begin.wait(20)
        try:
            rig.site.users.change(replace(anna, name=name, person=name, role=Role.VIEWER), who="t")
        except UserRefused:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(demote, ["anna", "berta"])) == [False, True]
    assert rig.site.users.has_admin()


def test_one_name_is_given_once_though_many_ask_at_once(rig: Rig) -> None:
    anna = rig.site.users.get("anna")
    assert anna is not None
    begin = threading.Barrier(5)

    def add(number: int) -> bool:
        begin.wait(20)
        try:
            rig.site.users.add(replace(anna, name="neu", person=f"Neu {number}"), PASSWORD, who="t")
        except UserRefused:
            return False
        return True

    with ThreadPoolExecutor(5) as pool:
        assert sum(pool.map(add, range(5))) == 1


def test_strangers_who_try_never_shut_out_the_browser_that_the_user_has(rig: Rig) -> None:
    known = rig.signed_in("otto")
    known.get("/me")
    known.post("/sign-out")
    for _ in range(6):
        rig.browser(address="10.6.6.6").sign_in("otto", "geraten")
    assert rig.browser(address="10.6.6.6").sign_in("otto").status_code == 429
    assert rig.browser(address="10.0.0.1").sign_in("otto").status_code == 429, "for a new browser the user waits"
    assert known.sign_in("otto").status_code == 200
    assert rig.browser(address="10.0.0.1").sign_in("tina").status_code == 200, "nobody else waits"


def test_a_known_browser_knows_its_own_user_alone(rig: Rig) -> None:
    """A tablet of Otto's is no way around the wait for Anna's password."""
    ottos = rig.signed_in("otto")
    ottos.get("/me")
    ottos.post("/sign-out")
    statuses = [ottos.sign_in("anna", "geraten").status_code for _ in range(6)]
    assert statuses[-1] == 429
    assert ottos.sign_in("otto").status_code == 200


def test_tries_at_once_are_all_counted(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = time.time()
    monkeypatch.setattr(rig.site.lockout, "_now", lambda: now_s)  # a busy machine takes longer than the wait
    browsers = [rig.browser(address=f"10.0.1.{number}") for number in range(8)]
    at_once(8, lambda number: browsers[number].sign_in("otto", "geraten"))
    assert rig.browser(address="10.0.2.1").sign_in("otto").status_code == 429


@pytest.fixture
def sessions(database: Database, clock: Clock) -> Sessions:
    return Sessions(database, SessionSettings(absolute_h=12, idle_min=15), clock)


def test_a_clock_set_back_keeps_nobody_in_for_longer(sessions: Sessions, clock: Clock) -> None:
    """Else a tablet that was left open would stay open until the clock comes to where it was."""
    token = sessions.begin("anna")
    clock.on(-400 * 86_400)
    found = sessions.find(token)
    assert found is None or found.locked
    fresh = sessions.begin("anna")
    clock.on(5 * 60)
    again = sessions.find(fresh)
    assert again is not None
    assert not again.locked


def test_a_clock_that_is_corrected_by_seconds_throws_nobody_out(sessions: Sessions, clock: Clock) -> None:
    token = sessions.begin("anna")
    clock.on(-20)
    found = sessions.find(token)
    assert found is not None
    assert not found.locked
    sessions.touch(found)
    clock.on(14 * 60)
    again = sessions.find(token)
    assert again is not None
    assert not again.locked


def test_a_clock_set_forward_ends_sessions_and_waits_not_users(database: Database, sessions: Sessions, clock: Clock) -> None:
    token = sessions.begin("anna")
    lockout = Lockout(database, LockoutSettings(), clock)
    subjects = lockout.subjects("anna", "a")
    for _ in range(8):
        lockout.failed(subjects)
    assert lockout.wait_s(subjects) > 0
    clock.on(13 * HOUR_S)
    assert sessions.find(token) is None
    assert lockout.wait_s(subjects) <= 0


def test_the_first_code_is_not_good_for_longer_after_a_clock_set_back(database: Database, tmp_path: Path, clock: Clock) -> None:
    first = FirstAdmin(database, tmp_path, clock)
    code = first.make()
    clock.on(-30)
    assert first.is_open(), "a correction of seconds"
    clock.on(-24 * HOUR_S)
    assert not first.is_open()
    assert not first.matches(code)
    code = first.make()
    clock.on(GOOD_FOR_S - 1)
    assert first.matches(code)
