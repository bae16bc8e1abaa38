"""A clearance gets its number, is decided, and is durable before anyone hears of it; what a crash left open is closed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from edge.clearance.book import Book, Entry
from edge.clearance.sequence import Sequence
from edge.errors import OutboxError, ResultConflict
from edge.publishers.base import Publisher, Record, RecordKind
from edge.publishers.clearance_payloads import read_clearance
from edge.publishers.payloads import clearance_body, clearance_record
from edge.types import Clearance, ClearanceOutcome, Outcome, Reason, ReasonCode
from edge.verdict import clear

log = logging.getLogger(__name__)

INTERRUPTED = "the station ended while this was running: ask again, with a new request_id"


class Recorder:
    """Sequence, book and outbox together. views: those that a clearance must have, at any moment. book None: in memory."""

    def __init__(
        self,
        book: Book | None,
        sequence: Sequence,
        publisher: Publisher,
        views: Collection[str],
        now: Callable[[], datetime],
        settled: Callable[[Clearance], None] | None = None,
    ) -> None:
        """settled: told each answer that was given in place of a former life."""
        self._settled = settled
        self.book = book or Book().__enter__()
        self._sequence = sequence
        self._publisher = publisher
        self._views = views
        self._now = now

    def answered(self, result_id: str) -> Clearance | None:
        """The clearance with this identity as it was answered, None if it is unknown. OutboxError."""
        entry = self.book.by_result(result_id)
        return self.read(entry) if entry is not None else None

    def read(self, entry: Entry) -> Clearance | None:
        """The answer of an entry, None where it has none. OutboxError: it is not as this program writes it."""
        if entry.body is None:
            return None
        try:
            return read_clearance(entry.body)
        except (KeyError, TypeError, ValueError) as error:
            remedy = "ask again with a new request_id"
            message = f"the answer to {entry.request_id!r} was kept and cannot be read ({error!r})"
            raise OutboxError(message, where="book of clearances", remedy=remedy) from None

    def newest(self) -> str:
        """The identity of the last answer, "" before the first. OutboxError."""
        entry = self.book.newest()
        return entry.result_id if entry is not None else ""

    @property
    def last_sequence(self) -> int:
        """The highest number that was given; 0 where it cannot be read (then none can be given either)."""
        try:
            return max(self._sequence.last, self.book.last_sequence())
        except OutboxError:
            return 0

    def record(self, measured: Clearance) -> Clearance:
        """The clearance decided, numbered and durable. If it could not be made durable it is not announced, and is never
        CLEAR. measured: without number and outcome.
        """
        clearance = replace(measured, sequence=0, outcome=ClearanceOutcome.UNDECIDED)
        try:
            self.settle(busy=clearance.request_id)  # else an older answer could follow this one
            number = self._next()
            clearance = self._decided(clearance, number)
            self.book.decide(clearance.request_id, number, clearance_body(clearance), clearance.decided_at)
            self._publisher.publish(clearance_record(clearance))
        except OutboxError as error:
            return self._not_recorded(clearance, error)
        try:
            self.book.announce(clearance.request_id)
        except OutboxError as error:
            log.error("clearance_not_closed request_id=%s why=%s", clearance.request_id, error)  # settled by the next one
        log.info(
            "clearance outcome=%s sequence=%d request_id=%s batch=%r result_id=%s",
            clearance.outcome.value,
            clearance.sequence,
            clearance.request_id,
            clearance.batch,
            clearance.result_id,
        )
        return clearance

    def settle(self, busy: str = "") -> None:
        """Close every request that is open without being at work (`busy`). OutboxError if that cannot be made durable.

        A request that had no answer gets UNDECIDED(stopped). An answer that was decided stands if it was announced; if it
        was not, its frames are old by now and nobody has heard of it: it becomes UNDECIDED(stopped).
        """
        for entry in self.book.unsettled():
            if entry.request_id == busy:
                continue
            answer = self._answer_again(entry, entry.body) if entry.body is not None else self._interrupted(entry)
            self.book.announce(entry.request_id)
            log.warning("clearance_settled request_id=%s result_id=%s", entry.request_id, entry.result_id)
            # An old CLEAR is never told again: who hears one may act on it.
            if self._settled is not None and answer is not None and answer.outcome is ClearanceOutcome.UNDECIDED:
                self._settled(answer)

    def _answer_again(self, entry: Entry, body: Mapping[str, Any]) -> Clearance | None:
        """Nobody has heard of this answer unless the outbox knows it: then it refuses another one of the same result_id."""
        try:
            answer = self.read(entry)
        except OutboxError as error:  # another version wrote it: that must not keep the station from every other answer
            log.error("clearance_unreadable request_id=%s why=%s", entry.request_id, error)
            answer = None
        if answer is not None and answer.outcome is ClearanceOutcome.UNDECIDED:
            return answer if self._stands(body, entry) else None
        closed = self._stopped(entry, entry.sequence or self._next())
        if answer is not None:
            closed = self._decided(ended(answer, closed.reasons[0]), answer.sequence)
        try:
            self._publisher.publish(clearance_record(closed))
        except ResultConflict:
            return answer if self._stands(body, entry) else None
        self.book.decide(entry.request_id, closed.sequence, clearance_body(closed), closed.decided_at)
        return closed

    def _stands(self, body: Mapping[str, Any], entry: Entry) -> bool:
        """Announce this answer. False where the outbox holds another one of the same result_id: a disk that failed had kept
        it all the same. It is announced, or will be, and must not keep every later answer from being given.
        """
        try:
            self._publisher.publish(_record(body, entry.result_id))
        except ResultConflict:
            log.error("clearance_known_otherwise request_id=%s result_id=%s", entry.request_id, entry.result_id)
            return False
        return True

    def _interrupted(self, entry: Entry) -> Clearance:
        """The answer to a request that a former life never answered, written down with its number and announced."""
        stopped = self._stopped(entry, self._next())
        self.book.decide(entry.request_id, stopped.sequence, clearance_body(stopped), stopped.decided_at)
        self._publisher.publish(clearance_record(stopped))
        return stopped

    def _next(self) -> int:
        return self._sequence.next(above=self.book.last_sequence())

    def _stopped(self, entry: Entry, number: int) -> Clearance:
        asked = entry.asked
        return Clearance(
            result_id=entry.result_id,
            request_id=entry.request_id,
            sequence=number,
            outcome=ClearanceOutcome.UNDECIDED,
            batch=str(asked.get("batch", "")),
            product=str(asked.get("product", "")),
            operator=str(asked.get("operator", "")),
            views=(),
            requested_at=entry.started_at,
            decided_at=self._now(),
            note=str(asked.get("note", "")),
            reasons=(Reason(ReasonCode.STOPPED, INTERRUPTED),),
            previous=asked.get("previous"),
        )

    def _decided(self, clearance: Clearance, number: int) -> Clearance:
        outcome = clear(clearance.views, tuple(self._views), clearance.reasons)
        return replace(clearance, sequence=number, outcome=outcome)

    def _not_recorded(self, clearance: Clearance, error: OutboxError) -> Clearance:
        log.error("clearance_not_recorded request_id=%s why=%s", clearance.request_id, error)
        lost = self._decided(ended(clearance, Reason(ReasonCode.NOT_RECORDED, str(error))), clearance.sequence)
        try:
            if clearance.sequence:
                self.book.decide(lost.request_id, lost.sequence, clearance_body(lost), lost.decided_at)
        except OutboxError as again:
            log.error("clearance_not_recorded request_id=%s why=%s", lost.request_id, again)
        return replace(lost, sequence=0)


def ended(clearance: Clearance, why: Reason) -> Clearance:
    """A clearance that was cancelled, stopped or lost decides nothing, whatever its frames showed; they stay as evidence."""
    views = tuple(replace(view, outcome=Outcome.UNDECIDED, reason=why, release=None) for view in clearance.views)
    return replace(clearance, views=views, reasons=(*clearance.reasons, why))


def _record(body: Mapping[str, Any], result_id: str) -> Record:
    return Record(RecordKind.CLEARANCE, "clearance/result", body, result_id=result_id)
