"""Progress of long work: a bar on a terminal, plain lines elsewhere, always on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Generic, TextIO, TypeVar

Item = TypeVar("Item")
BAR_WIDTH = 30
LINE_EVERY_S = 5.0
ERASE_TO_END = "\x1b[K"


class Progress(Generic[Item]):
    """Iterate over `items` and show how far it is and how long it will take."""

    def __init__(self, label: str, items: Sequence[Item], *, quiet: bool = False, stream: TextIO | None = None) -> None:
        self._label = label
        self._items = items
        self._stream = stream or sys.stderr
        self._quiet = quiet or len(items) < 2
        self._bar = self._stream.isatty()

    def __iter__(self) -> Iterator[Item]:
        started = shown = time.monotonic()
        try:
            for done, item in enumerate(self._items):
                yield item
                now = time.monotonic()
                if not self._quiet and (self._bar or now - shown >= LINE_EVERY_S):
                    shown = now
                    self._show(done + 1, now - started)
        finally:
            # Also after an error: its message belongs on a line of its own.
            if not self._quiet and self._bar:
                self._write("\n")

    def _show(self, done: int, elapsed_s: float) -> None:
        total = len(self._items)
        left_s = elapsed_s / done * (total - done)
        text = f"{self._label} {done}/{total}, {left_s:.0f} s left"
        if self._bar:
            filled = BAR_WIDTH * done // total
            self._write(f"\r[{'#' * filled}{'.' * (BAR_WIDTH - filled)}] {text}{ERASE_TO_END}")
        else:
            self._write(text + "\n")

    def _write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # nobody watches any more: the work goes on
            self._stream.write(text)
            self._stream.flush()
