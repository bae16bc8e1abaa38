"""Requests by hand over a socket: bodies that never end, that come slowly, that lie about their length."""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

CHUNK = 1 << 16
PATIENCE_S = 30.0


@dataclass(frozen=True)
class Answered:
    """status 0: the connection was closed without an answer. sent: bytes of the body that were taken. took_s: until then."""

    status: int
    head: str
    sent: int
    took_s: float


@contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    """A connection with patience."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as opened:
        yield opened


def head_of(method: str, path: str, port: int, *lines: str) -> bytes:
    """The first lines of a request, from the page's own origin."""
    origin = f"http://127.0.0.1:{port}"
    first = [
        f"{method} {path} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        f"Origin: {origin}",
        "Sec-Fetch-Site: same-origin",
        "Connection: close",
    ]
    return "\r\n".join([*first, *lines, "", ""]).encode()


def raw(port: int, data: bytes) -> Answered:
    """These bytes as they are; what came back until the connection was closed, or nothing came for a second."""
    started = time.monotonic()
    with connected(port) as opened:
        with contextlib.suppress(OSError):
            opened.sendall(data)
        return _answered(_rest(opened, 1.0), len(data), started)


def flood(port: int, path: str, total: int, *lines: str, chunked: bool = False, before: bytes = b"") -> Answered:
    """Send `total` bytes for as long as they are taken; what was answered. before: begins the body."""
    how = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {total + len(before)}"
    piece = b"a" * CHUNK
    framed = b"%x\r\n%s\r\n" % (CHUNK, piece) if chunked else piece
    started, sent, said = time.monotonic(), 0, b""
    with connected(port) as opened:
        opened.sendall(head_of("POST", path, port, how, *lines) + before)
        opened.setblocking(False)
        left = memoryview(b"")
        while sent < total and not said and time.monotonic() - started < PATIENCE_S:
            readable, writable, _ = select.select([opened], [opened], [], 1.0)
            if readable:
                said = _piece(opened) or b"\0"
            elif writable:
                left = left or memoryview(framed)
                try:
                    taken = opened.send(left)
                except OSError:
                    break
                sent, left = sent + taken, left[taken:]
        said += _rest(opened, PATIENCE_S if sent >= total else 2.0)
    return _answered(said, sent, started)


def drip(port: int, data: bytes, every_s: float = 0.1) -> Answered:
    """One byte of this now and then, until somebody has enough."""
    started, sent, said = time.monotonic(), 0, b""
    with connected(port) as opened:
        while not said and sent < len(data) and time.monotonic() - started < PATIENCE_S:
            if select.select([opened], [], [], every_s)[0]:
                said = _piece(opened) or b"\0"
                break
            try:
                opened.sendall(data[sent : sent + 1])
            except OSError:
                break
            sent += 1
        said += _rest(opened, 1.0)
    return _answered(said, sent, started)


def _piece(opened: socket.socket) -> bytes:
    try:
        return opened.recv(CHUNK)
    except OSError:
        return b""


def _rest(opened: socket.socket, patience_s: float) -> bytes:
    said = b""
    opened.settimeout(patience_s)
    while piece := _piece(opened):
        said += piece
    return said


def _answered(said: bytes, sent: int, started: float) -> Answered:
    head = said.lstrip(b"\0").split(b"\r\n\r\n")[0].decode("latin-1")
    parts = head.split()
    status = int(parts[1]) if len(parts) > 1 and parts[0].startswith("HTTP/") and parts[1].isdigit() else 0
    return Answered(status, head, sent, time.monotonic() - started)
