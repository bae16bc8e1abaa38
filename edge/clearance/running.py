"""One clearance at work: fitness, challenge, frames, votes. It measures; edge.verdict decides."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

from edge.clearance.ballot import Ballot
from edge.clearance.base import Ask, Challenged, ClearanceSettings, Fit
from edge.clearance.challenge import Challenger
from edge.clearance.fitness import Fitness
from edge.clearance.progress import Teller
from edge.clearance.requests import ClearanceRequest
from edge.publishers.clearance_payloads import ClearancePhase
from edge.types import Clearance, ClearanceOutcome, Outcome, Reason, ReasonCode, Speaker, ViewResult

CLOCK_JUMP_S = 2.0
"""How far wall clock and steady clock may differ over one clearance."""


@dataclass(frozen=True, eq=False)
class Job:
    """A clearance that runs. stop: gets the reason why it must end, from whoever wants that. answer: its result."""

    request: ClearanceRequest
    clearance_id: str
    requested_at: datetime
    started: float
    stop: Future[Reason] = field(default_factory=Future)
    answer: Future[Clearance] = field(default_factory=Future)

    @property
    def result_id(self) -> str:
        """The identity that its result will have."""
        return f"clearance-{self.clearance_id}"


class Runner:
    """Does the work of a job. products: view -> product of the recipe in force, "" where it is for any."""

    def __init__(
        self,
        ask: Ask,
        products: Mapping[str, str],
        settings: ClearanceSettings,
        teller: Teller,
        now: Callable[[], datetime],
        fitness: Fitness | None = None,
        challenger: Challenger | None = None,
        speaker: Speaker | None = None,
    ) -> None:
        self._ask = ask
        self.products = products
        self._settings = settings
        self._teller = teller
        self._now = now
        self._fitness = fitness
        self._challenger = challenger
        self._speaker = speaker or Speaker()

    def blank(self, job: Job, *reasons: Reason) -> Clearance:
        """The answer to a job of which nothing is known but these reasons."""
        request = job.request
        return Clearance(
            result_id=job.result_id,
            request_id=request.request_id,
            sequence=0,
            outcome=ClearanceOutcome.UNDECIDED,
            batch=request.batch,
            product=request.product,
            operator=request.operator,
            views=(),
            requested_at=job.requested_at,
            decided_at=self._now(),
            note=request.note,
            reasons=reasons,
            previous=request.recheck_of,
            speaker=self._speaker,
        )

    def measure(self, job: Job) -> Clearance:
        """All that the station can say to this request, without number and outcome; stops where it is not fit to go on."""
        deadline = job.started + self._settings.whole_s
        stage_ms: dict[str, float] = {}
        with _timed(stage_ms, "fitness"):
            self._teller.phase(ClearancePhase.FITNESS)
            fit = self._look(job.request.product)
        challenged: Mapping[str, Challenged] = {}
        if not fit.station and not fit.views and self._challenger is not None:
            with _timed(stage_ms, "challenge"):
                challenged = self._challenged(self._challenger, deadline, job)
        refused = {view: known.reason for view, known in challenged.items() if known.reason is not None}
        unfit = {**fit.views, **refused}
        if fit.station or unfit or job.stop.done():
            views = self._not_looked_at(fit, unfit)
        else:
            with _timed(stage_ms, "frames"):
                views = self._frames(job, fit, deadline)
        views = tuple(replace(view, challenge=known.result) if (known := challenged.get(view.view)) else view for view in views)
        reasons = (*fit.station, *self._doubts(job, deadline))
        return replace(self.blank(job, *reasons), views=views, stage_ms=stage_ms)

    def _look(self, wanted: str) -> Fit:
        fit = self._fitness.look() if self._fitness is not None else Fit()
        wrong = {
            view: Reason(
                ReasonCode.RECIPE_INVALID,
                f"the recipe in use is for product {loaded!r}, the clearance was asked for {wanted!r}",
            )
            for view, loaded in self.products.items()
            if loaded not in ("", wanted)
        }
        return replace(fit, views={**wrong, **fit.views})

    def _challenged(self, challenger: Challenger, deadline: float, job: Job) -> Mapping[str, Challenged]:
        needed = challenger.needed()
        due = [view for view, known in needed.items() if known.result is None]
        if due:
            self._teller.phase(ClearancePhase.CHALLENGE)
            return {**needed, **challenger.run(due, deadline, job.stop)}
        return needed

    def _frames(self, job: Job, fit: Fit, deadline: float) -> tuple[ViewResult, ...]:
        rule, views = self._settings.vote, tuple(self.products)
        self._teller.frames(dict.fromkeys(views, 0), rule.frames)
        ballot = Ballot(job.clearance_id, rule, self._settings.timeout_s, deadline, job.stop, fit.parts)
        return ballot.take(self._ask, views, lambda done: self._teller.frames(done, rule.frames))

    def _not_looked_at(self, fit: Fit, unfit: Mapping[str, Reason]) -> tuple[ViewResult, ...]:
        """Every view UNDECIDED: with its own reason, or because the station as a whole is not fit to look."""
        why = "; ".join(
            [f"{reason.code.value}: {reason.detail}" for reason in fit.station]
            + [f"{view}: {reason.code.value}" for view, reason in unfit.items()]
        )
        other = Reason(ReasonCode.NOT_FIT, f"no frame was taken, the station is not fit: {why}")
        return tuple(
            ViewResult(view, Outcome.UNDECIDED, unfit.get(view, other), (), fit.parts.get(view)) for view in self.products
        )

    def _doubts(self, job: Job, deadline: float) -> Iterator[Reason]:
        """What speaks against the whole once the frames are judged."""
        steady_s, wall_s = time.monotonic() - job.started, (self._now() - job.requested_at).total_seconds()
        if abs(wall_s - steady_s) > CLOCK_JUMP_S:
            yield Reason(ReasonCode.CLOCK, f"the clock jumped by {wall_s - steady_s:.1f} s while the clearance ran: ask again")
        if time.monotonic() > deadline + CLOCK_JUMP_S:
            yield Reason(ReasonCode.FRAME_TIMEOUT, f"no answer within {self._settings.whole_s:g} s in all")


@contextmanager
def _timed(stage_ms: dict[str, float], name: str) -> Iterator[None]:
    started = time.perf_counter()
    try:
        yield
    finally:
        stage_ms[name] = (time.perf_counter() - started) * 1000
