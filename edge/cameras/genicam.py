"""A GenICam camera (GigE Vision, USB3 Vision, ...) through Harvesters and the camera vendor's GenTL producer.

Runs in a process of its own (process.py): harvesters holds the interpreter lock while it waits, and leaks when a camera
is opened again. So there is no reconnecting here: whatever goes wrong ends in CameraLost or CameraRefused, once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime, timezone
from types import TracebackType
from typing import Any

import numpy as np
from typing_extensions import Self

from edge.cameras import buffers
from edge.cameras.acquirer import open_acquirer
from edge.cameras.frame_ids import FrameIds
from edge.cameras.pixel_formats import PixelFormat, decode, format_named
from edge.cameras.producers import CameraInfo, Vendor, first_line
from edge.errors import CameraLost, CameraRefused
from edge.settings.genicam import GenicamSettings
from edge.types import Frame, ImageU8

log = logging.getLogger(__name__)

Allocate = Callable[[tuple[int, ...]], ImageU8]

_SLICE_S = 0.25  # the longest that one call may hold the interpreter lock
_SHORTEST_S = 0.002  # below this try_fetch returns before it has looked


class GenicamCamera:
    """One GenICam camera of one view. One thread uses it; within a process only one may be open per producer."""

    def __init__(self, settings: GenicamSettings, view: str) -> None:
        self._view = view
        self._settings = settings
        self._where = f'camera "{settings.serial}"'
        self._closing = ExitStack()
        self._open = False

    def __enter__(self) -> Self:
        """Find the camera by its serial, set it up, start it. CameraLost, CameraRefused."""
        with ExitStack() as stack:
            self._acquirer = open_acquirer(self._settings, self._where, stack)
            self._start()
            self._closing = stack.pop_all()
        self._open = True
        info = self.info
        log.info("camera_streams where=%s vendor=%s model=%s producer=%s", self._where, info.vendor, info.model, info.producer)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop, close, forget; never raises."""
        self._open = False
        self._closing.close()

    @property
    def info(self) -> CameraInfo:
        """What the producer says of this camera; known once entered."""
        return self._acquirer.info

    def grab(self, timeout_s: float) -> Frame | None:
        """The next frame, or None if none came within timeout_s (> 0).

        CameraLost: the camera is gone. FrameError: a frame came, and is not whole. CameraRefused: a frame came in a format
        that cannot be decoded.
        """
        return self.grab_into(timeout_s, _new_image)

    def grab_into(self, timeout_s: float, allocate: Allocate) -> Frame | None:
        """As grab, decoded into the array that allocate(shape) gives: C-contiguous uint8, writable (a slot of a ring)."""
        deadline = time.monotonic() + timeout_s
        while (left_s := deadline - time.monotonic()) > 0:
            raw = self._fetch(left_s)
            if raw is not None:
                try:
                    return self._frame(raw, allocate)
                finally:
                    self._return(raw)
        return None

    def trigger(self) -> None:
        """Ask for one frame where the trigger is software, else nothing. CameraLost if the camera is gone.

        With policy newest, frames of earlier triggers that nobody fetched are dropped first: they must not answer this one.
        """
        self._check_open()
        if self._settings.trigger.mode != "software":
            return
        if self._settings.policy == "newest":
            with self._answering():
                waiting = self._waiting()
            for _ in range(waiting):
                raw = self._try_fetch(_SHORTEST_S)
                if raw is not None:
                    self._return(raw)
        try:
            self._acquirer.features.execute("TriggerSoftware")
        except CameraRefused as error:  # it was there when the camera was opened
            raise CameraLost(error.message, where=error.where, remedy=error.remedy) from error

    def _start(self) -> None:
        self._count = self._missing = self._incomplete = 0
        vendor, images = self._acquirer.vendor, self._acquirer.images
        with self._answering():
            self._ids = FrameIds(gige=images.device.tl_type == "GEV")
            self._ticks_hz = buffers.tick_frequency(images.device, self._acquirer.features, vendor.errors)
            images.add_callback(images.Events.INCOMPLETE_BUFFER, _counting_callback(vendor, self._count_incomplete))
            images.start(run_as_thread=False)

    def _fetch(self, left_s: float) -> Any:
        self._check_open()
        raw = self._try_fetch(max(_SHORTEST_S, min(left_s, _SLICE_S)))
        if raw is None or self._settings.policy != "newest":
            return raw
        for _ in range(self._settings.buffers):  # a camera faster than this loop must not keep us here
            with self._answering():
                waiting = self._waiting()
            later = self._try_fetch(_SHORTEST_S) if waiting else None
            if later is None:
                break
            self._return(raw)
            raw = later
        return raw

    def _try_fetch(self, timeout_s: float) -> Any:
        with self._answering():
            return self._acquirer.images.try_fetch(timeout=timeout_s, is_raw=True)

    def _waiting(self) -> int:
        with suppress(self._acquirer.vendor.gentl.NotAvailableException, self._acquirer.vendor.gentl.NotImplementedException):
            return int(self._acquirer.stream.num_awaiting_delivery)
        return 0

    def _return(self, raw: Any) -> None:
        with self._answering():
            raw.parent.queue_buffer(raw)

    def _frame(self, raw: Any, allocate: Allocate) -> Frame:
        grabbed_ns, grabbed_at = time.monotonic_ns(), datetime.now(timezone.utc)
        vendor = self._acquirer.vendor
        with self._answering(), buffers.named(self._where):
            number = self._number(buffers.frame_id(raw, vendor))
            device_ns = buffers.timestamp_ns(raw, self._ticks_hz, vendor.errors)
            layout = buffers.layout_of(raw, vendor, self._acquirer.features)
            self._check_format(layout.format)
            image = decode(raw.raw_buffer, layout, allocate(layout.shape))
        # A damaged frame leaves a gap in the ids too; it is counted once.
        lost, self._missing = max(0, self._missing - self._incomplete), 0
        incomplete, self._incomplete = self._incomplete, 0
        return Frame(
            image=image,
            view=self._view,
            number=number,
            grabbed_ns=grabbed_ns,
            grabbed_at=grabbed_at,
            device_ns=device_ns,
            camera=f"{self.info.model} {self.info.serial}",
            lost_before=lost,
            incomplete_before=incomplete,
            is_simulated=self._acquirer.is_simulated,
        )

    def _number(self, frame_id: int | None) -> int:
        self._count += 1
        if frame_id is None:
            return self._count - 1
        self._missing += self._ids.missing_before(frame_id)
        return frame_id

    def _check_format(self, sent: PixelFormat) -> None:
        asked = self._settings.pixel_format
        if asked is not None and sent != format_named(asked):
            raise CameraRefused(f"it sends {sent.name} though {asked} is set", remedy=f"set pixel_format to {sent.name}")

    def _count_incomplete(self) -> None:
        self._incomplete += 1

    def _check_open(self) -> None:
        if not self._open:
            raise CameraLost("it is not open", where=self._where)

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except self._acquirer.vendor.errors as error:
            raise CameraLost(
                f"it does not answer any more ({first_line(error)})",
                where=self._where,
                remedy="check the camera's cable, power and network",
            ) from error


def _new_image(shape: tuple[int, ...]) -> ImageU8:
    return np.empty(shape, np.uint8)


def _counting_callback(vendor: Vendor, count: Callable[[], None]) -> Any:
    class Counting(vendor.core.Callback):  # type: ignore[name-defined,misc]
        def emit(self, context: object = None) -> None:  # noqa: ARG002 - harvesters passes it by name
            """Count."""
            count()

    return Counting()
