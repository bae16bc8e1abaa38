"""Rights, tokens and origins; users' own pages; what an admin may do."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.audit import entries
from tests.web.parts import PASSWORD, ROLES, Browser, Rig

NEW = "vier rote Löffel"


@pytest.mark.parametrize("name", ["vera", "otto", "tina"])
@pytest.mark.parametrize("path", ["/users", "/users/new", "/users/anna", "/users/nobody"])
def test_only_admins_see_users(rig: Rig, name: str, path: str) -> None:
    browser = rig.signed_in(name)
    assert browser.get(path).status_code == 403
    assert browser.fetch("GET", path).json().keys() == {"error", "what_to_do"}
    assert 'href="/users"' not in browser.get("/me").text


@pytest.mark.parametrize("path", ["/users/new", "/users/otto", "/users/otto/password", "/users/otto/remove"])
def test_only_admins_change_users(rig: Rig, technician: Browser, path: str) -> None:
    assert technician.post(path, {"role": "admin", "person": "x y", "active": "true"}).status_code == 403
    assert rig.browser().post(path, follow_redirects=False).headers["location"] == "/sign-in?next=/"
    assert [user.name for user in rig.site.users.all()] == sorted(ROLES)


def test_without_the_page_s_token_nothing_is_done(rig: Rig, admin: Browser) -> None:
    other = rig.signed_in("otto")
    for token in ("", "x" * 43, other.csrf, "\u00e4"):
        assert admin.post("/users/otto/remove", {"csrf": token}).status_code == 403
    assert admin.client.post(
        "/users/otto/remove", headers={"Origin": admin.origin, "Content-Type": "text/plain"}, content=f"csrf={admin.csrf}"
    ).status_code == 403  # fmt: skip
    assert rig.site.users.get("otto") is not None
    assert (
        admin.client.post("/users/otto/remove", headers={"Origin": admin.origin, "X-CSRF-Token": admin.csrf}).status_code == 200
    )
    assert rig.site.users.get("otto") is None


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "https://127.0.0.1"},
        {"Origin": "http://127.0.0.1:81"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1"},
        {"Sec-Fetch-Site": "none", "Origin": "http://evil.example"},
        {},
    ],
)
def test_what_other_sites_send_is_not_done(admin: Browser, rig: Rig, headers: dict[str, str]) -> None:
    for path in ("/sign-in", "/sign-out", "/unlock", "/first", "/choose", "/me/lock", "/users/otto/remove"):
        answer = admin.client.post(path, data={"csrf": admin.csrf}, headers=headers)
        assert answer.status_code == 403, path
    assert admin.get("/me").status_code == 200
    assert rig.site.users.get("otto") is not None


def test_an_admin_adds_somebody_who_then_chooses_a_password(rig: Rig, admin: Browser) -> None:
    shown = admin.post(
        "/users/new", {"name": "Karl.K", "person": "Karl  Kunz", "role": "operator", "may_release": "true", "views": "nest"}
    )
    password = shown.text.partition('id="one-time">')[2].partition("<")[0]
    user = rig.site.users.get("karl.k")
    assert user is not None
    assert (user.person, user.role.value, user.may_release, user.views, user.must_change) == (
        "Karl Kunz", "operator", True, ("nest",), True,
    )  # fmt: skip
    assert shown.headers["cache-control"] == "no-store"
    karl = rig.browser()
    karl.sign_in("karl.k", password)
    for path in ("/me", "/", "/users"):
        assert karl.get(path, follow_redirects=False).headers["location"].startswith("/me/password")
    assert karl.post("/me/language", {"language": "it"}, follow_redirects=False).status_code == 303
    page = karl.get("/me/password")
    assert "must" in page.text or "consegnata" in page.text
    assert karl.post("/me/password", {"old": password, "password": password, "again": password}).status_code == 422
    done = karl.post("/me/password", {"old": password, "password": NEW, "again": NEW})
    assert (done.status_code, done.url.path) == (200, "/me")
    assert rig.browser().sign_in("karl.k", password).status_code == 403


def test_forms_with_mistakes_come_back_with_what_was_typed(admin: Browser, rig: Rig) -> None:
    for wrong in ({"name": "a/b"}, {"person": "x"}, {"name": ""}, {"person": "\x07\x07\x07"}):
        answer = admin.post("/users/new", {"name": "karl", "person": "Karl Kunz", "role": "viewer", **wrong})
        assert answer.status_code == 422
        assert ("Karl Kunz" in answer.text) == ("person" not in wrong)
    assert admin.post("/users/new", {"name": "karl", "person": "Karl Kunz", "role": "root"}).status_code == 422
    assert admin.post("/users/new", {"name": "karl", "person": "Karl", "role": "viewer", "views": "../x"}).status_code == 422
    assert admin.post("/users/new", {"name": "otto", "person": "Karl Kunz", "role": "viewer"}).status_code == 409
    assert len(rig.site.users.all()) == len(ROLES)


def test_a_name_with_markup_stays_text(admin: Browser) -> None:
    admin.post("/users/otto", {"person": "<script>alert(1)</script>", "role": "operator", "active": "true"})
    text = admin.get("/users").text
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)" in text


def test_who_loses_rights_is_signed_out(rig: Rig, admin: Browser, technician: Browser) -> None:
    admin.post("/users/tina", {"person": "Tina Vogel", "role": "viewer", "active": "true", "views": ["feeder", "nest"]})
    assert technician.get("/me", follow_redirects=False).status_code == 303
    tina = rig.site.users.get("tina")
    assert tina is not None
    assert (tina.role.value, tina.views) == ("viewer", ()), "all views are the same as none chosen"
    admin.post("/users/tina", {"person": "Tina Vogel", "role": "viewer"})
    assert rig.browser().sign_in("tina").status_code == 403


def test_a_new_password_needs_the_admin_s_own(rig: Rig, admin: Browser, operator: Browser) -> None:
    assert admin.post("/users/otto/password", {"own_password": "wrong"}).status_code == 403
    assert operator.get("/me").status_code == 200
    shown = admin.post("/users/otto/password", {"own_password": PASSWORD})
    password = shown.text.partition('id="one-time">')[2].partition("<")[0]
    assert operator.get("/me", follow_redirects=False).status_code == 303
    assert rig.browser().sign_in("otto").status_code == 403
    assert rig.browser().sign_in("otto", password).status_code == 200
    assert admin.post("/users/anna/password", follow_redirects=False).headers["location"] == "/me/password"


def test_nobody_removes_themselves_or_somebody_who_is_not_there(rig: Rig, admin: Browser) -> None:
    assert admin.post("/users/anna/remove").status_code == 409
    assert admin.post("/users/nobody/remove").status_code == 404
    assert admin.get("/users/..%2f..%2fetc").status_code == 404
    assert admin.post("/users/anna", {"person": "Anna Meier", "role": "viewer", "active": "true"}).status_code == 409
    assert rig.site.users.has_admin()


def test_one_s_own_password_ends_the_other_sessions(rig: Rig, operator: Browser) -> None:
    other = rig.signed_in("otto")
    for form in ({"old": "x", "password": NEW, "again": NEW}, {"old": PASSWORD, "password": NEW, "again": "y"}):
        assert operator.post("/me/password", form).status_code in (403, 422)
    assert operator.post("/me/password", {"old": PASSWORD, "password": "ottobraun1", "again": "ottobraun1"}).status_code == 422
    done = operator.post("/me/password", {"old": PASSWORD, "password": NEW, "again": NEW})
    assert done.status_code == 200
    assert "signed out on every other device" in done.text
    assert "signed out on every other device" not in operator.get("/me").text
    assert other.get("/me", follow_redirects=False).status_code == 303
    assert operator.get("/me").status_code == 200


def test_wrong_passwords_on_an_open_page_wait_too(operator: Browser) -> None:
    for _ in range(5):
        operator.post("/me/password", {"old": "x", "password": NEW, "again": NEW})
    assert operator.post("/me/password", {"old": PASSWORD, "password": NEW, "again": NEW}).status_code == 429


def test_language_is_the_person_s_and_theme_the_device_s(rig: Rig, operator: Browser) -> None:
    assert "Mein Konto" in operator.post("/me/language", {"language": "de"}).text
    assert operator.post("/me/language", {"language": "xx"}).status_code == 422
    assert "Mein Konto" in rig.signed_in("otto").get("/me").text
    assert 'data-theme="dark"' in operator.post("/me/theme", {"theme": "dark"}).text
    assert operator.post("/me/theme", {"theme": "x"}).status_code == 422


def test_signing_out_everywhere_else(rig: Rig, operator: Browser) -> None:
    other = rig.signed_in("otto")
    assert "1 other" in operator.post("/me/sign-out-everywhere").text
    assert other.get("/me", follow_redirects=False).status_code == 303
    assert operator.get("/me").status_code == 200


def test_the_audit_log_names_who_did_it(rig: Rig, admin: Browser) -> None:
    admin.post("/users/otto", {"person": "Otto Braun", "role": "technician", "active": "true"})
    last = list(entries(Path(rig.site.audit.folder)))[-1]
    assert (last.who, last.subject, last.before["role"], last.after["role"]) == (
        "Anna Meier", "user otto", "operator", "technician",
    )  # fmt: skip
