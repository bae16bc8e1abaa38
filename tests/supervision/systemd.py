"""What systemd does with a service of Type=notify, as far as the station can tell: listens, and kills what falls silent."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.cli.running import ROOT

PATIENCE_S = 60.0


@dataclass
class Service:
    """One life of the service. watchdog_s: as it stands now; said: every line that it sent, in order, with when."""

    process: subprocess.Popen[str]
    inbox: socket.socket
    log: Path
    watchdog_s: float
    said: list[tuple[float, str]] = field(default_factory=list)
    killed_by_watchdog: bool = False
    ready: bool = False

    @property
    def lines(self) -> list[str]:
        return [line for _, line in self.said]

    @property
    def status(self) -> str:
        return next((line.removeprefix("STATUS=") for line in reversed(self.lines) if line.startswith("STATUS=")), "")

    @property
    def logged(self) -> str:
        return self.log.read_text()

    def until(self, condition: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
        """Listen until it is so; the service must not end before."""
        deadline = time.monotonic() + patience_s
        while not condition():
            assert self.process.poll() is None, f"it ended with {self.process.returncode}:\n{self.logged[-3000:]}"
            assert time.monotonic() < deadline, f"it never came true; last said {self.lines[-5:]}\n{self.logged[-3000:]}"
            self._listen(0.02)

    def ended(self, patience_s: float = PATIENCE_S) -> int:
        """Listen until it is over, killing it as systemd would; its exit status."""
        deadline = time.monotonic() + patience_s
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"it does not end: {self.lines[-5:]}\n{self.logged[-3000:]}"
            self._listen(0.02)
            fed = [when for when, line in self.said if line == "WATCHDOG=1"]
            if fed and time.monotonic() - fed[-1] > self.watchdog_s:
                self.killed_by_watchdog = True
                self.process.send_signal(signal.SIGABRT)
                self.process.wait(PATIENCE_S)
        return self.process.returncode

    def _listen(self, timeout_s: float) -> None:
        if not select.select([self.inbox], [], [], timeout_s)[0]:
            return
        for line in self.inbox.recv(65536).decode().splitlines():
            self.said.append((time.monotonic(), line))
            self.ready |= line == "READY=1"
            if line.startswith("WATCHDOG_USEC="):
                self.watchdog_s = int(line.split("=")[1]) / 1e6


@contextmanager
def service(
    config: Path, folder: Path, watchdog_s: float = 60.0, abstract: bool = False, **environment: str
) -> Iterator[Service]:
    """`lineclear run CONFIG` as a service; its log lies in `folder`. Whatever happens, it is over afterwards."""
    name = f"@lineclear-test-{os.getpid()}-{time.monotonic_ns()}" if abstract else str(folder / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as inbox:
        inbox.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        if not abstract:
            Path(name).unlink(missing_ok=True)
        inbox.bind("\0" + name[1:] if abstract else name)
        told = {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": str(int(watchdog_s * 1e6)), **environment}
        log = folder / f"log-{time.monotonic_ns()}"
        with log.open("w") as file:
            command = [sys.executable, "-m", "edge", "run", str(config)]
            process = subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=file, text=True, env={**os.environ, **told})
        try:
            yield Service(process, inbox, log, watchdog_s)
        finally:
            process.kill()
            process.wait(PATIENCE_S)
