"""The live frames that people looked at before they answered for a view. Kept in memory: after a restart one looks again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Protocol

from calibration.web.clearance.desk import Asks, utc_now
from calibration.web.clearance.releasing import Looked
from calibration.web.link.mirror import Picture, StationNow

_KEPT: Final = 16
_ASK_S: Final = 15.0
_PICTURE_S: Final = 5.0


class Hears(Protocol):
    """`Mirror` of the page."""

    def now(self) -> StationNow:
        """What the station said last."""
        ...

    def listen(self, told: Callable[[], None]) -> Callable[[], None]:
        """Call `told` after each change, until the returned function is called."""
        ...


@dataclass(frozen=True)
class Look:
    """One snapshot that somebody asked for. who: the sign-in name. picture: None if it did not come (yet).

    taken_at: when its frame was grabbed; where that is not known, when it was asked for. seen: the picture went to this
    person's browser.
    """

    snapshot_id: str
    view: str
    who: str
    outcome: str
    taken_at: datetime
    picture: Picture | None = field(default=None, repr=False)
    seen: bool = False

    @property
    def looked(self) -> Looked:
        """What counts of it for a release."""
        return Looked(self.snapshot_id, self.taken_at, self.seen)


class Looks:
    """The last looks, one per person and view. Any thread may ask."""

    def __init__(self, link: Asks, mirror: Hears, now: Callable[[], datetime] = utc_now, wait_s: float = _PICTURE_S) -> None:
        self._link, self._mirror, self._now, self._wait_s = link, mirror, now, wait_s
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[str, str], Look] = OrderedDict()

    def take(self, view: str, who: str) -> Look:
        """Have the station take a frame now and wait for its picture. LineclearError: it refuses, or is not there."""
        asked_at, came = self._now(), _Came(self._mirror, view)
        leave = self._mirror.listen(came)
        try:
            result = self._link.ask("snapshot", {"view": view, "keep": True}, timeout_s=_ASK_S)
            snapshot_id = str(result.get("result_id") or "")
            picture = came.wait(snapshot_id, self._wait_s)
        finally:
            leave()
        look = Look(snapshot_id, view, who, str(result.get("outcome") or ""), came.grabbed_at(snapshot_id) or asked_at, picture)
        with self._lock:
            self._known.pop((who, view), None)
            self._known[who, view] = look
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return look

    def of(self, who: str, view: str) -> Look | None:
        """The last look of one person at one view."""
        with self._lock:
            return self._known.get((who, view))

    def show(self, who: str, snapshot_id: str) -> Look | None:
        """The look of this id, noted as seen now; None where it is another person's, or has no picture."""
        with self._lock:
            for key, look in self._known.items():
                if look.snapshot_id == snapshot_id and look.who == who and look.picture is not None:
                    self._known[key] = replace(look, seen=True)
                    return look
        return None


class _Came:
    """Gathers what comes of one view while a snapshot is taken; a newer picture must not push out the awaited one."""

    def __init__(self, mirror: Hears, view: str) -> None:
        self._mirror, self._view = mirror, view
        self._changed = threading.Condition()
        self._pictures: dict[str, Picture] = {}
        self._results: dict[str, Mapping[str, Any]] = {}

    def __call__(self) -> None:
        now = self._mirror.now().views.get(self._view)
        if now is None:
            return
        with self._changed:
            if now.picture is not None:
                self._pictures[now.picture.result_id] = now.picture
            if now.result is not None:
                self._results[str(now.result.get("resultId"))] = now.result
            self._changed.notify_all()

    def wait(self, result_id: str, wait_s: float) -> Picture | None:
        self()
        with self._changed:
            self._changed.wait_for(lambda: result_id in self._pictures, wait_s)
            return self._pictures.get(result_id)

    def grabbed_at(self, result_id: str) -> datetime | None:
        with self._changed:
            times = self._results.get(result_id, {}).get("processingTimes")
        text = times.get("startTime") if isinstance(times, Mapping) else None
        return datetime.fromisoformat(text.replace("Z", "+00:00")) if isinstance(text, str) else None
