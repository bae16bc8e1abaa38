"""A person answers for a view that did not pass: which views may be released, by whom, and after which look."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from edge.clearance.base import Fit, PoolEntry, Snapshot
from edge.clearance.requests import ReviewOrder
from edge.loop.judging import EARLIEST_SANE
from edge.settings.clearance import ReviewConfig
from edge.types import Clearance, Outcome, ReasonCode, Release, ViewResult

RELEASABLE = (ReasonCode.NOT_REGISTERED, ReasonCode.VOTE_SPLIT)
"""Reasons of an UNDECIDED view that a person can look past: a frame was there, and it can be seen what is on it. Every
other reason says that something of the station is broken, missing or not calibrated, which no look at the line mends."""

KEPT_SNAPSHOTS = 256
RELEASE = "release"


class Snapshots:
    """The last snapshots that were shown; a restart forgets them, and then one looks again. Any thread may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[str, Snapshot] = OrderedDict()

    def note(self, snapshot: Snapshot) -> None:
        """Remember that it was shown."""
        with self._lock:
            self._known[snapshot.result_id] = snapshot
            while len(self._known) > KEPT_SNAPSHOTS:
                self._known.popitem(last=False)

    def find(self, result_id: str) -> Snapshot | None:
        """The snapshot of this id, None if it was never shown or too long ago."""
        with self._lock:
            return self._known.get(result_id)


@dataclass(frozen=True, eq=False)
class Reviewer:
    """Who may release what.

    may: (who, right) -> whether they have it; the right here is `release`; None: nobody has it. pool: takes the frames of
    released views; LineclearError from it is logged, the release stands.
    """

    config: ReviewConfig = field(default_factory=ReviewConfig)
    snapshots: Snapshots = field(default_factory=Snapshots)
    may: Callable[[str, str], bool] | None = None
    pool: Callable[[PoolEntry], None] | None = None

    def shown(self, order: ReviewOrder) -> dict[str, Snapshot | None]:
        """The snapshots that the order names, as far as they are known."""
        return {view: self.snapshots.find(name) for view, name in order.snapshots.items()}

    def why_not(self, clearance: Clearance, order: ReviewOrder, fit: Fit, now: datetime) -> list[str]:
        """Everything that speaks against releasing these views now, a line each."""
        if self.may is None or not self.may(order.who, RELEASE):
            return [f"who: {order.who} has not the right to release: ask someone who has"]
        found = unreleasable(clearance, order, self.shown(order), self.config, now)
        return found + changed_since(clearance, fit)


def objections(clearance: Clearance, order: ReviewOrder, newest: str, config: ReviewConfig, now: datetime) -> list[str]:
    """Why these views of this clearance cannot be answered for at all, whatever the answer; a line each."""
    if clearance.result_id != newest:
        return [f"result_id: {clearance.result_id} is not the newest clearance: answer {newest}"]
    found = []
    age = now - _judged_at(clearance)
    if now < EARLIEST_SANE or now < clearance.decided_at:
        found.append("the station's clock is wrong: set it (timedatectl), then ask again")
    if age > timedelta(minutes=config.within_min):
        found.append(f"the clearance is {age.total_seconds() / 60:.0f} min old, at most {config.within_min:g}: check again")
    known = {view.view: view for view in clearance.views}
    for name in order.views:
        if name not in known:
            found.append(f"views: the clearance has no view {name!r}: it has {', '.join(known) or 'none'}")
        elif known[name].release is not None:
            found.append(f"views: {name} was released already")
        elif known[name].outcome is Outcome.PASS:
            found.append(f"views: {name} passed: nothing is to be answered")
    return found


def _judged_at(clearance: Clearance) -> datetime:
    """When its oldest frame was judged: a release of one view does not make the frames of the others any younger."""
    return min((verdict.decided_at for view in clearance.views for verdict in view.verdicts), default=clearance.decided_at)


def unreleasable(
    clearance: Clearance, order: ReviewOrder, snapshots: Mapping[str, Snapshot | None], config: ReviewConfig, now: datetime
) -> list[str]:
    """Why these views cannot be released, beyond `objections`; a line each. snapshots: view -> the one that was named."""
    found = [f"{reason.code.value}: {reason.detail}: no view of it can be released" for reason in clearance.reasons]
    for view in clearance.views:
        if view.view not in order.views:
            continue
        if view.outcome is Outcome.UNDECIDED and (view.reason is None or view.reason.code not in RELEASABLE):
            code = view.reason.code.value if view.reason is not None else "no reason"
            found.append(f"views: {view.view} is UNDECIDED({code}), which no look at the line mends: mend it, check again")
        found += _unseen(view, clearance, snapshots.get(view.view), config, now)
    return found


def _unseen(
    view: ViewResult, clearance: Clearance, snapshot: Snapshot | None, config: ReviewConfig, now: datetime
) -> list[str]:
    """Why the person cannot be said to have looked."""
    where = f"snapshots: {view.view}"
    if snapshot is None:
        return [f"{where}: is not known: look at the live frame (cmd/snapshot), then answer"]
    if snapshot.view != view.view:
        return [f"{where}: {snapshot.result_id} shows {snapshot.view}"]
    judged_at = max((verdict.decided_at for verdict in view.verdicts), default=clearance.decided_at)
    if snapshot.taken_at <= judged_at:
        return [f"{where}: was taken before the clearance judged this view: look again"]
    age = now - snapshot.taken_at
    if not timedelta(0) <= age <= timedelta(minutes=config.snapshot_max_age_min):
        minutes = age.total_seconds() / 60
        return [f"{where}: is {minutes:.1f} min old, at most {config.snapshot_max_age_min:g}: look again"]
    return []


def changed_since(clearance: Clearance, fit: Fit) -> list[str]:
    """Why the station of now is not the one that the clearance judged, or is not fit; a line each."""
    found = [f"the station is not fit: {reason.code.value}: {reason.detail}" for reason in fit.station]
    found += [f"{view} is not fit: {reason.code.value}: {reason.detail}" for view, reason in fit.views.items()]
    for view in clearance.views:
        now = fit.parts.get(view.view)
        if now is not None and view.parts is not None and now != view.parts:  # the views that passed must hold too
            found.append(f"{view.view}: its recipe or engine was changed after the clearance: check again")
    return found


def released(
    clearance: Clearance, order: ReviewOrder, snapshots: Mapping[str, Snapshot | None], result_id: str, now: datetime
) -> Clearance:
    """The clearance with these views released, not decided yet. Call it only without objections."""
    views = tuple(
        replace(view, release=Release(order.who, order.why, now, snapshot.result_id))
        if view.view in order.views and (snapshot := snapshots.get(view.view)) is not None
        else view
        for view in clearance.views
    )
    return replace(
        clearance,
        result_id=result_id,
        request_id=order.request_id,
        views=views,
        operator=order.who,
        note=order.why,
        previous=clearance.result_id,
        requested_at=now,
        decided_at=now,
        stage_ms={},
    )


def pooled(clearance: Clearance, order: ReviewOrder) -> tuple[PoolEntry, ...]:
    """What goes to the pool for recalibration: the frames that a released view was judged by."""
    return tuple(
        PoolEntry(
            view.view,
            tuple(verdict.result_id for verdict in view.verdicts),
            clearance.result_id,
            view.release.snapshot,
            order.who,
            order.why,
        )
        for view in clearance.views
        if view.view in order.views and view.release is not None
    )
