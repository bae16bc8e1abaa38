"""The page's real process on a socket: bodies of 100 MB, slow ones, many at once. It refuses, and takes no memory for it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Final

import httpx
import psutil
import pytest
import yaml

from tests.mosquitto import free_port
from tests.web.browser.plant import PageProcess
from tests.web.security.house import House
from tests.web.security.routes import SAFE, Rule, rules
from tests.web.security.wire import Answered, drip, flood, head_of, raw

LARGE = 100_000_000
LIMITS: Final = {
    "body_s": 1.0,
    "header_s": 1.0,
    "upload_s": 20.0,
    "connections_per_address": 30,
    "per_address": 240,
    "burst": 250,
}
GROWTH = 24_000_000
SLACK_S = 4.0
UPLOAD = "/calibrate/feeder/frames/upload"
FORM = 'Content-Type: multipart/form-data; boundary="B"'


@pytest.fixture(scope="module")
def page(built: House) -> Iterator[PageProcess]:
    """`lineclear-calibrate serve` on the same station, with its own limits but for the times."""
    port = free_port()
    settings = built.folder / "wire.page.yaml"
    settings.write_text(yaml.safe_dump({"port": port, "limits": LIMITS}))
    process = PageProcess(built.folder / "station.yaml", settings, port)
    yield process
    settings.unlink()
    process.end()


def signed(built: House, who: str = "technician") -> tuple[str, str]:
    """The lines of a signed-in browser's request."""
    token = built.site.sessions.begin(who)
    session = built.site.sessions.find(token)
    assert session is not None
    return f"Cookie: {built.cookie}={token}", f"X-CSRF-Token: {session.csrf}"


def takes_uploads(built: House, rule: Rule) -> bool:
    """True where a large body may come from somebody who is signed in."""
    return bool(built.app.state.uploads.has(rule.method, built.fill(rule.path)))


def grown(page: PageProcess, act: Callable[[], object]) -> int:
    """By how many bytes the process grew."""
    process = psutil.Process(page.process.pid)
    before = process.memory_info().rss
    act()
    return process.memory_info().rss - before


def assert_sound(page: PageProcess) -> None:
    assert page.process.poll() is None, "".join(page.said)
    assert httpx.get(page.url + "/sign-in", timeout=20).status_code == 200


@pytest.mark.parametrize("chunked", [False, True])
def test_a_hundred_megabytes_are_refused_wherever_they_go(built: House, page: PageProcess, chunked: bool) -> None:
    httpx.get(page.url + "/sign-in", timeout=20)
    answers: dict[str, Answered] = {}

    def send() -> None:
        for lines in ((), signed(built)):
            for rule in rules():
                if rule.method not in SAFE and not takes_uploads(built, rule):
                    path = built.fill(rule.path)
                    answers[f"{path} {len(lines)}"] = flood(page.port, path, LARGE, *lines, chunked=chunked)

    assert grown(page, send) < GROWTH
    wrong = {
        path: answer
        for path, answer in answers.items()
        if answer.status not in {0, 200, 303, 401, 403, 404, 409, 410, 413, 422, 429}
    }
    assert not wrong
    assert not {path: answer for path, answer in answers.items() if answer.sent > 12_000_000}
    assert sum(answer.status == 413 for answer in answers.values()) >= 3
    assert_sound(page)


def test_nobody_is_asked_for_an_upload_before_they_sign_in(page: PageProcess) -> None:
    answer = flood(page.port, UPLOAD, LARGE, FORM)
    assert answer.status in {0, 303, 401, 403, 413}
    assert answer.sent < 12_000_000


def test_an_upload_of_a_hundred_megabytes_goes_to_the_disk_and_away_again(built: House, page: PageProcess) -> None:
    begin = b'--B\r\nContent-Disposition: form-data; name="files"; filename="../../x.zip"\r\n\r\n'
    taken: list[Answered] = []
    growth = grown(page, lambda: taken.append(flood(page.port, UPLOAD, LARGE, FORM, *signed(built), before=begin)))
    assert growth < GROWTH
    assert taken[0].status in {303, 400, 404, 409, 413, 422}, taken
    uploads = built.site.folder / "uploads"
    assert not (list(uploads.iterdir()) if uploads.exists() else [])
    assert_sound(page)


def test_a_body_that_drips_is_not_waited_for(built: House, page: PageProcess) -> None:
    form = "Content-Type: application/x-www-form-urlencoded"
    head = head_of("POST", "/clearance", page.port, form, "Content-Length: 100000", *signed(built))
    with socket.create_connection(("127.0.0.1", page.port), 10) as opened:
        opened.sendall(head)
        opened.settimeout(LIMITS["body_s"] + SLACK_S)
        assert opened.recv(100).split()[1:2] in ([b"408"], []), "waits for ever"
    assert_sound(page)


def test_a_head_that_drips_is_not_waited_for(page: PageProcess) -> None:
    answer = drip(page.port, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: " + b"a" * 1000)
    assert answer.took_s < LIMITS["header_s"] + SLACK_S, answer
    assert answer.status in {0, 400, 408}
    assert_sound(page)


def test_connections_of_one_address_are_counted(page: PageProcess) -> None:
    with ExitStack() as stack:
        many = range(LIMITS["connections_per_address"] * 3)
        opened = [stack.enter_context(socket.create_connection(("127.0.0.1", page.port), 10)) for _ in many]
        closed = 0
        for one in opened:
            one.settimeout(LIMITS["header_s"] + SLACK_S)
            try:
                closed += one.recv(10) in {b"", b"HTTP/1.1 4", b"HTTP/1.1 5"}
            except OSError:
                closed += 1
        assert closed == len(opened), "idle connections stay for ever"
    assert_sound(page)


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: %s\r\n" % (n, b"a" * 900) for n in range(300)) + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x",
        b"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\n" * 100_000,
    ],
    ids=range(12),
)
def test_what_is_no_request_is_refused(page: PageProcess, data: bytes) -> None:
    assert raw(page.port, data).status in {0, 400, 403, 408, 411, 414, 421, 431, 505}
    assert_sound(page)


def test_who_asks_too_often_is_told_to_wait(page: PageProcess) -> None:
    with httpx.Client(base_url=page.url, timeout=20) as client:
        for _ in range(2 * LIMITS["burst"]):
            answer = client.get("/me")
            if answer.status_code == 429:
                break
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) >= 1
