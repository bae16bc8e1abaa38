"""Publishes to an MQTT broker from the outbox: nothing is lost while the broker is away, and nobody waits for it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final

from typing_extensions import Self

from edge.errors import OutboxError
from edge.publishers.answers import Answers
from edge.publishers.base import Answer, Incoming, Record
from edge.publishers.broker import Message, secured
from edge.publishers.hearing import Ears
from edge.publishers.outbox import Outbox
from edge.publishers.present import Present, retained
from edge.publishers.rows import PRIORITY, encode
from edge.publishers.sender import MqttStatus, Sender
from edge.settings.mqtt import MqttSettings, StationAddress

_LOG = logging.getLogger(__name__)
OUTBOX_FILE: Final = "outbox.sqlite3"
ALWAYS_COUNTED: Final = ("dropped_image", "dropped_verdict", "dropped_clearance", "damaged_files")
"""Counters of the outbox that are told as 0 before they first count."""


class MqttPublisher:
    """A Publisher on one broker. Opening it opens the outbox and never waits for the broker.

    state_dir: the station's state folder, which holds the outbox. clock: wall clock in seconds, for the records' age.
    """

    def __init__(
        self, settings: MqttSettings, address: StationAddress, state_dir: Path, clock: Callable[[], float] = time.time
    ) -> None:
        self._settings = settings
        self._root = address.topic
        self._client_id = settings.client_id or address.client_id
        self._outbox = Outbox(state_dir / OUTBOX_FILE, settings.outbox, clock)
        self._present = Present()
        self._answers = Answers()
        self._ears: list[Ears] = []
        self._sender: Sender | None = None

    def __enter__(self) -> Self:
        """Open the outbox and start the sender's thread.

        Raises ConfigError for credentials or certificates that cannot be used, OutboxError, StationBusy.
        """
        secured(self._settings, self._client_id, Message(self._root, b""))
        if self._settings.credentials_file and not self._settings.tls and not _is_loopback(self._settings.host):
            _LOG.warning("mqtt_password_in_clear host=%s", self._settings.host)
        self._outbox.__enter__()
        topics = tuple(dict.fromkeys(topic for ears in self._ears for topic in ears.topics))
        self._sender = Sender(
            self._settings, self._root, self._client_id, self._outbox, self._present, self._answers, topics, self._hear
        )
        self._sender.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Send what can be sent within drain_s, say offline, disconnect. What is unsent stays for the next start."""
        if self._sender is not None:
            self._sender.stop()
        waiting = self._outbox.depth
        if waiting.rows:
            _LOG.info("outbox_left results=%d images=%d", waiting.results, waiting.images)
        self._outbox.__exit__(None, None, None)

    def listen(self, topics: Sequence[str], receive: Callable[[Incoming], None]) -> None:
        """Hear these topics, relative to the station root, from the next opening; `receive` runs in the sender's thread."""
        self._ears.append(Ears.of(topics, receive))

    def _hear(self, message: Incoming) -> None:
        for ears in self._ears:
            ears.hear(message)

    def answer(self, answer: Answer) -> None:
        """Send a reply as soon as the broker is there, within a minute; otherwise it is dropped and counted."""
        payload = encode(answer.body)
        self._answers.put(Message(answer.topic, payload, False, "application/json", correlation=answer.correlation))
        if self._sender is not None:
            self._sender.ring()

    def publish(self, *records: Record) -> None:
        """Results and images are on disk when it returns, all or none (OutboxError); the rest replaces what its topic said."""
        sender = self._running()
        durable = [record for record in records if record.kind in PRIORITY]
        present = [retained(record, self._root) for record in records if record.kind not in PRIORITY]
        if durable:
            self._outbox.put(durable, self._root)
        for message in present:
            self._present.put(message)
        sender.ring()

    @property
    def status(self) -> MqttStatus:
        """Connected or why not; OutboxError before the start. May be read by any thread at any time."""
        return self._running().status

    @property
    def idle_s(self) -> float:
        """Seconds since the sender's thread last made a turn; 0 before the start."""
        return self._sender.idle_s if self._sender is not None else 0.0

    def health(self) -> dict[str, float | int | str | bool | None]:
        """Counters for the health message; OutboxError if the outbox cannot be read."""
        status, depth = self.status, self._outbox.depth
        counted = {**dict.fromkeys(ALWAYS_COUNTED, 0), **self._outbox.counters()}
        counters = {f"outbox.{name}": count for name, count in counted.items()}
        return {
            "mqtt.connected": status.connected,
            "mqtt.reason": status.reason,
            "mqtt.connections": status.connections,
            "mqtt.client_id_conflict": status.client_id_conflict,
            "mqtt.refused_topics": self._running().refused_topics,
            "mqtt.answers_dropped": self._answers.dropped,
            "outbox.results": depth.results,
            "outbox.images": depth.images,
            "outbox.size_bytes": depth.size_bytes,
            "outbox.oldest_s": self._outbox.oldest_age_s(),
            "outbox.readable": True,
            **counters,
        }

    def _running(self) -> Sender:
        if self._sender is None:
            raise OutboxError("the publisher is not open", remedy="start the station")
        return self._sender


def _is_loopback(host: str) -> bool:
    return host == "localhost" or host.startswith("127.") or host == "::1"
