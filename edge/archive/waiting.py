"""Evidence that waits to be written: bounded by bytes, and when there is too much the least worth goes first, oldest first."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from edge.archive.evidence import KEEPS, Evidence

_OVERHEAD_BYTES: Final = 16 * 1024  # document, drawing and bookkeeping of one result


@dataclass(frozen=True, eq=False)
class Waiting:
    """One in the queue."""

    number: int
    evidence: Evidence
    size_bytes: int


class Queue:
    """Any thread may put, one takes."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._kept: dict[str, deque[Waiting]] = {keep: deque() for keep in KEEPS}
        self._changed = threading.Condition()
        self._number = 0
        self._stopped = False
        self.size_bytes = 0

    def __len__(self) -> int:
        with self._changed:
            return sum(len(waiting) for waiting in self._kept.values())

    def put(self, evidence: Evidence) -> list[Evidence]:
        """Never blocks. What had to give way: PASS first, what belongs to clearances last, maybe this one itself."""
        with self._changed:
            self._number += 1
            self._add(Waiting(self._number, evidence, _size_of(evidence)), back=True)
            dropped = self._shed()
            self._changed.notify()
        return dropped

    def take(self, timeout_s: float, limit: int) -> list[Waiting]:
        """Up to `limit` in the order in which they were put; empty after timeout_s, or when stopped and nothing waits."""
        with self._changed:
            if not self.size_bytes and not self._stopped:
                self._changed.wait(timeout_s)
            taken: list[Waiting] = []
            while len(taken) < limit and (heads := [waiting[0] for waiting in self._kept.values() if waiting]):
                first = min(heads, key=lambda one: one.number)
                self._kept[first.evidence.keep].popleft()
                self.size_bytes -= first.size_bytes
                taken.append(first)
            return taken

    def put_back(self, taken: Sequence[Waiting]) -> list[Evidence]:
        """What could not be written now goes first next time. Returns what had to give way."""
        with self._changed:
            for one in sorted(taken, key=lambda one: -one.number):
                self._add(one, back=False)
            return self._shed()

    def pause(self, timeout_s: float) -> None:
        """Wait, unless it is stopped meanwhile."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped, timeout_s)

    def stop(self) -> None:
        """Wake whoever waits; what is in the queue stays."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    @property
    def stopped(self) -> bool:
        """True after `stop`."""
        return self._stopped

    def _add(self, one: Waiting, *, back: bool) -> None:
        waiting = self._kept[one.evidence.keep]
        (waiting.append if back else waiting.appendleft)(one)
        self.size_bytes += one.size_bytes

    def _shed(self) -> list[Evidence]:
        dropped: list[Evidence] = []
        for keep in KEEPS:
            waiting = self._kept[keep]
            while waiting and self.size_bytes > self._limit_bytes:
                one = waiting.popleft()
                self.size_bytes -= one.size_bytes
                dropped.append(one.evidence)
        return dropped


def _size_of(evidence: Evidence) -> int:
    arrays = (evidence.frame, evidence.anomaly_map, evidence.judged)
    return _OVERHEAD_BYTES + sum(array.nbytes for array in arrays if array is not None)
