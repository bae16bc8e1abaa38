"""A camera in a process of its own, seen from the station: one life of it.

The station never calls a vendor library: it waits on sockets, and reads frames in place from shared memory. The child is
killed as a whole when it is dead, stopped, hung in a driver, or when a camera that should run freely goes silent.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from types import TracebackType

from typing_extensions import Self

from edge.cameras.channel import Begin, ChannelClosed, Failed, FrameRecord, Opened, RingMade, Stop, Trigger
from edge.cameras.ring import RingReader
from edge.cameras.spawn import ChildProcess
from edge.cameras.status import Counters
from edge.errors import CameraLost, CameraRefused, DeviceError, LineclearError
from edge.settings.cameras import CameraSettings, ProcessSettings, frame_period_s, is_pulled, longest_call_s, trigger_mode
from edge.types import Frame

_SLICE_S = 0.25
_BEAT_S = 0.2
_QUIET_S = 0.5
_KNOWN_FRAMES = 5
_DEAD = "its process"


@dataclass(frozen=True)
class _Trouble:
    what: str
    error: Exception | None = None
    patience_s: float = 0.0

    def as_error(self, view: str, how: str) -> DeviceError:
        """As the camera raised it where it is a DeviceError; CameraRefused for what a person wrote wrongly."""
        if isinstance(self.error, DeviceError):
            return self.error
        if isinstance(self.error, LineclearError):
            return CameraRefused(self.error.message, where=self.error.where, remedy=self.error.remedy)
        what = f"{self.what} {how}" if self.what == _DEAD else self.what
        return CameraLost(what, where=f"camera of {view}", remedy="it is started again; look at the camera's cable and power")


class ProcessCamera:
    """Runs the camera that `settings` describes in a spawned process.

    A frame's image is a read-only view of shared memory; its slot goes back when the last array on it is gone. life: how
    often this camera was started before (a simulated camera fails only in the life that its faults name). handoff_s: how long
    the last frame took from the camera to grab's return, 0 before the first.
    """

    def __init__(self, settings: CameraSettings, view: str, process: ProcessSettings | None = None, life: int = 0) -> None:
        self._settings, self._view, self._life = settings, view, life
        self._process = process or ProcessSettings()
        period_s = frame_period_s(settings)
        # Files wait until they are wanted: read ahead, they would be older than the request that they answer.
        self._pulled = is_pulled(settings) and trigger_mode(settings) == "off"
        self._asked = False
        self._period_s = period_s
        self._stall_s = None if period_s is None else max(self._process.stall_timeout_s, 3 * period_s)
        self._child: ChildProcess | None = None
        self._rings: dict[int, RingReader] = {}
        self._opened = False
        self._failure: DeviceError | None = None
        self._reported: _Trouble | None = None
        self._started_s = 0.0
        self._opened_ns = 0
        self._skipped = self._lost = self._incomplete = 0
        self._last = Counters()
        self.handoff_s = 0.0

    def __enter__(self) -> Self:
        """Spawn and wait until the camera is open: CameraLost or CameraRefused as the camera itself says, or too late."""
        with contextlib.ExitStack() as undo:
            undo.callback(self._end, 0.0)
            self.start()
            while not self.poll_opened(_SLICE_S):
                pass
            undo.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Ask the child to close the camera and end; kill it after stop_timeout_s."""
        if self._child is None:
            return
        with contextlib.suppress(ChannelClosed, BlockingIOError):
            self._child.control.send(Stop())
        self._end(self._process.stop_timeout_s)

    @property
    def pid(self) -> int | None:
        """The process id of the child, None when there is none."""
        return self._child.pid if self._child else None

    @property
    def counters(self) -> Counters:
        """What this life has seen so far; also readable when the child hangs, and after its end."""
        child = self._child
        seen = child.status.read() if child else self._last
        return Counters(**{**vars(seen), "skipped": seen.skipped + self._skipped})

    @property
    def runs_freely(self) -> bool:
        """True if it should send frames without being asked."""
        return self._stall_s is not None

    @property
    def beat_age_s(self) -> float:
        """Seconds since its last sign of life beyond what its longest call may take; 0 before it is open."""
        child = self._child
        if child is None or not self._opened:
            return 0.0
        age_s = (time.monotonic_ns() - child.status.read().heartbeat_ns) / 1e9
        return max(0.0, age_s - longest_call_s(self._settings))

    @property
    def quiet(self) -> str:
        """Why it seems dead before its time is up and it is ended: half a second beyond what it is known for; else ""."""
        child = self._child
        if child is None or not self._opened:
            return ""
        if (age_s := self.beat_age_s) > _BEAT_S + _QUIET_S:
            return f"its process gives no sign of life for {age_s:.1f} s"
        seen = child.status.read()
        expected_s = seen.gap_ns / 1e9 if seen.frames >= _KNOWN_FRAMES else self._period_s
        since_s = (time.monotonic_ns() - max(seen.last_frame_ns, self._opened_ns)) / 1e9
        if self._stall_s is not None and expected_s and since_s > expected_s + _QUIET_S:
            return f"sends no frame for {since_s:.1f} s, and used to send one every {expected_s:.2g} s"
        return ""

    def look(self) -> None:
        """Is it still well? Takes no frame. CameraLost if it is dead, hung or silent for too long."""
        self._check()

    def start(self) -> None:
        """Spawn the child and return at once; ask poll_opened whether the camera is open."""
        if self._child is not None:
            raise RuntimeError("a ProcessCamera can be entered once at a time")
        self._failure, self._reported, self._opened, self._started_s = None, None, False, time.monotonic()
        self._asked = False
        self._skipped = self._lost = self._incomplete = 0
        self._records = 0
        self._answers_before: int | None = None
        try:
            self._child = ChildProcess(self._view)
        except OSError as error:
            raise CameraLost(f"its process cannot be started ({error})", where=self._view, remedy="is memory left?") from error
        begin = Begin(self._settings, self._view, self._life, self._process.slots, self._process.stop_timeout_s)
        with contextlib.suppress(ChannelClosed):  # a child that died at once is reported by the next poll
            self._child.control.send(begin)

    def poll_opened(self, timeout_s: float) -> bool:
        """True once the camera is open. Waits at most timeout_s; raises what opening raised."""
        deadline_s = time.monotonic() + timeout_s
        while not self._opened:
            self._check()
            remaining_s = deadline_s - time.monotonic()
            if self._opened or remaining_s <= 0:
                break
            self._wait(remaining_s)
        return self._opened

    def grab(self, timeout_s: float) -> Frame | None:
        """The next frame by policy, None after timeout_s. CameraLost; FrameError for one frame that cannot be judged."""
        deadline_s = time.monotonic() + timeout_s
        while True:
            trouble = None
            record = self._next_record()
            if record is None and (trouble := self._trouble()) is not None:
                record = self._next_record()  # what came before the end counts
            if record is not None:
                return self._frame(record)
            if trouble is not None:
                raise self._give_up(trouble)
            remaining_s = deadline_s - time.monotonic()
            if remaining_s <= 0:
                return None
            if self._pulled and not self._asked:
                self._ask()
            self._wait(remaining_s)

    def trigger(self) -> None:
        """Ask for one frame; whatever was still unread answers an earlier trigger and is dropped. CameraLost.

        An earlier trigger that was neither answered nor counted as lost may still be: nothing would tell its frame from
        this one's, and a picture of before would be judged as one of now. So that camera is started again.
        """
        if trigger_mode(self._settings) == "software":
            while (record := self._next_record()) is not None:
                self._skip(record)
            self._check()
            answers = self._answers()
            # Compared with the last trigger only: a frame that is told twice must not hide a later one that is missing.
            if answers == self._answers_before:
                raise self._give_up(_Trouble("did not answer its last trigger"))
            self._answers_before = answers
            self._ask()
        else:
            self._check()

    def _answers(self) -> int:
        """Frames that arrived here, and those that can arrive no more: lost, damaged, or replaced in the ring."""
        seen = self._child.status.read() if self._child else self._last
        return self._records + seen.lost + seen.incomplete + seen.skipped

    def _ask(self) -> None:
        self._asked = True
        try:
            if self._child is not None:
                self._child.control.send(Trigger())
        except ChannelClosed:
            raise self._give_up(_Trouble(_DEAD)) from None
        except BlockingIOError:
            raise self._give_up(_Trouble("does not take triggers any more")) from None

    def _wait(self, remaining_s: float) -> None:
        if self._child is not None:
            self._child.wait(min(remaining_s, _SLICE_S))

    def _next_record(self) -> FrameRecord | None:
        taken: FrameRecord | None = None
        if self._child is None or self._failure is not None:
            return None
        with contextlib.suppress(ChannelClosed):
            while (message := self._child.frames.receive()) is not None:
                if taken is not None:
                    self._skip(taken)
                taken = message[0]
                if self._settings.policy == "every" or trigger_mode(self._settings) == "software":
                    break
        return taken

    def _skip(self, record: FrameRecord) -> None:
        self._records += 1
        self._skipped += 1
        self._lost += record.lost_before
        self._incomplete += record.incomplete_before
        self._ring_of(record).release(record.slot)

    def _frame(self, record: FrameRecord) -> Frame:
        ring = self._ring_of(record)
        self._records += 1
        self._asked = False
        if record.error is not None or record.grabbed_at is None:
            ring.release(record.slot)
            raise record.error or self._give_up(_Trouble("sent a frame without a time"))
        self.handoff_s = (time.monotonic_ns() - record.ready_ns) / 1e9
        lost, incomplete, self._lost, self._incomplete = self._lost, self._incomplete, 0, 0
        return Frame(
            ring.lease(record.slot, record.shape),
            self._view,
            record.number,
            record.grabbed_ns,
            record.grabbed_at,
            record.device_ns,
            record.camera,
            record.lost_before + lost,
            record.incomplete_before + incomplete,
            record.is_simulated,
        )

    def _ring_of(self, record: FrameRecord) -> RingReader:
        # A ring is announced before the first record that points into it; records come in order, so older rings are done.
        while record.generation not in self._rings:
            try:
                announced = self._next_event()
            except ChannelClosed:
                raise self._give_up(_Trouble(_DEAD)) from None
            if not announced:
                raise self._give_up(_Trouble("sent a frame without a place"))
        self._rings = {number: ring for number, ring in self._rings.items() if number >= record.generation}
        return self._rings[record.generation]

    def _next_event(self) -> bool:
        message = self._child.control.receive() if self._child else None
        if message is None:
            return False
        event, fds = message
        if isinstance(event, RingMade):
            self._rings[event.generation] = RingReader(fds[0], event.slots, event.slot_bytes)
        elif isinstance(event, Opened):
            self._opened, self._opened_ns = True, time.monotonic_ns()
        elif isinstance(event, Failed):
            self._reported = _Trouble(f"its process failed: {event.crash}", event.error, self._process.stop_timeout_s)
        return True

    def _check(self) -> None:
        if (trouble := self._trouble()) is not None:
            raise self._give_up(trouble)

    def _trouble(self) -> _Trouble | None:
        """Take in what the child says; not None if it is dead, hung, too late or silent."""
        child = self._child
        if child is None:
            return _Trouble("is not open")
        try:
            while self._next_event():
                pass
        except ChannelClosed:
            return self._reported or _Trouble(_DEAD, None, 0.5)
        if self._reported is None and child.has_exited():
            return _Trouble(_DEAD)
        return self._reported or self._lateness(child.status.read())

    def _lateness(self, seen: Counters) -> _Trouble | None:
        limits = self._process
        hang_s = limits.hang_timeout_s + longest_call_s(self._settings)
        if not self._opened:
            late = time.monotonic() - self._started_s > limits.open_timeout_s
            return _Trouble(f"did not open within {limits.open_timeout_s:g} s") if late else None
        now_ns = time.monotonic_ns()
        if now_ns - seen.heartbeat_ns > hang_s * 1e9:
            return _Trouble(f"its process gave no sign of life for {hang_s:g} s")
        since_ns = max(seen.last_frame_ns, self._opened_ns)
        if self._stall_s is not None and now_ns - since_ns > self._stall_s * 1e9:
            return _Trouble(f"sent no frame for {self._stall_s:g} s although it runs freely")
        return None

    def _give_up(self, trouble: _Trouble) -> DeviceError:
        """End the child; the error to raise, now and at every later call."""
        if self._failure is None:
            how = self._end(trouble.patience_s)
            self._failure = trouble.as_error(self._view, how)
        elif self._child is not None:
            self._end(0.0)
        return type(self._failure)(self._failure.message, where=self._failure.where, remedy=self._failure.remedy)

    def _end(self, patience_s: float) -> str:
        child = self._child
        if child is None:
            return ""
        self._last = child.status.read()
        self._child = None
        self._rings = {}
        return child.end(patience_s)
