"""The one place that turns camera settings into a camera; it runs in the camera's own process."""

from __future__ import annotations

from edge.cameras.base import Camera
from edge.settings.cameras import CameraSettings, FolderSettings, VideoSettings
from edge.settings.genicam import GenicamSettings


def make_camera(settings: CameraSettings, view: str, life: int = 0) -> Camera:
    """The camera that `settings.kind` names, not yet entered. life: how often its process was started before.

    Each branch imports its own library, so a station without a GenICam camera needs no harvesters.
    """
    match settings:
        case GenicamSettings():
            from edge.cameras.genicam import GenicamCamera

            return GenicamCamera(settings, view)
        case FolderSettings():
            from edge.cameras.folder import FolderCamera

            return FolderCamera(settings, view)
        case VideoSettings():
            from edge.cameras.video import VideoCamera

            return VideoCamera(settings, view)
        case _:
            from edge.cameras.simulated import SimulatedCamera

            return SimulatedCamera(settings, view, life)
