"""What the station said last: the page's own copy, small whatever comes in.

The thread of the connection writes, every request reads; a reader gets one frozen picture of the moment. Bounded: one result
and a few pictures per configured view, a hundred alarms, one clearance. What is not configured, not whole or not new is dropped
and counted.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from types import MappingProxyType
from typing import Any, Final

from pydantic import BaseModel

from calibration.web.link import reading
from calibration.web.link.connection import Heard
from calibration.web.link.trouble import Trouble, Why

_MAX_ALARMS: Final = 100
_KNOWN_RESULTS: Final = 256
_KEPT_PICTURES: Final = 6
"""Of each view: a page that was told of one may ask for it when the next has come already."""
_IMAGE: Final = re.compile(r"view/([^/]+)/image/([^/]+?)(/meta)?")
_SINGLE: Final[Mapping[str, type[BaseModel]]] = {
    "state": reading.State,
    "health": reading.Health,
    "clearance/state": reading.ClearanceState,
}


@dataclass(frozen=True)
class Picture:
    """One picture as the station sent it. result_id: the result that it shows."""

    data: bytes = field(repr=False)
    content_type: str
    result_id: str
    heard_at: datetime
    kind: str


@dataclass(frozen=True)
class ViewNow:
    """What is known of one view. result: a docs/schemas/result; heard_at: when the page heard it, or its own time if it comes
    from the archive. None with a result: the page was away since, so that a newer one may have been missed.
    """

    result: Mapping[str, Any] | None = None
    heard_at: datetime | None = None
    picture: Picture | None = None


@dataclass(frozen=True)
class StationNow:
    """Everything that is known at one moment. why: a `link.trouble.Why` value, "" while connected; detail: for a technician.

    heard_at: when the station was last heard to live. lost_at: since when there is no connection.
    """

    connected: bool
    why: str
    heard_at: datetime | None
    state: Mapping[str, Any] | None
    health: Mapping[str, Any] | None
    views: Mapping[str, ViewNow]
    clearance_state: Mapping[str, Any] | None
    clearance: Mapping[str, Any] | None
    alarms: Mapping[str, Mapping[str, Any]]
    detail: str = ""
    lost_at: datetime | None = None
    version: int = 0
    refused: int = 0


def _utc_now() -> datetime:
    return datetime.now(timezone.utc)


class Mirror:
    """Hears everything below the station's topic. listeners are told after each change, from whichever thread changed it."""

    def __init__(self, root: str, views: Iterable[str], clock: Callable[[], datetime] = _utc_now) -> None:
        self._root = f"{root}/"
        self._clock = clock
        self._lock = threading.Lock()
        names = {view: ViewNow() for view in views}
        self._now = StationNow(
            False, Why.OPENING.value, None, None, None, MappingProxyType(names), None, None, MappingProxyType({}),
            lost_at=clock(),
        )  # fmt: skip
        self._known: OrderedDict[str, None] = OrderedDict()
        self._notes: dict[str, deque[Mapping[str, Any]]] = {view: deque(maxlen=4) for view in names}
        self._pictures: dict[str, deque[Picture]] = {view: deque(maxlen=_KEPT_PICTURES) for view in names}
        self._unnamed: dict[str, tuple[Heard, str, str]] = {}
        self._listeners: dict[object, Callable[[], None]] = {}
        self.closed = False

    def now(self) -> StationNow:
        """The moment's picture."""
        return self._now

    def picture(self, view: str, result_id: str) -> Picture | None:
        """The picture of one result of a view, if it is one of the last few."""
        with self._lock:
            return next((kept for kept in reversed(self._pictures.get(view, ())) if kept.result_id == result_id), None)

    def listen(self, told: Callable[[], None]) -> Callable[[], None]:
        """Call `told` after each change, until the returned function is called. It must not wait."""
        key = object()
        with self._lock:
            self._listeners[key] = told

        def leave() -> None:
            with self._lock:
                self._listeners.pop(key, None)

        return leave

    def close(self) -> None:
        """The page ends: whoever listens is told, and finds `closed`."""
        self.closed = True
        self._tell()

    def connection(self, trouble: Trouble | None) -> None:
        """Connected (None) or why not. What the broker keeps comes anew after each connection, so nothing old of it stays."""
        with self._lock:
            if trouble is None:
                for view in self._now.views:
                    self._put_view(view, heard_at=None)
                self._put(
                    connected=True, why="", detail="", lost_at=None, state=None, health=None, clearance_state=None,
                    alarms=MappingProxyType({}), heard_at=None,
                )  # fmt: skip
            else:
                since = self._clock() if self._now.connected else self._now.lost_at
                self._put(connected=False, why=trouble.why.value, detail=trouble.detail, lost_at=since)
        self._tell()

    def hear(self, heard: Heard) -> None:
        """One message, whatever it is."""
        if not heard.topic.startswith(self._root):
            return
        with self._lock:
            before = self._now
            if not self._take(heard.topic.removeprefix(self._root), heard):
                self._put(refused=before.refused + 1)
        self._tell()

    def seed_result(self, body: Mapping[str, Any], picture: tuple[bytes, str] | None = None) -> None:
        """The newest result of the archive: shown where the page knows none that is as new, else what it knows is confirmed."""
        with self._lock:
            view = self._now.views.get(str(body.get("view")))
            moment = reading.moment_in(body)
            if view is None or moment is None or view.heard_at is not None:
                return
            known = reading.moment_in(view.result) if view.result is not None else None
            if known is not None and known >= moment:
                self._put_view(str(body["view"]), heard_at=known)
                return
            shown = view.picture
            if picture is not None and reading.picture_type(picture[0]) is not None:
                shown = Picture(picture[0], picture[1], str(body["resultId"]), moment, "overlay")
                self._pictures[str(body["view"])].append(shown)
            self._put_view(str(body["view"]), result=body, heard_at=moment, picture=shown)
        self._tell()

    def seed_clearance(self, body: Mapping[str, Any]) -> None:
        """The last clearance of the archive: the broker does not keep it."""
        with self._lock:
            known = self._now.clearance
            if known is None or body["sequence"] > known["sequence"]:
                self._put(clearance=body)
        self._tell()

    def _tell(self) -> None:
        with self._lock:
            listeners = tuple(self._listeners.values())
        for told in listeners:
            told()

    def _put(self, **changes: Any) -> None:
        self._now = replace(self._now, version=self._now.version + 1, **changes)

    def _put_view(self, view: str, **changes: Any) -> None:
        views = dict(self._now.views)
        views[view] = replace(views[view], **changes)
        self._put(views=MappingProxyType(views))

    def _take(self, topic: str, heard: Heard) -> bool:
        """True if it is something that the page knows and could read."""
        if topic in _SINGLE:
            return self._take_single(topic, heard)
        if topic == "clearance/result":
            return self._take_clearance(heard)
        if topic.startswith("alarm/"):
            return self._take_alarm(topic.removeprefix("alarm/"), heard)
        image = _IMAGE.fullmatch(topic)
        if image is not None:
            view, kind, is_note = image.groups()
            if view not in self._now.views or kind != "overlay":
                return False
            return self._take_note(view, heard) if is_note else self._take_picture(view, kind, heard)
        parts = topic.split("/")
        return len(parts) == 3 and parts[0] == "view" and parts[2] == "result" and self._take_result(parts[1], heard)

    def _take_single(self, topic: str, heard: Heard) -> bool:
        body = reading.body_of(_SINGLE[topic], heard.payload)
        if body is None:
            return False
        alive: dict[str, Any] = {}
        if topic != "clearance/state" and body.get("status") != "offline":
            alive = {"heard_at": self._alive_at(body, heard.retained)}
        self._put(**{topic.replace("/", "_"): body}, **alive)
        return True

    def _alive_at(self, body: Mapping[str, Any], retained: bool) -> datetime | None:
        """What the broker kept says when the station lived, by its own clock; what comes in fresh says that it lives now."""
        now = self._clock()
        said = reading.moment_in(body)
        moment = now if not retained else (min(said, now) if said is not None else None)
        known = self._now.heard_at
        return max((m for m in (moment, known) if m is not None), default=None)

    def _take_clearance(self, heard: Heard) -> bool:
        body = reading.body_of(reading.Clearance, heard.payload)
        if body is None:
            return False
        known = self._now.clearance
        if known is None or body["sequence"] > known["sequence"]:
            self._put(clearance=body)
        return True

    def _take_alarm(self, code: str, heard: Heard) -> bool:
        alarms = dict(self._now.alarms)
        if not heard.payload:
            alarms.pop(code, None)
        else:
            body = reading.body_of(reading.Alarm, heard.payload)
            if body is None or body["code"] != code or (code not in alarms and len(alarms) >= _MAX_ALARMS):
                return False
            alarms[code] = body
        self._put(alarms=MappingProxyType(alarms))
        return True

    def _take_result(self, view: str, heard: Heard) -> bool:
        body = reading.body_of(reading.Result, heard.payload)
        if body is None or view not in self._now.views or body["view"] != view:
            return False
        if body["resultId"] in self._known:
            return True
        self._known[body["resultId"]] = None
        if len(self._known) > _KNOWN_RESULTS:
            self._known.popitem(last=False)
        now = self._clock()
        self._put_view(view, result=body, heard_at=now)
        self._put(heard_at=now)
        return True

    def _take_note(self, view: str, heard: Heard) -> bool:
        body = reading.body_of(reading.ImageNote, heard.payload)
        if body is None or body["view"] != view:
            return False
        self._notes[view].append(body)
        waiting = self._unnamed.get(view)
        if waiting is not None and waiting[2] == body["sha256"]:
            del self._unnamed[view]
            self._show(view, waiting[0], waiting[1], body["resultId"])
        return True

    def _take_picture(self, view: str, kind: str, heard: Heard) -> bool:
        """A picture is shown only with the result that it belongs to: by its own properties (MQTT 5) or by a note (3.1.1)."""
        if reading.picture_type(heard.payload) is None:
            return False
        digest = hashlib.sha256(heard.payload).hexdigest()
        named = heard.properties.get("result_id", "")
        if named and re.fullmatch(r"[\x21-\x7e]{1,160}", named) and heard.properties.get("sha256", digest) == digest:
            self._show(view, heard, kind, named)
            return True
        for note in reversed(self._notes[view]):
            if note["sha256"] == digest:
                self._show(view, heard, kind, note["resultId"])
                return True
        self._unnamed[view] = heard, kind, digest
        return True

    def _show(self, view: str, heard: Heard, kind: str, result_id: str) -> None:
        content_type = reading.picture_type(heard.payload) or ""
        shown = Picture(heard.payload, content_type, result_id, self._clock(), kind)
        self._pictures[view].append(shown)
        self._put_view(view, picture=shown)


def product_of(now: StationNow) -> str | None:
    """The product that the station's recipes are for, None where it does not say or they are for several."""
    views = now.state.get("views", ()) if now.state is not None else ()
    products = {view.get("product") for view in views} - {"", None}
    return str(products.pop()) if len(products) == 1 else None
