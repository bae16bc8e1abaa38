"""Video files, V4L2 devices and network streams through OpenCV.

There is no reconnecting in here: a source that ends or stalls is CameraLost, and the station starts a new process.
"""

from __future__ import annotations

import os
import time
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote

import cv2
import numpy as np
from typing_extensions import Self

from edge.errors import CameraLost, CameraRefused, ConfigError
from edge.schema import read_secret
from edge.settings.cameras import VideoSettings
from edge.types import Frame, ImageU8


class VideoCamera:
    """Frames are numbered from 0. A live source that blocks is bounded by read_timeout_s, not by grab's timeout."""

    def __init__(self, settings: VideoSettings, view: str) -> None:
        self._settings, self._view = settings, view
        self._capture: Any = None
        self._period_s = 0.0
        self._due_s = 0.0
        self._number = 0
        self._ended = False

    def __enter__(self) -> Self:
        """Open; CameraLost where nothing answers, CameraRefused for a missing file or a mode that the device does not have."""
        if not self._settings.is_live and not Path(self._settings.source).is_file():
            raise CameraRefused("file not found", where=self._settings.source, remedy="check the path")
        self._capture = self._opened()
        self._number, self._ended, self._due_s = 0, False, time.monotonic()
        try:
            self._take_mode()
        except CameraRefused:
            self._capture.release()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the source."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def grab(self, timeout_s: float) -> Frame | None:
        """The next frame; None before its time, or for a file that was played once. CameraLost when a live source ends."""
        if self._capture is None:
            raise CameraLost("is not open", where=self._settings.source)
        deadline_s = time.monotonic() + timeout_s
        if self._ended or self._due_s > deadline_s:
            time.sleep(max(0.0, timeout_s))
            return None
        time.sleep(max(0.0, self._due_s - time.monotonic()))
        image = self._read()
        if image is None:
            self._ended = True
            time.sleep(max(0.0, deadline_s - time.monotonic()))
            return None
        number, self._number = self._number, self._number + 1
        if self._period_s:
            self._due_s = max(self._due_s + self._period_s, time.monotonic())
        now_ns, now = time.monotonic_ns(), datetime.now(timezone.utc)
        return Frame(
            image,
            self._view,
            number,
            now_ns,
            now,
            camera=f"video {self._settings.source}",
            is_simulated=not self._settings.is_live,
        )

    def trigger(self) -> None:
        """Nothing: video runs freely."""
        if self._capture is None:
            raise CameraLost("is not open", where=self._settings.source)

    def _opened(self) -> Any:
        settings = self._settings
        if settings.is_stream:
            limits = [
                cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
                round(settings.open_timeout_s * 1000),
                cv2.CAP_PROP_READ_TIMEOUT_MSEC,
                round(settings.read_timeout_s * 1000),
            ]
            capture = cv2.VideoCapture(self._address(), cv2.CAP_FFMPEG, limits)
        elif settings.is_device:
            capture = cv2.VideoCapture(settings.source, cv2.CAP_V4L2)
        else:
            capture = cv2.VideoCapture(settings.source)
        if not capture.isOpened():
            capture.release()
            remedy = "is it on, and reachable?" if settings.is_live else "is it a video that OpenCV can decode?"
            raise CameraLost("cannot be opened", where=settings.source, remedy=remedy)
        return capture

    def _address(self) -> str:
        file = self._settings.credentials_file
        if file is None:
            return self._settings.source
        try:
            user, colon, password = read_secret(file, "credentials_file").strip().partition(":")
        except ConfigError as error:
            raise CameraRefused(error.message, where=error.where, remedy=error.remedy) from None
        if not colon or not user or "\n" in password:
            raise CameraRefused("is not one line `user:password`", where=str(file), remedy="write it so")
        # FFmpeg's own messages may name the whole address.
        os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
        scheme, rest = self._settings.source.split("://", 1)
        return f"{scheme}://{quote(user, safe='')}:{quote(password, safe='')}@{rest}"

    def _take_mode(self) -> None:
        settings = self._settings
        if settings.is_device:
            wanted = {cv2.CAP_PROP_FPS: settings.device_hz}
            if settings.size_wh is not None:
                wanted = {
                    cv2.CAP_PROP_FRAME_WIDTH: settings.size_wh[0],
                    cv2.CAP_PROP_FRAME_HEIGHT: settings.size_wh[1],
                } | wanted
            for prop, value in wanted.items():
                if value is not None:
                    self._capture.set(prop, value)
        if not settings.is_live:
            rate_hz = settings.rate_hz if settings.rate_hz is not None else self._capture.get(cv2.CAP_PROP_FPS)
            self._period_s = 1 / rate_hz if rate_hz and np.isfinite(rate_hz) and rate_hz > 0 else 0.0
        got_wh = tuple(round(self._capture.get(prop)) for prop in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        if settings.size_wh is not None and got_wh != settings.size_wh:
            raise CameraRefused(
                f"gives {got_wh[0]}x{got_wh[1]}, not {settings.size_wh[0]}x{settings.size_wh[1]}",
                where=settings.source,
                remedy="write a size_wh that it has",
            )
        got_hz = self._capture.get(cv2.CAP_PROP_FPS)
        if settings.device_hz is not None and abs(got_hz - settings.device_hz) > 0.01 * settings.device_hz:
            raise CameraRefused(f"runs at {got_hz:g} Hz", where=settings.source, remedy="write a device_hz that it has")

    def _read(self) -> ImageU8 | None:
        sound, picture = self._capture.read()
        if not sound and self._settings.loop and self._number > 0:
            self._capture.release()
            self._capture = self._opened()
            sound, picture = self._capture.read()
        if sound and picture is not None:
            shaped = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB) if picture.ndim == 3 else picture
            return np.asarray(shaped, np.uint8)
        if self._settings.is_live:
            raise CameraLost("sends no frames any more", where=self._settings.source, remedy="is it on, and reachable?")
        if self._number == 0 or self._settings.loop:
            raise CameraLost("holds no frame that can be decoded", where=self._settings.source, remedy="write the file again")
        return None
