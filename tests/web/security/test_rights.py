"""Every route: without a session, with too little right, with a forged token, from another site, without the form's token."""

from __future__ import annotations

from collections import Counter

import httpx
import pytest

from calibration.web.access import Role
from tests.web.security.house import HOME, PEOPLE, House, Visitor
from tests.web.security.routes import NEVER_ENDS, RANK, SAFE, Rule, rules, served

RULES = rules()
ACTING = [rule for rule in RULES if rule.method not in SAFE]
GUARDED = [rule for rule in RULES if rule.least != "nobody"]
ROLES = {user.name: user.role.value for user in PEOPLE if user.active and not user.views}
OWN_SESSION = ("/sign-out", "/me/sign-out-everywhere", "/me/lock", "/me/password")


def name_of(rule: Rule) -> str:
    return f"{rule.method} {rule.path}"


def sent(client: Visitor, house: House, rule: Rule, **more: object) -> httpx.Response:
    return client.request(rule.method, house.fill(rule.path), **more)


def is_refused(answer: httpx.Response) -> bool:
    """Sent to sign in, or told no."""
    to_sign_in = answer.status_code == 303 and answer.headers["location"].startswith("/sign-in")
    return to_sign_in or answer.status_code in {401, 403}


def test_every_route_has_a_rule_and_every_rule_a_route(built: House) -> None:
    here, written = set(served(built.app)), {(rule.method, rule.path) for rule in RULES}
    assert here == written, f"without a rule: {sorted(here - written)}; without a route: {sorted(written - here)}"
    assert not [item for item, count in Counter(served(built.app)).items() if count > 1]


def test_without_a_session_nothing_is_told(built: House) -> None:
    before = built.state()
    told = []
    for rule in GUARDED:
        page, script = built.client(), built.client(accept="application/json")
        if not is_refused(sent(page, built, rule)):
            told.append(name_of(rule))
        answer = sent(script, built, rule)
        if answer.status_code != 401 or set(answer.json()) - {"error", "what_to_do", "where", "locked", "sign_in"}:
            told.append(f"{name_of(rule)} as JSON: {answer.status_code}")
    assert not told
    assert built.state() == before


def test_an_address_says_nothing_to_strangers_about_what_there_is(built: House) -> None:
    """The same answer for a result, a view, a user that there is and one that there is not."""
    stranger = built.client()
    for rule in GUARDED:
        if "{" in rule.path:
            there = sent(stranger, built, rule)
            missing = stranger.request(rule.method, built.fill(rule.path, view="none", result_id="none", name="none"))
            assert (there.status_code, len(there.content)) == (missing.status_code, len(missing.content)), name_of(rule)


@pytest.mark.parametrize("who", sorted(ROLES))
def test_with_too_little_right_nothing_is_done(built: House, who: str) -> None:
    before = built.state()
    user = next(user for user in PEOPLE if user.name == who)
    wrong = []
    for rule in GUARDED:
        if rule.allows(user.role.value, may_release=user.may_release):
            continue
        for accept in ("text/html", "application/json"):
            answer = sent(built.client(who, accept=accept), built, rule)
            if answer.status_code != 403:
                wrong.append(f"{name_of(rule)}: {answer.status_code}")
    assert not wrong
    assert built.state() == before


@pytest.mark.parametrize("who", sorted(ROLES))
def test_with_enough_right_pages_are_shown(built: House, who: str) -> None:
    user = next(user for user in PEOPLE if user.name == who)
    client, wrong = built.client(who), []
    for rule in GUARDED:
        if rule.method in SAFE and rule.path != NEVER_ENDS and rule.allows(user.role.value, may_release=user.may_release):
            answer = sent(client, built, rule)
            if is_refused(answer) or answer.status_code >= 500:
                wrong.append(f"{name_of(rule)}: {answer.status_code} {answer.text[:300]}")
    assert not wrong


def tokens(built: House) -> dict[str, str]:
    """What is no token of a session."""
    token = built.site.sessions.begin("admin")
    ended = built.site.sessions.begin("admin")
    session = built.site.sessions.find(ended)
    assert session is not None
    built.site.sessions.end(session.id)
    return {
        "truncated": token[:-1],
        "longer": token + "A",
        "other case": token.swapcase(),
        "its hash": session.id,
        "signed out": ended,
        "of somebody switched off": built.site.sessions.begin("gone"),
        "of nobody": built.site.sessions.begin("nobody-of-this-name"),
        "empty": "",
        "quoted": f'"{token}x"',
        "sql": "' OR 1=1 --",
        "long": "A" * 5000,
        "json": '{"user": "admin"}',
        "jwt": "eyJhbGciOiJub25lIn0.eyJ1c2VyIjoiYWRtaW4ifQ.",
    }


def test_a_forged_token_opens_nothing(built: House) -> None:
    before = built.state()
    forged, told = tokens(built), []
    for rule in GUARDED:
        for kind, token in forged.items():
            client = built.client(cookie=f"{built.cookie}={token}")
            if not is_refused(sent(client, built, rule)):
                told.append(f"{name_of(rule)} {kind}")
    assert not told
    assert built.state() == before


def test_an_expired_session_and_a_locked_one_open_nothing(built: House) -> None:
    expired, locked = built.client("admin"), built.client("admin")
    sessions = {client: built.site.sessions.find(client.cookies[built.cookie]) for client in (expired, locked)}
    with built.site.users._database.changing() as database:
        database.execute("UPDATE sessions SET ends_s = 1 WHERE id = ?", (sessions[expired].id,))  # type: ignore[union-attr]
    built.site.sessions.lock(sessions[locked])  # type: ignore[arg-type]
    before = built.state()
    for rule in GUARDED:
        assert is_refused(sent(expired, built, rule)), name_of(rule)
        answer = sent(locked, built, rule)
        to_unlock = answer.status_code == 303 and answer.headers["location"].startswith("/unlock")
        assert to_unlock or answer.status_code == 401, (name_of(rule), answer.status_code)
    assert built.state() == before


@pytest.mark.parametrize("given", ["none", "wrong", "empty", "another's", "twice"])
def test_without_the_token_of_its_own_form_nothing_is_done(built: House, given: str) -> None:
    before = built.state()
    others = built.client("technician").headers["x-csrf-token"]
    for rule in ACTING:
        if rule.least == "nobody":
            continue
        client = built.client("admin" if rule.least != "releaser" else "technician")
        mine = client.headers.pop("x-csrf-token")
        value = {"none": None, "wrong": mine[::-1], "empty": "", "another's": others, "twice": f"{mine}, {mine}"}[given]
        if value is not None:
            client.headers["x-csrf-token"] = value
        answer = sent(client, built, rule)
        assert answer.status_code == 403, (name_of(rule), answer.status_code, answer.text[:200])
        form = sent(client, built, rule, data={"csrf": value or ""}) if given != "twice" else answer
        assert form.status_code == 403, name_of(rule)
    assert built.state() == before


FOREIGN = (
    {"origin": "http://evil.example", "sec-fetch-site": "cross-site"},
    {"origin": "http://evil.example"},
    {"origin": "null"},
    {"origin": "http://127.0.0.1:9"},
    {"origin": "https://127.0.0.1"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "cross-site"},
    {},
)


@pytest.mark.parametrize("headers", FOREIGN)
def test_another_site_changes_nothing_even_with_every_token(built: House, headers: dict[str, str]) -> None:
    before = built.state()
    for rule in ACTING:
        client = built.client("admin" if rule.least != "releaser" else "technician")
        for name in ("origin", "sec-fetch-site"):
            client.headers.pop(name)
        client.headers.update(headers)
        answer = sent(client, built, rule)
        assert answer.status_code == 403, (name_of(rule), answer.status_code)
    assert built.state() == before


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "127.0.0.1@evil.example", "", "localhost/evil", "[::"]
)
def test_by_another_name_the_page_says_nothing(built: House, host: str) -> None:
    for rule in RULES:
        client = built.client("admin", host=host, origin=HOME)
        assert sent(client, built, rule).status_code in {400, 421}, (name_of(rule), host)


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PATCH", "PROPFIND", "OPTIONS"])
def test_other_methods_do_nothing(built: House, method: str) -> None:
    before = built.state()
    for path in {rule.path for rule in RULES if rule.path != NEVER_ENDS}:
        answer = built.client("admin").request(method, built.fill(path))
        assert 400 <= answer.status_code < 500, (method, path, answer.status_code)
    assert built.state() == before


def test_the_ranks_are_the_roles() -> None:
    assert set(RANK) == {"nobody", *(role.value for role in Role)}
    assert set(ROLES.values()) == {role.value for role in Role}
    assert {rule.path for rule in RULES if rule.least == "nobody"} == {
        "/choose", "/first", "/sign-in", "/sign-out", "/unlock",
    }  # fmt: skip
