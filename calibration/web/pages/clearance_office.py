"""The office of the running page, and what the routes of clearances have in common."""

from __future__ import annotations

import threading
from datetime import datetime, timezone
from typing import Annotated
from urllib.parse import quote

from fastapi import Depends, Request
from starlette.responses import RedirectResponse

from calibration.web.access.guard import Visit, acts, sees
from calibration.web.access.roles import Right
from calibration.web.clearance.known import Known
from calibration.web.clearance.ledger import Order, OrderState
from calibration.web.clearance.office import Office, open_office
from calibration.web.clearance.readiness import Readiness, readiness
from calibration.web.clearance.releasing import Hindrance
from calibration.web.site import NotFound, site_of

__all__ = [
    "Clearing", "InOffice", "Releasing", "Seeing", "Visit", "go", "known_of", "may_clear", "may_release", "not_found",
    "not_ready_text", "now_utc", "office_of", "order_path", "ready_of", "result_path",
]  # fmt: skip

_LOCK = threading.Lock()


def office_of(request: Request) -> Office:
    """The one office of the application, opened by its first use."""
    with _LOCK:
        office = getattr(request.app.state, "clearance_office", None)
        if office is None:
            office = request.app.state.clearance_office = open_office(site_of(request))
    return office if isinstance(office, Office) else open_office(site_of(request))


InOffice = Annotated[Office, Depends(office_of)]
Seeing = Annotated[Visit, Depends(sees())]
Clearing = Annotated[Visit, Depends(acts(Right.CLEAR))]
Releasing = Annotated[Visit, Depends(acts(Right.RELEASE))]


def may_clear(visit: Visit) -> bool:
    """Whether this person may start and answer clearances."""
    return visit.user.may(Right.CLEAR)


def may_release(visit: Visit) -> bool:
    """Whether this person may answer for a view that did not pass."""
    return visit.user.may(Right.RELEASE)


def known_of(visit: Visit, office: Office, result_id: str) -> Known:
    """The clearance, or NotFound."""
    known = office.clearances.find(result_id)
    if known is None:
        raise not_found(visit, "clearance.no_such_clearance", result_id)
    return known


def not_found(visit: Visit, key: str, where: str = "") -> NotFound:
    """What is not there, in the reader's words, and where to look instead."""
    return NotFound(visit.t(key), where=where[:80], remedy=visit.t("clearance.see_last"))


def ready_of(office: Office) -> Readiness:
    """Whether the station takes a clearance now."""
    site = office.site
    interval_s = site.config.health.interval_s
    return readiness(site.mirror.now(), now_utc(), interval_s=interval_s, may_ask=office.may_ask("clearance"))


def now_utc() -> datetime:
    """The time."""
    return datetime.now(timezone.utc)


def not_ready_text(visit: Visit, hindrance: Hindrance) -> str:
    """Why no clearance is taken, in words; views that this person may not see are not named."""
    values = dict(hindrance.values)
    if hindrance.code == "no_connection":
        key = f"station.link.{values['why']}"
        values["why"] = visit.t(key) if visit.site.words.knows(key) else ""
    if hindrance.code == "view_blocked" and not visit.user.may_see(str(values["view"])):
        return visit.t("clearance.not_ready.other_view")
    return visit.t(f"clearance.not_ready.{hindrance.code}", **values).strip()


def result_path(result_id: str) -> str:
    """Where a clearance is shown."""
    return f"/clearance/{quote(result_id, safe='')}"


def order_path(order: Order) -> str:
    """Where to go on with an order: to its answer, else to the page that waits for it."""
    if order.state is OrderState.ANSWERED and order.result_id:
        return result_path(order.result_id)
    return f"/clearance/orders/{quote(order.request_id, safe='')}"


def go(path: str) -> RedirectResponse:
    """After a form was taken: a reload or the back button sends nothing again."""
    return RedirectResponse(path, status_code=303)
