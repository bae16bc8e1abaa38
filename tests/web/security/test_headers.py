"""What every answer says to the browser: errors, files, redirects and refusals too."""

from __future__ import annotations

import httpx
import pytest

from tests.web.security.house import House
from tests.web.security.routes import NEVER_ENDS, rules

RULES = [rule for rule in rules() if rule.path != NEVER_ENDS]


def directives(answer: httpx.Response) -> dict[str, str]:
    """The content security policy, by directive."""
    (policy,) = answer.headers.get_list("content-security-policy")
    return {name: value.strip() for name, _, value in (part.strip().partition(" ") for part in policy.split(";"))}


def assert_guarded(answer: httpx.Response, what: str) -> None:
    policy = directives(answer)
    assert policy["default-src"] == "'none'", what
    assert policy["script-src"] == "'self'", what
    assert policy["style-src"] == "'self'", what
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'", what
    assert policy["form-action"] == policy["connect-src"] == "'self'", what
    assert not [
        value for value in policy.values() if "unsafe" in value or "*" in value or "http" in value or "data:" in value
    ], what
    headers = answer.headers
    assert headers["x-content-type-options"] == "nosniff", what
    assert headers["x-frame-options"] == "DENY", what
    assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin", what
    assert headers["referrer-policy"] in {"same-origin", "no-referrer"}, what
    assert not {"server", "x-powered-by", "access-control-allow-origin"} & set(headers), what


@pytest.mark.parametrize("who", [None, "viewer", "admin"])
def test_every_answer_of_every_route(built: House, who: str | None) -> None:
    for rule in RULES:
        client = built.client(who)
        for path in (built.fill(rule.path), built.fill(rule.path, view="none", result_id="none", name="none", job_id="none")):
            answer = client.request(rule.method, path)
            assert_guarded(answer, f"{rule.method} {path}")
            kept = answer.headers.get("cache-control", "")
            assert "no-store" in kept or "private" in kept, f"{rule.method} {path}: {kept!r}"
            if "html" in answer.headers.get("content-type", ""):
                assert kept == "no-store", f"{rule.method} {path}: {kept!r}"


@pytest.mark.parametrize("path", ["/none", "/static/none", "/static/page.css", "/views/%00/picture", "/?" + "a" * 9000])
def test_errors_and_files_too(built: House, path: str) -> None:
    assert_guarded(built.client().get(path), path)
    assert_guarded(built.client(host="evil.example").get(path), path)
    assert_guarded(built.client().request("TRACE", path), path)


def test_cookies_are_for_this_page_alone(built: House) -> None:
    from tests.web.security.house import PASSWORD

    answer = built.client().post("/sign-in", data={"name": "viewer", "password": PASSWORD})
    assert answer.status_code == 303
    given = answer.headers.get_list("set-cookie")
    assert len(given) == 2
    for cookie in given:
        words = {word.strip().lower() for word in cookie.split(";")[1:]}
        assert {"httponly", "samesite=strict", "path=/"} <= words, cookie
        assert not [word for word in words if word.startswith("domain")], cookie


def test_signing_in_begins_a_session_of_its_own(built: House) -> None:
    """A token that was there before, an attacker's, is never taken over."""
    from tests.web.security.house import PASSWORD

    client = built.client()
    client.cookies.set(built.cookie, "fixed-by-an-attacker")
    client.post("/sign-in", data={"name": "viewer", "password": PASSWORD})
    tokens = [cookie.value for cookie in client.cookies.jar if cookie.name == built.cookie]
    assert built.site.sessions.find("fixed-by-an-attacker") is None
    assert any(token and built.site.sessions.find(token) for token in tokens)


def test_no_page_holds_a_script_or_a_style_of_its_own(built: House) -> None:
    import re

    client = built.client("admin")
    for rule in RULES:
        if rule.method == "GET":
            text = client.get(built.fill(rule.path)).text if "pdf" not in rule.path and "." not in rule.path else ""
            assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>", text), rule.path
            assert not re.search(r"<style|\sstyle=|\son[a-z]+=\"|javascript:", text), rule.path
            assert not re.search(r"(?:src|href|action)=\"(?:https?:)?//", text), rule.path
