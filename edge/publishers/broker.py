"""One connection to a broker: a fresh paho client that is driven by the thread that owns it, and by no other.

paho keeps unacknowledged messages and sends them again after a reconnect, in its own order and beside whatever is
published meanwhile. So a client is never reconnected here: a new connection is a new client, whose only messages are
those that its owner gives it. And because one thread reads and writes, an acknowledgement cannot arrive before `send` has
returned the message's number.
"""

from __future__ import annotations

import logging
import select
import socket
import ssl
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt import MQTTException
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge.errors import DeviceError
from edge.publishers.base import Incoming
from edge.publishers.security import Credentials, read_credentials, tls_context
from edge.settings.mqtt import MqttSettings

_LOG = logging.getLogger(__name__)
MAX_INCOMING_BYTES: Final = 256 * 1024
"""The largest message that an MQTT 5 broker may hand over; one of 3.1.1 has its own limit (`message_size_limit`)."""
_PROTOCOLS: Final = {"3.1.1": MQTTProtocolVersion.MQTTv311, "5": MQTTProtocolVersion.MQTTv5}
_PACKET_OVERHEAD: Final = 64  # fixed header, packet number, property headers
_SESSION_TAKEN_OVER: Final = 0x8E
# What paho lets through when a peer's bytes are no MQTT.
_NOT_MQTT: Final = (MQTTException, OSError, ValueError, LookupError, TypeError, AssertionError, struct.error)


class BrokerLost(DeviceError):
    """The broker cannot be reached, refuses the station, or the connection broke. taken_over: by another client."""

    taken_over = False


@dataclass(frozen=True)
class Acknowledgement:
    """The broker's answer to one message; refusal: why it did not take it (v5 only), else empty."""

    number: int
    refusal: str = ""


@dataclass(frozen=True)
class Message:
    """What goes on the wire at QoS 1. properties and content_type travel only with protocol 5."""

    topic: str
    payload: bytes
    retain: bool = False
    content_type: str = ""
    properties: tuple[tuple[str, str], ...] = ()
    correlation: bytes = b""

    @property
    def size_bytes(self) -> int:
        """Upper bound of the packet's size with protocol 5."""
        texts = [self.topic, self.content_type, *(text for pair in self.properties for text in pair)]
        return (
            _PACKET_OVERHEAD + len(self.payload) + len(self.correlation) + sum(len(text.encode("utf-8")) + 5 for text in texts)
        )


class BrokerConnection:
    """A connection from CONNECT to the socket's end. Not for sharing between threads; `close` may be called twice."""

    def __init__(
        self,
        settings: MqttSettings,
        client_id: str,
        will: Message,
        credentials: Credentials | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._settings = settings
        self._is_v5 = settings.protocol == "5"
        self._acknowledged: list[Acknowledgement] = []
        self._received: list[Incoming] = []
        self._lost: BrokerLost | None = None
        self._connected = False
        self.window = settings.max_in_flight
        self.max_packet_bytes: int | None = None
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=None if self._is_v5 else True,
            protocol=_PROTOCOLS[settings.protocol],
            reconnect_on_failure=False,
        )
        self._client.max_inflight_messages_set(0)  # the window is kept by the owner; paho's would hide what is queued
        self._client.connect_timeout = settings.connect_timeout_s
        self._client.will_set(will.topic, will.payload, qos=1, retain=will.retain)
        if credentials is not None:
            self._client.username_pw_set(credentials.user, credentials.password)
        if tls is not None:
            self._client.tls_set_context(tls)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_publish = self._on_publish
        self._client.on_message = self._on_message
        self._client.on_subscribe = self._on_subscribe

    @property
    def where(self) -> str:
        """host:port, for messages."""
        return f"{self._settings.host}:{self._settings.effective_port}"

    def open(self) -> None:
        """Connect and wait for the broker's answer, each at most connect_timeout_s; BrokerLost says why it failed."""
        clean: dict[str, Any] = {}
        if self._is_v5:
            limits = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            limits.MaximumPacketSize = MAX_INCOMING_BYTES + _PACKET_OVERHEAD
            clean = {"clean_start": True, "properties": limits}
        try:
            self._client.connect(
                self._settings.host, self._settings.effective_port, keepalive=self._settings.keepalive_s, **clean
            )
        except (OSError, ValueError) as error:
            raise self._lost_by(error) from error
        deadline = time.monotonic() + self._settings.connect_timeout_s
        while not self._connected:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise self._error("does not answer the MQTT greeting", "check that a broker listens at this port")
            self.step(left_s)

    def send(self, message: Message) -> int:
        """Hand over one message at QoS 1; returns its number, which its Acknowledgement repeats. BrokerLost if it broke."""
        properties = None
        if self._is_v5:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            if message.content_type:
                properties.ContentType = message.content_type
            if message.correlation:
                properties.CorrelationData = message.correlation
            if message.properties:
                properties.UserProperty = list(message.properties)
        info = self._client.publish(message.topic, message.payload, 1, message.retain, properties)
        self._check()
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise self._error(f"took no message ({paho.error_string(info.rc)})", "the station connects again")
        return info.mid

    def subscribe(self, topics: Sequence[str]) -> None:
        """Hear these topics from now on, at QoS 1; a broker that does not allow it is logged. BrokerLost if it broke.

        No topics: nothing is sent, since SUBSCRIBE without any is a protocol error (MQTT 5, 3.8.3).
        """
        if not topics:
            return
        self._client.subscribe([(topic, 1) for topic in topics])
        self._check()

    def received(self) -> list[Incoming]:
        """What came in since the last call, topics as the broker has them."""
        received, self._received = self._received, []
        return received

    def step(self, timeout_s: float, wake: socket.socket | None = None) -> list[Acknowledgement]:
        """Wait for the network, `wake` or the time-out; do what is due; the acknowledgements since. BrokerLost if it broke."""
        self._check()
        link: Any = self._client.socket()
        buffered = getattr(link, "pending", int)()
        poller = select.poll()  # unlike select(), not limited to descriptors below 1024
        poller.register(link, select.POLLIN | (select.POLLOUT if self._client.want_write() else 0))
        if wake is not None:
            poller.register(wake, select.POLLIN)
        ready = dict(poller.poll(0 if buffered else timeout_s * 1000))
        events = ready.get(link.fileno(), 0)
        try:
            if buffered or events & ~select.POLLOUT:
                self._client.loop_read()
            if events & select.POLLOUT:
                self._client.loop_write()
            self._client.loop_misc()
        except _NOT_MQTT as error:
            raise self._error(f"does not speak MQTT ({error!r})", "check host and port") from error
        if not self._acknowledged:
            self._check()  # else at the next step: what was acknowledged before the end counts
        acknowledged, self._acknowledged = self._acknowledged, []
        return acknowledged

    @property
    def has_unwritten(self) -> bool:
        """True while bytes wait for the socket."""
        return self._client.want_write()

    def close(self) -> None:
        """Say DISCONNECT where the socket still takes it (the broker then forgets the last will), and close."""
        self._client.on_disconnect = None
        if self._client.socket() is not None and self._lost is None:
            self._client.disconnect()
        self.abandon()

    def abandon(self) -> None:
        """Close the socket without a word, so that the broker sends the last will."""
        self._client.on_disconnect = None
        link: Any = self._client.socket()
        if link is not None:
            link.close()

    def _check(self) -> None:
        if self._lost is not None:
            raise self._lost
        if self._client.socket() is None:
            raise self._error("the connection is closed", "the station connects again")

    def _on_connect(
        self, _client: object, _data: object, _flags: object, reason: ReasonCode, limits: Properties | None
    ) -> None:
        if reason.is_failure:
            self._lost = self._refused(str(reason))
            return
        self._connected = True
        if self._is_v5 and limits is not None:
            self.window = min(self.window, getattr(limits, "ReceiveMaximum", 65_535))
            self.max_packet_bytes = getattr(limits, "MaximumPacketSize", None)
            if getattr(limits, "MaximumQoS", 2) < 1:
                self._lost = self._error("acknowledges no messages (maximum QoS 0)", "allow QoS 1 at the broker")

    def _on_disconnect(self, _client: object, _data: object, flags: Any, reason: ReasonCode, _properties: object) -> None:
        if self._lost is not None:
            return
        if not self._connected:
            remedy = f"check port, TLS, client certificate, and that the broker speaks MQTT {self._settings.protocol}"
            self._lost = self._error("closed the connection instead of answering", remedy)
        elif flags.is_disconnect_packet_from_server:
            self._lost = self._error(f"ended the connection ({reason})", "see the broker's log")
            self._lost.taken_over = reason.value == _SESSION_TAKEN_OVER
        else:
            self._lost = self._error("the connection broke", "check network and broker; the station connects again")

    def _on_publish(self, _client: object, _data: object, number: int, reason: ReasonCode, _properties: object) -> None:
        self._acknowledged.append(Acknowledgement(number, str(reason) if reason.is_failure else ""))

    def _on_message(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        properties = getattr(message, "properties", None)
        self._received.append(
            Incoming(
                topic=message.topic,
                payload=bytes(message.payload),
                retained=message.retain,
                response_topic=getattr(properties, "ResponseTopic", ""),
                correlation=getattr(properties, "CorrelationData", b""),
            )
        )

    def _on_subscribe(self, _client: object, _data: object, _number: int, reasons: list[ReasonCode], _: object) -> None:
        refused = [str(reason) for reason in reasons if reason.is_failure]
        if refused:
            _LOG.error("mqtt_commands_refused broker=%s why=%s", self.where, refused[0])

    def _refused(self, reason: str) -> BrokerLost:
        remedies = {
            "Not authorized": "check user, password and the broker's access list",
            "Bad user name or password": "check credentials_file",
            "Unsupported protocol version": "set protocol to what the broker speaks (3.1.1 or 5)",
            "Client identifier not valid": "set another client_id",
        }
        return self._error(f"refuses the station: {reason}", remedies.get(reason, "see the broker's log"))

    def _lost_by(self, error: Exception) -> BrokerLost:
        if isinstance(error, ssl.SSLCertVerificationError):
            return self._error(
                f"the broker's certificate is not trusted ({error.verify_message})",
                "check ca_file, the certificate's dates and that it names this host",
            )
        if isinstance(error, ssl.SSLError):
            reason = error.reason or str(error)
            return self._error(f"encryption failed ({reason})", "check that this port speaks TLS, and the certificates")
        if isinstance(error, socket.gaierror):
            return self._error("the host name cannot be resolved", "check the name and the DNS server")
        if isinstance(error, ConnectionRefusedError):
            return self._error("nothing listens there", "start the broker, or check host and port")
        if isinstance(error, TimeoutError):
            return self._error("does not answer", "check network, firewall, host and port")
        return self._error(f"cannot be reached ({error})", "check network, host and port")

    def _error(self, message: str, remedy: str) -> BrokerLost:
        return BrokerLost(message, where=self.where, remedy=remedy)


def secured(settings: MqttSettings, client_id: str, will: Message) -> BrokerConnection:
    """A connection, not open yet, with the credentials and certificates as they are on the disk now.

    Read anew each time, so that a changed password or certificate needs no restart. ConfigError if they are no good.
    """
    credentials = read_credentials(settings.credentials_file) if settings.credentials_file else None
    tls = tls_context(settings.tls) if settings.tls else None
    return BrokerConnection(settings, client_id, will, credentials, tls)
