"""Hostile names in every part of every address, in every query and in every form: refused, never a fault, never a file."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.web.security.hostile import NAMES, in_path
from tests.web.security.house import House, names_in
from tests.web.security.routes import NEVER_ENDS, SAFE, rules

LEAKS = re.compile(
    r"root:x:0:0|\[fonts\]|Traceback|File \"|site-packages|/usr/lib/python|sqlite3\.|<script>alert|49\$\{|uvicorn"
)
KEEPS_SESSION = ("/sign-out", "/me/lock", "/me/sign-out-everywhere", "/me/password")
RULES = [rule for rule in rules() if rule.path != NEVER_ENDS and rule.path not in KEEPS_SESSION]


def fields_of(built: House, path: str, method: str) -> tuple[list[str], list[str]]:
    """Names of the query's and of the form's fields of a route, as its own description says."""
    operation = built.app.openapi()["paths"][re.sub(r":\w+}", "}", path)][method.lower()]
    query = [given["name"] for given in operation.get("parameters", ()) if given["in"] == "query"]
    content = operation.get("requestBody", {}).get("content", {})
    form: list[str] = []
    for kind in content.values():
        schema: dict[str, Any] = kind["schema"]
        if "$ref" in schema:
            schema = built.app.openapi()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        form += list(schema.get("properties", {}))
    return query, form


def assert_harmless(answer: Any, what: str) -> None:
    assert answer.status_code < 500 or answer.status_code == 503, f"{what}: {answer.status_code} {answer.text[:300]}"
    if "text" in answer.headers.get("content-type", "") or "json" in answer.headers.get("content-type", ""):
        found = LEAKS.search(answer.text)
        assert found is None, f"{what}: tells {found.group(0)!r}"
    assert "stolen" not in str(answer.headers), what


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_a_hostile_name_is_only_a_name(built: House, name: str) -> None:
    before = built.state()
    client = built.client("admin")
    for rule in RULES:
        for part in names_in(rule.path):
            path = built.fill(rule.path, **{part.partition(":")[0]: in_path(name) or "%20"})
            assert_harmless(client.request(rule.method, path), f"{rule.method} {path[:120]}")
    assert built.state() == before


@pytest.mark.parametrize("name", NAMES[::3], ids=range(len(NAMES[::3])))
def test_a_hostile_value_is_only_a_value(built: House, name: str) -> None:
    """As an admin whose views do not exist: what a form does with good addresses has tests of its own."""
    client = built.client("admin")
    for rule in RULES:
        query, form = fields_of(built, rule.path, rule.method)
        path = built.fill(rule.path, view="none", name="none", result_id="none")
        if query:
            answer = client.request(rule.method, path, params=dict.fromkeys(query, name))
            assert_harmless(answer, f"{rule.method} {path} query")
        if form and rule.method not in SAFE and not rule.path.startswith(("/users/new", "/choose")):
            answer = client.request(rule.method, path, data=dict.fromkeys(form, name))
            assert_harmless(answer, f"{rule.method} {path} form")


@pytest.mark.parametrize("path", [
    "/static/../settings.py", "/static/%2e%2e/settings.py", "/static/..%2fsettings.py", "/static//etc/passwd",
    "/static/%2fetc%2fpasswd", "/static/page.css%00.py", "/static/", "/static", "//etc/passwd", "/%00", "/..", "/.git/config",
    "/page.db", "/first-admin-code", "/static/" + "a/" * 500,
])  # fmt: skip
def test_no_file_but_those_of_the_page_is_sent(built: House, path: str) -> None:
    answer = built.client().get(path)
    assert answer.status_code in {303, 400, 401, 404, 405}, (path, answer.status_code)
    assert_harmless(answer, path)


@pytest.mark.parametrize("next_", [
    "//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)",
    "/%0d%0aSet-Cookie:a=b",
    "/\t/evil.example", "///evil.example", "/\r\nSet-Cookie: stolen=1", "data:text/html,x", " //evil.example",
])  # fmt: skip
def test_nobody_is_led_elsewhere(built: House, next_: str) -> None:
    client = built.client()
    page = client.get("/sign-in", params={"next": next_})
    answer = client.post("/choose", data={"language": "en", "theme": "dark", "next": next_})
    for one in (page, answer):
        assert_harmless(one, next_)
        target = one.headers.get("location", "/")
        assert target.startswith("/"), target
        assert not target.startswith(("//", "/\\")), target
    assert "evil.example" not in page.text
