"""Keeps records in this process: for tests, for `lineclear check` without a broker, and for faults on demand."""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Callable, Sequence
from types import TracebackType

from typing_extensions import Self

from edge.errors import OutboxError, ResultConflict
from edge.publishers.base import Answer, Incoming, Record
from edge.publishers.hearing import Ears
from edge.publishers.rows import PRIORITY, RESULT, encode
from edge.settings.mqtt import MemorySettings


class MemoryPublisher:
    """A Publisher whose records can be read back. on_record is called for each, in the publishing thread."""

    def __init__(self, settings: MemorySettings, on_record: Callable[[Record], None] | None = None) -> None:
        self._settings = settings
        self._on_record = on_record
        self._lock = threading.Lock()
        self._random = random.Random(settings.seed)  # noqa: S311 - faults on demand
        self._records: deque[Record] = deque(maxlen=settings.keep)
        self._answers: deque[Answer] = deque(maxlen=settings.keep)
        self._ears: list[Ears] = []
        self._is_open = False

    def __enter__(self) -> Self:
        """Start taking records."""
        self._is_open = True
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Take no more; what was taken can still be read."""
        self._is_open = False

    def publish(self, *records: Record) -> None:
        """Keep all or none; OutboxError when closed, for a body that is no JSON, or for a fault from the seed."""
        for record in records:
            encode(record.body)
        with self._lock:
            if not self._is_open:
                raise OutboxError("the publisher is not open", remedy="start the station")
            is_durable = any(record.kind in PRIORITY for record in records)
            if is_durable and self._random.random() < self._settings.fail_share:
                raise OutboxError("a simulated disk fault", remedy="set fail_share to 0")
            again = self._recorded_already(records)
            fresh = [record for record in records if record.kind not in PRIORITY or record.result_id not in again]
            self._records.extend(fresh)
        if self._on_record is not None:
            for record in fresh:
                self._on_record(record)

    def listen(self, topics: Sequence[str], receive: Callable[[Incoming], None]) -> None:
        """What `hear` is given goes to `receive` too, if it is one of these topics."""
        self._ears.append(Ears.of(topics, receive))

    def hear(self, message: Incoming) -> None:
        """As if somebody had sent this."""
        for ears in self._ears:
            ears.hear(message)

    def answer(self, answer: Answer) -> None:
        """Keep it; see `answers`."""
        encode(answer.body)
        with self._lock:
            self._answers.append(answer)

    @property
    def answers(self) -> tuple[Answer, ...]:
        """The newest answers, oldest first."""
        with self._lock:
            return tuple(self._answers)

    @property
    def records(self) -> tuple[Record, ...]:
        """The newest records, oldest first."""
        with self._lock:
            return tuple(self._records)

    def health(self) -> dict[str, float | int | str | bool | None]:
        """How many records are kept."""
        return {"memory.records": len(self.records)}

    def _recorded_already(self, records: tuple[Record, ...]) -> set[str]:
        """Which results of this call are known with the same body; OutboxError if one has another."""
        known = {record.result_id: record for record in self._records if PRIORITY.get(record.kind) == RESULT}
        again = {record.result_id for record in records if PRIORITY.get(record.kind) == RESULT and record.result_id in known}
        for record in records:
            if (
                record.result_id in again
                and PRIORITY.get(record.kind) == RESULT
                and record.body != known[record.result_id].body
            ):
                raise ResultConflict(f"result {record.result_id} is recorded already with other contents")
        return again
