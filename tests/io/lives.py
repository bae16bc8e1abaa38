"""A station process with its guard and its simulated relay, as a test handles them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil

from edge.io.simulated import Seen, look
from tests.io.building import RELAY, until

ROOT = Path(__file__).resolve().parents[2]


class Life:
    """One life of a station. Its file of lines outlives it."""

    def __init__(self, lines: Path, guard_ms: int = 2000) -> None:
        self.lines = lines
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.io.station_child", str(lines), str(guard_ms)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.guards: set[int] = set()
        until(lambda: self.state()["ill"] == "", "no guard took the lines")

    @property
    def pid(self) -> int:
        return self._process.pid

    def say(self, words: str) -> dict[str, Any]:
        """A command and its answer; {} where it ends the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(words + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        state: dict[str, Any] = json.loads(answer) if answer else {}
        if state.get("guard"):
            self.guards.add(state["guard"])
        return state

    def state(self) -> dict[str, Any]:
        return self.say("state")

    def release(self, sequence: int) -> None:
        """A fresh CLEAR, until the relay has it."""
        self.say(f"start r{sequence}")
        assert self.say(f"done {sequence} CLEAR r{sequence} 0")["permitted"]
        until(self.is_energised, "a fresh CLEAR did not release")

    def is_energised(self) -> bool:
        return self.relay().energised

    def relay(self) -> Seen:
        return look(self.lines)[RELAY]

    def shows(self, line: int) -> bool:
        return look(self.lines)[line].energised

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        """kill -9, and whatever was started ends."""
        self.signal(signal.SIGKILL)
        self.ended()

    def ended(self) -> None:
        """Wait until the process is over and no guard of it is left."""
        self._process.communicate()
        until(lambda: not any(map(_runs, self.guards)), "a guard outlived its station")


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
