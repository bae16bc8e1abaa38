"""The judge's desk: turns frames into verdicts, and makes each verdict durable before anyone hears of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Protocol

from edge.errors import LineclearError, OutboxError
from edge.health import GRAB, Health
from edge.loop.results import new_result_id, origin_of
from edge.loop.tickets import Ticket
from edge.loop.waiting import Errand, Job, Line
from edge.pipeline import Judged, ViewPipeline
from edge.publishers.base import Publisher
from edge.publishers.payloads import verdict_record
from edge.supervision import Pulse
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

    @property
    def frames_from_ns(self) -> int:
        """What was grabbed earlier (host monotonic ns) was grabbed with other camera settings."""
        ...


SET_ANEW = "this frame was taken before the camera was set anew: ask again"
ERRAND_S = 300.0
"""How long a changeover may keep the judge beside the opening of its engines."""

PictureSink = Callable[[Verdict, Frame | None, Judged | None], object]


@dataclass(frozen=True, eq=False)
class Examined:
    """What the station makes of an image that no camera gave. judged: None where nothing was measured."""

    judgement: Judgement
    judged: Judged | None = None


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
        self._line = Line(limits)
        self._in_hand: Job | Errand | None = None
        self._ending: Judgement | None = None
        self.pulse = Pulse("judge")

    def submit(self, ticket: Ticket, frame: Frame) -> None:
        """Queue the frame. Where too many of its view wait, one that gives way ends as UNDECIDED(overrun): see Line."""
        try:
            loser = self._line.put(Job(ticket, frame))
        except RuntimeError:
            self.close(ticket, undecided(ReasonCode.STOPPED, "the station was stopped"), frame)
            return
        if loser is not None:
            detail = f"{self._limits[ticket.view]} frames were already waiting, and newer ones come: slower triggers"
            self.close(loser.ticket, undecided(ReasonCode.OVERRUN, detail), loser.frame)

    def close(self, ticket: Ticket, judgement: Judgement, frame: Frame | None = None) -> None:
        """Record a verdict that needed no engine."""
        is_end = judgement.reason is not None and judgement.reason.code is ReasonCode.STOPPED
        self._finish(ticket, self._ending if is_end and self._ending is not None else judgement, frame, None)

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

        self._send(Errand(work, refuse))
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

        self._send(Errand(run, refuse))
        return answer

    def _send(self, errand: Errand) -> None:
        if not self._line.send(errand):
            errand.refuse(ReasonCode.STOPPED, "the station was stopped")

    def judge_one(self, timeout_s: float) -> bool:
        """Judge the next waiting frame; False after timeout_s without one, or once stopped and empty."""
        self.pulse.beat()
        job = self._in_hand = self._line.take(timeout_s)
        if isinstance(job, Errand):
            with self.pulse.step("an errand of a command", ERRAND_S):
                job.work()
        elif job is not None:
            try:
                self._judge(job)
            finally:
                # Whatever went wrong above, this trigger gets its one verdict; the supervisor logs what it was.
                if not job.ticket.answer.done():
                    self._finish(job.ticket, undecided(ReasonCode.INTERNAL, "the judge failed: see the log"), job.frame, None)
        self._in_hand = None
        return job is not None

    def _judge(self, job: Job) -> None:
        seat = self._seats[job.ticket.view]
        pipeline = seat.pipeline
        if seat.blocked is not None or pipeline is None:
            self._finish(job.ticket, seat.blocked or _no_recipe(), job.frame, None)
            return
        if job.frame.grabbed_ns < seat.frames_from_ns:
            self._finish(job.ticket, undecided(ReasonCode.CAMERA_LOST, SET_ANEW), job.frame, None)
            return
        with self.pulse.step(f"a frame of {job.ticket.view}", self.pulse.limit_s):
            judged = pipeline.judge(job.frame.image)
        self._finish(job.ticket, judged.judgement, job.frame, judged)

    def stop(self) -> None:
        """No more frames; what waits ends as UNDECIDED(stopped)."""
        self._line.close()
        self.clear(ReasonCode.STOPPED, "the station was stopped")

    def abandon(self, code: ReasonCode, detail: str) -> None:
        """The judge hangs: what it has in hand, what waits, and what is asked from now on ends as UNDECIDED for this reason.

        Should the judge wake up after all, what it has in hand has its verdict already.
        """
        self._ending = undecided(code, detail)
        self._line.close()
        in_hand = self._in_hand
        if isinstance(in_hand, Job):
            self.close(in_hand.ticket, self._ending, in_hand.frame)
        elif in_hand is not None:
            in_hand.refuse(code, detail)
        self.clear(code, detail)

    def clear(self, code: ReasonCode, detail: str) -> None:
        """What waits ends as UNDECIDED for this reason."""
        for job in self._line.take_all():
            if isinstance(job, Errand):
                job.refuse(code, detail)
            else:
                self.close(job.ticket, undecided(code, detail), job.frame)

    def _finish(self, ticket: Ticket, judgement: Judgement, frame: Frame | None, judged: Judged | None) -> None:
        if not ticket.claim():
            return
        now, blocked = self._now(), self._seats[ticket.view].blocked
        if blocked is not None and blocked.reason is not None and blocked.reason.code is ReasonCode.SAFE_MODE:
            judgement = blocked  # whatever else is wrong: nothing of this station counts
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
        _tell(verdict)
        return verdict


def _tell(verdict: Verdict) -> None:
    """The one line of a verdict. ms: from the frame in the camera's process to the durable verdict, as latency_seconds."""
    judgement, reason = verdict.judgement, verdict.reason
    log.info(
        "verdict result_id=%s view=%s trigger=%d outcome=%s reason=%s score=%s threshold=%s ms=%.1f detail=%s",
        verdict.result_id,
        verdict.view,
        verdict.origin.trigger,
        verdict.outcome.value,
        reason.code.value if reason is not None else None,
        judgement.score,
        judgement.threshold,
        sum(ms for stage, ms in verdict.stage_ms.items() if stage != GRAB),
        reason.detail if reason is not None else None,
    )


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
