"""A helper process: messages both ways, nonsense, and how it ends when the station does."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.sidecar import MAX_MESSAGE_BYTES, Link, Sidecar, SidecarGone
from tests.io.building import until

ROOT = Path(__file__).resolve().parent.parent
ECHO = "tests.sidecar_child"


@pytest.fixture
def pair() -> Iterator[tuple[Link, socket.socket]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        link = Link(ours)
        yield link, theirs
        link.close()


@pytest.fixture
def helper() -> Iterator[Sidecar]:
    sidecar = Sidecar(ECHO, "echo")
    yield sidecar
    if sidecar.link.fileno() >= 0:
        sidecar.end(0.0)


def heard(sidecar: Sidecar) -> dict[str, object]:
    while (message := sidecar.link.receive()) is None:
        sidecar.wait(10)
    return message


def test_messages_keep_their_borders(pair: tuple[Link, socket.socket]) -> None:
    link, theirs = pair
    other = Link(theirs.dup())
    for number in range(3):
        assert other.send({"number": number, "text": "Ü\n" * number})
    assert [link.receive() for _ in range(4)] == [*({"number": n, "text": "Ü\n" * n} for n in range(3)), None]
    other.close()


@pytest.mark.parametrize("nonsense", [b"{", b"[1]", b"7", b"\xff\xfe", b"[" * 50_000])
def test_who_talks_nonsense_is_gone(pair: tuple[Link, socket.socket], nonsense: bytes) -> None:
    link, theirs = pair
    theirs.send(nonsense)
    with pytest.raises(SidecarGone):
        link.receive()


def test_who_does_not_read_blocks_nobody(pair: tuple[Link, socket.socket]) -> None:
    link, _ = pair
    sent = 0
    while link.send({"text": "x" * 1000}):
        sent += 1
        assert sent < 100_000
    assert sent > 0


def test_a_closed_end_and_a_message_that_is_too_long(pair: tuple[Link, socket.socket]) -> None:
    link, theirs = pair
    with pytest.raises(ValueError, match="does not fit"):
        link.send({"text": "x" * MAX_MESSAGE_BYTES})
    theirs.close()
    for talk in (link.receive, lambda: link.send({})):
        with pytest.raises(SidecarGone):
            talk()


def test_a_helper_answers_and_ends_when_its_link_is_closed(helper: Sidecar) -> None:
    assert helper.link.send({"say": "hello"})
    assert heard(helper) == {"said": "hello", "name": "echo"}
    assert not helper.has_exited()
    assert helper.end(10) == "ended with code 0"


@pytest.mark.parametrize(("how", "said"), [(signal.SIGKILL, "SIGKILL"), (signal.SIGTERM, "SIGTERM")])
def test_how_it_ended_is_said(helper: Sidecar, how: int, said: str) -> None:
    helper.link.send({"say": "hello"})
    heard(helper)
    os.kill(helper.pid, how)
    assert helper.has_exited(10)
    with pytest.raises(SidecarGone):
        helper.link.receive()
    assert helper.end(0) == f"was ended by {said}"


def test_one_that_hangs_is_killed(helper: Sidecar) -> None:
    helper.link.send({"say": "hello"})
    heard(helper)
    os.kill(helper.pid, signal.SIGSTOP)
    assert helper.end(0.05) == "was killed"


def test_when_the_station_is_killed_even_a_helper_that_hangs_is_gone() -> None:
    station = subprocess.Popen(
        [sys.executable, "-m", ECHO, "station"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert station.stdout is not None
    pid = int(station.stdout.readline())
    os.kill(pid, signal.SIGSTOP)
    station.kill()
    station.communicate()
    until(lambda: not _runs(pid), "the helper outlived its station")


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False
