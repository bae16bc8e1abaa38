"""Opening a camera through harvesters: found by its serial, set up, its stream ready; and closing it whatever happened."""

from __future__ import annotations

import logging
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.cameras import buffers
from edge.cameras.features import Features
from edge.cameras.pixel_formats import ImageLayout, format_named
from edge.cameras.producers import (
    CameraInfo,
    Vendor,
    find_producers,
    find_serial,
    first_line,
    is_simulator,
    load_vendor,
    open_harvester,
)
from edge.cameras.sfnc import configure
from edge.errors import CameraLost
from edge.settings.genicam import GenicamSettings

log = logging.getLogger(__name__)

_POLL_MS = 10  # how often harvesters looks up while it waits: 4 % of a core; a frame is noticed at once all the same
_XML_FOLDER = "HARVESTERS_XML_FILE_DIR"
_HALF_DESTROYED = (AttributeError, AssertionError, LookupError, RuntimeError, TypeError, ValueError, OSError)


@dataclass(frozen=True)
class Acquirer:
    """An opened camera that does not stream yet: the vendor's ImageAcquirer and its data stream, our view of its features."""

    vendor: Vendor
    info: CameraInfo
    is_simulated: bool
    images: Any
    stream: Any
    features: Features


def open_acquirer(settings: GenicamSettings, where: str, stack: ExitStack) -> Acquirer:
    """Open and set up the camera; `stack` closes it. where: how errors name it. CameraLost, CameraRefused."""
    vendor = load_vendor()
    paths = find_producers(settings.producers)
    harvester = open_harvester(vendor, paths)
    stack.callback(_quietly, harvester.reset, vendor, where)
    info, device = find_serial(harvester, paths, settings.serial)
    images = _create(harvester, device, settings.buffers, vendor, where, stack)
    features = Features(images.remote_device.node_map, where, vendor.errors)
    configure(features, settings)
    _check_layout(features, where)
    stream = buffers.only_stream(images.data_streams, where)
    _order_frames(Features(stream.node_map, f"stream of {where}", vendor.errors), settings)
    return Acquirer(vendor, info, is_simulator(Path(info.producer)), images, stream, features)


def _create(harvester: Any, device: Any, count: int, vendor: Vendor, where: str, stack: ExitStack) -> Any:
    core, gentl = vendor.core, vendor.gentl
    keys = core.ParameterKey
    config = core.ParameterSet(
        {
            keys.NUM_BUFFERS_FOR_FETCH_CALL: count,
            keys.TIMEOUT_PERIOD_ON_UPDATE_EVENT_DATA_CALL: _POLL_MS,
            keys.ENABLE_AUTO_CHUNK_DATA_UPDATE: False,
        }
    )
    failures: tuple[type[Exception], ...] = (*vendor.errors, NotImplementedError)
    try:
        with _private_xml_folder(), _interrupt_handler_kept():
            images = harvester.create(device, config=config)
    except (gentl.AccessDeniedException, gentl.ResourceInUseException, gentl.BusyException) as error:
        raise CameraLost(
            f"another program holds it ({first_line(error)})", where=where, remedy="close the vendor's viewer"
        ) from error
    except failures as error:
        raise CameraLost(
            f"it could not be opened ({first_line(error)})", where=where, remedy="check cable, power and network"
        ) from error
    # The first destroy() of a camera that is gone raises half-way; the second then finishes.
    for _ in range(2):
        stack.callback(_quietly, images.destroy, vendor, where)
    return images


def _check_layout(features: Features, where: str) -> None:
    # Refuses now what could not be decoded later; each buffer then says itself what it holds.
    name, width, height = (features.read(node) for node in ("PixelFormat", "Width", "Height"))
    if isinstance(name, str) and isinstance(width, int) and isinstance(height, int):
        with buffers.named(where):
            ImageLayout(format_named(name), width, height)


def _order_frames(stream: Features, settings: GenicamSettings) -> None:
    mode = "NewestOnly" if settings.policy == "newest" else "OldestFirst"
    if mode in stream.entries("StreamBufferHandlingMode"):
        stream.set("StreamBufferHandlingMode", mode)
    else:
        log.info("stream_mode_absent serial=%s mode=%s", settings.serial, mode)


def _quietly(action: Callable[[], object], vendor: Vendor, where: str) -> None:
    # Harvesters meets its own half-destroyed objects here, so the vendor's exceptions are not the only ones.
    expected: tuple[type[Exception], ...] = (*vendor.errors, *_HALF_DESTROYED)
    try:
        action()
    except expected as error:
        log.debug("camera_closing where=%s why=%r", where, error)


@contextmanager
def _private_xml_folder() -> Iterator[None]:
    # The camera's description passes through a file. It is gone before the first frame, so a killed process leaves nothing.
    before = os.environ.get(_XML_FOLDER)
    with tempfile.TemporaryDirectory(prefix="lineclear-genicam-", ignore_cleanup_errors=True) as folder:
        os.environ[_XML_FOLDER] = str(Path(folder) / "xml")
        try:
            yield
        finally:
            if before is None:
                del os.environ[_XML_FOLDER]
            else:
                os.environ[_XML_FOLDER] = before


@contextmanager
def _interrupt_handler_kept() -> Iterator[None]:
    # On the main thread harvesters puts its own SIGINT handler in place, which swallows Ctrl-C.
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        if before is not None:
            signal.signal(signal.SIGINT, before)
