"""A doorbell between threads that `poll` can wait for beside a socket."""

from __future__ import annotations

import select
import socket
from contextlib import suppress


class Wakeup:
    """Any thread rings, one thread waits. Rings before the wait are not lost; many rings count as one."""

    def __init__(self) -> None:
        self.reader, self._writer = socket.socketpair()
        self.reader.setblocking(False)
        self._writer.setblocking(False)

    def ring(self) -> None:
        """Wake the waiting thread; does nothing after `close`."""
        with suppress(OSError):  # full: it is ringing already; closed: nobody waits
            self._writer.send(b"!")

    def clear(self) -> None:
        """Forget the rings so far."""
        with suppress(OSError):
            while self.reader.recv(4096):
                pass

    def wait(self, timeout_s: float) -> None:
        """Return at the next ring, or after the time-out."""
        poller = select.poll()
        poller.register(self.reader, select.POLLIN)
        poller.poll(timeout_s * 1000)
        self.clear()

    def close(self) -> None:
        """Give the descriptors back."""
        self.reader.close()
        self._writer.close()
