"""What the station says of itself while it runs: state when it changes, health in intervals, alarms while they last."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from edge.cameras.base import Camera
from edge.cameras.supervision import CameraState
from edge.errors import OutboxError
from edge.health import Health
from edge.publishers.base import Publisher
from edge.publishers.station_payloads import StationStatus, ViewState, alarm_record, health_record, state_record
from edge.types import Judgement, Origin

log = logging.getLogger(__name__)


class ReportedView(Protocol):
    """What the report needs to know of a view."""

    name: str
    camera: Camera
    origin: Origin
    blocked: Judgement | None


@dataclass(frozen=True)
class Identity:
    """Who is speaking: the station's topic, software versions, the hash of its config."""

    topic: str
    versions: Mapping[str, str]
    config_hash: str


class Reporter:
    """Publishes state, health and alarms; one thread uses it."""

    def __init__(self, publisher: Publisher, identity: Identity, interval_s: float, now: Callable[[], datetime]) -> None:
        self._publisher = publisher
        self._identity = identity
        self._interval_s = interval_s
        self._now = now
        self._started = time.monotonic()
        self._last_health = float("-inf")
        self._last_state: tuple[StationStatus, tuple[ViewState, ...]] | None = None
        self._alarms: dict[str, str] = {}

    def report(self, views: Sequence[ReportedView], health: Health) -> None:
        """Say what changed since the last call, and health if it is time."""
        states = tuple(_view_state(view) for view in views)
        starting = {view.name for view in views if _is_starting(view)}
        broken = [state for state in states if not state.ready and state.view not in starting]
        status = StationStatus.DEGRADED if broken else StationStatus.STARTING if starting else StationStatus.READY
        try:
            if self._last_state != (status, states):
                self._publish_state(status, states)
            self._publish_alarms({f"view_{_word(state.view)}": f"{state.view}: {state.reason}" for state in broken})
            if time.monotonic() - self._last_health >= self._interval_s:
                self._last_health = time.monotonic()
                values = {**health.values(), **_camera_values(views)}
                self._publisher.publish(health_record(values, self._now(), time.monotonic() - self._started))
        except OutboxError as error:
            log.error("report_not_published why=%s", error)

    def _publish_state(self, status: StationStatus, states: tuple[ViewState, ...]) -> None:
        self._publisher.publish(
            state_record(
                status,
                self._now(),
                station=self._identity.topic,
                versions=self._identity.versions,
                views=states,
                config_hash=self._identity.config_hash,
                reason="; ".join(f"{state.view}: {state.reason}" for state in states if not state.ready),
            )
        )
        log.info("state status=%s not_ready=%s", status.value, ",".join(s.view for s in states if not s.ready) or "-")
        self._last_state = (status, states)

    def _publish_alarms(self, raised: dict[str, str]) -> None:
        for code, text in raised.items():
            if self._alarms.get(code) != text:
                self._publisher.publish(alarm_record(code, text, self._now()))
        for code in self._alarms.keys() - raised.keys():
            self._publisher.publish(alarm_record(code, None, self._now()))
        self._alarms = raised


def _view_state(view: ReportedView) -> ViewState:
    state = _camera_state(view.camera)
    reason = ""
    if view.blocked is not None and view.blocked.reason is not None:
        reason = f"{view.blocked.reason.code.value}: {view.blocked.reason.detail}"
    elif state is not None and state.status != "live":
        reason = f"camera {state.status}" + (f": {state.why}" if state.why else "")
    origin = view.origin
    return ViewState(
        view.name,
        not reason,
        camera=origin.camera,
        product=origin.product,
        recipe=origin.recipe,
        recipe_version=origin.recipe_version,
        bundle=origin.bundle,
        engine=origin.engine,
        reason=reason,
    )


def _is_starting(view: ReportedView) -> bool:
    """A camera that is opening for the first time is no alarm; one that opens again after a failure still is."""
    state = _camera_state(view.camera)
    return view.blocked is None and state is not None and state.status in ("closed", "opening") and state.restarts == 0


def _camera_state(camera: Camera) -> CameraState | None:
    state = getattr(camera, "state", None)
    return state if isinstance(state, CameraState) else None


def _camera_values(views: Sequence[ReportedView]) -> dict[str, float | int | str | bool | None]:
    values: dict[str, float | int | str | bool | None] = {}
    for view in views:
        state = _camera_state(view.camera)
        if state is not None:
            for name in ("status", "frames", "lost", "incomplete", "skipped", "restarts"):
                values[f"camera.{view.name}.{name}"] = getattr(state, name)
    return values


def _word(text: str) -> str:
    """A view's name as part of an alarm code."""
    return "".join(c if c.isascii() and c.isalnum() else "_" for c in text.lower())[:50]
