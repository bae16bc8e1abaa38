"""A TCP relay between a station and a real broker that can be cut at any byte."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

from tests.mosquitto import WAIT_S


class CutWire:
    """Relays 127.0.0.1:`port` to the target. budgets: after how many bytes, both ways together, each connection is cut."""

    def __init__(self, target_port: int, budgets: Iterator[int] | None = None) -> None:
        self._target = target_port
        self._budgets = budgets
        self.cuts = 0
        self._mended = threading.Event()
        self._mended.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._links: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> CutWire:
        self._spawn(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._mended.clear()
        self._listener.shutdown(socket.SHUT_RDWR)
        self.cut()
        for thread in self._threads:
            thread.join(WAIT_S)
        self._listener.close()
        for link in self._links:
            link.close()

    def cut(self) -> None:
        """Both ends see the connection end, and new ones are refused."""
        self._mended.clear()
        for link in list(self._links):
            try:
                link.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def mend(self) -> None:
        self._mended.set()

    def _spawn(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if not self._mended.is_set():
                near.close()
                continue
            far = socket.create_connection(("127.0.0.1", self._target))
            self._links += [near, far]
            left = [next(self._budgets, 1 << 60) if self._budgets else 1 << 60]
            self._spawn(self._pump, near, far, left)
            self._spawn(self._pump, far, near, left)

    def _pump(self, source: socket.socket, sink: socket.socket, left: list[int]) -> None:
        try:
            while data := source.recv(65_536):
                allowed = left[0]
                left[0] -= len(data)
                sink.sendall(data[: max(allowed, 0)])
                if left[0] <= 0:
                    self.cuts += 1
                    break
        except OSError:
            pass
        for link in (source, sink):
            try:
                link.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
