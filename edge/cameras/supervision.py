"""A camera that comes back: one process after another, with a growing pause between them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Literal

from typing_extensions import Self

from edge.cameras.process import ProcessCamera
from edge.cameras.status import Counters
from edge.errors import CameraLost, CameraRefused, DeviceError
from edge.settings.cameras import CameraSettings, ProcessSettings
from edge.types import Frame

CameraStatus = Literal["closed", "opening", "live", "silent", "lost", "refused"]


@dataclass(frozen=True)
class CameraState:
    """What a view says about its camera.

    status silent: it runs, but sends neither frames nor signs of life as it used to; it is lost when its time is up, or live
    again before. why: the last error in words, "" while all is well. since_ns: host monotonic time of the last change.
    next_try_in_s: None while a process runs. restarts: processes started after the first. frames, lost, incomplete,
    skipped, damaged: over all lives, see Counters. handoff_s: how long the last frame took from the camera to the
    station, 0 before the first. awaits_first: it runs freely and has never sent a frame yet. frame_age_s: since the last frame
    of any life, None before the first.
    """

    status: CameraStatus
    why: str
    since_ns: int
    next_try_in_s: float | None
    restarts: int
    frames: int
    lost: int
    incomplete: int
    skipped: int
    damaged: int
    handoff_s: float
    awaits_first: bool = False
    frame_age_s: float | None = None


class Backoff:
    """When to try again: after first_s, doubling to last_s; a refused camera always waits last_s.

    A life that stayed sound for healthy_after_s starts over at first_s. Times are seconds of any steady clock.
    """

    def __init__(self, first_s: float, last_s: float, healthy_after_s: float) -> None:
        self._first_s, self._last_s, self._healthy_after_s = first_s, last_s, healthy_after_s
        self._pause_s = first_s
        self._live_since_s: float | None = None

    def opened(self, now_s: float) -> None:
        """A life began."""
        self._live_since_s = now_s

    def failed(self, now_s: float, *, refused: bool = False) -> float:
        """A life or the try to begin one is over; the time of the next try."""
        if self._live_since_s is not None and now_s - self._live_since_s >= self._healthy_after_s:
            self._pause_s = self._first_s
        self._live_since_s = None
        pause_s = self._last_s if refused else min(self._pause_s, self._last_s)
        self._pause_s = min(2 * self._pause_s, self._last_s)
        return now_s + pause_s


class SupervisedCamera:
    """Never gives up: while the camera is away, grab and trigger raise why, and start it again when it is time.

    Nothing here blocks longer than the caller allows, and nothing runs in the background: whoever waits for frames drives
    it. So call grab also while no trigger is expected. Entering returns at once, with the camera still opening.
    """

    def __init__(
        self,
        settings: CameraSettings,
        view: str,
        process: ProcessSettings | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._view = settings, view
        self._process = process or ProcessSettings()
        self._clock = clock
        self._backoff = Backoff(self._process.retry_first_s, self._process.retry_last_s, self._process.healthy_after_s)
        self._camera: ProcessCamera | None = None
        self._status: CameraStatus = "closed"
        self._since_ns = time.monotonic_ns()
        self._error: DeviceError | None = None
        self._due_s = 0.0
        self._lives = 0
        self._past = Counters()
        self._handoff_s = 0.0
        self._door = threading.Lock()
        self._wanted: tuple[CameraSettings, Future[int]] | None = None

    def __enter__(self) -> Self:
        """Start the first process."""
        with self._door:
            self._start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End the process there is."""
        self._end()
        with self._door:
            self._become("closed")
            self._take_wanted()

    def renew(self, settings: CameraSettings) -> Future[int]:
        """Have it started again with other settings, as soon as whoever drives it comes by. Any thread.

        The future gets the host's monotonic ns at which the process before was over: what was grabbed earlier was grabbed
        with other settings. Who cancels it before it is done leaves all as it is; so do yet other settings.
        """
        answer = Future[int]()
        with self._door:
            if self._wanted is not None:
                self._wanted[1].cancel()
            self._wanted = settings, answer
            if self._status == "closed":
                self._take_wanted()
        return answer

    @property
    def pid(self) -> int | None:
        """The process id of the camera's process, None while there is none."""
        return self._camera.pid if self._camera else None

    @property
    def state(self) -> CameraState:
        """A snapshot; any thread may ask."""
        camera = self._camera
        seen = _sum(self._past, camera.counters) if camera else self._past
        away = self._status in ("lost", "refused")
        quiet = camera.quiet if camera is not None and self._status == "live" else ""
        return CameraState(
            "silent" if quiet else self._status,
            quiet or (str(self._error) if self._error and self._status != "live" else ""),
            self._since_ns,
            max(0.0, self._due_s - self._clock()) if away else None,
            max(0, self._lives - 1),
            seen.frames,
            seen.lost,
            seen.incomplete,
            seen.skipped,
            seen.damaged,
            camera.handoff_s if camera else self._handoff_s,
            camera is not None and camera.runs_freely and seen.frames == 0,
            (time.monotonic_ns() - seen.last_frame_ns) / 1e9 if seen.last_frame_ns else None,
        )

    @property
    def beat_age_s(self) -> float:
        """Seconds since its process gave a sign of life; 0 while there is none, or while it opens."""
        camera = self._camera
        return camera.beat_age_s if camera is not None else 0.0

    @property
    def hang_limit_s(self) -> float:
        """After so long without a sign of life its process is ended."""
        return self._process.hang_timeout_s

    def look(self) -> None:
        """See how it is, and start it again when it is time, without taking a frame: for cameras that are asked for each.
        Never waits; CameraLost and CameraRefused as grab.
        """
        camera = self._live(0.0)
        try:
            camera.look()
        except DeviceError as error:
            self._lose(error)
            raise

    def grab(self, timeout_s: float) -> Frame | None:
        """As ProcessCamera.grab; while the camera is away, CameraLost or CameraRefused after at most timeout_s."""
        deadline_s = time.monotonic() + timeout_s
        camera = self._live(timeout_s)
        try:
            return camera.grab(max(0.0, deadline_s - time.monotonic()))
        except DeviceError as error:
            self._lose(error)
            raise

    def trigger(self) -> None:
        """As ProcessCamera.trigger; raises at once while the camera is away."""
        camera = self._live(0.0)
        try:
            camera.trigger()
        except DeviceError as error:
            self._lose(error)
            raise

    def _end(self) -> None:
        if self._camera is not None:
            self._camera.__exit__(None, None, None)
            self._keep_counters(self._camera)
            self._camera = None

    def _take_wanted(self) -> None:
        """The process is over; behind the door."""
        if self._wanted is not None:
            (settings, answer), self._wanted = self._wanted, None
            if answer.set_running_or_notify_cancel():
                self._settings = settings
                answer.set_result(time.monotonic_ns())

    def _renewed(self) -> None:
        if self._wanted is None or self._status == "closed":
            return
        self._end()
        with self._door:
            self._take_wanted()
        self._error = None
        self._start()

    def _live(self, timeout_s: float) -> ProcessCamera:
        deadline_s = time.monotonic() + timeout_s
        self._renewed()
        if self._camera is None:
            self._await_due(timeout_s)
        camera = self._camera
        if camera is None:
            raise self._away()
        if self._status == "live":
            return camera
        try:
            opened = camera.poll_opened(max(0.0, deadline_s - time.monotonic()))
        except DeviceError as error:
            self._lose(error)
            raise
        if not opened:
            raise CameraLost("is still being opened", where=f"camera of {self._view}", remedy="wait")
        self._backoff.opened(self._clock())
        self._become("live")
        return camera

    def _await_due(self, timeout_s: float) -> None:
        if self._status == "closed":
            raise CameraLost("is closed", where=f"camera of {self._view}")
        # Sleeping here, not failing at once, keeps a loop that only grabs from spinning while its camera is away.
        wait_s = self._due_s - self._clock()
        if wait_s > 0 and timeout_s > 0:
            time.sleep(min(wait_s, timeout_s))
        if self._clock() >= self._due_s:
            self._start()

    def _start(self) -> None:
        camera = ProcessCamera(self._settings, self._view, self._process, self._lives)
        self._lives += 1
        try:
            camera.start()
        except DeviceError as error:
            self._lose(error)
            return
        self._camera = camera
        self._become("opening")

    def _lose(self, error: DeviceError) -> None:
        self._end()
        refused = isinstance(error, CameraRefused)
        # A copy: the traceback of the one that is raised holds the caller's variables, and with them frames and their slots.
        self._error = _copy(error)
        self._due_s = self._backoff.failed(self._clock(), refused=refused)
        self._become("refused" if refused else "lost")

    def _keep_counters(self, camera: ProcessCamera) -> None:
        self._past = _sum(self._past, camera.counters)
        self._handoff_s = camera.handoff_s

    def _away(self) -> DeviceError:
        return _copy(self._error or CameraLost("is away", where=f"camera of {self._view}"))

    def _become(self, status: CameraStatus) -> None:
        if status != self._status:
            self._status, self._since_ns = status, time.monotonic_ns()


def _copy(error: DeviceError) -> DeviceError:
    return type(error)(error.message, where=error.where, remedy=error.remedy)


def _sum(past: Counters, now: Counters) -> Counters:
    return replace(
        now,
        last_frame_ns=max(past.last_frame_ns, now.last_frame_ns),
        frames=past.frames + now.frames,
        lost=past.lost + now.lost,
        incomplete=past.incomplete + now.incomplete,
        skipped=past.skipped + now.skipped,
        damaged=past.damaged + now.damaged,
    )
