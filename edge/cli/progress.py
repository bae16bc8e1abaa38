"""Progress of long work: a bar on a terminal, plain lines elsewhere, always on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Generic, TextIO, TypeVar

from edge.cli.terminal import one_line

Item = TypeVar("Item")
BAR_WIDTH = 30
LINE_EVERY_S = 5.0
ERASE_TO_END = "\x1b[K"


class Meter:
    """Called with (steps done, steps in all, what): shows how far it is and how long it will take.

    A context manager, so that whatever is written next, an error's message too, begins on a line of its own.
    """

    def __init__(self, label: str, *, quiet: bool = False, stream: TextIO | None = None) -> None:
        self._label = label
        self._stream = stream or sys.stderr
        self._quiet = quiet
        self._bar = self._stream.isatty()
        self._started = self._shown = time.monotonic()
        self._open = False

    def __enter__(self) -> Meter:
        self._started = self._shown = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        if self._open:
            self._write("\n")
            self._open = False

    def __call__(self, done: int, total: int, what: str = "") -> None:
        """Show it, if it is time to."""
        now = time.monotonic()
        if self._quiet or total < 2 or done < 1 or not (self._bar or now - self._shown >= LINE_EVERY_S):
            return
        self._shown = now
        left_s = (now - self._started) / done * (total - done)
        text = f"{self._label} {done}/{total}, {left_s:.0f} s left"
        if self._bar:
            filled = BAR_WIDTH * done // total
            text += f", {one_line(what)[:40]}" if what else ""
            self._open = True
            self._write(f"\r[{'#' * filled}{'.' * (BAR_WIDTH - filled)}] {text}{ERASE_TO_END}")
        else:
            self._write(text + "\n")

    def _write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # nobody watches any more: the work goes on
            self._stream.write(text)
            self._stream.flush()


class Progress(Generic[Item]):
    """Iterate over `items` and show how far it is and how long it will take."""

    def __init__(self, label: str, items: Sequence[Item], *, quiet: bool = False, stream: TextIO | None = None) -> None:
        self._items = items
        self._meter = Meter(label, quiet=quiet, stream=stream)

    def __iter__(self) -> Iterator[Item]:
        with self._meter as meter:
            for done, item in enumerate(self._items):
                yield item
                meter(done + 1, len(self._items))
