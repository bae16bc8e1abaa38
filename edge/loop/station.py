"""The station: opens its parts, runs its threads, watches over them, and closes everything without a trace.

    grabber (one per view) --ticket+frame--> judge (one) --verdict--> outbox, clearance, pictures (one)

A thread that fails is logged, counted and started again with a pause; its tickets still end in a verdict.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from contextlib import ExitStack
from datetime import datetime, timezone
from functools import partial
from types import TracebackType

from typing_extensions import Self

from edge.health import Health
from edge.loop.grabber import Grabber
from edge.loop.judging import Examined, JudgeDesk, PictureSink
from edge.loop.pictures import PictureMaker, PictureSettings, shown
from edge.loop.report import Reporter
from edge.loop.seating import Seating, ViewSetup
from edge.loop.switching import CallLimits, EngineOffer, Pace, Switching, SwitchRefused
from edge.loop.threads import ENGINE, Pulse, Pulses, Threads
from edge.publishers.base import Publisher
from edge.types import ImageU8, ReasonCode, Verdict

REPORT_EVERY_S = 0.25
CAMERAS_STOP_S, JUDGE_STOP_S = 10.0, 5.0
ABANDONED_STOP_S = 2.0
LOST_S = 1.0


class Station:
    """All views of one box. Enter to start, exit to stop; `ask` triggers fresh frames of one view."""

    def __init__(
        self,
        views: tuple[ViewSetup, ...],
        engines: Mapping[str, EngineOffer],
        publisher: Publisher,
        health: Health,
        pictures: PictureSettings,
        reporter: Reporter,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
        warm_bytes: int = 0,
        evidence: PictureSink | None = None,
        pulses: Pulses | None = None,
        limits: CallLimits | None = None,
    ) -> None:
        """engines: by the key that the views' seatings name. warm_bytes: what engines out of use may hold. evidence: told
        each verdict once it is recorded, in the thread that made it; must return at once. pulses: where its threads say that
        they make progress; limits: how long an engine may take.
        """
        self.views = {view.name: view for view in views}
        self.health = health
        self._pulses = pulses or Pulses()
        self._switching = Switching(self.views, engines, warm_bytes, limits)
        self._is_abandoned = False
        self._publisher = publisher
        self._reporter = reporter
        self._stop_grabbing = threading.Event()
        self._stop_judging = threading.Event()
        self._pictures = PictureMaker(pictures, publisher, health)
        waiting = {view.name: max(view.trigger.queue_frames, 1) for view in views}
        self._desk = JudgeDesk(self.views, waiting, publisher, health, shown(self._pictures, evidence), now)
        self._grabbers = {view.name: self._grabber(view) for view in views}
        self._engines_ready = threading.Event()
        self._threads = Threads(health, self._pulses, self._engines_ready.set)
        self._stack = ExitStack()

    def _grabber(self, view: ViewSetup) -> Grabber:
        drains, frozen = view.drains, view.checks_frozen
        grabber = Grabber(view.name, view.camera, view.trigger, self._desk, self.health, drains=drains, checks_frozen=frozen)
        view.pictures_trouble = lambda: grabber.trouble
        return grabber

    def __enter__(self) -> Self:
        """Open the outbox, the engines and the cameras, in that order: nothing can be judged that cannot be recorded."""
        self._stack = ExitStack()
        try:
            self._stack.enter_context(self._publisher)
            self._stack.callback(self._stop_threads)
            self._threads.start("judge", self._judge, self._stop_judging)
            self._threads.start("pictures", self._pictures.run, self._stop_judging)
            self._engines_ready.wait()
            self._pulses.probe("engine", lambda: self._switching.lost_s, LOST_S, "its GPU is lost", kind=ENGINE)
            for view in self.views.values():
                self._threads.start(f"grab-{view.name}", partial(self._grab, view), self._stop_grabbing)
            self._threads.start("report", self._report, self._stop_grabbing)
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop the cameras, answer what waits, say goodbye; bounded in time."""
        self._stack.close()

    def ask(self, view: str, frames: int, timeout_s: float, clearance_id: str | None) -> tuple[Future[Verdict], ...]:
        """Trigger `frames` fresh frames of `view`; one future each. KeyError for an unknown view."""
        return self._grabbers[view].ask(frames, timeout_s, clearance_id)

    def examine(self, view: str, image: ImageU8) -> Future[Examined]:
        """Judge an image as if the camera of `view` had given it: nothing is recorded or published. KeyError: unknown view."""
        return self._desk.examine(view, image)

    @property
    def paces(self) -> Mapping[str, Pace]:
        """By view, how fast its engine answers. Any thread."""
        return self._switching.paces()

    def run(self, stop: threading.Event) -> None:
        """Stay until stop is set."""
        stop.wait()

    def abandon(self, code: ReasonCode, detail: str) -> None:
        """A thread hangs and the station is about to end: everybody who waits gets UNDECIDED for this reason, durably."""
        self._is_abandoned = True
        self._desk.abandon(code, detail)
        for grabber in self._grabbers.values():
            grabber.abandon(code, detail)

    def _report(self, pulse: Pulse) -> None:
        while True:
            pulse.beat()
            self._reporter.report(tuple(self.views.values()), self.health)
            if self._stop_grabbing.wait(REPORT_EVERY_S):
                return

    def _grab(self, view: ViewSetup, pulse: Pulse) -> None:
        grabber = self._grabbers[view.name]
        grabber.pulse = pulse
        with view.camera, grabber.watched(self._pulses):
            grabber.run(self._stop_grabbing)

    def switch(
        self, seatings: Mapping[str, Seating], engines: Mapping[str, EngineOffer], may_block: Collection[str] = ()
    ) -> Future[None]:
        """Put other recipes to work: every named view, between two frames, or none of them.

        The future ends with SwitchRefused if one of them cannot judge (its engine fails, its card is missing or stale) and
        is not in may_block; then all is as it was. Engines that no view uses any more stay warm within the budget.
        """
        return self._desk.call(
            lambda: self._switching.switch(seatings, engines, may_block),
            lambda why: SwitchRefused(dict.fromkeys(seatings, why)),
        )

    def _judge(self, pulse: Pulse) -> None:
        """Open the engines here, since the thread that opens one must be the thread that uses it, then judge."""
        self._desk.pulse = pulse
        try:
            self._switching.open(pulse)
            self._engines_ready.set()
            while not self._stop_judging.is_set():
                if not self._desk.judge_one(0.2):
                    self._switching.keep_warm()
            self._desk.stop()
        except BaseException:
            self._switching.unseat()
            self._desk.clear(ReasonCode.INTERNAL, "the judge failed: see the log")
            raise
        finally:
            self._switching.close()

    def _stop_threads(self) -> None:
        """Cameras first, so that nothing new arrives, then the judge, then the pictures."""
        self._stop_grabbing.set()
        self._threads.join(
            ABANDONED_STOP_S if self._is_abandoned else CAMERAS_STOP_S,
            lambda name: name == "report" or name.startswith("grab-"),
        )
        self._stop_judging.set()
        self._desk.stop()
        self._pictures.stop()
        self._threads.join(ABANDONED_STOP_S if self._is_abandoned else JUDGE_STOP_S)
        self._pulses.forget("engine")
