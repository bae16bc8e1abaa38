"""What stands in every answer, and which requests come in at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from calibration.web.http.assets import asset
from calibration.web.http.headers import FIXED
from calibration.web.http.origin import host_of
from tests.web.parts import HOST, PASSWORD, Browser, Rig, running_page


@pytest.mark.parametrize("path", ["/sign-in", "/me", "/nowhere", "/users", "/static/page.css", "/static/none.css", "/static/"])
def test_every_answer_has_the_headers_and_tells_nothing_of_the_server(nobody: Browser, viewer: Browser, path: str) -> None:
    for browser in (nobody, viewer):
        answer = browser.get(path, follow_redirects=False)
        for name, value in FIXED.items():
            assert answer.headers[name] == value
        assert "server" not in answer.headers
        assert "x-powered-by" not in answer.headers
        assert answer.headers["cache-control"] == "no-store" or path.startswith("/static")


def test_also_what_is_refused_before_anybody_looks(nobody: Browser) -> None:
    for answer in (nobody.client.get("/", headers={"Host": "evil"}), nobody.client.post("/sign-in")):
        assert answer.status_code in (421, 403)
        assert answer.headers["content-security-policy"] == FIXED["Content-Security-Policy"]


def test_nothing_on_a_page_is_inline(admin: Browser, nobody: Browser) -> None:
    pages = [admin.get(path).text for path in ("/me", "/users", "/users/new", "/users/otto", "/nowhere")] + [
        nobody.get("/sign-in").text
    ]
    for text in pages:
        assert " style=" not in text
        assert "<style" not in text
        assert " onclick=" not in text
        assert "javascript:" not in text
        assert text.count("<script") == text.count("<script src=")
        assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
        assert "https://" not in text


def test_the_csp_allows_no_inline_and_no_other_host() -> None:
    csp = FIXED["Content-Security-Policy"]
    assert csp.startswith("default-src 'none'")
    assert "unsafe" not in csp
    assert "http" not in csp
    assert "*" not in csp


def test_files_with_their_hash_may_be_kept(nobody: Browser) -> None:
    assert "immutable" in nobody.get(asset("page.css")).headers["cache-control"]
    for path in ("/static/page.css", "/static/page.css?v=0000", "/static/page.css?x=1"):
        assert nobody.get(path).headers["cache-control"] == "no-store"
    with pytest.raises(FileNotFoundError):
        asset("no-such-file.css")


@pytest.mark.parametrize(
    "path", ["/static/../settings.py", "/static/%2e%2e/settings.py", "/static//etc/passwd", "/static/..%2f..%2fsettings.py"]
)
def test_no_file_from_elsewhere(nobody: Browser, path: str) -> None:
    assert nobody.get(path).status_code == 404


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json"])
def test_there_is_no_documentation_of_routes(nobody: Browser, admin: Browser, path: str) -> None:
    assert nobody.get(path).status_code == 404
    assert admin.get(path).status_code == 404


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "127.0.0.1@evil", "", "localhost/", "[::2]", "[", "a b"]
)
def test_other_names_are_not_answered(nobody: Browser, host: str) -> None:
    assert nobody.client.get("/sign-in", headers={"Host": host}).status_code == 421


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8480", "127.0.0.1:9999", "[::1]:8480"])
def test_own_names_are(nobody: Browser, host: str) -> None:
    assert nobody.client.get("/sign-in", headers={"Host": host}).status_code == 200


def test_host_names() -> None:
    assert host_of("Box.Example:8443") == "box.example"
    assert host_of("[FE80::1]:80") == "fe80::1"
    assert host_of("a#b") == host_of("[::1") == ""


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PATCH", "PROPFIND", "OPTIONS"])
def test_other_methods_are_not_there(admin: Browser, method: str) -> None:
    assert admin.client.request(method, "/me", headers={"Origin": admin.origin}).status_code == 405


def test_cookies_are_for_this_page_alone(nobody: Browser) -> None:
    answer = nobody.post("/sign-in", {"name": "anna", "password": PASSWORD}, follow_redirects=False)
    cookies = answer.headers.get_list("set-cookie")
    assert len(cookies) == 2
    for cookie in cookies:
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert "Path=/" in cookie
        assert "Domain" not in cookie
        assert "Secure" not in cookie


def test_with_tls_they_are_secure_and_of_this_host(config: Path) -> None:
    page = {"behind_proxy": {"trusted": ["10.0.0.1"]}, "hosts": ["box.example"]}
    with running_page(config, page) as rig:
        browser = rig.browser(host="box.example", address="10.0.0.1")
        browser.origin = "https://box.example"
        answer = browser.post(
            "/sign-in", {"name": "anna", "password": PASSWORD}, follow_redirects=False,
            headers={"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.168.1.7"},
        )  # fmt: skip
        assert answer.status_code == 303, answer.text
        for cookie in answer.headers.get_list("set-cookie"):
            assert cookie.startswith("__Host-lineclear-")
            assert "Secure" in cookie
        assert rig.site.sessions.of("anna")[0].address == "192.168.1.7"


def test_forwarded_headers_of_anybody_else_count_for_nothing(config: Path) -> None:
    page = {"behind_proxy": {"trusted": ["10.0.0.1"]}, "hosts": ["box.example"]}
    with running_page(config, page) as rig:
        browser = rig.browser(host="box.example", address="10.0.0.2")
        browser.origin = "https://box.example"
        headers = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "127.0.0.1"}
        assert browser.post("/sign-in", {"name": "anna", "password": PASSWORD}, headers=headers).status_code == 403
        browser.origin = "http://box.example"
        browser.post("/sign-in", {"name": "anna", "password": PASSWORD}, headers=headers)
        assert [session.address for session in rig.site.sessions.of("anna")] == ["10.0.0.2"]


def test_hsts_only_where_it_is_asked_for(rig: Rig) -> None:
    from calibration.web.http.headers import Headers
    from calibration.web.settings import PageSettings, PageTls

    assert "strict-transport-security" not in rig.browser().get("/sign-in").headers
    tls = PageTls(cert_file=Path("c"), key_file=Path("k"), hsts_days=2)
    made = Headers(rig.app, PageSettings(tls=tls))
    assert made._fixed["Strict-Transport-Security"] == "max-age=172800"
    assert HOST
