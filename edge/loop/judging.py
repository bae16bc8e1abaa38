"""The judge's desk: turns frames into verdicts, and makes each verdict durable before anyone hears of it."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Protocol

from edge.errors import LineclearError, OutboxError
from edge.health import Health
from edge.loop.results import new_result_id, origin_of
from edge.loop.tickets import Ticket
from edge.pipeline import Judged, ViewPipeline
from edge.publishers.base import Publisher
from edge.publishers.payloads import verdict_record
from edge.types import Frame, ImageU8, Judgement, Origin, ReasonCode, Verdict
from edge.verdict import undecided

log = logging.getLogger(__name__)

EARLIEST_SANE = datetime(2025, 1, 1, tzinfo=timezone.utc)
"""A wall clock before this day was never set: a result that carries it could not be signed."""


class Seat(Protocol):
    """One view as the judge sees it."""

    @property
    def pipeline(self) -> ViewPipeline | None:
        """What measures and judges its frames; None while the view is blocked."""
        ...

    @property
    def blocked(self) -> Judgement | None:
        """Why no frame of this view can be judged at present (recipe, engine); None if it can."""
        ...

    @property
    def origin(self) -> Origin:
        """Names of the parts in use, for the verdict."""
        ...


PictureSink = Callable[[Verdict, Frame | None, Judged | None], object]


@dataclass(frozen=True, eq=False)
class _Job:
    ticket: Ticket
    frame: Frame


@dataclass(frozen=True, eq=False)
class Examined:
    """What the station makes of an image that no camera gave. judged: None where nothing was measured."""

    judgement: Judgement
    judged: Judged | None = None


@dataclass(frozen=True, eq=False)
class _Errand:
    """Work for the judge's thread that is no frame. refuse: how its future ends if the station stops first."""

    work: Callable[[], None]
    refuse: Callable[[ReasonCode, str], None]


class JudgeDesk:
    """Implements Desk: queues frames for the judge and closes tickets. Any thread may call submit and close."""

    def __init__(
        self,
        seats: Mapping[str, Seat],
        limits: Mapping[str, int],
        publisher: Publisher,
        health: Health,
        pictures: PictureSink,
        now: Callable[[], datetime],
    ) -> None:
        self._seats = seats
        self._limits = limits
        self._publisher = publisher
        self._health = health
        self._pictures = pictures
        self._now = now
        self._jobs: queue.SimpleQueue[_Job | _Errand | None] = queue.SimpleQueue()
        self._waiting: dict[str, int] = dict.fromkeys(seats, 0)
        self._lock = threading.Lock()
        self._open = True

    def submit(self, ticket: Ticket, frame: Frame) -> None:
        """Queue the frame; a view with too many waiting frames gets UNDECIDED(overrun) for this one."""
        with self._lock:
            if self._open and self._waiting[ticket.view] < self._limits[ticket.view]:
                self._waiting[ticket.view] += 1
                self._jobs.put(_Job(ticket, frame))
                return
            code = ReasonCode.OVERRUN if self._open else ReasonCode.STOPPED
        detail = f"{self._limits[ticket.view]} frames were already waiting" if code is ReasonCode.OVERRUN else "station stopped"
        self.close(ticket, undecided(code, detail), frame)

    def close(self, ticket: Ticket, judgement: Judgement, frame: Frame | None = None) -> None:
        """Record a verdict that needed no engine."""
        self._finish(ticket, judgement, frame, None)

    def examine(self, view: str, image: ImageU8) -> Future[Examined]:
        """Judge an image as if the camera of `view` had given it; nothing is recorded, counted or published.

        It waits for its turn among the frames and is never an overrun. KeyError for an unknown view.
        """
        seat, answer = self._seats[view], Future[Examined]()

        def refuse(code: ReasonCode, detail: str) -> None:
            if not answer.done():
                answer.set_result(Examined(undecided(code, detail)))

        def work() -> None:
            try:
                answer.set_result(_examined(seat, image))
            finally:
                refuse(ReasonCode.INTERNAL, "the judge failed: see the log")

        self._send(_Errand(work, refuse))
        return answer

    def call(self, work: Callable[[], None], refused: Callable[[str], LineclearError]) -> Future[None]:
        """Do `work` in the judge's thread, between two frames. The future ends with `refused(why)` if it was not done: the
        station stops first, or the judge fails.
        """
        answer = Future[None]()

        def refuse(code: ReasonCode, detail: str) -> None:
            if not answer.done():
                log.warning("errand_refused code=%s why=%s", code.value, detail)
                answer.set_exception(refused(detail))

        def run() -> None:
            if not answer.set_running_or_notify_cancel():
                return
            try:
                work()
                answer.set_result(None)
            except LineclearError as error:
                answer.set_exception(error)
            finally:
                refuse(ReasonCode.INTERNAL, "the judge failed: see the log")

        self._send(_Errand(run, refuse))
        return answer

    def _send(self, errand: _Errand) -> None:
        with self._lock:
            if self._open:
                self._jobs.put(errand)
                return
        errand.refuse(ReasonCode.STOPPED, "the station was stopped")

    def judge_one(self, timeout_s: float) -> bool:
        """Judge the next waiting frame; False after timeout_s without one, or once stopped and empty."""
        try:
            job = self._jobs.get(timeout=timeout_s)
        except queue.Empty:
            return False
        if job is None:
            return False
        if isinstance(job, _Errand):
            job.work()
            return True
        with self._lock:
            self._waiting[job.ticket.view] -= 1
        seat = self._seats[job.ticket.view]
        try:
            if seat.blocked is not None or seat.pipeline is None:
                judgement = seat.blocked or _no_recipe()
                self._finish(job.ticket, judgement, job.frame, None)
            else:
                judged = seat.pipeline.judge(job.frame.image)
                self._finish(job.ticket, judged.judgement, job.frame, judged)
        finally:
            # Whatever went wrong above, this trigger gets its one verdict; the supervisor logs what it was.
            if not job.ticket.answer.done():
                self._finish(job.ticket, undecided(ReasonCode.INTERNAL, "the judge failed: see the log"), job.frame, None)
        return True

    def stop(self) -> None:
        """No more frames; what waits ends as UNDECIDED(stopped)."""
        with self._lock:
            self._open = False
        self.clear(ReasonCode.STOPPED, "the station was stopped")
        self._jobs.put(None)

    def clear(self, code: ReasonCode, detail: str) -> None:
        """What waits ends as UNDECIDED for this reason."""
        while True:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return
            if isinstance(job, _Errand):
                job.refuse(code, detail)
            elif job is not None:
                with self._lock:
                    self._waiting[job.ticket.view] -= 1
                self.close(job.ticket, undecided(code, detail), job.frame)

    def _finish(self, ticket: Ticket, judgement: Judgement, frame: Frame | None, judged: Judged | None) -> None:
        now = self._now()
        if now < EARLIEST_SANE:
            detail = f"the station's clock says {now:%Y-%m-%d}: set it (timedatectl), then ask again"
            judgement = undecided(ReasonCode.CLOCK, detail)
        verdict = Verdict(
            result_id=new_result_id(now),
            judgement=judgement,
            origin=origin_of(self._seats[ticket.view].origin, ticket, frame),
            decided_at=now,
            alignment=judged.alignment if judged else None,
            stage_ms=_stages(ticket, frame, judged),
            clearance_id=ticket.clearance_id,
        )
        recorded = replace(verdict, judgement=undecided(ReasonCode.NOT_RECORDED, "recording failed: see the log"))
        try:
            recorded = self._record(verdict)
        finally:
            ticket.answer.set_result(recorded)
        self._health.verdict(recorded)
        self._pictures(recorded, frame, judged)

    def _record(self, verdict: Verdict) -> Verdict:
        started = time.perf_counter()
        try:
            self._publisher.publish(verdict_record(verdict))
        except OutboxError as error:
            self._health.event(verdict.view, "not_recorded")
            log.error("verdict_not_recorded view=%s trigger=%d why=%s", verdict.view, verdict.origin.trigger, error)
            return replace(verdict, judgement=undecided(ReasonCode.NOT_RECORDED, str(error)))
        verdict = replace(verdict, stage_ms={**verdict.stage_ms, "record": (time.perf_counter() - started) * 1000})
        reason = f" reason={verdict.reason.code.value} detail={verdict.reason.detail!r}" if verdict.reason else ""
        log.info(
            "verdict view=%s trigger=%d outcome=%s score=%s threshold=%s%s result_id=%s",
            verdict.view,
            verdict.origin.trigger,
            verdict.outcome.value,
            verdict.judgement.score,
            verdict.judgement.threshold,
            reason,
            verdict.result_id,
        )
        return verdict


def _examined(seat: Seat, image: ImageU8) -> Examined:
    if seat.blocked is not None or seat.pipeline is None:
        return Examined(seat.blocked or _no_recipe())
    judged = seat.pipeline.judge(image)
    return Examined(judged.judgement, judged)


def _no_recipe() -> Judgement:
    return undecided(ReasonCode.RECIPE_INVALID, "this view has no recipe")


def _stages(ticket: Ticket, frame: Frame | None, judged: Judged | None) -> dict[str, float]:
    """Milliseconds per stage; grab runs from the trigger to the frame, queue from the frame to the judge."""
    stages = dict(judged.stage_ms) if judged else {}
    if frame is not None:
        waited_ns = time.monotonic_ns() - frame.grabbed_ns - int(sum(stages.values()) * 1e6)
        stages = {"queue": max(0.0, waited_ns / 1e6), **stages}
        if ticket.asked_ns:
            stages = {"grab": max(0.0, (frame.grabbed_ns - ticket.asked_ns) / 1e6), **stages}
    return stages
