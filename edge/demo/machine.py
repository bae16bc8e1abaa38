"""The demo's machine: what its operator can do to it, and good frames to make recipes from."""

from __future__ import annotations

import time
from pathlib import Path

import cv2

from edge.cameras.simulated import write_control
from edge.cameras.supervision import SupervisedCamera
from edge.config import ViewConfig
from edge.errors import CameraLost
from edge.settings.simulated import Leftover, SceneControl
from edge.types import Frame

GRAB_TIMEOUT_S = 30.0

LEFTOVERS = (
    Leftover(kind="tablet", x=0.34, y=0.55, size=0.05, angle_deg=20),
    Leftover(kind="leaflet", x=0.55, y=0.35, size=0.1, angle_deg=-25),
)


class Machine:
    """Control files of the rendered views, replaced atomically, as the cameras read one before each frame."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def clean(self, view: str) -> None:
        """Nothing was left, nothing is covered."""
        self._write(view, SceneControl())

    def leave_products(self, view: str) -> None:
        """A tablet and a leaflet were left behind."""
        self._write(view, SceneControl(leftovers=LEFTOVERS))

    def cover(self, view: str) -> None:
        """Somebody hung a cloth over the camera."""
        self._write(view, SceneControl(covered=True))

    def nudge(self, view: str) -> None:
        """Somebody leant on the camera."""
        self._write(view, SceneControl(shift_px=(7.0, -5.0), rotation_deg=0.4))

    def _write(self, view: str, control: SceneControl) -> None:
        write_control(self._folder / f"{view}.json", control)


def collect(view: str, config: ViewConfig, count: int, folder: Path) -> list[Path]:
    """Grab `count` frames of one view as PNG files `00.png` ...; CameraLost if the camera gives none for half a minute."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    with SupervisedCamera(config.camera, view) as camera:
        for number in range(count):
            frame = _grab(camera, view)
            path = folder / f"{number:02d}.png"
            image = frame.image if frame.image.ndim == 2 else cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR)
            cv2.imwrite(str(path), image)
            paths.append(path)
    return paths


def _grab(camera: SupervisedCamera, view: str) -> Frame:
    deadline = time.monotonic() + GRAB_TIMEOUT_S
    why = "no frame came"
    while time.monotonic() < deadline:
        try:
            camera.trigger()
            frame = camera.grab(1.0)
        except CameraLost as error:
            why = str(error)
            continue
        if frame is not None:
            return frame
    raise CameraLost(f"no frame within {GRAB_TIMEOUT_S:g} s ({why})", where=view, remedy="run lineclear doctor")
