"""The desk where clearances are asked for: one at a time, one answer per request, whatever is asked in between."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from edge.clearance.progress import Teller
from edge.clearance.recording import Recorder, ended
from edge.clearance.requests import ClearanceRequest
from edge.clearance.running import Job, Runner
from edge.errors import OutboxError, StationBusy
from edge.publishers.clearance_payloads import ClearancePhase, ClearanceProgress
from edge.types import Clearance, Reason, ReasonCode

log = logging.getLogger(__name__)

STOPPING = "the station is being stopped"
REMEMBERED = 64
"""Answers kept in memory, so that a repeated request has its answer even when the disk fails."""
STOP_S = 5.0


@dataclass(frozen=True, eq=False)
class Handle:
    """A request that was accepted; answer gets its result. repeated: it was asked before, and is done once."""

    request_id: str
    result_id: str
    answer: Future[Clearance]
    repeated: bool = False


@dataclass(frozen=True)
class ClearanceBusy:
    """Another one is at work: ask again when `clearance/state` says ready."""

    request_id: str
    result_id: str
    started: datetime


@dataclass(frozen=True)
class ClearanceRefused:
    """Nothing was done; a line for each thing that is wrong."""

    problems: tuple[str, ...]


Accepted = Handle | ClearanceBusy | ClearanceRefused
Asked = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Task:
    """What is to be done. objections: what speaks against it, asked when nothing else runs. after: told the result once it
    is durable.
    """

    request: ClearanceRequest
    asked: Asked
    measure: Callable[[Job], Clearance]
    objections: Callable[[], list[str]] = list
    after: Callable[[Clearance], None] | None = None


class Desk:
    """Takes one task at a time; the same request_id has the same answer, also after a restart. Any thread may ask."""

    def __init__(
        self,
        runner: Runner,
        recorder: Recorder,
        teller: Teller,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        self._runner = runner
        self._recorder = recorder
        self._book = recorder.book
        self._teller = teller
        self._now = now
        self._lock = threading.Lock()
        self._job: Job | None = None
        self._job_asked: Asked | None = None
        self._thread: threading.Thread | None = None
        self._is_open = True
        self._is_sealed = False
        self._answers: OrderedDict[str, tuple[Asked, Clearance]] = OrderedDict()

    def open(self) -> None:
        """Close what a former life left open, then say ready."""
        try:
            self._recorder.settle()
        except OutboxError as error:
            log.error("clearances_not_settled why=%s", error)  # no clearance can be recorded before it is: see record
        with self._lock:
            self._say_ready()

    def close(self) -> None:
        """Take no more; what runs ends as UNDECIDED(stopped). Bounded in time."""
        with self._lock:
            self._is_open = False
            thread = self._thread
            self._end(Reason(ReasonCode.STOPPED, "the station was stopped"))
        if thread is not None:
            thread.join(STOP_S)
        self._teller.say(ClearanceProgress(ClearancePhase.STOPPED, self._recorder.last_sequence))

    def accept(self, task: Task) -> Accepted:
        """Start it, or say what else there is: the answer of the same request, another one at work, or what is wrong."""
        request_id = task.request.request_id
        with self._lock:
            known = self._known(request_id, task)
            if known is not None:
                return known
            if self._job is not None:
                return self._busy(self._job)
            if not self._is_open:
                return ClearanceRefused((STOPPING,))
            problems = task.objections()
            if problems:
                return ClearanceRefused(tuple(problems))
            job = self._new_job(task.request)
            try:
                self._book.begin(request_id, task.asked, job.result_id, job.requested_at)
            except OutboxError as error:
                return self._unrecorded(job, task.asked, error)
            self._job, self._job_asked, self._is_sealed = job, task.asked, False
            self._thread = threading.Thread(target=self._work, args=(job, task), name="clearance", daemon=True)
            self._thread.start()
        return Handle(request_id, job.result_id, job.answer)

    def occupy(self, request: ClearanceRequest, *, can_end: bool) -> Job | ClearanceBusy:
        """Keep clearances away while something else uses the views; `vacate` lets them in again. can_end: `cancel` ends it.

        StationBusy once the station is being stopped: what begins then would outlive it.
        """
        with self._lock:
            if self._job is not None:
                return self._busy(self._job)
            if not self._is_open:
                raise StationBusy(STOPPING, remedy="ask again when it runs")
            self._job, self._job_asked, self._thread = self._new_job(request), None, None
            self._is_sealed = not can_end
            return self._job

    @property
    def work_s(self) -> float:
        """For how long the clearance has been at work that runs now; 0 if none does."""
        job, thread = self._job, self._thread
        return time.monotonic() - job.started if job is not None and thread is not None else 0.0

    def vacate(self) -> None:
        """What `occupy` was for is over."""
        with self._lock:
            self._job = None
            self._say_ready()

    def cancel(self, request_id: str, who: str) -> bool:
        """End the running request of this id as UNDECIDED(cancelled); False if it does not run or is decided already."""
        with self._lock:
            job = self._job
            if job is None or job.request.request_id != request_id:
                return False
            return self._end(Reason(ReasonCode.CANCELLED, f"cancelled by {who}"))

    def _end(self, why: Reason) -> bool:
        """End what runs, for the first reason that is given, while it can still be ended. Call it with the lock held."""
        if self._job is None or self._is_sealed or self._job.stop.done():
            return False
        self._job.stop.set_result(why)
        return True

    def _known(self, request_id: str, task: Task) -> Handle | ClearanceRefused | None:
        """The answer to a request that was asked before, None for a new one."""
        if self._job is not None and self._job_asked is not None and self._job.request.request_id == request_id:
            return _same(self._job_asked, task) or Handle(request_id, self._job.result_id, self._job.answer, repeated=True)
        if request_id in self._answers:
            asked, clearance = self._answers[request_id]
            return _same(asked, task) or _done(clearance)
        try:
            entry = self._book.find(request_id)
            if entry is not None and entry.state != "announced":
                self._recorder.settle(busy=self._job.request.request_id if self._job is not None else "")
                entry = self._book.find(request_id)
            known = self._recorder.read(entry) if entry is not None else None
        except OutboxError as error:
            return self._unrecorded(self._new_job(task.request), task.asked, error)
        return _same(entry.asked, task) or _done(known) if entry is not None and known is not None else None

    def _work(self, job: Job, task: Task) -> None:
        """The body of a clearance's thread: whatever happens in it, the request gets its one answer."""
        blank = self._runner.blank(job, Reason(ReasonCode.INTERNAL, "the clearance failed: see the log"))
        clearance: Clearance | None = None
        try:
            request = job.request
            started = ClearanceProgress(
                ClearancePhase.FITNESS,
                self._recorder.last_sequence,
                request.request_id,
                job.result_id,
                request.batch,
                request.product,
                job.requested_at,
            )
            self._teller.say(started)
            measured = task.measure(job)
            self._teller.phase(ClearancePhase.RECORDING)
            with self._lock:
                self._is_sealed = True
            if job.stop.done():
                measured = ended(measured, job.stop.result())
            clearance = self._recorder.record(measured)
        finally:
            try:
                if clearance is None:  # whatever went wrong above, who waits on the broker hears of it too
                    clearance = self._recorder.record(blank)
            finally:
                self._finish(job, task, clearance or blank)

    def _finish(self, job: Job, task: Task, clearance: Clearance) -> None:
        try:
            with self._lock:
                self._remember(task.asked, clearance)
                self._job = None
                self._say_ready()
        finally:
            job.answer.set_result(clearance)
        if clearance.sequence and task.after is not None:
            task.after(clearance)

    def _remember(self, asked: Asked, clearance: Clearance) -> None:
        self._answers[clearance.request_id] = (asked, clearance)
        while len(self._answers) > REMEMBERED:
            self._answers.popitem(last=False)

    def _unrecorded(self, job: Job, asked: Asked, error: OutboxError) -> Handle:
        """The disk refuses the question, so it would refuse the answer: nothing is done for it."""
        log.error("clearance_not_recorded request_id=%s why=%s", job.request.request_id, error)
        clearance = self._runner.blank(job, Reason(ReasonCode.NOT_RECORDED, str(error)))
        self._remember(asked, clearance)
        job.answer.set_result(clearance)
        return Handle(job.request.request_id, job.result_id, job.answer)

    def _new_job(self, request: ClearanceRequest) -> Job:
        now = self._now()
        return Job(request, f"{now:%Y%m%dT%H%M%S%f}-{secrets.token_hex(3)}", now, time.monotonic())

    @staticmethod
    def _busy(job: Job) -> ClearanceBusy:
        return ClearanceBusy(job.request.request_id, job.result_id, job.requested_at)

    def _say_ready(self) -> None:
        """Call it with the lock held: said later it could be heard after the next request was accepted."""
        if self._is_open:
            self._teller.say(ClearanceProgress(ClearancePhase.READY, self._recorder.last_sequence))


def _same(asked: Asked, task: Task) -> ClearanceRefused | None:
    """An id that was used for something else is a mistake: an old answer must never be taken for a new batch."""
    if dict(asked) == dict(task.asked):
        return None
    was = f"{asked.get('kind', '?')} of batch {asked.get('batch', '?')!r}"
    return ClearanceRefused((f"request_id: {task.request.request_id!r} was used before, for {was}: use a new one",))


def _done(clearance: Clearance) -> Handle:
    answer: Future[Clearance] = Future()
    answer.set_result(clearance)
    return Handle(clearance.request_id, clearance.result_id, answer, repeated=True)
