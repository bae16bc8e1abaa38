"""The station: opens its parts, runs its threads, watches over them, and closes everything without a trace.

    grabber (one per view) --ticket+frame--> judge (one) --verdict--> outbox, clearance, pictures (one)

A thread that fails is logged, counted and started again with a pause; its tickets still end in a verdict.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from types import TracebackType

import cv2
import numpy as np
from typing_extensions import Self

from edge.errors import LineclearError
from edge.health import Health
from edge.loop.engines import EngineOffer, EngineRoom
from edge.loop.grabber import Grabber
from edge.loop.judging import Examined, JudgeDesk, PictureSink
from edge.loop.pictures import PictureMaker, PictureSettings, shown
from edge.loop.report import Reporter
from edge.loop.seating import Seating, ViewSetup
from edge.publishers.base import Publisher
from edge.types import ImageU8, ReasonCode, Verdict
from edge.verdict import undecided

log = logging.getLogger(__name__)

RESTART_PAUSE_S = 1.0
REPORT_EVERY_S = 0.5
CAMERAS_STOP_S, JUDGE_STOP_S = 10.0, 5.0


class SwitchRefused(LineclearError):
    """A changeover that did not happen; `problems` has a line for each view that stands in its way."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{view}: {problem}" for view, problem in problems.items()))
        self.problems = dict(problems)


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
    ) -> None:
        """engines: by the key that the views' seatings name. warm_bytes: what engines out of use may hold. evidence: told
        each verdict once it is recorded, in the thread that made it; must return at once.
        """
        self.views = {view.name: view for view in views}
        self.health = health
        self._engines = engines
        self._room = EngineRoom(warm_bytes)
        self._publisher = publisher
        self._reporter = reporter
        self._stop_grabbing = threading.Event()
        self._stop_judging = threading.Event()
        self._pictures = PictureMaker(pictures, publisher, health)
        limits = {view.name: max(view.trigger.queue_frames, 1) for view in views}
        self._desk = JudgeDesk(self.views, limits, publisher, health, shown(self._pictures, evidence), now)
        self._grabbers = {v.name: Grabber(v.name, v.camera, v.trigger, self._desk, health, drains=v.drains) for v in views}
        self._threads: list[threading.Thread] = []
        self._engines_ready = threading.Event()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Open the outbox, the engines and the cameras, in that order: nothing can be judged that cannot be recorded."""
        self._stack = ExitStack()
        try:
            self._stack.enter_context(self._publisher)
            self._stack.callback(self._stop_threads)
            self._start("judge", self._judge, self._stop_judging)
            self._start("pictures", self._pictures.run, self._stop_judging)
            self._engines_ready.wait()
            for view in self.views.values():
                self._start(f"grab-{view.name}", partial(self._grab, view), self._stop_grabbing)
            self._start("report", self._report, self._stop_grabbing)
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

    def run(self, stop: threading.Event) -> None:
        """Stay until stop is set."""
        stop.wait()

    def _report(self) -> None:
        while True:
            self._reporter.report(tuple(self.views.values()), self.health)
            if self._stop_grabbing.wait(REPORT_EVERY_S):
                return

    def _grab(self, view: ViewSetup) -> None:
        with view.camera:
            self._grabbers[view.name].run(self._stop_grabbing)

    def switch(
        self, seatings: Mapping[str, Seating], engines: Mapping[str, EngineOffer], may_block: Collection[str] = ()
    ) -> Future[None]:
        """Put other recipes to work: every named view, between two frames, or none of them.

        The future ends with SwitchRefused if one of them cannot judge (its engine fails, its card is missing or stale) and
        is not in may_block; then all is as it was. Engines that no view uses any more stay warm within the budget.
        """
        return self._desk.call(
            lambda: self._switch(seatings, engines, may_block), lambda why: SwitchRefused(dict.fromkeys(seatings, why))
        )

    def _switch(self, seatings: Mapping[str, Seating], engines: Mapping[str, EngineOffer], may_block: Collection[str]) -> None:
        ready = {name: self._seated(name, seating, engines) for name, seating in seatings.items()}
        blocked = {name: _why(seating) for name, seating in ready.items() if seating.why_not is not None}
        problems = {name: why for name, why in blocked.items() if name not in may_block}
        if not problems:
            for name, seating in ready.items():
                self.views[name].seating = seating
        in_use = {view.seating.engine_key for view in self.views.values()}
        if not problems:
            # A judge that starts again opens what is in use then; what is not is offered anew when it is selected.
            self._engines = {key: offer for key, offer in {**self._engines, **engines}.items() if key in in_use}
        self._room.trim(in_use)
        if problems:
            raise SwitchRefused(problems)

    def _judge(self) -> None:
        """Open the engines here, since the thread that opens one must be the thread that uses it, then judge."""
        try:
            for view in self.views.values():
                view.seating = self._seated(view.name, view.seating, self._engines)
            self._engines_ready.set()
            try:
                while not self._stop_judging.is_set():
                    self._desk.judge_one(0.2)
            except BaseException:
                self._desk.clear(ReasonCode.INTERNAL, "the judge failed: see the log")
                raise
            self._desk.stop()
        finally:
            self._room.close()

    def _seated(self, name: str, seating: Seating, engines: Mapping[str, EngineOffer]) -> Seating:
        """The seating with its pipeline on its opened engine, or with the reason why it has none."""
        if seating.blocked is not None or seating.make_pipeline is None:
            return seating
        try:
            engine = self._room.open(seating.engine_key, engines[seating.engine_key])
        except LineclearError as error:
            log.error("engine_failed view=%s why=%s", name, error)
            return replace(seating, blocked=undecided(ReasonCode.ENGINE_FAULT, str(error)))
        try:
            pipeline = seating.make_pipeline(engine)
            return replace(seating, pipeline=pipeline, origin=pipeline.name_parts(seating.origin))
        except (LineclearError, ValueError, ArithmeticError, np.linalg.LinAlgError, cv2.error) as error:
            # One recipe that cannot be put to work must not take the other views with it.
            log.error("recipe_failed view=%s why=%s", name, error)
            return replace(seating, blocked=undecided(ReasonCode.RECIPE_INVALID, str(error)))

    def _start(self, name: str, body: Callable[[], None], stop: threading.Event) -> None:
        thread = threading.Thread(target=self._supervise, args=(name, body, stop), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _supervise(self, name: str, body: Callable[[], None], stop: threading.Event) -> None:
        """The one place that catches everything: a thread that fails comes back, and says so."""
        while True:
            try:
                body()
                return
            except Exception:
                log.exception("thread_failed name=%s", name)
                self.health.event("", f"thread_failed_{name}")
                self._engines_ready.set()
            if stop.wait(RESTART_PAUSE_S):
                return

    def _stop_threads(self) -> None:
        """Cameras first, so that nothing new arrives, then the judge, then the pictures."""
        self._stop_grabbing.set()
        cameras = [thread for thread in self._threads if thread.name == "report" or thread.name.startswith("grab-")]
        self._join(cameras, CAMERAS_STOP_S)
        self._stop_judging.set()
        self._desk.stop()
        self._pictures.stop()
        self._join([thread for thread in self._threads if thread not in cameras], JUDGE_STOP_S)
        self._threads.clear()

    @staticmethod
    def _join(threads: list[threading.Thread], timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                log.error("thread_did_not_stop name=%s", thread.name)


def _why(seating: Seating) -> str:
    judgement = seating.why_not
    reason = judgement.reason if judgement is not None else None
    return f"{reason.code.value}: {reason.detail}" if reason is not None else ""
