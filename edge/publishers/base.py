"""What every publisher can do, and the record it is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from types import TracebackType
from typing import Any, Protocol, runtime_checkable

from typing_extensions import Self


class RecordKind(str, Enum):
    """What a record is about; when space runs out IMAGE is dropped first, VERDICT and CLEARANCE never before it."""

    VERDICT = "verdict"
    CLEARANCE = "clearance"
    IMAGE = "image"
    STATE = "state"
    HEALTH = "health"
    ALARM = "alarm"


@dataclass(frozen=True)
class Record:
    """One message for the outside world.

    topic: relative to the station's root (`view/front/result`). body: the JSON document of the message, or `{}` for an
    image, whose bytes are in `blob`. retain: the broker keeps the last one. result_id: the same on every re-delivery.
    VERDICT, CLEARANCE and IMAGE records are durable (outbox); STATE, HEALTH and ALARM are the present and need no
    history: only the newest per topic is kept until the broker has it.
    """

    kind: RecordKind
    topic: str
    body: Mapping[str, Any]
    result_id: str = ""
    blob: bytes = b""
    content_type: str = "application/json"
    retain: bool = False
    properties: Mapping[str, str] = field(default_factory=dict)


@runtime_checkable
class Publisher(Protocol):
    """Carries records away. Any thread may call publish."""

    def __enter__(self) -> Self:
        """Open what is local (files); never waits for a broker."""
        ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Say goodbye within a bounded time; what is durable stays for the next start; never raises."""
        ...

    def publish(self, *records: Record) -> None:
        """Make all records durable together, or none (OutboxError). Returns when they are; never waits for the broker."""
        ...

    def health(self) -> Mapping[str, float | int | str | bool | None]:
        """Counters for the health message: what waits, what was dropped, whether the broker is there. OutboxError."""
        ...


@runtime_checkable
class Threaded(Protocol):
    """A Publisher with a thread of its own."""

    @property
    def idle_s(self) -> float:
        """Seconds since that thread last made a turn."""
        ...


@dataclass(frozen=True)
class Incoming:
    """A message that somebody sent to the station.

    topic: relative to the station's root (`cmd/clearance`). retained: the broker kept it from earlier, so nobody asks now.
    response_topic, correlation: where and under which mark the sender wants its answer (MQTT 5), else empty.
    """

    topic: str
    payload: bytes
    retained: bool = False
    response_topic: str = ""
    correlation: bytes = b""


@dataclass(frozen=True)
class Answer:
    """A reply to one message: to `topic`, whole as it stands (not relative), under the sender's mark."""

    topic: str
    body: Mapping[str, Any]
    correlation: bytes = b""


@runtime_checkable
class Channel(Protocol):
    """A Publisher that also hears: what commands come in through."""

    def listen(self, topics: Sequence[str], receive: Callable[[Incoming], None]) -> None:
        """Hear these topics too (relative; MQTT wildcards), from the next opening on. `receive` must return at once.

        Messages that arrive while nobody is connected are gone: a command is for now.
        """
        ...

    def answer(self, answer: Answer) -> None:
        """Send a reply; never blocks. It is not kept on disk: who gets none asks again with the same request_id."""
        ...
