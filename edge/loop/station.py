"""The station: opens its parts, runs its threads, watches over them, and closes everything without a trace.

    grabber (one per view) --ticket+frame--> judge (one) --verdict--> outbox, clearance, pictures (one)

A thread that fails is logged, counted and started again with a pause; its tickets still end in a verdict.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial
from types import TracebackType

import cv2
import numpy as np
from typing_extensions import Self

from edge.cameras.base import Camera
from edge.engines.base import Engine
from edge.errors import LineclearError
from edge.health import Health
from edge.loop.grabber import Grabber
from edge.loop.judging import JudgeDesk
from edge.loop.pictures import PictureMaker, PictureSettings
from edge.loop.report import Reporter
from edge.pipeline import ViewPipeline
from edge.publishers.base import Publisher
from edge.settings.triggers import TriggerSettings
from edge.types import Judgement, Origin, ReasonCode, Verdict
from edge.verdict import undecided

log = logging.getLogger(__name__)

RESTART_PAUSE_S = 1.0
REPORT_EVERY_S = 0.5
CAMERAS_STOP_S, JUDGE_STOP_S = 10.0, 5.0


@dataclass
class ViewSetup:
    """One view, ready to run. `blocked` says why it cannot judge (its recipe or its engine), None if it can.

    make_pipeline gets the opened engine; it is called in the judge's thread, which owns every engine. drains: see Grabber.
    """

    name: str
    camera: Camera
    trigger: TriggerSettings
    origin: Origin
    engine_key: str = ""
    make_pipeline: Callable[[Engine], ViewPipeline] | None = None
    blocked: Judgement | None = None
    drains: bool = True
    pipeline: ViewPipeline | None = field(default=None, init=False)


class Station:
    """All views of one box. Enter to start, exit to stop; `ask` triggers fresh frames of one view."""

    def __init__(
        self,
        views: tuple[ViewSetup, ...],
        engines: Mapping[str, Engine],
        publisher: Publisher,
        health: Health,
        pictures: PictureSettings,
        reporter: Reporter,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        self.views = {view.name: view for view in views}
        self.health = health
        self._engines = engines
        self._publisher = publisher
        self._reporter = reporter
        self._stop_grabbing = threading.Event()
        self._stop_judging = threading.Event()
        self._pictures = PictureMaker(pictures, publisher, health)
        limits = {view.name: max(view.trigger.queue_frames, 1) for view in views}
        self._desk = JudgeDesk(self.views, limits, publisher, health, self._pictures.submit, now)
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

    def _judge(self) -> None:
        """Open the engines here, since the thread that opens one must be the thread that uses it, then judge."""
        with ExitStack() as opened:
            for key, engine in self._engines.items():
                views = [view for view in self.views.values() if view.engine_key == key]
                self._open_engine(opened, engine, views)
            self._engines_ready.set()
            try:
                while not self._stop_judging.is_set():
                    self._desk.judge_one(0.2)
            except BaseException:
                self._desk.clear(ReasonCode.INTERNAL, "the judge failed: see the log")
                raise
            self._desk.stop()

    def _open_engine(self, opened: ExitStack, engine: Engine, views: list[ViewSetup]) -> None:
        try:
            opened.enter_context(engine)
        except LineclearError as error:
            log.error("engine_failed views=%s why=%s", ",".join(v.name for v in views), error)
            for view in views:
                view.blocked = view.blocked or undecided(ReasonCode.ENGINE_FAULT, str(error))
            return
        for view in views:
            if view.make_pipeline is not None and view.blocked is None:
                self._make_pipeline(view, view.make_pipeline, engine)

    def _make_pipeline(self, view: ViewSetup, make: Callable[[Engine], ViewPipeline], engine: Engine) -> None:
        try:
            view.pipeline = make(engine)
            view.origin = view.pipeline.name_parts(view.origin)
        except (LineclearError, ValueError, ArithmeticError, np.linalg.LinAlgError, cv2.error) as error:
            # One recipe that cannot be put to work must not take the other views with it.
            log.error("recipe_failed view=%s why=%s", view.name, error)
            view.blocked = undecided(ReasonCode.RECIPE_INVALID, str(error))

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
