"""Bodies exactly at their limit and one over it, however they come: in pieces, without a length, with a length that lies."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.web import application
from calibration.web.http.bodies import MAX_QUERY_BYTES, Bodies, BodyTooLarge, UploadRoutes
from calibration.web.settings import LimitSettings
from tests.web.http.test_limits import SMALL, Probe
from tests.web.http.test_serving import READY_S, threaded
from tests.web.parts import Rig, running_page

LIMITS = LimitSettings(body_bytes=10_000, upload_bytes=100_000)
AT, OVER = 10_000, 10_001
NOWHERE = UploadRoutes(())
Scope = MutableMapping[str, Any]


def asked(pieces: list[int], declared: bytes | None, *, query: int = 0, reads: bool = True) -> tuple[int | None, str, str]:
    """(bytes that the application got, None for too large; status; what the answer says of the connection)."""
    got: list[int] = []
    answers: list[Any] = []

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        taken, more = 0, reads
        try:
            while more:
                message = await receive()
                taken += len(message.get("body", b""))
                more = message.get("more_body", False)
            got.append(taken)
        except BodyTooLarge:
            pass
        await send({"type": "http.response.start", "status": 200, "headers": []})

    waiting = [
        {"type": "http.request", "body": b"x" * size, "more_body": number < len(pieces) - 1}
        for number, size in enumerate(pieces)
    ]

    async def receive() -> Any:
        return waiting.pop(0)

    async def send(message: Any) -> None:
        answers.append(message)

    headers = [(b"content-length", declared)] if declared is not None else [(b"transfer-encoding", b"chunked")]
    scope = {"type": "http", "method": "POST", "path": "/x", "query_string": b"q" * query, "headers": headers}
    guard: Any = Bodies(app, LIMITS, lambda _: NOWHERE, lambda _: True)
    asyncio.run(guard(scope, receive, send))
    said = dict(answers[0]["headers"])
    return (got[0] if got else None), str(answers[0]["status"]), said.get(b"connection", b"").decode()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 6).flatmap(lambda around: st.tuples(st.just(AT - 3 + around), st.lists(st.integers(0, AT), max_size=6))))
def test_without_a_length_it_is_counted_to_the_byte(case: tuple[int, list[int]]) -> None:
    total, cuts = case
    ends = sorted({min(cut, total) for cut in cuts} | {total})
    pieces = [end - begin for begin, end in zip([0, *ends], ends, strict=False)]
    got, _, connection = asked(pieces, None)
    assert sum(pieces) == total
    assert got == (total if total <= AT else None)
    assert connection == ("" if total <= AT else "close"), "what was not read to its end closes"


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2 * AT), st.integers(0, 2 * AT))
def test_whichever_is_larger_counts_what_is_said_or_what_comes(declared: int, total: int) -> None:
    got, _, _ = asked([total], str(declared).encode())
    assert got == (total if max(declared, total) <= AT else None)


@pytest.mark.parametrize(
    "declared", [b"-1", b"+5", b"1e3", b"0x10", b" ", b"", b"9" * 30, b"5, 5", b"5.0", "²".encode("latin1")]
)
def test_a_length_that_is_no_number_is_too_large(declared: bytes) -> None:
    assert asked([5], declared)[0] is None


def test_at_the_limit_and_one_over() -> None:
    assert asked([AT], str(AT).encode()) == (AT, "200", "")
    assert asked([OVER], str(OVER).encode()) == (None, "200", "close")
    assert asked([AT, 1], None)[0] is None
    assert asked([AT, 0], None)[0] == AT
    assert asked([5], b"5", reads=False)[2] == "close", "who does not read it all closes"
    assert asked([5], b"5", query=MAX_QUERY_BYTES)[1] == "200"
    assert asked([5], b"5", query=MAX_QUERY_BYTES + 1)[1:] == ("414", "close")


@pytest.fixture
def port(config: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    real = application._pages
    monkeypatch.setattr(application, "_pages", lambda: [*real(), Probe])
    with running_page(config, {"limits": {**SMALL, "body_s": 1}}) as rig, threaded(rig) as listening:
        yield listening


def head(port: int, *lines: str) -> bytes:
    origin = f"127.0.0.1:{port}"
    given_ = ["POST /probe/body HTTP/1.1", f"Host: {origin}", f"Origin: http://{origin}", "Accept: application/json", *lines]
    return "\r\n".join([*given_, "", ""]).encode()


def answered(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """One answer of the server."""
    with connection.makefile("rb") as stream:
        status = int(stream.readline().split()[1])
        said: dict[str, str] = {}
        while (line := stream.readline().strip()) != b"":
            name, _, value = line.decode().partition(":")
            said[name.lower()] = value.strip()
        return status, said, stream.read(int(said.get("content-length", "0")))


def talk(port: int, *sent: bytes) -> tuple[int, dict[str, str], bytes]:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(READY_S)
        for part in sent:
            connection.sendall(part)
        return answered(connection)


def chunk(size: int) -> bytes:
    return f"{size:x}\r\n".encode() + b"x" * size + b"\r\n"


def test_on_a_socket(port: int) -> None:
    for sent, status in (
        ((head(port, f"Content-Length: {AT}"), b"x" * AT), 200),
        ((head(port, f"Content-Length: {OVER}"),), 413),
        ((head(port, "Transfer-Encoding: chunked"), chunk(AT - 1), chunk(1), b"0\r\n\r\n"), 200),
        ((head(port, "Transfer-Encoding: chunked"), chunk(AT), chunk(1)), 413),
        ((head(port, "Content-Length: 5", "Content-Length: 6"), b"xxxxx"), 400),
        ((head(port, "Content-Length: five"), b"xxxxx"), 400),
        ((head(port, "Content-Length: -5"), b"xxxxx"), 400),
        ((head(port, "Transfer-Encoding: chunked"), b"zz\r\nxx\r\n"), 400),
    ):
        got, said, body = talk(port, *sent)
        assert got == status, sent
        assert said.get("connection") == ("close" if status != 200 else None) or status == 200
        if status == 200:
            assert json.loads(body) == {"bytes": AT}


def test_who_promises_more_than_comes_is_not_waited_for(port: int) -> None:
    status, said, _ = talk(port, head(port, "Content-Length: 100"), b"only this")
    assert (status, said["connection"]) == (408, "close")


def test_who_says_less_than_comes_is_heard_for_what_was_said(port: int) -> None:
    status, _, body = talk(port, head(port, "Content-Length: 3"), b"xxx" + b"y" * 20)
    assert (status, json.loads(body)) == (200, {"bytes": 3})


def test_who_asks_before_sending_is_told_to_go_on_only_where_it_may(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(READY_S)
        connection.sendall(head(port, f"Content-Length: {AT}", "Expect: 100-continue"))
        assert connection.recv(1000).startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
        connection.sendall(b"x" * AT)
        assert json.loads(answered(connection)[2]) == {"bytes": AT}
    status, said, _ = talk(port, head(port, f"Content-Length: {OVER}", "Expect: 100-continue"))
    assert (status, said["connection"]) == (413, "close"), "nobody is told to send what will not be read"


def test_who_leaves_in_the_middle_leaves_no_trace_of_a_fault(port: int, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(head(port, "Content-Length: 9000") + b"x" * 10)
    assert talk(port, head(port, "Content-Length: 1"), b"x")[0] == 200
    assert "page_failed" not in caplog.text
    assert "Traceback" not in caplog.text


def test_a_large_form_to_the_sign_in_is_not_read(config: Any) -> None:
    with running_page(config, {"limits": SMALL}) as rig:
        assert _sign_in(rig, AT + 1000) == 413
        assert _sign_in(rig, 500) == 403


def _sign_in(rig: Rig, size: int) -> int:
    return rig.browser().post("/sign-in", {"name": "anna", "password": "x" * size}).status_code
