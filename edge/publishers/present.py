"""What is true now: the newest state, health and alarm messages, for every connection anew."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from edge.publishers.base import Record
from edge.publishers.broker import Message
from edge.publishers.rows import encode


def retained(record: Record, root: str) -> Message:
    """The retained message of a record about the present; an empty one takes back what its topic said."""
    return Message(f"{root}/{record.topic}", encode(record.body) if record.body else b"", True, record.content_type)


@dataclass(frozen=True)
class _Entry:
    version: int
    message: Message


class Present:
    """The newest message per topic. Any thread may call any method."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[str, _Entry] = {}
        self._version = 0

    def put(self, message: Message) -> None:
        """Take the place of what the topic said before."""
        with self._lock:
            self._version += 1
            self._entries[message.topic] = _Entry(self._version, message)

    def newer_than(self, sent: dict[str, int]) -> list[tuple[int, Message]]:
        """(version, message) for every topic whose newest version is not the one in `sent`, oldest first."""
        with self._lock:
            entries = sorted(self._entries.values(), key=lambda entry: entry.version)
        return [(entry.version, entry.message) for entry in entries if sent.get(entry.message.topic) != entry.version]

    def acknowledged(self, topic: str, version: int) -> None:
        """The broker has it: an empty message (a cleared alarm) need not be said again."""
        with self._lock:
            entry = self._entries.get(topic)
            if entry is not None and entry.version == version and not entry.message.payload:
                del self._entries[topic]
