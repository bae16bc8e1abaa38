"""What a row of the outbox is, and how much of them waits. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from edge.errors import OutboxError
from edge.publishers.base import Record, RecordKind

RESULT, IMAGE = 0, 1
PRIORITY: Final = {RecordKind.VERDICT: RESULT, RecordKind.CLEARANCE: RESULT, RecordKind.IMAGE: IMAGE}
INSERT: Final = (
    "INSERT INTO outbox (priority, kind, topic, result_id, retain, qos, content_type, properties, created_at, size, payload)"
    " VALUES (?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?)"
)
COLUMNS: Final = "id, kind, topic, result_id, retain, qos, content_type, properties, payload"


@dataclass(frozen=True)
class Pending:
    """One record that the broker has not acknowledged; `id` grows with the order of recording."""

    id: int
    kind: RecordKind
    topic: str
    result_id: str
    retain: bool
    qos: int
    content_type: str
    properties: Mapping[str, str]
    payload: bytes


@dataclass(frozen=True)
class Depth:
    """How much waits: rows and payload bytes, results and images apart."""

    results: int = 0
    images: int = 0
    result_bytes: int = 0
    image_bytes: int = 0

    @property
    def rows(self) -> int:
        """All rows."""
        return self.results + self.images

    @property
    def size_bytes(self) -> int:
        """All payload bytes."""
        return self.result_bytes + self.image_bytes

    def plus(self, priority: int, size: int, sign: int = 1) -> Depth:
        """The depth with one row more (or, sign -1, less)."""
        if priority == IMAGE:
            return replace(self, images=self.images + sign, image_bytes=self.image_bytes + sign * size)
        return replace(self, results=self.results + sign, result_bytes=self.result_bytes + sign * size)


@dataclass(frozen=True)
class Row:
    """A record as it is stored; topic: whole."""

    record: Record
    topic: str
    payload: bytes

    @property
    def priority(self) -> int:
        """RESULT or IMAGE."""
        return PRIORITY[self.record.kind]

    def values(self, now: float) -> tuple[object, ...]:
        """The parameters of INSERT."""
        record = self.record
        properties = json.dumps(dict(record.properties), ensure_ascii=False)
        head = (self.priority, record.kind.value, self.topic, record.result_id, int(record.retain), record.content_type)
        return (*head, properties, now, len(self.payload), self.payload)


def encode(body: Mapping[str, Any]) -> bytes:
    """The body as compact UTF-8 JSON; OutboxError if it is no JSON (NaN, infinity, foreign objects).

    Half characters (a file name in another encoding) become `?`: no verdict is lost for the spelling of its reason.
    """
    try:
        return json.dumps(body, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    except (TypeError, ValueError) as error:
        raise OutboxError(f"a message cannot be written as JSON ({error})", remedy="report this as a fault") from None


def row_of(record: Record, root: str) -> Row:
    """The row of a durable record under a topic root; OutboxError for one that cannot be stored."""
    if record.kind not in PRIORITY:
        raise OutboxError(f"{record.kind.value} records are not kept in the outbox", where=record.topic)
    if PRIORITY[record.kind] == RESULT and not record.result_id:
        raise OutboxError("a result without a result_id cannot be recorded", where=record.topic)
    payload = record.blob if record.kind is RecordKind.IMAGE else encode(record.body)
    return Row(record, f"{root}/{record.topic}" if root else record.topic, payload)


def pending_of(row: Sequence[Any]) -> Pending:
    """A row that was selected with COLUMNS."""
    row_id, kind, topic, result_id, retain, qos, content_type, properties, payload = row
    fields = (row_id, RecordKind(kind), topic, result_id, bool(retain), qos, content_type)
    return Pending(*fields, properties=json.loads(properties), payload=bytes(payload))
