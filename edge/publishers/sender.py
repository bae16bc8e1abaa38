"""The sender's thread: keeps a connection, feeds it, tidies the outbox, and knows how things stand."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Final

from edge.errors import ConfigError, OutboxError
from edge.publishers.answers import Answers
from edge.publishers.base import Incoming, Record, RecordKind
from edge.publishers.broker import BrokerConnection, BrokerLost, Message, secured
from edge.publishers.delivery import Delivery
from edge.publishers.outbox import Outbox
from edge.publishers.parking import Parking
from edge.publishers.present import Present, retained
from edge.publishers.station_payloads import STATE_TOPIC, alarm_record, offline_body
from edge.publishers.wakeup import Wakeup
from edge.settings.mqtt import MqttSettings

_LOG = logging.getLogger(__name__)
CONFLICT_ALARM: Final = "client_id_conflict"
_MAINTENANCE_S: Final = 2.0
_STEP_S: Final = 1.0
_RETRY_OUTBOX_S: Final = 0.5
_GOODBYE_S: Final = 0.5
_SHORT_LIFE_S: Final = 5.0
_SHORT_LIVES: Final = 3
_PEACE_S: Final = 60.0


@dataclass(frozen=True)
class MqttStatus:
    """How the station and its broker get on. reason: why not connected, or what is wrong although it is. since: UTC."""

    connected: bool
    reason: str
    since: datetime
    connections: int = 0
    client_id_conflict: bool = False


class Sender:
    """One thread that is the only one to touch the broker. `start` and `stop` once each; the rest from any thread."""

    def __init__(
        self,
        settings: MqttSettings,
        root: str,
        client_id: str,
        outbox: Outbox,
        present: Present,
        answers: Answers,
        topics: Sequence[str] = (),
        hear: Callable[[Incoming], None] = lambda _: None,
    ) -> None:
        self._settings = settings
        self._root = root
        self._client_id = client_id
        self._outbox = outbox
        self._present = present
        self._answers = answers
        self._topics = [f"{root}/{topic}" for topic in topics]
        self._hear = hear
        self._parking = Parking()
        self._wakeup = Wakeup()
        self._stop_at_s: float | None = None
        self._maintained_s = time.monotonic()
        self._short_lives = 0
        self._taken_over = False
        self._turned_s = time.monotonic()
        self._status = MqttStatus(False, "not started", datetime.now(timezone.utc))
        self._thread = threading.Thread(target=self._run, name="mqtt-sender", daemon=True)

    def start(self) -> None:
        """Begin to connect; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Send what can be sent within drain_s, say offline, disconnect, end the thread.

        A thread that waits for a host that does not answer is left to end by itself.
        """
        self._stop_at_s = time.monotonic() + self._settings.drain_s
        self._wakeup.ring()
        self._thread.join(self._settings.drain_s + 2 * _GOODBYE_S)
        if self._thread.is_alive():
            _LOG.warning("mqtt_still_waiting host=%s", self._settings.host)
        self._set_status(False, "stopped")

    def ring(self) -> None:
        """There is something to send."""
        self._wakeup.ring()

    @property
    def status(self) -> MqttStatus:
        """Connected, or why not."""
        return self._status

    @property
    def idle_s(self) -> float:
        """Seconds since its thread last made a turn: a few, unless it hangs or ended."""
        return time.monotonic() - self._turned_s

    @property
    def refused_topics(self) -> int:
        """How many topics the broker does not take."""
        return len(self._parking.reasons)

    def _run(self) -> None:
        try:
            self._keep_connected()
        finally:
            self._wakeup.close()
            if not self._stopping():
                self._set_status(False, "the sender ended by a fault of its own: see the log, restart the station")

    def _keep_connected(self) -> None:
        delay_s = self._settings.reconnect_min_s
        while not self._stopping():
            refusals = self._parking.refusals
            lived_s = self._serve()
            if self._stopping():
                return
            if refusals == self._parking.refusals:  # else the broker ended it for a topic that it does not take
                self._watch_for_twins(lived_s)
            if lived_s > _SHORT_LIFE_S:
                delay_s = self._settings.reconnect_min_s
            end_s = time.monotonic() + delay_s * random.uniform(0.5, 1.0)  # noqa: S311 - spreads stations, hides nothing
            delay_s = min(delay_s * 2, self._settings.reconnect_max_s)
            while not self._stopping() and (left_s := end_s - time.monotonic()) > 0:
                self._turned_s = time.monotonic()
                self._maintain()
                self._wakeup.wait(min(left_s, _MAINTENANCE_S))

    def _stopping(self) -> bool:
        return self._stop_at_s is not None

    def _serve(self) -> float:
        """One connection, from greeting to end; returns how long it lived, 0 if it never did."""
        connection: BrokerConnection | None = None
        began_s: float | None = None
        self._turned_s = time.monotonic()
        try:
            will = self._about_state("connection_lost")
            connection = secured(self._settings, self._client_id, will)
            connection.open()
            began_s = time.monotonic()
            self._set_status(True, "", connections=self._status.connections + 1)
            self._converse(connection)
            connection.close()
        except (BrokerLost, ConfigError) as error:
            self._taken_over = isinstance(error, BrokerLost) and error.taken_over
            self._set_status(False, str(error))
        finally:
            if connection is not None:
                connection.abandon()
        return time.monotonic() - began_s if began_s is not None else 0.0

    def _converse(self, connection: BrokerConnection) -> None:
        """Feed the connection until it breaks (BrokerLost) or the station stops and all is sent or time is up."""
        delivery = Delivery(connection, self._outbox, self._present, self._answers, self._parking, self._settings)
        connection.subscribe(self._topics)
        peace_s = time.monotonic() + _PEACE_S
        while True:
            self._turned_s = time.monotonic()
            timeout_s = _STEP_S
            try:
                is_idle = delivery.feed()
                self._set_status(True, _refusals(self._parking.reasons))
            except OutboxError as error:
                is_idle, timeout_s = False, _RETRY_OUTBOX_S
                self._set_status(True, str(error))
            if self._stop_at_s is not None:
                left_s = self._stop_at_s - time.monotonic()
                if is_idle or left_s <= 0:
                    break
                timeout_s = min(timeout_s, left_s)
            if time.monotonic() > peace_s:
                self._make_peace()
            self._maintain()
            delivery.settle(connection.step(timeout_s, self._wakeup.reader))
            self._hear_all(connection)
            self._wakeup.clear()
        self._say_goodbye(connection)

    def _hear_all(self, connection: BrokerConnection) -> None:
        prefix = f"{self._root}/"
        for message in connection.received():
            if message.topic.startswith(prefix):
                self._hear(replace(message, topic=message.topic.removeprefix(prefix)))

    def _say_goodbye(self, connection: BrokerConnection) -> None:
        number = connection.send(self._about_state("stopped"))
        end_s = time.monotonic() + _GOODBYE_S
        while (left_s := end_s - time.monotonic()) > 0:
            if any(answer.number == number for answer in connection.step(left_s)):
                return

    def _watch_for_twins(self, lived_s: float) -> None:
        """Two clients with one id push each other out: v5 brokers say so, else connections die young, again and again."""
        if self._taken_over:
            self._short_lives = _SHORT_LIVES
        elif lived_s > _SHORT_LIFE_S or (lived_s == 0 and not self._status.client_id_conflict):
            self._short_lives = 0
        elif lived_s > 0:
            self._short_lives += 1
        if self._short_lives < _SHORT_LIVES or self._status.client_id_conflict:
            return
        text = (
            f"connections to {self._settings.host} are taken over or end as soon as they are made: another client seems to use "
            f"the client id {self._client_id!r}: give each station an address or a client_id of its own"
        )
        _LOG.error("mqtt_client_id_conflict why=%s", text)
        self._status = replace(self._status, client_id_conflict=True)
        self._present.put(self._alarm(text))

    def _make_peace(self) -> None:
        if self._status.client_id_conflict:
            self._short_lives = 0
            self._status = replace(self._status, client_id_conflict=False)
            self._present.put(self._alarm(None))

    def _alarm(self, text: str | None) -> Message:
        return retained(alarm_record(CONFLICT_ALARM, text, datetime.now(timezone.utc)), self._root)

    def _about_state(self, reason: str) -> Message:
        return retained(Record(RecordKind.STATE, STATE_TOPIC, offline_body(reason), retain=True), self._root)

    def _maintain(self) -> None:
        if time.monotonic() - self._maintained_s < _MAINTENANCE_S:
            return
        self._maintained_s = time.monotonic()
        try:
            self._outbox.maintain()
        except OutboxError as error:
            _LOG.warning("outbox_not_tidied why=%s", error)

    def _set_status(self, connected: bool, reason: str, connections: int | None = None) -> None:
        """Keep, and log once per change."""
        before = self._status
        count = before.connections if connections is None else connections
        if (connected, reason) == (before.connected, before.reason):
            self._status = replace(before, connections=count)
            return
        self._status = replace(before, connected=connected, reason=reason, since=datetime.now(timezone.utc), connections=count)
        if connected and not reason:
            _LOG.info("mqtt_connected host=%s port=%d", self._settings.host, self._settings.effective_port)
        elif self._stopping():
            _LOG.info("mqtt_disconnected why=%s", reason)
        else:
            _LOG.warning("mqtt_trouble connected=%s why=%s", connected, reason)


def _refusals(refused: dict[str, str]) -> str:
    return "; ".join(f"{topic}: the broker refuses it: {why}" for topic, why in sorted(refused.items()))
