"""How many live connections there may be, in all and for one session: each holds a part of this process for hours."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from calibration.web.http.refusals import Refused
from calibration.web.settings import LimitSettings


class Streams:
    """Counts them. Any thread may."""

    def __init__(self, limits: LimitSettings) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._open: Counter[str] = Counter()

    @contextmanager
    def held(self, session_id: str) -> Iterator[None]:
        """One live connection of a session. Refused (429): there are too many."""
        self.take(session_id)
        try:
            yield
        finally:
            self.give_back(session_id)

    def take(self, session_id: str) -> None:
        """The same in two calls, for an answer that begins in one place and ends in another. Refused: too many."""
        with self._lock:
            if self._open[session_id] >= self._limits.streams_per_session or self._open.total() >= self._limits.streams:
                raise Refused("base.too_many_streams", 429)
            self._open[session_id] += 1

    def give_back(self, session_id: str) -> None:
        """One live connection less."""
        with self._lock:
            self._open[session_id] -= 1
            if self._open[session_id] <= 0:
                del self._open[session_id]

    @property
    def open(self) -> int:
        """How many there are."""
        with self._lock:
            return self._open.total()
