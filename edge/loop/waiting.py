"""The line before the judge: bounded per view, and the newest frame is the one that stays."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from edge.loop.tickets import Ticket
from edge.types import Frame, ReasonCode


@dataclass(frozen=True, eq=False)
class Job:
    """A frame that waits to be judged, for its ticket."""

    ticket: Ticket
    frame: Frame


@dataclass(frozen=True, eq=False)
class Errand:
    """Work for the judge's thread that is no frame. refuse: how its future ends if it is not done."""

    work: Callable[[], None]
    refuse: Callable[[ReasonCode, str], None]


class Line:
    """First in, first out; of a view at most `limits` frames wait. Any thread.

    Where one more comes, the oldest that waits gives way: what is judged is fresh, also under any load. Frames of a clearance
    never give way to others, since somebody waits for each of them.
    """

    def __init__(self, limits: Mapping[str, int]) -> None:
        self._limits = limits
        self._waiting = dict.fromkeys(limits, 0)
        self._items: deque[Job | Errand] = deque()
        self._bell = threading.Condition()
        self._is_open = True

    def put(self, job: Job) -> Job | None:
        """Let it wait; what gave way for it: another job, or itself, None if there was room. RuntimeError once closed."""
        view = job.ticket.view
        with self._bell:
            if not self._is_open:
                raise RuntimeError("the line is closed")
            if self._waiting[view] < self._limits[view]:
                self._waiting[view] += 1
                self._items.append(job)
                self._bell.notify()
                return None
            loser = self._loser(job)
            if loser is not job:
                self._items.remove(loser)
                self._items.append(job)
            return loser

    def send(self, errand: Errand) -> bool:
        """Let it wait its turn; False once closed."""
        with self._bell:
            if self._is_open:
                self._items.append(errand)
                self._bell.notify()
            return self._is_open

    def take(self, timeout_s: float) -> Job | Errand | None:
        """The next, None after timeout_s or once closed and empty."""
        deadline_s = time.monotonic() + timeout_s
        with self._bell:
            while not self._items and self._is_open and (left_s := deadline_s - time.monotonic()) > 0:
                self._bell.wait(left_s)
            return self._taken(self._items.popleft()) if self._items else None

    def take_all(self) -> list[Job | Errand]:
        """Everything that waits."""
        with self._bell:
            taken = [self._taken(item) for item in self._items]
            self._items.clear()
            return taken

    def close(self) -> None:
        """Nothing comes in any more; whoever waits in `take` is woken."""
        with self._bell:
            self._is_open = False
            self._bell.notify_all()

    def _taken(self, item: Job | Errand) -> Job | Errand:
        if isinstance(item, Job):
            self._waiting[item.ticket.view] -= 1
        return item

    def _loser(self, job: Job) -> Job:
        waiting = (item for item in self._items if isinstance(item, Job) and item.ticket.view == job.ticket.view)
        return next((item for item in waiting if item.ticket.clearance_id is None), job)
