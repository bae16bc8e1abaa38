"""The number of a clearance: it only grows, over restarts, power cuts and restored backups."""

from __future__ import annotations

import json
import threading
from pathlib import Path

from edge.durable import replace_file
from edge.errors import OutboxError


class Sequence:
    """A number that only grows, kept on disk: a PLC that sees the last number again knows that nothing is new."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    def next(self, above: int = 0) -> int:
        """The next number, durable before it is returned, and higher than `above`. OutboxError if it cannot be kept.

        above: the highest number that is known from elsewhere; an older file that was put back does not lower it.
        """
        with self._lock:
            last = max(self._read(), above)
            try:
                replace_file(self._path, json.dumps({"sequence": last + 1}).encode(), mode=0o640)
            except OSError as error:
                raise self._lost(error) from None
            return last + 1

    @property
    def last(self) -> int:
        """The highest number so far, 0 before the first. OutboxError if it cannot be read."""
        with self._lock:
            return self._read()

    def _read(self) -> int:
        try:
            if not self._path.exists():
                return 0
            number = json.loads(self._path.read_text())["sequence"]
            if not isinstance(number, int) or isinstance(number, bool) or number < 0:
                raise ValueError(f"{number!r} is no number")
            return number
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise self._lost(error) from None

    def _lost(self, error: Exception) -> OutboxError:
        # Starting again from 1 would let a PLC mistake an old answer for a new one.
        remedy = "free the disk or mend the file; set it to a number above the last one that the PLC saw"
        return OutboxError(f"the clearance sequence is lost ({error})", where=str(self._path), remedy=remedy)
