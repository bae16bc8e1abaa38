"""sd_notify against a real socket, and what systemd puts into the environment."""

import os
import socket
from pathlib import Path

import pytest

from edge.supervision import Notifier


def listening(address: str) -> socket.socket:
    inbox = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    inbox.bind(address)
    inbox.settimeout(10)
    return inbox


@pytest.mark.parametrize("abstract", [False, True])
def test_every_message_arrives_in_files_and_in_the_abstract(tmp_path: Path, abstract: bool) -> None:
    name = f"@lineclear-{os.getpid()}-{tmp_path.name}" if abstract else str(tmp_path / "notify")
    with listening("\0" + name[1:] if abstract else name) as inbox:
        notifier = Notifier(name, watchdog_s=2.5)
        notifier.ready()
        notifier.status("two\nlines\tand " + "x" * 1000)
        notifier.alive()
        notifier.extend(1.5)
        notifier.watch_every(30)
        notifier.stopping()
        said = [inbox.recv(65536).decode() for _ in range(6)]
    assert said[0] == "READY=1"
    assert said[1].startswith("STATUS=two lines and xxx")
    assert len(said[1]) <= 410
    assert said[2:] == ["WATCHDOG=1", "EXTEND_TIMEOUT_USEC=1500000", "WATCHDOG_USEC=30000000\nWATCHDOG=1", "STOPPING=1"]


@pytest.mark.parametrize(
    ("environment", "watchdog_s"),
    [
        ({"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "3000000"}, 3.0),
        ({"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}, 3.0),
        ({"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}, None),
        ({"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "0"}, None),
        ({"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "soon"}, None),
        ({"NOTIFY_SOCKET": "/run/x"}, None),
        ({"WATCHDOG_USEC": "3000000"}, None),
        ({"NOTIFY_SOCKET": "vsock:2:1234", "WATCHDOG_USEC": "3000000"}, None),
        ({}, None),
    ],
)
def test_the_environment_says_who_watches(environment: dict[str, str], watchdog_s: float | None) -> None:
    given = {**environment, "PATH": "/bin"}
    notifier = Notifier.from_environment(given)
    assert notifier.watchdog_s == watchdog_s
    assert notifier.is_heard is (environment.get("NOTIFY_SOCKET", "").startswith("/"))
    assert given == {"PATH": "/bin"}, "no child may speak in the station's name"


def test_nobody_there_is_logged_once_and_harms_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Notifier().ready()
    assert not caplog.records
    gone = Notifier(str(tmp_path / "gone"))
    for _ in range(3):
        gone.alive()
    assert len([record for record in caplog.records if "systemd_not_told" in record.message]) == 1


def test_a_service_manager_that_does_not_read_never_blocks(tmp_path: Path) -> None:
    with listening(str(tmp_path / "notify")):
        notifier = Notifier(str(tmp_path / "notify"))
        for _ in range(2000):
            notifier.status("x" * 300)


def test_a_watchdog_that_nobody_set_is_not_changed(tmp_path: Path) -> None:
    with listening(str(tmp_path / "notify")) as inbox:
        notifier = Notifier(str(tmp_path / "notify"))
        notifier.watch_every(5)
        notifier.ready()
        assert inbox.recv(100) == b"READY=1"
