"""Where a camera's process puts its frames: a slot of the ring and a record that says which."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol, runtime_checkable

import numpy as np

from edge.cameras.channel import Begin, Channel, FrameRecord, RingMade
from edge.cameras.ring import RingWriter
from edge.cameras.status import StatusPage
from edge.errors import FrameError
from edge.types import Frame, ImageU8


@runtime_checkable
class GrabsInto(Protocol):
    """A camera that can decode its frames straight into memory that it is given, which saves one copy."""

    def grab_into(self, timeout_s: float, allocate: Callable[[tuple[int, ...]], ImageU8]) -> Frame | None:
        """As Camera.grab; the frame's image is the uint8 array that allocate(shape) gave."""
        ...


class FrameSink:
    """Puts frames into the ring and their records on the channel; the ring grows when a larger frame comes."""

    def __init__(self, begin: Begin, control: Channel, out: Channel, unread: Channel, status: StatusPage) -> None:
        self._begin, self._control, self._out, self._unread, self._status = begin, control, out, unread, status
        self._overwrites = begin.settings.policy == "newest"
        self._ring: RingWriter | None = None
        self._placed: int | None = None
        self._generation = 0
        self._lost = 0
        self._incomplete = 0
        self._last_ns = 0
        self._gap_ns = 0

    @property
    def has_room(self) -> bool:
        """True if a frame would find a slot without pushing another one out."""
        return self._ring is None or self._ring.free_slot() is not None

    def allocate(self, shape: tuple[int, ...]) -> ImageU8:
        """Memory for a frame of this shape: a free slot, or an array of its own where there is none."""
        ring = self._ring_for(int(np.prod(shape)))
        self._placed = self._slot(ring)
        return np.empty(shape, np.uint8) if self._placed is None else ring.place(self._placed, shape)

    def put(self, frame: Frame) -> None:
        """Hand over one frame, or count it as lost if every slot is in use."""
        ready_ns = time.monotonic_ns()
        self._arrived(ready_ns)
        self._note(frame.lost_before, frame.incomplete_before)
        slot, self._placed = self._placed, None
        ring = self._ring_for(frame.image.nbytes)
        if slot is not None and _is_same(frame.image, ring.place(slot, frame.image.shape)):
            ring.take(slot)
        elif (slot := self._slot(ring)) is not None:
            ring.write(slot, frame.image)
        else:
            self._note(1, 0)
            return
        self._status.add("frames")
        self._send(
            FrameRecord(
                self._generation,
                slot,
                frame.image.shape,
                frame.number,
                frame.grabbed_ns,
                frame.grabbed_at,
                frame.device_ns,
                frame.camera,
                self._lost,
                self._incomplete,
                frame.is_simulated,
                ready_ns=ready_ns,
            )
        )

    def put_error(self, error: FrameError) -> None:
        """Hand over that a frame came which cannot be judged; it takes a slot, so that order and bounds are the same."""
        self._arrived(time.monotonic_ns())
        self._status.add("damaged")
        ring = self._ring or self._ring_for(1)
        slot = self._slot(ring)
        if slot is None:
            self._note(1, 0)
            return
        ring.take(slot)
        self._send(
            FrameRecord(self._generation, slot, (), lost_before=self._lost, incomplete_before=self._incomplete, error=error)
        )

    def _arrived(self, now_ns: int) -> None:
        """Note the time, and how far apart frames come of late: a long gap is forgotten within some twenty frames."""
        if self._last_ns:
            self._gap_ns = max(now_ns - self._last_ns, self._gap_ns * 9 // 10)
            self._status.set("gap_ns", self._gap_ns)
        self._last_ns = now_ns
        self._status.set("last_frame_ns", now_ns)

    def _send(self, record: FrameRecord) -> None:
        self._out.send(record)
        self._lost = self._incomplete = 0

    def _note(self, lost: int, incomplete: int) -> None:
        self._lost += lost
        self._incomplete += incomplete
        self._status.add("lost", lost)
        self._status.add("incomplete", incomplete)

    def _slot(self, ring: RingWriter) -> int | None:
        slot = ring.free_slot()
        if slot is None and self._overwrites:
            self._take_back()
            slot = ring.free_slot()
        return slot

    def _take_back(self) -> None:
        message = self._unread.receive()
        if message is None:
            return
        record: FrameRecord = message[0]
        self._lost += record.lost_before
        self._incomplete += record.incomplete_before
        self._status.add("skipped")
        if self._ring is not None and record.generation == self._generation:
            self._ring.release(record.slot)

    def _ring_for(self, frame_bytes: int) -> RingWriter:
        if self._ring is None or self._ring.slot_bytes < frame_bytes:
            self._generation += 1
            self._ring = ring = RingWriter(self._begin.view, self._begin.slots, frame_bytes)
            self._control.send(RingMade(self._generation, ring.slots, ring.slot_bytes), [ring.fd])
            ring.close()
        return self._ring


def _is_same(one: ImageU8, other: ImageU8) -> bool:
    return one.flags.c_contiguous and one.ctypes.data == other.ctypes.data
