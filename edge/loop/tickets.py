"""One trigger, from the moment it is known until its one verdict."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol

from edge.types import Frame, Judgement, Verdict


@dataclass(frozen=True, eq=False)
class Ticket:
    """One trigger of one view; `answer` gets its verdict, exactly once.

    asked_ns: host monotonic time; only a frame grabbed at or after it can answer (0: any frame does).
    """

    view: str
    number: int
    asked_ns: int
    clearance_id: str | None = None
    answer: Future[Verdict] = field(default_factory=Future)
    _claimed: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def claim(self) -> bool:
        """True for the first who asks, who then owes it its verdict; nobody else may give it one."""
        return self._claimed.acquire(blocking=False)


class TicketCounter:
    """Numbers the triggers of one view from 1, across all threads."""

    def __init__(self, view: str) -> None:
        self._view = view
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def issue(self, asked_ns: int, clearance_id: str | None = None) -> Ticket:
        """A new ticket."""
        with self._lock:
            return Ticket(self._view, next(self._numbers), asked_ns, clearance_id)


class Desk(Protocol):
    """Where a grabber hands in its tickets: with a frame, or without one and the reason why."""

    def submit(self, ticket: Ticket, frame: Frame) -> None:
        """Judge this frame; if the judge is too far behind the ticket ends as UNDECIDED(overrun)."""
        ...

    def close(self, ticket: Ticket, judgement: Judgement, frame: Frame | None = None) -> None:
        """End the ticket without the engine."""
        ...
