"""Whether the station would take a clearance now, and if not, why: as codes that the page has words for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from calibration.web.clearance.releasing import Hindrance
from calibration.web.link.mirror import StationNow

_PHASES: Final = ("fitness", "challenge", "frames", "recording")
_SLACK_S: Final = 10.0


@dataclass(frozen=True)
class Readiness:
    """hindrances: messages `clearance.not_ready.CODE`; none: a clearance is taken. running: request_id of the one at work."""

    hindrances: tuple[Hindrance, ...]
    running: str = ""

    @property
    def is_ready(self) -> bool:
        """True if the station takes a request now."""
        return not self.hindrances


def readiness(station: StationNow, now: datetime, *, interval_s: float, may_ask: bool) -> Readiness:
    """What the mirror shows. interval_s: how often the station gives a sign of life; may_ask: the page's client may ask for
    a clearance.
    """
    if not station.connected:
        return Readiness((Hindrance("no_connection", {"why": station.why}),))
    if station.state is None:
        return Readiness((Hindrance("nothing_heard"),))
    if station.heard_at is not None and now - station.heard_at > timedelta(seconds=3 * interval_s + _SLACK_S):
        return Readiness((Hindrance("silent", {"seconds": round((now - station.heard_at).total_seconds())}),))
    found = list(_of_state(station.state))
    running = _running(station.clearance_state)
    if running:
        found.append(Hindrance("running", {"batch": (station.clearance_state or {}).get("batch") or ""}))
    elif station.clearance_state is None or station.clearance_state.get("state") != "ready":
        found.append(Hindrance("takes_none"))
    if not may_ask:
        found.append(Hindrance("client_no_right"))
    return Readiness(tuple(found), running)


def _of_state(state: Mapping[str, Any]) -> list[Hindrance]:
    status = str(state.get("status"))
    if status == "ready":
        return []
    if status != "degraded":
        return [Hindrance(status, {"detail": str(state.get("reason") or "")})]
    blocked = [view for view in state.get("views") or () if not view.get("ready")]
    if not blocked:
        return [Hindrance("degraded", {"detail": str(state.get("reason") or "")})]
    return [Hindrance("view_blocked", {"view": str(view.get("view")), "detail": str(view.get("reason"))}) for view in blocked]


def _running(clearance_state: Mapping[str, Any] | None) -> str:
    """The request_id of the clearance that is at work, "" if none is."""
    if clearance_state is None or clearance_state.get("state") not in _PHASES:
        return ""
    return str(clearance_state.get("requestId") or "")
