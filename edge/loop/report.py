"""What the station says of itself while it runs: state when it changes, health in intervals, alarms while they last."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from edge.cameras.base import Camera
from edge.errors import OutboxError
from edge.health import Health, Value
from edge.loop.figures import camera_state, camera_values, situation
from edge.loop.seating import Seating
from edge.publishers.base import Publisher
from edge.publishers.station_payloads import StationStatus, ViewState, alarm_record, health_record, state_record

log = logging.getLogger(__name__)

RESULTS_DROPPED = "results_dropped"
SAFE_MODE = "safe_mode"
PARITY = "parity"
OBSERVE_S = 2.0
"""How often the figures are looked at for Prometheus; the message health has an interval of its own."""


class ReportedView(Protocol):
    """What the report needs to know of a view."""

    name: str
    camera: Camera
    seating: Seating

    @property
    def pictures_trouble(self) -> Callable[[], str]:
        """Says what is wrong with the pictures, "" if nothing is."""
        ...

    @property
    def adjusted(self) -> Mapping[str, float]:
        """What is set of its camera otherwise than in the config."""
        ...


@dataclass(frozen=True)
class Identity:
    """Who is speaking: the station's topic, software versions, the hash of its config."""

    topic: str
    versions: Mapping[str, str]
    config_hash: str


def _deaf(_status: StationStatus, _views: Sequence[ViewState]) -> None:
    """Most parts need not be told."""


@dataclass(frozen=True)
class Witness:
    """Another part of the station that has something to say: its figures for health, and its alarms by code. told: hears
    the state when it changes.
    """

    health: Callable[[], Mapping[str, Value]]
    alarms: Callable[[], Mapping[str, str | None]]
    told: Callable[[StationStatus, Sequence[ViewState]], None] = _deaf


class Reporter:
    """Publishes state, health and alarms; one thread uses it."""

    def __init__(
        self,
        publisher: Publisher,
        identity: Identity,
        interval_s: float,
        now: Callable[[], datetime],
        witnesses: Sequence[Witness] = (),
        safe_mode: str = "",
    ) -> None:
        """safe_mode: why the station judges nothing, "" if it judges."""
        self._safe_mode = safe_mode
        self._publisher = publisher
        self._identity = identity
        self._interval_s = interval_s
        self._now = now
        self._witnesses = tuple(witnesses)
        self._started = time.monotonic()
        self._last_health = self._observed_s = float("-inf")
        self._unreadable = ""
        self._last_state: tuple[StationStatus, tuple[ViewState, ...]] | None = None
        self._alarms: dict[str, str | None] = {}
        self._dropped: str | None = None

    def report(self, views: Sequence[ReportedView], health: Health) -> None:
        """Say what changed since the last call, and health if it is time."""
        states = tuple(view_state(view) for view in views)
        starting = {view.name for view in views if _is_starting(view)}
        broken = [state for state in states if not state.ready and state.view not in starting]
        status = StationStatus.DEGRADED if broken else StationStatus.STARTING if starting else StationStatus.READY
        status = StationStatus.SAFE_MODE if self._safe_mode else status
        try:
            if self._last_state != (status, states):
                self._publish_state(status, states)
            alarms = self._alarms_now(views, broken)
            self._publish_alarms(alarms)
        except OutboxError as error:
            log.error("report_not_published why=%s", error)
            alarms = self._alarms
        is_due = time.monotonic() - self._last_health >= self._interval_s
        if is_due or time.monotonic() - self._observed_s >= OBSERVE_S:
            self._observed_s = time.monotonic()
            values = self._values(views, health)
            health.observe({**values, **situation(status, states, alarms)})
            if is_due:
                self._last_health = time.monotonic()
                self._publish_health(values)

    def _alarms_now(self, views: Sequence[ReportedView], broken: Sequence[ViewState]) -> dict[str, str | None]:
        alarms: dict[str, str | None] = {_alarm_code(view.name): None for view in views}
        alarms |= {_alarm_code(state.view): f"{state.view}: {state.reason}" for state in broken}
        alarms[SAFE_MODE] = self._safe_mode or None
        unproven = [f"{view.name}: {view.seating.parity_warning}" for view in views if view.seating.parity_warning]
        alarms[PARITY] = "; ".join(unproven) or None
        for witness in self._witnesses:
            alarms |= witness.alarms()
        return {**alarms, RESULTS_DROPPED: self._dropped}

    def _values(self, views: Sequence[ReportedView], health: Health) -> dict[str, Value]:
        values: dict[str, Value] = {**health.values(), **camera_values(views)}
        try:
            values |= self._publisher.health()
            self._unreadable = ""
        except OutboxError as error:
            values["outbox.readable"] = False
            if str(error) != self._unreadable:
                log.error("outbox_unreadable why=%s", error)
            self._unreadable = str(error)
        for witness in self._witnesses:
            values |= witness.health()
        return values

    def _publish_health(self, values: Mapping[str, Value]) -> None:
        try:
            self._publisher.publish(health_record(values, self._now(), time.monotonic() - self._started))
        except OutboxError as error:
            log.error("report_not_published why=%s", error)
        lost = sum(int(values.get(f"outbox.dropped_{kind}") or 0) for kind in ("verdict", "clearance"))
        self._dropped = f"{lost} results were dropped unsent: free the disk, then mend the broker" if lost else None

    def _publish_state(self, status: StationStatus, states: tuple[ViewState, ...]) -> None:
        self._publisher.publish(
            state_record(
                status,
                self._now(),
                station=self._identity.topic,
                versions=self._identity.versions,
                views=states,
                config_hash=self._identity.config_hash,
                reason=self._safe_mode or "; ".join(f"{state.view}: {state.reason}" for state in states if not state.ready),
            )
        )
        for witness in self._witnesses:
            witness.told(status, states)
        why = self._safe_mode or "; ".join(f"{state.view}: {state.reason}" for state in states if not state.ready)
        log.info("state status=%s why=%s", status.value, why or None)
        self._last_state = (status, states)

    def _publish_alarms(self, alarms: dict[str, str | None]) -> None:
        """Say what changed; the first time also what is well, since a killed life's alarms stay at the broker."""
        for code, text in alarms.items():
            if code not in self._alarms or self._alarms[code] != text:
                self._publisher.publish(alarm_record(code, text, self._now()))
                if text is not None:
                    log.warning("alarm_raised code=%s why=%s", code, text)
                elif self._alarms.get(code) is not None:
                    log.info("alarm_cleared code=%s", code)
        self._alarms = alarms


def view_state(view: ReportedView) -> ViewState:
    """What a view is made of, and why it cannot be judged, if it cannot."""
    state = camera_state(view.camera)
    reason = ""
    seating = view.seating
    blocked = seating.why_not
    if blocked is not None and blocked.reason is not None:
        reason = f"{blocked.reason.code.value}: {blocked.reason.detail}"
    elif state is not None and state.status != "live":
        reason = f"camera {state.status}" + (f": {state.why}" if state.why else "")
    elif state is not None and state.awaits_first:
        reason = "camera live: its first frame did not come yet"
    elif trouble := view.pictures_trouble():
        reason = f"frame_frozen: {trouble}"
    origin = seating.origin
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
        engine_fallbacks=seating.engine_fallbacks,
        camera_adjusted=tuple(sorted(view.adjusted.items())),
    )


def _is_starting(view: ReportedView) -> bool:
    """A camera that is opening for the first time is no alarm; one that opens again after a failure still is."""
    state = camera_state(view.camera)
    if view.seating.why_not is not None or state is None or state.restarts:
        return False
    return state.status in ("closed", "opening") or (state.status == "live" and state.awaits_first)


def _alarm_code(view: str) -> str:
    """`view_` and the view's name as far as it can stand in an alarm code."""
    return "view_" + "".join(c if c.isascii() and c.isalnum() else "_" for c in view.lower())[:50]
