"""What systemd is told (sd_notify, sd_watchdog_enabled), with the standard library alone.

The protocol: https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import MutableMapping
from typing import Final

log = logging.getLogger(__name__)

_SOCKET: Final = "NOTIFY_SOCKET"
_WATCHDOG: Final = "WATCHDOG_USEC"
_WATCHDOG_PID: Final = "WATCHDOG_PID"
MAX_STATUS: Final = 400


class Notifier:
    """Tells the service manager how things are; where there is none, every method does nothing. Any thread; never blocks.

    address: a socket's path, or `@name` for an abstract one; "" for none. watchdog_s: how long systemd waits for a sign of
    life, None where it does not watch this process.
    """

    def __init__(self, address: str = "", watchdog_s: float | None = None) -> None:
        self.watchdog_s = watchdog_s
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._is_silent = False

    @classmethod
    def from_environment(cls, environment: MutableMapping[str, str]) -> Notifier:
        """As systemd started us. Its variables are taken out: no child of ours shall speak in our name."""
        address = environment.pop(_SOCKET, "")
        microseconds, pid = environment.pop(_WATCHDOG, ""), environment.pop(_WATCHDOG_PID, "")
        is_ours = not pid or pid == str(os.getpid())
        watched = is_ours and microseconds.isascii() and microseconds.isdigit() and int(microseconds) > 0
        if address and address[0] not in "/@":
            log.warning("systemd_not_told what=%s why=%s", address, "only unix sockets are supported")
            address = ""
        return cls(address, int(microseconds) / 1e6 if watched and address else None)

    @property
    def is_heard(self) -> bool:
        """True where a service manager listens."""
        return bool(self._address)

    def ready(self) -> None:
        """The service works, or says in its status why it does so only in part."""
        self._send("READY=1")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._send(f"STATUS={' '.join(text.split())[:MAX_STATUS]}")

    def stopping(self) -> None:
        """It was asked to stop and does."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """Work gets done."""
        self._send("WATCHDOG=1")

    def extend(self, seconds: float) -> None:
        """Starting (or stopping) takes so much longer, from now on."""
        self._send(f"EXTEND_TIMEOUT_USEC={int(seconds * 1e6)}")

    def watch_every(self, seconds: float) -> None:
        """From now on systemd waits so long for a sign of life. Does nothing where it does not watch us."""
        if self.watchdog_s is not None:
            self._send(f"WATCHDOG_USEC={int(seconds * 1e6)}", "WATCHDOG=1")

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as speaker:
                speaker.setblocking(False)
                speaker.sendto("\n".join(lines).encode("utf-8", "replace"), self._address)
            self._is_silent = False
        except OSError as error:  # a manager that is busy or restarts must not hold the station
            if not self._is_silent:
                log.warning("systemd_not_told what=%s why=%s", lines[0], error)
            self._is_silent = True
