"""Settings of what leaves the station: where it sits in the topic tree, the broker, the outbox."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator
from typing_extensions import Self

from edge.schema import Closed

_FORBIDDEN = {"+": "'+'", "#": "'#'", "/": "'/'", "\0": "a NUL character"}


def topic_level(text: str) -> str:
    """`text` if it can be one level of an MQTT topic; ValueError says why not."""
    if not text or text != text.strip():
        raise ValueError(f"{text!r} cannot be a topic level: it is empty or has blanks around it")
    for character, name in _FORBIDDEN.items():
        if character in text:
            raise ValueError(f"{text!r} cannot be a topic level: it contains {name}")
    if any(ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0 or 0xD800 <= ord(character) < 0xE000 for character in text):
        raise ValueError(f"{text!r} cannot be a topic level: it contains a control character")
    if text.startswith("$"):
        raise ValueError(f"{text!r} cannot be a topic level: '$' at the start belongs to the broker")
    return text


TopicLevel = Annotated[str, Field(max_length=80), AfterValidator(topic_level)]


class StationAddress(Closed):
    """Where the station stands, from the site down (ISA-95); every level is one level of its topics."""

    root: TopicLevel = "lineclear"
    site: TopicLevel
    area: TopicLevel
    line: TopicLevel
    station: TopicLevel

    @property
    def topic(self) -> str:
        """What every topic of this station starts with, without a slash at the end."""
        return "/".join((self.root, self.site, self.area, self.line, self.station))

    @property
    def client_id(self) -> str:
        """The MQTT client id that follows from the address: unique wherever the address is."""
        return self.topic.replace("/", "-")


class MqttTls(Closed):
    """Encryption. The broker's certificate and its name are always verified: there is no switch for that.

    ca_file: PEM with the authorities to trust; None: those of the operating system. cert_file and key_file: the station's
    own certificate, where the broker asks for one.
    """

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    min_version: Literal["1.2", "1.3"] = "1.2"

    @model_validator(mode="after")
    def _pair(self) -> Self:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file belong together: write both or neither")
        return self


class OutboxSettings(Closed):
    """How much may wait on disk for the broker, and how long results are remembered.

    max_bytes counts payloads; the file is somewhat larger. max_age_h: images older than this are dropped unsent. Verdicts
    and clearances are dropped only when no image is left and max_rows or max_bytes is still exceeded, oldest first; never
    by age, because a clock that jumps would erase them.
    """

    max_rows: int = Field(100_000, ge=1)
    max_bytes: int = Field(512 * 1024 * 1024, ge=4096)
    max_age_h: float = Field(72.0, gt=0)
    keep_results: int = Field(200_000, ge=1)
    keep_results_h: float = Field(24.0 * 90, gt=0)
    busy_timeout_s: float = Field(1.0, ge=0, le=30)


class MqttSettings(Closed):
    """One MQTT broker.

    port None: 8883 with tls, else 1883. protocol: as the broker speaks it. credentials_file: `user:password` on one line,
    or user and password on two; readable by the station's user alone. client_id None: from the station's address.
    image_cap_bytes: larger images are re-encoded to fit (also to a smaller limit that a v5 broker states).
    image_meta: the JSON message that names an image for 3.1.1 clients; `auto` sends it where the protocol is 3.1.1.
    ack_timeout_s: a broker that answers pings but acknowledges nothing for this long is left and connected again.
    """

    kind: Literal["mqtt"]
    host: str = Field(min_length=1, max_length=253)
    port: int | None = Field(None, ge=1, le=65_535)
    protocol: Literal["3.1.1", "5"] = "3.1.1"
    tls: MqttTls | None = None
    credentials_file: Path | None = None
    client_id: str | None = Field(None, min_length=1, max_length=256)
    keepalive_s: int = Field(15, ge=5, le=3600)
    connect_timeout_s: float = Field(5.0, gt=0, le=60)
    ack_timeout_s: float = Field(60.0, gt=0)
    reconnect_min_s: float = Field(1.0, gt=0)
    reconnect_max_s: float = Field(30.0, gt=0)
    drain_s: float = Field(2.0, ge=0, le=60)
    max_in_flight: int = Field(20, ge=2, le=20)
    image_cap_bytes: int = Field(256_000, ge=4_000)
    image_meta: Literal["auto", "always"] = "auto"
    outbox: OutboxSettings = OutboxSettings()

    @field_validator("protocol", mode="before")
    @classmethod
    def _protocol_as_text(cls, value: object) -> object:
        """YAML reads `5` as a number and `3.1.1` as text."""
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @model_validator(mode="after")
    def _backoff(self) -> Self:
        if self.reconnect_min_s > self.reconnect_max_s:
            raise ValueError("reconnect_min_s cannot exceed reconnect_max_s")
        return self

    @property
    def effective_port(self) -> int:
        """The port, or the protocol's usual one."""
        return self.port or (8883 if self.tls else 1883)


class MemorySettings(Closed):
    """Records stay in this process: for tests and for `lineclear check` without a broker.

    keep: how many of the newest records are kept. fail_share: share of publish calls that fail with OutboxError, drawn
    from `seed`: a disk that cannot be written, on demand.
    """

    kind: Literal["memory"]
    keep: int = Field(1000, ge=1)
    fail_share: float = Field(0.0, ge=0, le=1)
    seed: int = 0


PublisherSettings = Annotated[MqttSettings | MemorySettings, Field(discriminator="kind")]
