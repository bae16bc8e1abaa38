"""Where frames come from: a folder of images, or the camera of a view, opened as the station opens it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Protocol

from typing_extensions import Self

from edge.cameras.base import Camera
from edge.cameras.folder import good_images
from edge.cameras.images import read_image
from edge.cameras.supervision import SupervisedCamera
from edge.config import StationConfig
from edge.errors import CameraLost, ConfigError, FrameError
from edge.publishers.state_lock import StateLock
from edge.settings.cameras import CameraSettings, camera_name, hash_of_camera, is_pulled, trigger_mode
from edge.types import Frame, ImageU8

SLICE_S = 0.25


@dataclass(frozen=True, eq=False)
class Shot:
    """One candidate. image: uint8 HxWx3 RGB or HxW. taken_at: None where a file does not say.

    before: the frame taken right before it, where there is one: nothing may move in between. file_sha256: of the file it
    comes from, "" without one.
    """

    name: str
    image: ImageU8
    taken_at: datetime | None = None
    before: ImageU8 | None = None
    file_sha256: str = ""


@dataclass(frozen=True)
class Unreadable:
    """A candidate that is no picture, and why."""

    name: str
    why: str


class Source(Protocol):
    """Gives candidates one by one; a context manager where something has to be opened."""

    @property
    def name(self) -> str:
        """What a technician knows it by."""
        ...

    @property
    def camera_settings_hash(self) -> str | None:
        """SHA-256 of the camera's settings; None where unknown."""
        ...

    @property
    def total(self) -> int | None:
        """How many there are; None for a camera."""
        ...

    def shots(self) -> Iterator[Shot | Unreadable]:
        """The candidates in order. CameraLost or CameraRefused where the camera gives none."""
        ...


class FolderSource:
    """The images of a folder in natural order. ConfigError if there is none."""

    def __init__(self, folder: Path) -> None:
        self._paths = good_images(folder)
        self.name = f"folder {folder}"
        self.camera_settings_hash: str | None = None
        self.total: int | None = len(self._paths)

    def shots(self) -> Iterator[Shot | Unreadable]:
        """One per file; a file that is no image is Unreadable."""
        for path in self._paths:
            try:
                image = read_image(path)
                yield Shot(path.name, image, file_sha256=hashlib.sha256(path.read_bytes()).hexdigest())
            except FrameError as error:
                yield Unreadable(path.name, error.message)


class CameraSource:
    """A view's camera. Enter it to open the camera; the station must not be running (StationBusy).

    Where the camera exposes by itself, two frames are taken in a row, so that whatever moves in between is noticed.
    """

    def __init__(self, config: StationConfig, view: str, timeout_s: float = 10.0, camera: Camera | None = None) -> None:
        """camera: a camera to use in place of the one that the config names, not yet entered. ConfigError: no such view."""
        if view not in config.views:
            known = ", ".join(config.views)
            raise ConfigError(f"there is no view {view!r}", where="--view", remedy=f"name one of: {known}")
        self._settings: CameraSettings = config.views[view].camera
        self._lock = StateLock(Path(config.state_dir) / "station")
        self._camera: Camera = camera or SupervisedCamera(self._settings, view, config.views[view].process)
        self._timeout_s = timeout_s
        self._stack = ExitStack()
        self.name = f"camera {camera_name(self._settings)} of view {view}"
        self.camera_settings_hash: str | None = hash_of_camera(self._settings)
        self.total: int | None = None

    def __enter__(self) -> Self:
        """Make sure that no station runs, and open the camera."""
        with ExitStack() as stack:
            self._lock.acquire()
            stack.callback(self._lock.release)
            stack.enter_context(self._camera)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the camera and let a station start."""
        self._stack.close()

    def shots(self) -> Iterator[Shot | Unreadable]:
        """Without end, until the camera has no more (a folder that does not loop). CameraLost after the time limit."""
        pairs = not is_pulled(self._settings)
        before: Frame | None = None
        while True:
            try:
                frame = self._grab()
            except FrameError as error:
                yield Unreadable("frame", str(error))
                continue
            if frame is None:
                return
            if pairs and before is None:
                before = frame
                continue
            name = f"frame {frame.number}"
            yield Shot(name, frame.image, frame.grabbed_at, before.image.copy() if before is not None else None)
            before = None

    def _grab(self) -> Frame | None:
        """The next frame; None where a replay has ended. A camera that is still opening is waited for."""
        deadline_s = time.monotonic() + self._timeout_s
        asked = False
        while True:
            left_s = deadline_s - time.monotonic()
            try:
                if trigger_mode(self._settings) == "software" and not asked:
                    self._camera.trigger()
                    asked = True
                frame = self._camera.grab(max(0.0, min(SLICE_S, left_s)))
            except CameraLost:
                if left_s <= 0:
                    raise
                asked = False
                continue
            if frame is not None:
                return frame
            if left_s <= 0 and is_pulled(self._settings):
                return None
            if left_s <= 0:
                raise self._silent()

    def _silent(self) -> CameraLost:
        remedy = {
            "hardware": "let the line send trigger pulses while frames are collected",
            "software": "look at the camera's trigger settings",
            "off": "look at its cable and power: lineclear doctor",
        }[trigger_mode(self._settings)]
        return CameraLost(f"gave no frame for {self._timeout_s:g} s", where=self.name, remedy=remedy)
