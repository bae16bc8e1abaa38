"""Small sources for camera tests."""

from __future__ import annotations

import time
from pathlib import Path

import cv2
import numpy as np

from edge.cameras.supervision import SupervisedCamera
from edge.errors import CameraLost
from edge.settings.cameras import FolderSettings, ProcessSettings, VideoSettings
from edge.settings.simulated import SimulatedSettings
from edge.types import Frame

HASTY = ProcessSettings(hang_timeout_s=2.0, stall_timeout_s=2.0, open_timeout_s=60.0)


def numbered(number: int, size_wh: tuple[int, int] = (64, 48)) -> np.ndarray:
    """RGB noise whose red mean tells the number."""
    image = np.random.default_rng(number).integers(0, 40, (size_wh[1], size_wh[0], 3), np.uint8)
    image[..., 0] += np.uint8(5 * number)
    return image


def folder_of(path: Path, count: int = 4, size_wh: tuple[int, int] = (64, 48)) -> Path:
    path.mkdir(exist_ok=True)
    for number in range(count):
        cv2.imwrite(str(path / f"{number}.png"), numbered(number, size_wh)[..., ::-1])
    return path


def video_of(path: Path, count: int = 5, rate_hz: float = 50.0, size_wh: tuple[int, int] = (64, 48)) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), rate_hz, size_wh)
    assert writer.isOpened()
    for number in range(count):
        flat = np.zeros((size_wh[1], size_wh[0], 3), np.uint8)
        flat[: size_wh[1] // 2] = (10, 20, 20 * number)
        writer.write(flat)
    writer.release()
    return path


def simulated(**changes: object) -> SimulatedSettings:
    return SimulatedSettings.model_validate({"size_wh": (64, 48), "rate_hz": 200.0, **changes})


def folder(path: Path, **changes: object) -> FolderSettings:
    return FolderSettings.model_validate({"path": path, **changes})


def video(path: Path, **changes: object) -> VideoSettings:
    return VideoSettings.model_validate({"source": str(path), **changes})


def frame_of(camera: SupervisedCamera) -> Frame:
    """The next frame, however often the camera is lost meanwhile."""
    deadline_s = time.monotonic() + 20
    while time.monotonic() < deadline_s:
        try:
            frame = camera.grab(0.2)
        except CameraLost:
            continue
        if frame is not None:
            return frame
    raise AssertionError(camera.state)
