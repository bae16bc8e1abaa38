"""What the station's own views and cameras have to say in figures, for health and for Prometheus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from edge.cameras.base import Camera
from edge.cameras.supervision import CameraState
from edge.health import Value
from edge.publishers.station_payloads import StationStatus, ViewState

COUNTED = ("status", "frames", "lost", "incomplete", "skipped", "damaged", "restarts", "handoff_s", "frame_age_s")


class Watched(Protocol):
    """What the figures need to know of a view."""

    name: str
    camera: Camera


def camera_state(camera: Camera) -> CameraState | None:
    """How the camera is; None for one that does not say."""
    state = getattr(camera, "state", None)
    return state if isinstance(state, CameraState) else None


def camera_values(views: Sequence[Watched]) -> dict[str, Value]:
    """`camera.front.lost` and the like; a value that is not known yet is left out."""
    values: dict[str, Value] = {}
    for view in views:
        state = camera_state(view.camera)
        for name in COUNTED if state is not None else ():
            value = getattr(state, name)
            if value is not None:
                values[f"camera.{view.name}.{name}"] = value
    return values


def situation(status: StationStatus, views: Sequence[ViewState], alarms: Mapping[str, str | None]) -> dict[str, Value]:
    """What the topics state and alarm say, as values for Prometheus, which hears no topics."""
    return {
        "state.status": status.value,
        **{f"view.{view.view}.ready": view.ready for view in views},
        **{f"alarm.{code}": text is not None for code, text in alarms.items()},
    }
