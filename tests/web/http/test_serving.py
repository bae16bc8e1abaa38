"""The process itself: `lineclear-calibrate serve` on a real socket, in the clear on loopback and with TLS."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
import uvicorn
import yaml

from calibration.__main__ import main
from calibration.web.serving import listening, tls_context, url_of, uvicorn_settings
from calibration.web.settings import PageSettings, PageTls
from edge.errors import ConfigError, StationBusy
from tests.cli.running import ROOT
from tests.web.parts import Rig, running_page

READY_S = 60.0


def certificate(folder: Path) -> tuple[Path, Path]:
    cert, key = folder / "page.crt", folder / "page.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", cert],
        check=True, capture_output=True,
    )  # fmt: skip
    key.chmod(0o600)
    cert.chmod(0o644)
    return cert, key


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def served(config: Path, **page: object) -> Iterator[tuple[subprocess.Popen[str], int, list[str]]]:
    """The process, its port, and what it said on both streams; ended by SIGTERM, with status 0."""
    port = free_port()
    config.with_suffix(".page.yaml").write_text(yaml.safe_dump({"port": port, **page}))
    command = [sys.executable, "-m", "calibration", "serve", "--config", str(config)]
    running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said: list[str] = []
    ready = threading.Event()

    def read() -> None:
        assert running.stdout is not None
        for line in running.stdout:
            said.append(line)
            if "page_started" in line:
                ready.set()
        ready.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        assert ready.wait(READY_S), said
        assert running.poll() is None, said
        yield running, port, said
        running.send_signal(signal.SIGTERM)
        assert running.wait(READY_S) == 0, said
    finally:
        running.kill()
        running.wait(READY_S)
        reader.join(READY_S)
        assert running.stdout is not None
        running.stdout.close()


def test_it_serves_prints_the_code_and_ends_in_order(config: Path) -> None:
    with served(config) as (running, port, said):
        answer = httpx.get(f"http://127.0.0.1:{port}/first", timeout=READY_S)
        assert answer.status_code == 200
        assert "server" not in answer.headers
        code = next(line for line in said if "first admin" in line).strip().rpartition(": ")[2]
        file = config.parent / "state" / "page" / "first-admin-code"
        assert file.read_text().strip() == code
        assert file.stat().st_mode & 0o777 == 0o600
        sockets = Path(f"/proc/{running.pid}/net/tcp").read_text()
        assert f"0100007F:{port:04X}" in sockets, "loopback alone"
    text = "".join(said)
    assert "page_stopped" in text
    assert "Traceback" not in text


@contextmanager
def threaded(rig: Rig) -> Iterator[int]:
    """The same server in a thread of this process; its port."""
    settings = rig.site.settings
    tls = tls_context(settings.tls) if settings.tls is not None else None
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(rig.app, **uvicorn_settings(settings, tls)))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(READY_S)
        assert not thread.is_alive()


def closed(connection: socket.socket) -> bool:
    """True once the other side has closed, without a word."""
    connection.settimeout(READY_S)
    with connection, suppress(ConnectionResetError):
        return connection.recv(10) == b""
    return True


def test_who_says_nothing_is_closed_and_nobody_takes_all_connections(config: Path) -> None:
    limits = {"header_s": 0.3, "connections_per_address": 4}
    with running_page(config, {"limits": limits}) as rig, threaded(rig) as port:
        silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(5)]
        assert all(closed(connection) for connection in silent)
        slow = socket.create_connection(("127.0.0.1", port))
        slow.sendall(b"GET /sign-in HTTP/1.1\r\nHost: loc")
        assert closed(slow)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=READY_S) as client:
            assert [client.get("/sign-in").status_code for _ in range(3)] == [200] * 3
            assert "server" not in client.get("/sign-in").headers


def test_headers_are_only_so_long(rig: Rig) -> None:
    with threaded(rig) as port, socket.create_connection(("127.0.0.1", port)) as raw:
        raw.settimeout(READY_S)
        with suppress(ConnectionResetError, BrokenPipeError):
            raw.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 70_000 + b"\r\n\r\n")
            assert raw.recv(100)[:10] in (b"HTTP/1.1 4", b"")


def test_tls_from_1_2_on_and_nothing_in_the_clear(config: Path, tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    page = {"tls": {"cert_file": str(cert), "key_file": str(key)}}
    with running_page(config, page) as rig, threaded(rig) as port:
        trusting = ssl.create_default_context(cafile=str(cert))
        answer = httpx.get(f"https://localhost:{port}/sign-in", verify=trusting, timeout=READY_S)
        assert answer.status_code == 200
        old = ssl.create_default_context(cafile=str(cert))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            old.minimum_version = ssl.TLSVersion.TLSv1
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"https://localhost:{port}/sign-in", verify=old, timeout=READY_S)
        with pytest.raises(httpx.HTTPError):
            httpx.get(f"http://localhost:{port}/sign-in", timeout=READY_S)


def test_a_key_that_others_read_is_refused(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    assert tls_context(PageTls(cert_file=cert, key_file=key)).minimum_version is ssl.TLSVersion.TLSv1_2
    key.chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        tls_context(PageTls(cert_file=cert, key_file=key))
    key.chmod(0o600)
    cert.chmod(0o666)
    with pytest.raises(ConfigError, match="can be written by others"):
        tls_context(PageTls(cert_file=cert, key_file=key))
    cert.write_text("no certificate")
    cert.chmod(0o644)
    with pytest.raises(ConfigError, match="PEM"):
        tls_context(PageTls(cert_file=cert, key_file=key))
    with pytest.raises(ConfigError, match="cannot be read"):
        tls_context(PageTls(cert_file=tmp_path / "none", key_file=key))


def test_a_port_that_is_taken_and_an_address_of_somebody_else() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(StationBusy, match="another port"):
            listening(PageSettings(port=taken.getsockname()[1]))
    settings = PageSettings.model_construct(host="203.0.113.1", port=8480)
    with pytest.raises(ConfigError, match="address of this machine"):
        listening(settings)


def test_where_it_is_found() -> None:
    assert url_of(PageSettings()) == "http://127.0.0.1:8480/"
    assert url_of(PageSettings(host="::1")) == "http://[::1]:8480/"


def test_check_and_a_code_for_who_forgot(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    umask = os.umask(0o022)
    try:
        assert main(["serve", "--config", str(config), "--check"]) == 0
        assert "http://127.0.0.1:8480/" in capsys.readouterr().out
        assert main(["serve", "--config", str(config), "--admin-code"]) == 0
        assert (config.parent / "state" / "page" / "first-admin-code").read_text().strip() in capsys.readouterr().out
        config.with_suffix(".page.yaml").write_text("host: 0.0.0.0\n")
        assert main(["serve", "--config", str(config), "--check"]) == 3
        assert "in the clear" in capsys.readouterr().err
    finally:
        os.umask(umask)


def test_without_the_extra_it_says_what_to_install(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "calibration.web.serving", raising=False)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert main(["serve", "--config", str(config)]) == 3
    assert "pip install 'lineclear[web]'" in capsys.readouterr().err
