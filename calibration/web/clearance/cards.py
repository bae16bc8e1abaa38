"""One view of a clearance as its page shows it: the frame, what was found, and whether this person may release it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from calibration.web.clearance.forms import new_request_id
from calibration.web.clearance.known import Known
from calibration.web.clearance.looks import Look
from calibration.web.clearance.office import Office
from calibration.web.clearance.releasing import Circumstances, Hindrance, why_no_release, why_unseen
from calibration.web.clearance.telling import ViewTold
from calibration.web.clearance.viewing import Shown, live_of, shown_of


@dataclass(frozen=True, eq=False)
class Card:
    """hindrances: why it cannot be released. look, live: the last live frame that this person asked for, and its viewer.
    no_look: why they cannot be said to have looked, "" if they did. request_id: of the form that releases.
    """

    told: ViewTold
    anchor: str
    shown: Shown | None
    hindrances: tuple[Hindrance, ...] = ()
    look: Look | None = None
    no_look: str = ""
    request_id: str = ""
    live: Shown | None = None


def card_of(office: Office, known: Known, view: ViewTold, around: Circumstances, who: str, now: datetime) -> Card:
    """who: the sign-in name of the person who looks."""
    shown = shown_of(office.site, view.frame) if view.frame else None
    if not view.is_open:
        return Card(view, anchor_of(view.name), shown)
    review, look = office.site.config.clearance.review, office.looks.of(who, view.name)
    hindrances = why_no_release(known.clearance, view.result, around, review, now)
    no_look = why_unseen(known.clearance, view.result, look.looked if look is not None else None, review, now)
    live = live_of(office.site, look) if look is not None and look.picture is not None else None
    return Card(view, anchor_of(view.name), shown, tuple(hindrances), look, no_look, new_request_id(), live)


def anchor_of(view: str) -> str:
    """The id of a view's part of a page: names may have blanks, ids may not."""
    return f"view-{view.encode().hex()}"
