"""What one connection has sent, what it waits for, and what comes next. Belongs to the sender's thread."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass

from edge.publishers.answers import Answers
from edge.publishers.base import RecordKind
from edge.publishers.broker import Acknowledgement, BrokerConnection, BrokerLost, Message
from edge.publishers.images import fit_image
from edge.publishers.outbox import Outbox
from edge.publishers.parking import Parking
from edge.publishers.payloads import EncodedImage, image_meta_body, reduced
from edge.publishers.present import Present
from edge.publishers.rows import Pending, encode
from edge.settings.mqtt import MqttSettings

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Sent:
    """What a message number stands for: a row of the outbox, a version of a present topic, or the number of an answer."""

    topic: str
    row: Pending | None = None
    version: int = 0
    answer: int = 0


class Delivery:
    """Feeds one connection: the present first, then results, then images, each topic in its order.

    A row leaves the outbox when every message made of it is acknowledged. A topic that the broker refuses (v5) is held
    back for a while, so that nothing of it overtakes; the others go on.
    """

    def __init__(
        self,
        connection: BrokerConnection,
        outbox: Outbox,
        present: Present,
        answers: Answers,
        parking: Parking,
        settings: MqttSettings,
    ) -> None:
        self._connection = connection
        self._outbox = outbox
        self._present = present
        self._answers = answers
        self._answered: set[int] = set()
        self._parking = parking
        self._settings = settings
        self._in_flight: dict[int, _Sent] = {}
        self._open_messages: dict[int, int] = {}
        self._acknowledged: set[int] = set()
        self._unsendable: set[int] = set()
        self._said: dict[str, int] = {}
        self._progress_s = time.monotonic()

    def settle(self, acknowledgements: list[Acknowledgement]) -> None:
        """Take the broker's answers; nothing is deleted yet."""
        now = time.monotonic()
        if acknowledgements or not self._in_flight or self._connection.has_unwritten:
            self._progress_s = now
        for answer in acknowledgements:
            sent = self._in_flight.pop(answer.number, None)
            if sent is not None and answer.refusal:
                self._refuse(sent, answer.refusal)
            elif sent is not None:
                self._accept(sent)
        if now - self._progress_s > self._settings.ack_timeout_s:
            message = f"acknowledged nothing for {self._settings.ack_timeout_s:g} s"
            raise BrokerLost(message, where=self._connection.where, remedy="see the broker's log; the station connects again")

    def feed(self) -> bool:
        """Delete what arrived and send what fits the window; True if nothing waits and nothing is in flight.

        Raises OutboxError (the outbox cannot be read now; nothing is lost) and BrokerLost.
        """
        self._clean_up()
        held = self._parking.held()
        for version, message in self._present.newer_than(self._said):
            if message.topic in held:
                continue
            if self._room < 1:
                return False
            self._said[message.topic] = version
            self._in_flight[self._connection.send(message)] = _Sent(message.topic, version=version)
        if not self._send_answers():
            return False
        while self._room > 0:
            skip = self._open_messages.keys() | self._unsendable
            rows = self._outbox.pending(self._room, skip, self._parking.held())
            if not rows:
                break
            for row in rows:
                if not self._send_row(row):
                    return False
        self._clean_up()
        return not self._in_flight

    def _send_answers(self) -> bool:
        """False if the window has no room for them; half of it is left for results, whoever asks."""
        for number, message in self._answers.unsent(self._answered):
            if self._room <= self._connection.window // 2:
                return False
            limit = self._connection.max_packet_bytes
            if limit is not None and message.size_bytes > limit:
                size_bytes = message.size_bytes
                _LOG.warning("mqtt_answer_too_large topic=%s size_bytes=%d limit_bytes=%d", message.topic, size_bytes, limit)
                self._answers.done(number)
                continue
            self._answered.add(number)
            self._in_flight[self._connection.send(message)] = _Sent(message.topic, answer=number)
        return True

    @property
    def _room(self) -> int:
        return self._connection.window - len(self._in_flight)

    def _send_row(self, row: Pending) -> bool:
        """False if the window has no room for it."""
        if row.topic in self._parking.held():
            return True
        messages = self._image_messages(row) if row.kind is RecordKind.IMAGE else self._result_messages(row)
        if len(messages) > self._room:
            return False
        if not messages:
            return True
        self._open_messages[row.id] = len(messages)
        for message in messages:
            self._in_flight[self._connection.send(message)] = _Sent(message.topic, row)
        return True

    def _result_messages(self, row: Pending) -> list[Message]:
        message = Message(row.topic, row.payload, row.retain, row.content_type, tuple(row.properties.items()))
        limit = self._connection.max_packet_bytes
        if limit is not None and message.size_bytes > limit:
            small = encode(reduced(json.loads(row.payload)))
            message = Message(row.topic, small, row.retain, row.content_type, tuple(row.properties.items()))
        if limit is not None and message.size_bytes > limit:
            self._parking.refuse(row.topic, f"{message.size_bytes} bytes exceed the broker's limit of {limit}")
            return []
        return [message]

    def _image_messages(self, row: Pending) -> list[Message]:
        cap = self._settings.image_cap_bytes
        if self._connection.max_packet_bytes is not None:
            bare = Message(row.topic, b"", row.retain, "image/jpeg", _named(row.properties, "0" * 64))
            cap = min(cap, self._connection.max_packet_bytes - bare.size_bytes)
        image = fit_image(EncodedImage(row.payload, row.content_type), cap)
        if image is None:
            _LOG.warning("mqtt_image_too_large topic=%s result_id=%s limit_bytes=%d", row.topic, row.result_id, cap)
            self._unsendable.add(row.id)
            return []
        sha256 = hashlib.sha256(image.data).hexdigest()
        messages = [Message(row.topic, image.data, row.retain, image.content_type, _named(row.properties, sha256))]
        wanted = self._settings.image_meta == "always" or self._settings.protocol != "5"
        if wanted and self._connection.window > 1:
            meta = encode(image_meta_body(row.properties, image.content_type, len(image.data), sha256))
            messages.insert(0, Message(f"{row.topic}/meta", meta, content_type="application/json"))
        return messages

    def _accept(self, sent: _Sent) -> None:
        row = sent.row
        if sent.answer:
            self._end_answer(sent.answer)
        elif row is None:
            self._parking.accept(sent.topic)
            self._present.acknowledged(sent.topic, sent.version)
        elif row.id in self._open_messages:  # absent: another message of the same row was refused
            self._open_messages[row.id] -= 1
            if self._open_messages[row.id] == 0:
                self._parking.accept(row.topic)
                self._acknowledged.add(row.id)

    def _refuse(self, sent: _Sent, why: str) -> None:
        """Results and images alike wait: what is refused is the topic, and the bounds of the outbox hold them."""
        if sent.answer:
            _LOG.warning("mqtt_answer_refused topic=%s why=%s", sent.topic, why)
            self._end_answer(sent.answer)
        elif sent.row is None:
            self._parking.refuse(sent.topic, why)
            self._said.pop(sent.topic, None)
        else:
            self._parking.refuse(sent.row.topic, why)
            self._open_messages.pop(sent.row.id, None)

    def _end_answer(self, number: int) -> None:
        self._answers.done(number)
        self._answered.discard(number)

    def _clean_up(self) -> None:
        """Deletion comes after the acknowledgement and may fail: then it is tried again, and the row is not sent again."""
        if self._acknowledged:
            self._outbox.delivered(self._acknowledged)
            for row_id in self._acknowledged:
                self._open_messages.pop(row_id, None)
            self._acknowledged.clear()
        if self._unsendable:
            self._outbox.refused(self._unsendable)
            for row_id in self._unsendable:
                self._open_messages.pop(row_id, None)
            self._unsendable.clear()


def _named(properties: Mapping[str, str], sha256: str) -> tuple[tuple[str, str], ...]:
    return (*properties.items(), ("sha256", sha256))
