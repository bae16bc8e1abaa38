"""The page's connection to the broker: kept by one thread, which tries again for ever and holds nobody up.

Host, port, encryption and protocol follow the same rules as the station's own connection, because it is the same code.
"""

from __future__ import annotations

import logging
import random
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import paho.mqtt.client as paho
from typing_extensions import Self

from calibration.web.link.trouble import Trouble, Why, trouble_of
from edge.errors import ConfigError
from edge.publishers.broker import BrokerConnection, BrokerLost, Message
from edge.publishers.security import Credentials, read_credentials, tls_context
from edge.publishers.wakeup import Wakeup
from edge.settings.mqtt import MqttSettings

_LOG = logging.getLogger(__name__)
_STEP_S: Final = 1.0
_WAITING: Final = 256
"""Commands that may wait for the thread; a person who clicks never comes near it."""


@dataclass(frozen=True)
class Heard:
    """One message. properties: of MQTT 5, empty with 3.1.1."""

    topic: str
    payload: bytes
    retained: bool = False
    content_type: str = ""
    properties: dict[str, str] = field(default_factory=dict)


class _Connection(BrokerConnection):
    """As the station's, but with what stands beside a picture in MQTT 5: which result it belongs to."""

    def __init__(
        self,
        settings: MqttSettings,
        client_id: str,
        hear: Callable[[Heard], None],
        credentials: Credentials | None,
    ) -> None:
        tls = tls_context(settings.tls) if settings.tls else None
        super().__init__(settings, client_id, Message(f"{client_id}/gone", b""), credentials, tls)
        self._hear = hear

    def _on_message(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        beside = getattr(message, "properties", None)
        pairs = list(getattr(beside, "UserProperty", ()))[:32]
        content_type = getattr(beside, "ContentType", "")
        self._hear(Heard(message.topic, bytes(message.payload), message.retain, content_type, dict(pairs)))


class Connection:
    """A context manager: connected as often and as long as the broker allows.

    hear is called for each message and changed after each gain and loss (None: connected), both from the connection's own
    thread: they must not wait. settings: the station's publisher with the page's own credentials_file.
    """

    def __init__(
        self,
        settings: MqttSettings,
        client_id: str,
        topics: Sequence[str],
        hear: Callable[[Heard], None],
        changed: Callable[[Trouble | None], None],
    ) -> None:
        self._settings = settings
        self._client_id = client_id
        self._topics = tuple(topics)
        self._hear = hear
        self._changed = changed
        self._outgoing: deque[Message] = deque()
        self._lock = threading.Lock()
        self._connected = False
        self._told: Trouble | None = None
        self._stopping = threading.Event()
        self._wakeup = Wakeup()
        self._thread = threading.Thread(target=self._run, name="page-mqtt", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._wakeup.ring()
        self._thread.join(self._settings.connect_timeout_s * 2 + _STEP_S)
        if not self._thread.is_alive():
            self._wakeup.close()

    def send(self, topic: str, payload: bytes) -> bool:
        """Hand over at QoS 1, in the order of the calls; False if there is no connection now. Never waits."""
        with self._lock:
            if not self._connected or len(self._outgoing) >= _WAITING:
                return False
            self._outgoing.append(Message(topic, payload))
        self._wakeup.ring()
        return True

    def _run(self) -> None:
        pause_s = self._settings.reconnect_min_s
        while not self._stopping.is_set():
            try:
                if self._stay():
                    return
            except (BrokerLost, ConfigError) as error:
                pause_s = self._settings.reconnect_min_s if self._connected else pause_s
                self._lose(trouble_of(error))
            # The station's own connection comes back at the same moment: not all at once.
            self._stopping.wait(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
            pause_s = min(pause_s * 2, self._settings.reconnect_max_s)
        self._changed(Trouble(Why.CLOSED))

    def _stay(self) -> bool:
        """From CONNECT until somebody stops it (True); raises what ended it otherwise."""
        file = self._settings.credentials_file
        connection = _Connection(self._settings, self._client_id, self._hear, read_credentials(file) if file else None)
        try:
            connection.open()
            connection.subscribe(self._topics)
            with self._lock:
                self._outgoing.clear()
                self._connected = True
            self._told = None
            self._changed(None)
            while not self._stopping.is_set():
                while self._outgoing:
                    connection.send(self._outgoing.popleft())
                connection.step(_STEP_S, self._wakeup.reader)
                self._wakeup.clear()
        finally:
            connection.close()
        self._lose(Trouble(Why.CLOSED))
        return True

    def _lose(self, trouble: Trouble) -> None:
        with self._lock:
            self._connected = False
            self._outgoing.clear()
        if trouble != self._told:
            _LOG.warning("page_broker_lost why=%s detail=%s", trouble.why.value, trouble.detail)
        self._told = trouble
        self._changed(trouble)
