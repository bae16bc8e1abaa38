"""From sign-in to sign-out in the real application, as browsers do it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from calibration.web.access.cookies import SESSION, cookie_name
from calibration.web.access.sessions import id_of
from edge.audit import entries
from tests.web.parts import PASSWORD, ROLES, Browser, Rig, running_page


def session_id(rig: Rig, browser: Browser) -> str:
    return id_of(browser.client.cookies[cookie_name(SESSION, rig.site.settings)])


def lock(rig: Rig, browser: Browser) -> None:
    found = rig.site.sessions.get(session_id(rig, browser))
    assert found is not None
    rig.site.sessions.lock(found)


def audited(rig: Rig) -> list[tuple[str, str, str]]:
    return [(entry.who, entry.subject, entry.why) for entry in entries(rig.site.audit.folder)]


def test_each_role_signs_in_and_sees_its_own_page(rig: Rig) -> None:
    for name in ROLES:
        answer = rig.signed_in(name).get("/me")
        assert answer.status_code == 200
        assert name in answer.text
        assert PASSWORD not in answer.text


def test_nobody_is_sent_to_the_sign_in_and_then_back(nobody: Browser) -> None:
    answer = nobody.get("/users?x=1&y=a%20b", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=/users%3Fx%3D1%26y%3Da%2520b")
    page = nobody.get("/users?x=1")
    assert 'value="/users?x=1"' in page.text
    after = nobody.post("/sign-in", {"name": "anna", "password": PASSWORD, "next": "/users?x=1"}, follow_redirects=False)
    assert after.headers["location"] == "/users?x=1"


@pytest.mark.parametrize(
    "next_", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/\tevil"]
)
def test_nobody_is_sent_elsewhere(nobody: Browser, next_: str) -> None:
    after = nobody.post("/sign-in", {"name": "anna", "password": PASSWORD, "next": next_}, follow_redirects=False)
    assert after.headers["location"] == "/"


def test_a_wrong_password_and_a_wrong_name_look_the_same_and_then_wait(rig: Rig, nobody: Browser) -> None:
    answers = [nobody.post("/sign-in", {"name": name, "password": "not this one"}) for name in ("anna", "nobody-here")]
    assert {answer.status_code for answer in answers} == {403}
    assert len({re.sub(r'value="[^"]*"|<time.*?</time>', "", answer.text) for answer in answers}) == 1
    for _ in range(4):
        answer = nobody.post("/sign-in", {"name": "anna", "password": "not this one"})
    assert nobody.post("/sign-in", {"name": "anna", "password": PASSWORD}).status_code == 429
    assert rig.browser(address="10.0.0.9").sign_in("otto").status_code == 200
    assert "not this one" not in answer.text


def test_sign_ins_and_outs_are_audited_and_no_password_is_anywhere(rig: Rig, capfd: pytest.CaptureFixture[str]) -> None:
    browser = rig.signed_in("otto")
    browser.post("/sign-in", {"name": "otto", "password": "ein falsches Wort"})
    browser.post("/sign-out")
    assert ("Otto Braun", "user otto", "signed in") in audited(rig)
    assert ("Otto Braun", "user otto", "signed out") in audited(rig)
    said = capfd.readouterr()
    for path in Path(rig.site.config.state_dir).rglob("*"):
        assert not path.is_file() or not {PASSWORD, "ein falsches Wort"} & set(
            path.read_bytes().decode("latin1").split("\n")
        ), path
    assert PASSWORD not in said.out + said.err


def test_each_sign_in_has_a_token_of_its_own_and_signing_out_ends_it(rig: Rig) -> None:
    browser = rig.signed_in("anna")
    first = session_id(rig, browser)
    browser.post("/sign-in", {"name": "anna", "password": PASSWORD})
    assert session_id(rig, browser) != first
    kept = dict(browser.client.cookies)
    browser.post("/sign-out")
    thief = rig.browser()
    thief.client.cookies.update(kept)
    assert thief.get("/me", follow_redirects=False).status_code == 303


def test_a_forged_token_is_nobody(nobody: Browser, rig: Rig) -> None:
    nobody.client.cookies.set(cookie_name(SESSION, rig.site.settings), "A" * 43)
    assert nobody.get("/me", follow_redirects=False).status_code == 303
    assert nobody.fetch("GET", "/me").status_code == 401


def test_a_locked_session_asks_the_password_and_goes_on_where_it_was(rig: Rig, technician: Browser) -> None:
    before = session_id(rig, technician)
    lock(rig, technician)
    refused = technician.fetch("GET", "/me")
    assert (refused.status_code, refused.json()["locked"]) == (401, True)
    assert technician.get("/me", follow_redirects=False).headers["location"] == "/unlock?next=/me"
    assert "Tina Vogel" in technician.get("/me").text
    assert technician.post("/unlock", {"password": "wrong"}).status_code == 403
    assert technician.fetch("POST", "/unlock").status_code == 403
    after = technician.post("/unlock", {"password": PASSWORD, "next": "/me"}, follow_redirects=False)
    assert (after.status_code, after.headers["location"]) == (303, "/me")
    assert session_id(rig, technician) == before
    assert technician.get("/me").status_code == 200
    assert technician.get("/unlock?next=/me", follow_redirects=False).headers["location"] == "/me"


def test_somebody_who_walks_away_locks_at_once(technician: Browser) -> None:
    assert "/unlock" in str(technician.post("/me/lock").url)
    technician.post("/sign-out")
    assert technician.get("/unlock", follow_redirects=False).headers["location"] == "/sign-in?next=/"
    assert technician.post("/unlock", {"password": PASSWORD}, follow_redirects=False).headers["location"] == "/sign-in?next=/"


def test_a_screen_on_the_wall_may_stay_open(config: Path) -> None:
    with running_page(config, {"sessions": {"viewers_lock": False}}) as rig:
        for name, wanted in (("vera", 200), ("otto", 303)):
            browser = rig.signed_in(name)
            lock(rig, browser)
            assert browser.get("/me", follow_redirects=False).status_code == wanted


def test_only_what_a_person_does_keeps_a_session_awake(rig: Rig, technician: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    touched = []
    monkeypatch.setattr(rig.site.sessions, "touch", lambda session: touched.append(session.user))
    technician.fetch("GET", "/me", headers={"Sec-Fetch-Mode": "cors"})
    technician.fetch("GET", "/me", headers={"X-Lineclear-Background": "1"})
    technician.client.get("/me", headers={"Accept": "image/*", "Sec-Fetch-Mode": "no-cors"})
    technician.client.get("/me", headers={"Accept": "text/event-stream"})
    assert touched == []
    technician.get("/me")
    assert technician.fetch("POST", "/me/alive").json()["idle_left_s"] > 0
    assert touched == ["tina", "tina"]


def test_who_is_switched_off_is_out_at_once(rig: Rig, technician: Browser) -> None:
    user = rig.site.users.get("tina")
    assert user is not None
    rig.site.users.change(replace(user, active=False), who="t")
    assert technician.get("/me", follow_redirects=False).status_code == 303


def test_the_first_admin_comes_in_by_the_code_and_only_once(config: Path) -> None:
    with running_page(config, users=False) as rig:
        browser = rig.browser()
        assert str(browser.get("/").url).endswith(("/first", "/"))
        assert str(browser.get("/sign-in").url).endswith("/first")
        assert "expired" in browser.get("/first").text
        form = {"name": "Chef", "person": "Carla Chef", "password": PASSWORD, "again": PASSWORD}
        assert browser.post("/first", {**form, "code": "ABCD-EFGH-JKLM"}).status_code == 410
        code = rig.site.first_admin.make()
        assert browser.post("/first", {**form, "code": "ABCD-EFGH-JKLM"}).status_code == 403
        assert browser.post("/first", {**form, "code": code, "again": "other"}).status_code == 422
        assert browser.post("/first", {**form, "code": code, "password": "kurz", "again": "kurz"}).status_code == 422
        assert browser.post("/first", {**form, "code": code, "name": "a/b"}).status_code == 422
        done = browser.post("/first", {**form, "code": code}, follow_redirects=False)
        assert (done.status_code, done.headers["location"]) == (303, "/users")
        assert "Carla Chef" in browser.get("/users").text
        assert ("Carla Chef", "user chef", "first admin, by the code from the box") in audited(rig)
        assert not rig.site.first_admin.file.exists()
        assert rig.browser().post("/first", {**form, "code": code, "name": "second"}).status_code == 410
        assert str(rig.browser().get("/first").url).endswith("/sign-in")


def test_an_admin_who_forgot_the_password_comes_back_by_the_code(rig: Rig, admin: Browser) -> None:
    code = rig.site.first_admin.make()
    form = {"name": "anna", "person": "Anna Meier", "password": "vier rote Löffel", "again": "vier rote Löffel", "code": code}
    assert rig.browser().post("/first", form, follow_redirects=False).status_code == 303
    assert admin.get("/me", follow_redirects=False).status_code == 303, "signed out everywhere"
    assert rig.browser().sign_in("anna", "vier rote Löffel").status_code == 200


def test_language_and_theme_without_anybody_signed_in(nobody: Browser) -> None:
    assert 'lang="de"' in nobody.get("/sign-in", headers={"Accept-Language": "de-CH,de;q=0.9,en;q=0.8"}).text
    assert 'lang="en"' in nobody.get("/sign-in", headers={"Accept-Language": "fr, *;q=0.1"}).text
    nobody.post("/choose", {"language": "it", "theme": "dark", "next": "/sign-in"})
    page = nobody.get("/sign-in").text
    assert '<html lang="it" data-theme="dark">' in page
    nobody.post("/choose", {"language": "xx", "theme": "<b>", "next": "//evil"})
    assert '<html lang="it" data-theme="dark">' in nobody.get("/sign-in").text
