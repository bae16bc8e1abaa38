"""What a station offers: a clearance, a challenge, a person's review, and the end of what runs."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime, timezone
from types import TracebackType
from typing import Any

from typing_extensions import Self

from edge.clearance import review as rules
from edge.clearance.base import Ask, Challenged, ClearanceSettings, Fit, Snapshot
from edge.clearance.desk import Accepted, ClearanceBusy, ClearanceRefused, Desk, Task
from edge.clearance.parts import Parts
from edge.clearance.progress import Teller
from edge.clearance.recording import Recorder
from edge.clearance.requests import ClearanceRequest, ReviewOrder
from edge.clearance.running import Job, Runner
from edge.clearance.sequence import Sequence
from edge.errors import ConfigError, LineclearError, OutboxError, StationBusy
from edge.publishers.base import Publisher
from edge.types import Clearance

log = logging.getLogger(__name__)


class Clearances:
    """Runs clearances, one at a time. Any thread may call any method. Enter it once the publisher is open."""

    def __init__(
        self,
        ask: Ask,
        views: Mapping[str, str],
        publisher: Publisher,
        sequence: Sequence,
        settings: ClearanceSettings,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
        parts: Parts | None = None,
    ) -> None:
        """views: view name -> the product of the recipe in force, "" where it is for any; looked at in each clearance."""
        self._parts = parts = parts or Parts()
        self._settings = settings
        self._now = now
        self._recorder = Recorder(parts.book, sequence, publisher, views, now, self._heard)
        teller = Teller(publisher, now, parts.on_progress)
        speaker = parts.speaker
        self._runner = Runner(ask, views, settings, teller, now, parts.fitness, parts.challenger, speaker)
        self._desk = Desk(self._runner, self._recorder, teller, now)

    def __enter__(self) -> Self:
        """Answer what a former life left unanswered, and say ready."""
        self._desk.open()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Take no more; what runs ends as UNDECIDED(stopped)."""
        self._desk.close()

    def request(self, request: ClearanceRequest) -> Accepted:
        """Start a clearance. Never waits and never raises for what a disk or a view can do: its answer says that."""
        return self._desk.accept(self._clearance(request))

    def run(self, request: ClearanceRequest) -> Clearance:
        """One clearance, waited for. StationBusy while another one runs, ConfigError for a request that is refused."""
        accepted = self.request(request)
        if isinstance(accepted, ClearanceBusy):
            what = f"clearance {accepted.request_id} is at work since {accepted.started:%H:%M:%S} UTC"
            raise StationBusy(what, remedy="ask again when it is answered")
        if isinstance(accepted, ClearanceRefused):
            raise ConfigError("; ".join(accepted.problems), problems=accepted.problems)
        return accepted.answer.result()

    @property
    def over_s(self) -> float:
        """By how much the clearance that runs now exceeds what one may take in all; 0 if it does not, or none runs."""
        return max(0.0, self._desk.work_s - self._settings.whole_s)

    def cancel(self, request_id: str, who: str) -> bool:
        """End the running request of this id as UNDECIDED(cancelled); False if it does not run or is decided already."""
        return self._desk.cancel(request_id, who)

    def challenge(self, request_id: str, who: str) -> dict[str, Challenged] | ClearanceBusy:
        """Run every view's known frames now and remember the outcome, whether the config requires it or not.

        ConfigError where this station was built without challenges, StationBusy when it is being stopped.
        """
        challenger = self._parts.challenger
        if challenger is None:
            raise ConfigError("this station has no challenges", remedy="start it as a whole station")
        job = self._desk.occupy(ClearanceRequest(request_id, "", "", who), can_end=True)
        if isinstance(job, ClearanceBusy):
            return job
        try:
            found = challenger.run(tuple(self._runner.products), time.monotonic() + self._settings.whole_s, job.stop)
        finally:
            self._desk.vacate()
        if self._parts.on_challenge is not None:
            self._parts.on_challenge(who, found)
        return found

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Keep clearances away meanwhile, because the views change. StationBusy while one runs, or when the station stops."""
        job = self._desk.occupy(ClearanceRequest("changeover", "", ""), can_end=False)
        if isinstance(job, ClearanceBusy):
            what = f"clearance {job.request_id} is at work since {job.started:%H:%M:%S} UTC"
            raise StationBusy(what, remedy="change over when it is answered, or cancel it")
        try:
            yield
        finally:
            self._desk.vacate()

    def note_snapshot(self, snapshot: Snapshot) -> None:
        """A live frame was shown to a person, who may answer for its view now."""
        self._parts.reviewer.snapshots.note(snapshot)

    def review(self, order: ReviewOrder) -> Accepted:
        """A person answers for views that did not pass: check again (a new clearance), or release them."""
        try:
            clearance = self._recorder.answered(order.result_id)
        except OutboxError as error:
            return ClearanceRefused((str(error),))
        if clearance is None:
            return ClearanceRefused((f"result_id: there is no clearance {order.result_id!r}: name the newest one",))
        batch, product = clearance.batch, clearance.product
        request = ClearanceRequest(order.request_id, batch, product, order.who, order.why, recheck_of=order.result_id)
        asked = _asked(order.action, request, views=list(order.views), snapshots=dict(order.snapshots))
        if order.action == "removed":
            task = Task(request, asked, self._runner.measure, lambda: self._objections(clearance, order), self._heard)
            return self._desk.accept(task)

        def measure(job: Job) -> Clearance:
            shown = self._parts.reviewer.shown(order)
            return rules.released(clearance, order, shown, job.result_id, self._now())

        task = Task(request, asked, measure, lambda: self._why_not(clearance, order), lambda done: self._pool(done, order))
        return self._desk.accept(task)

    def _clearance(self, request: ClearanceRequest) -> Task:
        def objections() -> list[str]:
            return self._not_newest(request) if request.recheck_of is not None else []

        return Task(request, _asked("clearance", request), self._runner.measure, objections, self._heard)

    def _not_newest(self, request: ClearanceRequest) -> list[str]:
        try:
            newest = self._recorder.newest()
            before = self._recorder.answered(newest) if newest == request.recheck_of else None
        except OutboxError as error:
            return [str(error)]
        if before is None:
            return [f"recheck_of: {request.recheck_of} is not the newest clearance, which is {newest or 'none'}"]
        if (before.batch, before.product) != (request.batch, request.product):
            return [f"recheck_of: that clearance was for batch {before.batch!r}, product {before.product!r}"]
        return []

    def _objections(self, clearance: Clearance, order: ReviewOrder) -> list[str]:
        try:
            newest = self._recorder.newest()
        except OutboxError as error:
            return [str(error)]
        return rules.objections(clearance, order, newest, self._parts.reviewer.config, self._now())

    def _why_not(self, clearance: Clearance, order: ReviewOrder) -> list[str]:
        found = self._objections(clearance, order)
        fit = self._parts.fitness.look() if self._parts.fitness is not None else Fit()
        return found or self._parts.reviewer.why_not(clearance, order, fit, self._now())

    def _pool(self, clearance: Clearance, order: ReviewOrder) -> None:
        pool = self._parts.reviewer.pool
        if pool is not None:
            for entry in rules.pooled(clearance, order):
                try:
                    pool(entry)
                except LineclearError as error:
                    log.error("frames_not_pooled view=%s why=%s", entry.view, error)
        self._heard(clearance)

    def _heard(self, clearance: Clearance) -> None:
        if self._parts.on_result is not None:
            self._parts.on_result(clearance)


def _asked(kind: str, request: ClearanceRequest, **more: Any) -> dict[str, Any]:
    """What was asked, as data: two requests with the same id must have the same."""
    fields = asdict(request)
    previous = fields.pop("recheck_of")
    return {"kind": kind, **fields, "previous": previous, **more}
