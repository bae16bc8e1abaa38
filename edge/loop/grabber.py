"""One thread per view: waits for triggers, fetches their frames, and never leaves a trigger without an answer."""

from __future__ import annotations

import logging
import math
import queue
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import dataclass

from edge.cameras.base import Camera
from edge.cameras.supervision import CameraState, SupervisedCamera
from edge.errors import CameraLost, CameraRefused, FrameError
from edge.health import Health
from edge.loop.frozen import FrozenCheck
from edge.loop.tickets import Desk, Ticket, TicketCounter
from edge.settings.triggers import TriggerSettings
from edge.supervision import Pulse, Pulses
from edge.types import Frame, ReasonCode, Verdict
from edge.verdict import undecided

log = logging.getLogger(__name__)

FROZEN = "the camera shows an old picture to the last bit: is it frozen? Power it off and on"
"""Without a count: the state would be told anew with each frame."""

SLICE_S = 0.2
GLANCE_S = 0.02
HANG_SLACK_S = 15.0


@dataclass(frozen=True, eq=False)
class Request:
    """So many fresh frames of this view, please, before the deadline (host monotonic ns)."""

    tickets: tuple[Ticket, ...]
    deadline_ns: int


class Grabber:
    """Serves one camera. `ask` may be called from any thread; `run` is the body of this view's thread."""

    def __init__(
        self,
        view: str,
        camera: Camera,
        trigger: TriggerSettings,
        desk: Desk,
        health: Health,
        *,
        drains: bool = True,
        checks_frozen: bool = False,
    ) -> None:
        """drains: take frames also while nobody asks, so that a dead camera is noticed and the next frame is fresh; False
        for cameras whose frames wait until they are wanted (a folder). checks_frozen: refuse a frame that repeats the last one.
        """
        self._view = view
        self._camera = camera
        self._trigger = trigger
        self._desk = desk
        self._health = health
        self._drains = drains
        self._counter = TicketCounter(view)
        self._requests: queue.SimpleQueue[Request] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._door = threading.Lock()
        self._lost = self._told = 0
        self._serving: tuple[Ticket, ...] = ()
        self._frozen = FrozenCheck() if checks_frozen else None
        self.pulse = Pulse(f"grab-{view}")

    def ask(self, frames: int, timeout_s: float, clearance_id: str | None = None) -> tuple[Future[Verdict], ...]:
        """Trigger `frames` fresh frames; one future per trigger, each gets its verdict within about timeout_s."""
        now = time.monotonic_ns()
        fresh_from = now + int((self._trigger.latency_s or 0.0) * 1e9)
        tickets = tuple(self._counter.issue(fresh_from, clearance_id) for _ in range(frames))
        with self._door:
            if self._stopped.is_set():
                self._end(tickets, ReasonCode.STOPPED, "this view is not running: it is stopping or starting again")
            else:
                self._requests.put(Request(tickets, now + int(timeout_s * 1e9)))
        return tuple(ticket.answer for ticket in tickets)

    def run(self, stop: threading.Event) -> None:
        """Until stop is set: requests first, then this view's own triggers."""
        due = time.monotonic()
        with self._door:
            self._stopped.clear()
        try:
            while not stop.is_set():
                self.pulse.beat()
                request = self._next_request(stop, due)
                if request is not None:
                    self._serve(request, stop)
                elif self._trigger.kind == "hardware":
                    self._await_hardware()
                elif self._trigger.kind == "continuous" and time.monotonic() >= due:
                    ticket = self._counter.issue(time.monotonic_ns())
                    self._serve(Request((ticket,), self._deadline()), stop)
                    # A late trigger is not made up for: the next one keeps its distance.
                    due = max(due + self._trigger.interval_s, time.monotonic())
        finally:
            self._drain()

    def _next_request(self, stop: threading.Event, due: float) -> Request | None:
        """The next request; waits while there is nothing else to do, and keeps the camera under observation meanwhile."""
        due_s = math.inf if self._trigger.kind == "on_request" else due - time.monotonic()
        wait_s = 0.0 if self._trigger.kind == "hardware" else min(SLICE_S, due_s)
        try:
            return self._requests.get(timeout=wait_s) if wait_s > 0 else self._requests.get_nowait()
        except queue.Empty:
            if wait_s > 0 and not stop.is_set():
                self._watch()
            return None

    @property
    def trouble(self) -> str:
        """What is wrong with the pictures, "" if nothing is."""
        return FROZEN if self._frozen is not None and self._frozen.repeated else ""

    @contextmanager
    def watched(self, pulses: Pulses) -> Iterator[None]:
        """While the camera's process is there: if it hangs, and this thread does not end it, somebody must know."""
        camera, name = self._camera, f"camera-{self._view}"
        if isinstance(camera, SupervisedCamera):
            limit_s, what = camera.hang_limit_s + HANG_SLACK_S, "its process hangs, and its thread did not end it"
            pulses.probe(name, lambda: camera.beat_age_s, limit_s, what)
        try:
            yield
        finally:
            pulses.forget(name)

    def abandon(self, code: ReasonCode, detail: str) -> None:
        """Answer who asked in the place of a thread that hangs, this view's or the judge's. Any thread."""
        self._end(self._serving, code, detail)
        self._drain(code, detail)

    def _watch(self) -> None:
        try:
            if not self._drains:
                if isinstance(self._camera, SupervisedCamera):
                    self._camera.look()
                return
            frame = self._camera.grab(GLANCE_S)
        except (CameraLost, CameraRefused, FrameError) as error:
            log.debug("camera_idle view=%s why=%s", self._view, error)
            return
        if frame is not None:
            self._seen(frame)

    def _is_opening(self) -> bool:
        """A camera that is only just starting is worth waiting for; one that failed is not."""
        state = getattr(self._camera, "state", None)
        return isinstance(state, CameraState) and state.status == "opening"

    def _deadline(self) -> int:
        return time.monotonic_ns() + int(self._trigger.timeout_s * 1e9)

    def _serve(self, request: Request, stop: threading.Event) -> None:
        waiting = list(request.tickets)
        self._serving = request.tickets
        try:
            for number in range(len(waiting)):
                # Who asks for many frames must not overrun the judge with them.
                before = number - self._trigger.queue_frames
                if before >= 0:
                    wait_s = (request.deadline_ns - time.monotonic_ns()) / 1e9
                    with self.pulse.step("waiting for the judge", max(0.0, wait_s) + self.pulse.limit_s):
                        wait([request.tickets[before].answer], timeout=max(0.0, wait_s))
                self._fire(waiting[0], request.deadline_ns, stop)
                del waiting[0]
        finally:
            # Only an error that nobody foresaw leaves tickets here; the supervisor logs it, the tickets end all the same.
            self._end(tuple(waiting), ReasonCode.INTERNAL, "this view's thread failed: see the log")
            self._serving = ()

    def _fire(self, ticket: Ticket, deadline_ns: int, stop: threading.Event) -> None:
        """Trigger the camera and hand in the first frame that was grabbed after the ticket was issued."""
        triggered = False
        while True:
            self.pulse.beat()
            remaining_s = (deadline_ns - time.monotonic_ns()) / 1e9
            if stop.is_set():
                return self._end((ticket,), ReasonCode.STOPPED, "the station was stopped while waiting for a frame")
            if remaining_s <= 0:
                return self._end((ticket,), ReasonCode.FRAME_TIMEOUT, "no frame came in time after the trigger")
            try:
                if not triggered and self._trigger.kind != "hardware":
                    self._camera.trigger()
                    triggered = True
                frame = self._camera.grab(min(SLICE_S, remaining_s))
            except (CameraLost, CameraRefused) as error:
                if self._is_opening():
                    triggered = False  # whoever was triggered before is gone, and its frame with it
                    stop.wait(GLANCE_S)
                    continue
                self._end((ticket,), ReasonCode.CAMERA_LOST, str(error))
                return self._rest(stop)
            except FrameError as error:
                return self._end((ticket,), ReasonCode.FRAME_INVALID, str(error))
            if frame is not None:
                self._seen(frame)
                if frame.grabbed_ns >= ticket.asked_ns:
                    return self._hand_in(ticket, frame)
                if self._trigger.kind == "hardware":
                    # A part that passed before the question has a verdict of its own.
                    self._hand_in(self._counter.issue(0), frame)

    def _await_hardware(self) -> None:
        """In hardware mode each frame is a trigger, and so is each frame that the camera counted and we never saw."""
        try:
            frame = self._camera.grab(SLICE_S)
        except (CameraLost, CameraRefused) as error:
            # A trigger that comes now cannot be seen by anyone: the view's state says so.
            self._tell_lost("and then the camera")
            log.debug("camera_down view=%s why=%s", self._view, error)
            self._stopped.wait(SLICE_S)
            return
        except FrameError as error:
            self._end((self._counter.issue(0),), ReasonCode.FRAME_INVALID, str(error))
            return
        if frame is None:
            # When the line stands still no later frame will tell of those that were lost last.
            self._tell_lost("and no frame came after it")
            return
        self._seen(frame)
        self._hand_in(self._counter.issue(0), frame)

    def _tell_lost(self, where: str) -> None:
        """One verdict for each frame that the camera has counted and we never saw, told once."""
        state = getattr(self._camera, "state", None)
        counted = state.lost + state.incomplete if isinstance(state, CameraState) else 0
        missing = max(0, max(self._lost, counted) - self._told)
        self._told += missing
        for number in range(min(missing, self._trigger.max_lost_reported)):
            detail = f"frame lost {where} ({number + 1} of {missing})"
            self._end((self._counter.issue(0),), ReasonCode.FRAME_LOST, detail)

    def _rest(self, stop: threading.Event) -> None:
        """A camera that is down answers at once: without a pause a continuous view would spin."""
        if self._trigger.kind == "continuous":
            stop.wait(min(SLICE_S, self._trigger.interval_s))

    def _hand_in(self, ticket: Ticket, frame: Frame) -> None:
        if self._frozen is not None and self._frozen.repeated:
            self._desk.close(ticket, undecided(ReasonCode.FRAME_FROZEN, FROZEN), frame)
        else:
            self._desk.submit(ticket, frame)

    def _seen(self, frame: Frame) -> None:
        if self._frozen is not None and self._frozen.is_frozen(frame):
            self._health.event(self._view, "frames_frozen")
        self._health.event(self._view, "frames_lost", frame.lost_before)
        self._health.event(self._view, "frames_incomplete", frame.incomplete_before)
        if self._trigger.kind == "hardware":
            self._lost += frame.lost_before + frame.incomplete_before
            self._tell_lost(f"before frame {frame.number}")

    def _end(self, tickets: tuple[Ticket, ...], code: ReasonCode, detail: str) -> None:
        for ticket in tickets:
            if not ticket.answer.done():
                self._desk.close(ticket, undecided(code, detail))

    def _drain(self, code: ReasonCode = ReasonCode.STOPPED, detail: str = "the station was stopped") -> None:
        """After the last loop: whoever asked too late still gets an answer."""
        with self._door:
            self._stopped.set()
        while True:
            try:
                request = self._requests.get_nowait()
            except queue.Empty:
                return
            self._end(request.tickets, code, detail)
