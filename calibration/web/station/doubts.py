"""Whether what was heard last may still be believed. Pure: everything follows from the mirror's picture and the time.

A green that is not current is worse than no answer. So each thing shown carries the first doubt that applies to it, and the
page then shows no green.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Final

from calibration.web.link.mirror import StationNow, ViewNow
from calibration.web.link.reading import moment_in
from calibration.web.link.trouble import Why

AHEAD: Final = timedelta(seconds=30)
"""A result that is further in the future than this comes from another clock: its age is not known."""
_BEATS_MISSED: Final = 4


class Doubt(str, Enum):
    """Why something is not current. The page has a text `station.doubt.CODE` for each."""

    NO_BROKER = "no_broker"
    LINK = "link"
    UNHEARD = "unheard"
    OFFLINE = "offline"
    SAFE_MODE = "safe_mode"
    STARTING = "starting"
    SILENT = "silent"
    DEGRADED = "degraded"
    NOT_READY = "not_ready"
    MISSED = "missed"
    SUPERSEDED = "superseded"
    OLD = "old"
    CLOCK = "clock"


@dataclass(frozen=True)
class Limits:
    """How long something is current. health_s: how often the station says that it lives."""

    result: timedelta = timedelta(minutes=10)
    clearance: timedelta = timedelta(minutes=60)
    health_s: float = 10.0

    @property
    def silence(self) -> timedelta:
        """A station that says nothing for so long is not there, whatever it said before."""
        return timedelta(seconds=max(_BEATS_MISSED * self.health_s, 15.0))


def of_station(now: StationNow, at: datetime, limits: Limits) -> Doubt | None:
    """Why nothing that this station said is current."""
    if not now.connected:
        return Doubt.NO_BROKER if now.why == Why.NO_BROKER.value else Doubt.LINK
    if now.state is None:
        return Doubt.UNHEARD
    by_status = {"offline": Doubt.OFFLINE, "safe_mode": Doubt.SAFE_MODE, "starting": Doubt.STARTING}
    if now.state["status"] in by_status:
        return by_status[now.state["status"]]
    if now.heard_at is None or at - now.heard_at > limits.silence:
        return Doubt.SILENT
    return None


def of_view(now: StationNow, name: str, view: ViewNow, at: datetime, limits: Limits) -> Doubt | None:
    """Why this view's last result is not current."""
    doubt = of_station(now, at, limits)
    if doubt is not None or view.result is None:
        return doubt
    state = state_of(now, name)
    if state is None or not state["ready"]:
        return Doubt.NOT_READY
    if view.heard_at is None:
        return Doubt.MISSED
    return _by_age(view.result, at, limits.result)


def of_clearance(now: StationNow, at: datetime, limits: Limits) -> Doubt | None:
    """Why the last clearance is not current."""
    doubt = of_station(now, at, limits)
    clearance = now.clearance
    if doubt is not None or clearance is None:
        return doubt
    if now.clearance_state is None:
        return Doubt.MISSED
    if now.clearance_state["sequence"] > clearance["sequence"] or now.clearance_state["state"] != "ready":
        return Doubt.SUPERSEDED
    if now.state is not None and now.state["status"] == "degraded":
        return Doubt.DEGRADED
    return _by_age(clearance, at, limits.clearance)


def state_of(now: StationNow, name: str) -> Mapping[str, Any] | None:
    """What the station's state says of one view."""
    views = now.state.get("views", ()) if now.state is not None else ()
    return next((view for view in views if view["view"] == name), None)


def _by_age(body: Mapping[str, Any], at: datetime, most: timedelta) -> Doubt | None:
    moment = moment_in(body)
    if moment is None or moment - at > AHEAD:
        return Doubt.CLOCK
    return Doubt.OLD if at - moment > most else None
