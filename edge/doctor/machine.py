"""The machine as files below a root and as programs that answer: /proc and /sys here, a recorded tree in a test."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

MAX_BYTES: Final = 256 * 1024
TOOL_S: Final = 4.0


@dataclass(frozen=True)
class Answer:
    """What a program said. status: its exit status."""

    status: int
    out: str
    err: str = ""


def run_tool(command: tuple[str, ...]) -> Answer | None:
    """The program's answer; None where it is not installed, cannot be run, or does not answer in TOOL_S."""
    environment = {**os.environ, "LC_ALL": "C", "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/local/sbin"}
    try:
        done = subprocess.run(
            command, capture_output=True, stdin=subprocess.DEVNULL, timeout=TOOL_S, check=False, env=environment
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    out, err = (text[:MAX_BYTES].decode("utf-8", "replace") for text in (done.stdout, done.stderr))
    return Answer(done.returncode, out, err)


@dataclass(frozen=True)
class Machine:
    """root: where /proc, /sys, /etc, /run lie. tools: runs a program. environment: variables of this process."""

    root: Path = Path("/")
    tools: Callable[[tuple[str, ...]], Answer | None] = run_tool
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)

    @property
    def is_this_one(self) -> bool:
        """False for a recorded tree: what is no file must not be asked of the machine that the test runs on."""
        return self.root == Path("/")

    def at(self, path: str) -> Path:
        """That file of the machine."""
        return self.root / path.lstrip("/")

    def text(self, path: str) -> str | None:
        """A file's text without blanks around it; None where there is none or it cannot be read."""
        try:
            with self.at(path).open("rb") as file:
                return file.read(MAX_BYTES).decode("utf-8", "replace").strip()
        except (OSError, ValueError):
            return None

    def number(self, path: str) -> int | None:
        """A file that holds a whole number; None for anything else."""
        return whole(self.text(path))

    def names(self, path: str, prefix: str = "") -> tuple[str, ...]:
        """The names in a folder that begin so, in the order of their numbers; none where there is no such folder."""
        try:
            found = os.listdir(self.at(path))
        except (OSError, ValueError):
            return ()
        return tuple(sorted((name for name in found if name.startswith(prefix)), key=lambda name: (len(name), name)))

    def has(self, path: str) -> bool:
        """True if there is such a file or folder."""
        try:
            return self.at(path).exists()
        except (OSError, ValueError):
            return False

    def tool(self, *command: str) -> Answer | None:
        """What a program answers; None where it is not there."""
        return self.tools(command)


def whole(text: str | None, base: int = 10) -> int | None:
    """The text as a whole number; None where it is none, or has more digits than any counter."""
    if text is None or len(text) > 40:
        return None
    try:
        return int(text, base)
    except ValueError:
        return None


def number(text: str | None) -> float | None:
    """The text as a finite number; None where it is none."""
    try:
        value = float(text) if text is not None else None
    except ValueError:
        return None
    return value if value is not None and abs(value) < float("inf") else None


def table(text: str | None, separator: str = ":") -> dict[str, str]:
    """`key: value` lines (or `key=value`) by key; lines of another form are left out."""
    pairs = (line.split(separator, 1) for line in (text or "").splitlines() if separator in line)
    return {key.strip(): value.strip() for key, value in pairs}
