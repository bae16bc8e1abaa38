"""A camera that renders a machine, and fails on demand: for the demo, for tests, for commissioning without hardware."""

from __future__ import annotations

import json
import os
import signal
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import NoReturn

import cv2
import numpy as np
from typing_extensions import Self

from edge.cameras.faults import FaultPlan
from edge.cameras.pictures import Pictures
from edge.errors import CameraLost, CameraRefused, ConfigError, FrameError
from edge.schema import load_json
from edge.settings.simulated import SceneControl, SimulatedSettings
from edge.types import Frame, ImageU8

_BLUR, _TEAR = 30, 8
"""Of the frame's width: the sigma of a lens out of focus, and how far the lower half of a torn frame is shifted."""


class SimulatedCamera:
    """Frames are numbered from 0 in each life. life: how often the camera was started before; faults may name one.

    The faults crash and hang take the whole process with them: use them behind a ProcessCamera.
    """

    def __init__(self, settings: SimulatedSettings, view: str, life: int = 0) -> None:
        self._settings, self._view, self._life = settings, view, life
        self._plan = FaultPlan(settings.faults, settings.seed, life)
        self._pictures: Pictures | None = None
        self._control = ControlFile(settings.control, settings.start)
        self._triggers = 0
        self._number = 0
        self._due_s = 0.0
        self._lost = self._incomplete = 0
        self._previous: ImageU8 | None = None

    def __enter__(self) -> Self:
        """Draw the scene."""
        fault = self._plan.opening()
        if fault == "not_there":
            raise CameraLost("is not there (simulated)", where=self._name, remedy="look at its cable and power")
        if fault == "refused":
            raise CameraRefused("refuses its settings (simulated)", where=self._name, remedy="mend the camera's settings")
        self._pictures = Pictures(self._settings)
        self._number = self._triggers = self._lost = self._incomplete = 0
        self._due_s = time.monotonic()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Forget the scene."""
        self._pictures = self._previous = None

    @property
    def _name(self) -> str:
        return f"simulated {self._settings.scene}"

    def grab(self, timeout_s: float) -> Frame | None:
        """The next frame at the camera's rate, or the answer to the next trigger."""
        if self._pictures is None:
            raise CameraLost("is not open", where=self._name)
        deadline_s = time.monotonic() + timeout_s
        while True:
            wanted = self._settings.trigger == "off" or self._triggers > 0
            now_s = time.monotonic()
            if not wanted or self._due_s > deadline_s:
                time.sleep(max(0.0, deadline_s - now_s))
                return None
            time.sleep(max(0.0, self._due_s - now_s))
            frame = self._expose(self._pictures)
            if frame is not None:
                return frame
            if time.monotonic() >= deadline_s:
                return None

    def trigger(self) -> None:
        """One frame, if the settings say `trigger: software`."""
        if self._pictures is None:
            raise CameraLost("is not open", where=self._name)
        if self._settings.trigger == "software":
            self._triggers += 1

    def _expose(self, pictures: Pictures) -> Frame | None:
        number, self._number = self._number, self._number + 1
        self._triggers = max(0, self._triggers - 1)
        self._due_s = max(self._due_s + 1 / self._settings.rate_hz, time.monotonic())
        grabbed_ns, grabbed_at = time.monotonic_ns(), datetime.now(timezone.utc)
        control = self._control.read()
        faults = self._plan.at(number) | ({control.fault} if control.fault else set())
        self._break_if(faults)
        if faults & {"stall", "drop", "short"}:
            self._lost += "drop" in faults
            self._incomplete += "short" in faults
            return None
        if "damaged" in faults:
            raise FrameError(f"frame {number} arrived damaged (simulated)", where=self._name)
        image = self._image(pictures, number, control, faults)
        lost, incomplete, self._lost, self._incomplete = self._lost, self._incomplete, 0, 0
        return Frame(
            image,
            self._view,
            number,
            grabbed_ns,
            grabbed_at,
            camera=self._name,
            lost_before=lost,
            incomplete_before=incomplete,
            is_simulated=True,
        )

    def _break_if(self, faults: frozenset[str]) -> None:
        if "lost" in faults:
            raise CameraLost("was unplugged (simulated)", where=self._name, remedy="look at its cable and power")
        if "refused" in faults or "not_there" in faults:
            raise CameraRefused("refuses its settings (simulated)", where=self._name, remedy="mend the camera's settings")
        if "crash" in faults:
            os._exit(70)
        if "segfault" in faults:
            signal.signal(signal.SIGSEGV, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGSEGV)
        if "hang" in faults:
            _hang()

    def _image(self, pictures: Pictures, number: int, control: SceneControl, faults: frozenset[str]) -> ImageU8:
        if "frozen" in faults and self._previous is not None:
            return self._previous
        image = pictures.render(number, control)
        if "black" in faults:
            image = np.zeros_like(image)
        if "saturated" in faults:
            image = np.full_like(image, 255)
        if "blurred" in faults:
            image = np.asarray(cv2.GaussianBlur(image, (0, 0), image.shape[1] / _BLUR), np.uint8)
        if "torn" in faults:
            middle, shift = image.shape[0] // 2, image.shape[1] // _TEAR
            image = np.concatenate((image[:middle], np.roll(image[middle:], shift, axis=1)))
        if "wrong_size" in faults:
            image = np.ascontiguousarray(image[: max(1, image.shape[0] // 2)])
        self._previous = image
        return image


class ControlFile:
    """Reads a SceneControl again whenever its file was replaced."""

    def __init__(self, path: Path | None, start: SceneControl) -> None:
        self._path, self._start = path, start
        self._stamp: tuple[int, int, int] | None = None
        self._now = start

    def read(self) -> SceneControl:
        """What holds now: the file if there is one, else the start. FrameError if it says nothing that makes sense."""
        if self._path is None:
            return self._start
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            self._stamp = None
            return self._start
        stamp = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
        if stamp != self._stamp:
            try:
                self._now = load_json(SceneControl, self._path)
            except ConfigError as error:
                raise FrameError(error.message, where=error.where, remedy=error.remedy) from None
            self._stamp = stamp
        return self._now


def write_control(path: Path, control: SceneControl) -> None:
    """Replace the control file atomically: the camera reads the old state or the new one, never a half."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        json.dump(control.model_dump(mode="json"), file)
    Path(file.name).replace(path)


def _hang() -> NoReturn:
    signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP})
    while True:
        time.sleep(3600)
