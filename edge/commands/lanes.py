"""Threads that do commands one after the other, each with a bounded line before it, and how much is looked at at all."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

log = logging.getLogger(__name__)


class Lane:
    """One thread; at most `limit` works wait. Any thread may offer."""

    def __init__(self, name: str, limit: int) -> None:
        self._name = name
        self._limit = limit
        self._waiting = 0
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._is_open = True

    def offer(self, work: Callable[[], None], *, urgent: bool = False) -> bool:
        """Do it when its turn comes; False if too much waits, or it is over. Never blocks. urgent: whatever waits."""
        with self._lock:
            if not self._is_open or (self._waiting >= self._limit and not urgent):
                return False
            self._waiting += 1
        try:
            done = self._pool.submit(work)
        except RuntimeError:  # it was closed meanwhile
            with self._lock:
                self._waiting -= 1
            return False
        done.add_done_callback(self._ended)  # without the lock: work that is done already ends here, in this thread
        return True

    def close(self, timeout_s: float) -> bool:
        """Drop what waits and let what runs end; False if it still runs after timeout_s: it is left to end by itself."""
        with self._lock:
            self._is_open = False
        self._pool.shutdown(wait=False, cancel_futures=True)
        threads = tuple(self._pool._threads)
        deadline = time.monotonic() + timeout_s
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in threads)

    def _ended(self, done: Future[Any]) -> None:
        with self._lock:
            self._waiting -= 1
        if not done.cancelled() and (error := done.exception()) is not None:
            log.error("command_failed lane=%s", self._name, exc_info=error)


class Bucket:
    """So many per second, and `burst` at once. One thread uses it."""

    def __init__(self, per_s: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_s = per_s
        self._burst = burst
        self._clock = clock
        self._left = float(burst)
        self._looked_s = clock()

    def take(self) -> bool:
        """True if there is one more."""
        now_s = self._clock()
        self._left = min(self._burst, self._left + (now_s - self._looked_s) * self._per_s)
        self._looked_s = now_s
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Tally:
    """How often what happened, by command and outcome. Any thread. unknown commands count as one."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = frozenset(names)
        self._lock = threading.Lock()
        self._counts: dict[str, int] = {}
        self._logged: dict[str, tuple[float, int]] = {}

    def count(self, name: str, outcome: str) -> None:
        """One more."""
        key = f"commands.{name if name in self._names else 'unknown'}.{outcome}"
        with self._lock:
            self._counts[key] = self._counts.get(key, 0) + 1

    def values(self) -> dict[str, int]:
        """`commands.clearance.ok` -> how often."""
        with self._lock:
            return dict(sorted(self._counts.items()))

    def say(self, code: str, level: int, message: str, *details: object) -> None:
        """Log it, but each code at most once in ten seconds; silenced: how many were left out since."""
        now_s = time.monotonic()
        with self._lock:
            last_s, silent = self._logged.get(code, (-_QUIET_S, 0))
            if now_s - last_s < _QUIET_S:
                self._logged[code] = (last_s, silent + 1)
                return
            self._logged[code] = (now_s, 0)
        log.log(level, message + " silenced=%d", *details, silent)


_QUIET_S = 10.0
