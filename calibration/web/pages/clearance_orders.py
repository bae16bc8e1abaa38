"""What became of something that was asked: its progress, its answer, or why nothing was done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Form
from starlette.responses import JSONResponse, Response

from calibration.web.clearance.forms import MAX_ID
from calibration.web.clearance.ledger import Order
from calibration.web.clearance.office import Office
from calibration.web.http.refusals import Refused
from calibration.web.http.rendering import page
from calibration.web.http.wording import in_one
from calibration.web.link import StationBusy, StationRefused, StationSilent
from calibration.web.pages.clearance_office import (
    Clearing,
    InOffice,
    Seeing,
    Visit,
    go,
    may_clear,
    not_found,
    not_ready_text,
    order_path,
    ready_of,
)

router = APIRouter()


@router.get("/clearance/live/now.json")
def live(visit: Seeing, office: InOffice) -> Response:
    """Whether a clearance is taken now, and how far the running one is."""
    ready = ready_of(office)
    why = [not_ready_text(visit, each) for each in ready.hindrances]
    return JSONResponse({"ready": ready.is_ready, "why": why, "running": ready.running, **_progress(visit, office)})


@router.get("/clearance/orders/{request_id}")
def order_page(visit: Seeing, office: InOffice, request_id: str) -> Response:
    """Progress while it runs; then its result."""
    order = _order(visit, office, request_id)
    if order.result_id and not order.is_open:
        return go(order_path(order))
    return page(
        visit,
        "clearance/order.html",
        order=order,
        progress=_progress(visit, office),
        runs=_runs(office, order),
        may_clear=may_clear(visit),
        is_own=order.asked_by == visit.user.name,
    )


@router.get("/clearance/orders/{request_id}/live.json")
def order_live(visit: Seeing, office: InOffice, request_id: str) -> Response:
    """The same for the script. then: where to go, once there is something else to see."""
    order = _order(visit, office, request_id)
    return JSONResponse(
        {
            "state": order.state.value,
            "runs": _runs(office, order),
            "then": "" if order.is_open else order_path(order),
            **_progress(visit, office),
        }
    )


@router.post("/clearance/orders/{request_id}/again")
def ask_again(visit: Clearing, office: InOffice, request_id: str) -> Response:
    """The same order once more: the station answers it, or does it if it never came there."""
    order = _order(visit, office, request_id)
    if order.asked_by != visit.user.name:
        raise Refused("clearance.not_yours", 403)
    return go(order_path(office.desk.again(request_id) or order))


@router.post("/clearance/cancel")
def cancel(visit: Clearing, office: InOffice, cancels: Annotated[str, Form(max_length=MAX_ID)]) -> Response:
    """End the running clearance as UNDECIDED(cancelled), whoever asked for it."""
    try:
        result = office.site.link.ask("cancel", {"cancels": cancels, "who": visit.user.person})
    except (StationBusy, StationRefused, StationSilent) as error:
        visit.say("error", "clearance.cancel_failed", why=in_one(visit.site.words, visit.language, error))
    else:
        visit.say("info", "clearance.cancelled" if result.get("cancelled") else "clearance.cancel_too_late")
    order = office.ledger.get(cancels)
    return go(order_path(order) if order is not None else "/clearance")


def _order(visit: Visit, office: Office, request_id: str) -> Order:
    order = office.desk.look(request_id[:MAX_ID])
    if order is None:
        raise not_found(visit, "clearance.no_such_order")
    return order


def _runs(office: Office, order: Order) -> bool:
    """True if the station is at work on this very order."""
    running: Mapping[str, Any] = office.site.mirror.now().clearance_state or {}
    return running.get("requestId") == order.request_id


def _progress(visit: Visit, office: Office) -> dict[str, Any]:
    """How far the running clearance is; views that this person may not see are counted together."""
    state: Mapping[str, Any] = office.site.mirror.now().clearance_state or {}
    views = [
        {"view": str(view.get("view")), "done": int(view.get("framesDone") or 0), "frames": int(view.get("frames") or 0)}
        for view in state.get("views") or ()
    ]
    seen = [view for view in views if visit.user.may_see(str(view["view"]))]
    phase = str(state.get("state") or "")
    known = phase in ("ready", "fitness", "challenge", "frames", "recording", "stopped")
    return {
        "phase": phase,
        "phase_text": visit.t(f"clearance.phase.{phase}") if known else "",
        "views": seen,
        "hidden": len(views) - len(seen),
        "batch": str(state.get("batch") or ""),
    }
