"""The page's process: settings, socket, TLS, and uvicorn with limits, from start to the end that somebody asked for."""

from __future__ import annotations

import logging
import os
import socket
import ssl
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Final

import uvicorn
from typing_extensions import override

from calibration.web.access import Database, FirstAdmin
from calibration.web.application import make_app
from calibration.web.connections import GuardedConnection
from calibration.web.opening import first_admin_code, open_site, page_folder
from calibration.web.settings import PageSettings, PageTls, page_path_of, read_page_settings
from edge.cli.terminal import say
from edge.config import load_config
from edge.errors import ConfigError, StationBusy
from edge.logs import start_logging
from edge.schema import refuse_shared
from edge.supervision import bound_arenas

log = logging.getLogger(__name__)

MAX_HEADER_BYTES: Final = 32 * 1024
KEEP_ALIVE_S: Final = 30
GRACE_S: Final = 5
BACKLOG: Final = 128


def serve(config_path: Path, page_path: Path | None) -> int:
    """Serve until SIGTERM or Ctrl-C. ConfigError: settings, certificate or address; StationBusy: the port is taken."""
    bound_arenas()
    start_logging(logging.INFO)
    os.umask(os.umask(0o077) | 0o007)  # as the station: what is written is for its user and group; `page` is the user's alone
    settings = read_page_settings(config_path, page_path)
    tls = tls_context(settings.tls) if settings.tls is not None else None
    with listening(settings) as listener, open_site(config_path, page_path) as site:
        config = uvicorn.Config(make_app(site), **uvicorn_settings(settings, tls))
        code = first_admin_code(site)
        if code is not None:
            _show_code(code, site.first_admin.file)
        log.info("page_started url=%s station=%s", url_of(settings), site.name)
        server = _Server(config, site.mirror.close)
        try:
            server.run(sockets=[listener])
        except KeyboardInterrupt:  # uvicorn gives on the signal that ended it, once everything is closed
            if not server.should_exit:
                raise
        log.info("page_stopped station=%s", site.name)
    return 0


class _Server(uvicorn.Server):
    """Ends the streams of events first: each would hold up the end as long as it is open."""

    def __init__(self, config: uvicorn.Config, end_streams: Callable[[], None]) -> None:
        super().__init__(config)
        self._end_streams = end_streams

    @override
    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._end_streams()
        super().handle_exit(sig, frame)


def check(config_path: Path, page_path: Path | None) -> int:
    """Read everything that `serve` needs, and say where the page would be."""
    load_config(config_path)
    settings = read_page_settings(config_path, page_path)
    if settings.tls is not None:
        tls_context(settings.tls)
    said = page_path or page_path_of(config_path)
    say(f"{said if said.exists() else 'without a settings file'}: the page would be at {url_of(settings)}\n")
    return 0


def make_admin_code(config_path: Path) -> int:
    """A one-time code for a page that nobody can manage any more, or whose admin forgot the password."""
    folder = page_folder(Path(load_config(config_path).state_dir))
    database = Database(folder)
    first = FirstAdmin(database, folder)
    _show_code(first.make(), first.file)
    database.close()
    return 0


def url_of(settings: PageSettings) -> str:
    """Where a browser finds the page, as far as the settings tell."""
    if settings.behind_proxy is not None:
        return f"https://{settings.hosts[0]}/"
    host = settings.hosts[0] if settings.hosts else settings.host
    name = f"[{host}]" if ":" in host else host
    return f"{'https' if settings.tls else 'http'}://{name}:{settings.effective_port}/"


def listening(settings: PageSettings) -> socket.socket:
    """A socket at the address of the settings. StationBusy: somebody has it; ConfigError: this machine has no such one."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    where = f"{settings.host} port {settings.effective_port}"
    try:
        listener.bind((settings.host, settings.effective_port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == 98:
            remedy = "another page or program listens there: choose another port in the page's settings"
            raise StationBusy("is taken", where=where, remedy=remedy) from None
        remedy = "write an address of this machine (ip address), and a port above 1023"
        raise ConfigError(f"cannot be listened on ({error.strerror})", where=where, remedy=remedy) from None
    return listener


def tls_context(tls: PageTls) -> ssl.SSLContext:
    """TLS as the settings say. ConfigError: a file is absent or wrong, or others can read the key."""
    refuse_shared(tls.key_file, "tls.key_file")
    try:
        mode = tls.cert_file.stat().st_mode
    except OSError as error:
        raise ConfigError(f"cannot be read ({error.strerror})", where=str(tls.cert_file), remedy="check the path") from None
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        remedy = f"chmod go-w {tls.cert_file}"
        raise ConfigError("tls.cert_file can be written by others", where=str(tls.cert_file), remedy=remedy)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3 if tls.min_version == "1.3" else ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20")
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(tls.cert_file, tls.key_file, password=_no_password)
    except (OSError, ValueError) as error:
        remedy = "PEM files that belong together: the certificate with its chain, and its key without a password"
        raise ConfigError(f"cannot be used ({error})", where=str(tls.cert_file), remedy=remedy) from None
    return context


def _no_password() -> str:
    """Without this, OpenSSL would ask at a terminal for the password of a key that has one."""
    raise ValueError("the key has a password")


def uvicorn_settings(settings: PageSettings, tls: ssl.SSLContext | None) -> dict[str, Any]:
    """What uvicorn is told: nothing of its environment, no other protocol, and limits for everything."""
    found: dict[str, Any] = {
        "http": GuardedConnection.of(settings), "loop": "asyncio", "ws": "none", "lifespan": "off", "interface": "asgi3",
        "proxy_headers": False, "server_header": False, "access_log": False, "log_config": None,
        "limit_concurrency": settings.limits.connections, "timeout_keep_alive": KEEP_ALIVE_S, "backlog": BACKLOG,
        "h11_max_incomplete_event_size": MAX_HEADER_BYTES, "timeout_graceful_shutdown": GRACE_S,
    }  # fmt: skip
    if tls is not None:
        found["ssl_context_factory"] = lambda _config, _default: tls
    return found


def _show_code(code: str, file: Path) -> None:
    say(f"first admin of the page: open the page and enter this code within one hour: {code}\n(it stands in {file} too)\n")
    sys.stdout.flush()
