"""Why a view cannot be released now, said before anybody tries: the station's own rules, as codes that the page has words for.

The station decides (edge.clearance.review); a test holds that nothing is offered here that it would refuse, and the reverse.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from edge.clearance.review import RELEASABLE
from edge.settings.clearance import ReviewConfig
from edge.types import Clearance, Outcome, ViewResult


@dataclass(frozen=True)
class Hindrance:
    """One thing that stands in the way; its text is the message `clearance.no_release.CODE` with these values."""

    code: str
    values: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Looked:
    """The live frame that the person has before them. taken_at: when it was grabbed, at the earliest. seen: it was shown."""

    snapshot_id: str
    taken_at: datetime
    seen: bool


@dataclass(frozen=True, eq=False)
class Circumstances:
    """What is known around the clearance. newest: result_id of the newest one. state: the station's `state` message.

    may_release: the signed-in person may; person_known: the station's config names them; client_may: the page's client may.
    """

    newest: str
    state: Mapping[str, Any] | None
    may_release: bool
    person_known: bool
    client_may: bool


def answerable(clearance: Clearance, newest: str, config: ReviewConfig, now: datetime) -> list[Hindrance]:
    """Why no view of this clearance can be answered for any more, whatever the answer."""
    found = []
    if clearance.result_id != newest:
        found.append(Hindrance("not_newest", {"newest": newest}))
    age = now - judged_at(clearance)
    if now < clearance.decided_at:
        found.append(Hindrance("clock"))
    if age > timedelta(minutes=config.within_min):
        minutes = round(age.total_seconds() / 60)
        found.append(Hindrance("too_old", {"minutes": minutes, "limit": f"{config.within_min:g}"}))
    return found


def open_views(clearance: Clearance) -> tuple[ViewResult, ...]:
    """The views that did not pass and that nobody has answered for."""
    return tuple(view for view in clearance.views if view.outcome is not Outcome.PASS and view.release is None)


def judged_at(clearance: Clearance) -> datetime:
    """When the oldest frame of the clearance was judged: from then on the time to answer runs."""
    return min((verdict.decided_at for view in clearance.views for verdict in view.verdicts), default=clearance.decided_at)


def why_no_release(
    clearance: Clearance, view: ViewResult, around: Circumstances, config: ReviewConfig, now: datetime
) -> list[Hindrance]:
    """Everything that speaks against releasing this view, but for the look at the live frame."""
    found = answerable(clearance, around.newest, config, now)
    if view.release is not None:
        found.append(Hindrance("released_already"))
    elif view.outcome is Outcome.PASS:
        found.append(Hindrance("passed"))
    if clearance.reasons:
        found.append(Hindrance("station_reasons"))
    if view.outcome is Outcome.UNDECIDED and (view.reason is None or view.reason.code not in RELEASABLE):
        found.append(Hindrance("not_releasable"))
    return [*found, *_persons(around), *_changed(clearance, around)]


def why_unseen(clearance: Clearance, view: ViewResult, looked: Looked | None, config: ReviewConfig, now: datetime) -> str:
    """Why the person cannot be said to have looked: a code of `clearance.no_look.CODE`, "" if they did."""
    if looked is None:
        return "none"
    last = max((verdict.decided_at for verdict in view.verdicts), default=clearance.decided_at)
    if looked.taken_at <= last:
        return "before"
    if not timedelta(0) <= now - looked.taken_at <= timedelta(minutes=config.snapshot_max_age_min):
        return "too_old"
    return "" if looked.seen else "unseen"


def _persons(around: Circumstances) -> list[Hindrance]:
    if not around.may_release:
        return [Hindrance("no_right")]
    found = [] if around.person_known else [Hindrance("person_unknown")]
    return found if around.client_may else [*found, Hindrance("client_no_right")]


def _changed(clearance: Clearance, around: Circumstances) -> list[Hindrance]:
    """As far as `state` shows it: the station compares hashes too, and has the last word."""
    if around.state is None:
        return [Hindrance("no_station")]
    found = [] if around.state.get("status") == "ready" else [Hindrance("not_ready")]
    now = {str(view.get("view")): view for view in around.state.get("views") or ()}
    changed = [
        view.view
        for view in clearance.views
        if view.parts is not None
        and view.view in now
        and (view.parts.recipe_version, view.parts.bundle, view.parts.engine)
        != (now[view.view].get("recipeVersion"), now[view.view].get("bundle"), now[view.view].get("engine"))
    ]
    return [*found, Hindrance("parts_changed", {"views": ", ".join(changed)})] if changed else found


def named(hindrances: Collection[Hindrance]) -> frozenset[str]:
    """Their codes."""
    return frozenset(each.code for each in hindrances)
