"""Replies that wait for the broker: in order, bounded, and only while they are young enough to be of use."""

from __future__ import annotations

import itertools
import threading
import time
from collections import OrderedDict
from typing import Final

from edge.publishers.broker import Message

MAX_WAITING: Final = 1000
MAX_AGE_S: Final = 60.0


class Answers:
    """A queue of messages. Any thread may call any method."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._waiting: OrderedDict[int, tuple[float, Message]] = OrderedDict()
        self.dropped = 0

    def put(self, message: Message) -> None:
        """Wait in line; the oldest gives way when the line is too long."""
        with self._lock:
            if len(self._waiting) >= MAX_WAITING:
                self._waiting.popitem(last=False)
                self.dropped += 1
            self._waiting[next(self._numbers)] = (time.monotonic(), message)

    def unsent(self, sent: set[int]) -> list[tuple[int, Message]]:
        """(number, message) of those that are not in `sent`, oldest first; those that are too old are dropped."""
        now = time.monotonic()
        with self._lock:
            old = [number for number, (since, _) in self._waiting.items() if now - since > MAX_AGE_S and number not in sent]
            for number in old:
                del self._waiting[number]
            self.dropped += len(old)
            return [(number, message) for number, (_, message) in self._waiting.items() if number not in sent]

    def done(self, number: int) -> None:
        """The broker has it, or will never take it."""
        with self._lock:
            self._waiting.pop(number, None)
