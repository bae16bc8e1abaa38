"""The station page's contents at one moment, for one reader: plain values that a template only has to write down. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from calibration.web.link.mirror import StationNow, ViewNow
from calibration.web.link.reading import moment_in
from calibration.web.station import doubts
from calibration.web.station.bar import Bar, bar_of
from calibration.web.station.doubts import Doubt, Limits

_FAMILIES: Final = ("view", "trigger", "check")
_ALONE: Final = frozenset(
    {
        "results_dropped", "client_id_conflict", "station_name_conflict", "audit", "evidence", "commands", "outputs", "opcua",
        "supervision", "safe_mode", "parity", "metrics", "camera_settings", "config_changed", "config_not_kept",
    }
)  # fmt: skip
RECENT: Final = timedelta(seconds=6)
_CAMERAS: Final = frozenset({"live", "silent", "opening", "lost", "refused", "closed"})


@dataclass(frozen=True)
class Why:
    """One reason: its code, and what the station said of it."""

    code: str
    detail: str
    view: str = ""


@dataclass(frozen=True)
class Banner:
    """The last clearance. outcome "": none is known. doubt: why it is not current. failing: views that did not pass."""

    outcome: str
    doubt: Doubt | None
    at: datetime | None = None
    result_id: str = ""
    batch: str = ""
    product: str = ""
    operator: str = ""
    released_by: tuple[str, ...] = ()
    is_simulated: bool = False
    failing: tuple[str, ...] = ()
    reasons: tuple[Why, ...] = ()


@dataclass(frozen=True)
class Running:
    """The clearance at work."""

    step: str
    batch: str
    done: int
    total: int


@dataclass(frozen=True)
class Card:
    """One view. outcome "": no result yet. picture: its result_id, "" for none; is_its: that of the result shown; is_recent:
    of an earlier result, but only seconds old: the next one is on its way, and the card must not jump meanwhile.

    camera: a word of `station.camera.*`, "" if not known. why_not: what the station says of a view that is not ready.
    """

    view: str
    outcome: str
    doubt: Doubt | None
    reason: Why | None = None
    at: datetime | None = None
    result_id: str = ""
    bar: Bar | None = None
    regions: int = 0
    picture: str = ""
    is_its: bool = False
    is_recent: bool = False
    is_simulated: bool = False
    ready: bool | None = None
    why_not: str = ""
    camera: str = ""
    camera_name: str = ""
    engine: str = ""
    recipe: str = ""
    version: int | None = None


@dataclass(frozen=True)
class AlarmShown:
    """One alarm. family: whose words explain it, "other" for a code that this page does not know."""

    code: str
    family: str
    name: str
    text: str
    at: datetime | None


@dataclass(frozen=True)
class Shown:
    """Everything. status: of the station, "" if it is not known; link: why there is no connection, "" while there is one."""

    link: str
    detail: str
    lost_at: datetime | None
    heard_at: datetime | None
    status: str
    reason: str
    doubt: Doubt | None
    product: str
    banner: Banner
    running: Running | None
    cards: tuple[Card, ...]
    alarms: tuple[AlarmShown, ...]


def show(now: StationNow, at: datetime, limits: Limits, may_see: Callable[[str], bool]) -> Shown:
    """What `may_see` lets this reader see of it. The clearance is everybody's: it is the answer for the whole station."""
    state = now.state or {}
    products = sorted({str(view.get("product", "")) for view in state.get("views", ())} - {""})
    return Shown(
        link=now.why,
        detail=now.detail,
        lost_at=now.lost_at,
        heard_at=now.heard_at,
        status=str(state.get("status", "")),
        reason=str(state.get("reason", "")),
        doubt=doubts.of_station(now, at, limits),
        product=", ".join(products),
        banner=_banner(now, at, limits, may_see),
        running=_running(now, may_see),
        cards=tuple(_card(now, name, view, at, limits) for name, view in now.views.items() if may_see(name)),
        alarms=_alarms(now, may_see),
    )


def _banner(now: StationNow, at: datetime, limits: Limits, may_see: Callable[[str], bool]) -> Banner:
    doubt = doubts.of_clearance(now, at, limits)
    body = now.clearance
    if body is None:
        return Banner("", doubt)
    views = body["views"]
    own = [Why(view["reason"]["code"], view["reason"]["detail"], view["view"]) for view in views if view["reason"]]
    return Banner(
        outcome=body["outcome"],
        doubt=doubt,
        at=moment_in(body),
        result_id=body["resultId"],
        batch=body["batch"],
        product=body["product"],
        operator=body["operator"],
        released_by=tuple(dict.fromkeys(view["release"]["who"] for view in views if view.get("release"))),
        is_simulated=body["isSimulated"],
        failing=tuple(view["view"] for view in views if view["outcome"] == "FAIL" and may_see(view["view"])),
        reasons=(*(Why(r["code"], r["detail"]) for r in body["reasons"]), *(why for why in own if may_see(why.view))),
    )


def _running(now: StationNow, may_see: Callable[[str], bool]) -> Running | None:
    body = now.clearance_state
    if not now.connected or body is None or body["state"] in ("ready", "stopped"):
        return None
    views = [view for view in body["views"] if may_see(view["view"])]
    done, total = (sum(view[key] for view in views) for key in ("framesDone", "frames"))
    return Running(body["state"], body["batch"] or "", done, total)


def _card(now: StationNow, name: str, view: ViewNow, at: datetime, limits: Limits) -> Card:
    state: Mapping[str, Any] = doubts.state_of(now, name) or {}
    values = now.health["values"] if now.health is not None else {}
    is_there = doubts.of_station(now, at, limits) in (None, Doubt.STARTING, Doubt.SAFE_MODE)
    camera = str(values.get(f"camera.{name}.status", "")) if is_there else ""
    known: dict[str, Any] = {
        "ready": state.get("ready") if is_there else None,
        "why_not": str(state.get("reason", "")),
        "camera": (camera if camera in _CAMERAS else "other") if camera else "",
        "camera_name": str(state.get("camera", "")),
        "engine": str(state.get("engine", "")),
        "recipe": str(state.get("recipe", "")),
        "version": state.get("recipeVersion"),
        "picture": view.picture.result_id if view.picture is not None else "",
        "is_recent": view.picture is not None and at - view.picture.heard_at <= RECENT,
    }
    doubt = doubts.of_view(now, name, view, at, limits)
    body = view.result
    if body is None:
        return Card(name, "", doubt, **known)
    reason, is_its = body["reason"], known["picture"] == body["resultId"]
    known["is_recent"] = known["is_recent"] and not is_its
    return Card(
        name,
        body["outcome"],
        doubt,
        reason=Why(reason["code"], reason["detail"], name) if reason else None,
        at=moment_in(body),
        result_id=body["resultId"],
        bar=bar_of(body["score"], body["threshold"]),
        regions=body.get("regionCount", 0),
        is_its=is_its,
        is_simulated=body["isSimulated"],
        **known,
    )


def alarm_family(code: str) -> tuple[str, str]:
    """Whose words explain an alarm, and whom it is about: `view_nest` -> (`view`, `nest`)."""
    if code in _ALONE:
        return code, ""
    head, _, name = code.partition("_")
    if head in _FAMILIES and name:
        if head == "check" and name.endswith("_old"):
            return "check_old", name.removesuffix("_old")
        return head, name
    return "other", ""


def _alarms(now: StationNow, may_see: Callable[[str], bool]) -> tuple[AlarmShown, ...]:
    """The oldest first; those of a view that this reader may not see are left out."""
    hidden = {f"view_{re.sub('[^a-z0-9]', '_', name.lower())}" for name in now.views if not may_see(name)}
    shown = [
        AlarmShown(code, *alarm_family(code), str(body["text"]), moment_in(body))
        for code, body in now.alarms.items()
        if code not in hidden
    ]
    return tuple(sorted(shown, key=lambda alarm: (alarm.at is None, alarm.at, alarm.code)))
