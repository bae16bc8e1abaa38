"""What the station says of itself: state, health, alarms. Pure; see payloads.py for the conventions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Final

from edge.publishers.base import Record, RecordKind
from edge.publishers.payloads import finite, utc_text
from edge.settings.mqtt import topic_level

STATE_SCHEMA: Final = "lineclear/state/1"
HEALTH_SCHEMA: Final = "lineclear/health/1"
ALARM_SCHEMA: Final = "lineclear/alarm/1"
STATE_TOPIC: Final = "state"
HEALTH_TOPIC: Final = "health"
_ALARM_CODE: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")


class StationStatus(str, Enum):
    """What the station can do now. safe_mode: it runs but judges nothing, since its config cannot be used. `offline` is said
    by the last will and on a clean stop, never by a running station.
    """

    STARTING = "starting"
    READY = "ready"
    DEGRADED = "degraded"
    SAFE_MODE = "safe_mode"
    OFFLINE = "offline"


@dataclass(frozen=True)
class ViewState:
    """What one view is made of and whether it can be judged; reason says why not. engine_fallbacks: of `engine: {kind: auto}`,
    the better engines that could not be had, and why. camera_adjusted: settings of its camera that are not as in the config.
    """

    view: str
    ready: bool
    camera: str = ""
    product: str = ""
    recipe: str = ""
    recipe_version: int | None = None
    bundle: str = ""
    engine: str = ""
    reason: str = ""
    engine_fallbacks: tuple[str, ...] = ()
    camera_adjusted: tuple[tuple[str, float], ...] = ()


def offline_body(reason: str) -> dict[str, Any]:
    """The last will and the goodbye; no time, because the broker sends the will long after it was written."""
    return {"schema": STATE_SCHEMA, "status": StationStatus.OFFLINE.value, "reason": reason}


def state_record(
    status: StationStatus,
    now: datetime,
    *,
    station: str = "",
    versions: Mapping[str, str] | None = None,
    views: Sequence[ViewState] = (),
    config_hash: str = "",
    reason: str = "",
) -> Record:
    """The retained birth and state message. versions: software name -> version."""
    body = {
        "schema": STATE_SCHEMA,
        "status": status.value,
        "reason": reason,
        "station": station,
        "versions": dict(versions or {}),
        "configHash": config_hash,
        "views": [_view(view) for view in views],
        "creationTime": utc_text(now),
    }
    return Record(RecordKind.STATE, STATE_TOPIC, body, retain=True)


def health_record(values: Mapping[str, float | int | str | bool | None], now: datetime, uptime_s: float) -> Record:
    """The retained health message. values: `camera.front.lost` -> number, text or truth; dots group, nothing nests."""
    body = {
        "schema": HEALTH_SCHEMA,
        "uptimeS": finite(uptime_s),
        "values": {name: finite(value) if isinstance(value, float) else value for name, value in values.items()},
        "creationTime": utc_text(now),
    }
    return Record(RecordKind.HEALTH, HEALTH_TOPIC, body, retain=True)


def alarm_record(code: str, text: str | None, now: datetime) -> Record:
    """The retained `alarm/{code}`: raised with a text for people, cleared (empty message) with None.

    ValueError if the code is not a lower-case word.
    """
    if not _ALARM_CODE.fullmatch(code):
        raise ValueError(f"alarm code {code!r} must be lower-case letters, digits and underscores")
    body = {} if text is None else {"schema": ALARM_SCHEMA, "code": code, "text": text, "creationTime": utc_text(now)}
    return Record(RecordKind.ALARM, f"alarm/{topic_level(code)}", body, retain=True)


def _view(view: ViewState) -> dict[str, Any]:
    return {
        "view": view.view,
        "ready": view.ready,
        "reason": view.reason,
        "camera": view.camera,
        "product": view.product,
        "recipe": view.recipe,
        "recipeVersion": view.recipe_version,
        "bundle": view.bundle,
        "engine": view.engine,
        "engineFallbacks": list(view.engine_fallbacks),
        "cameraAdjusted": dict(view.camera_adjusted),
    }
