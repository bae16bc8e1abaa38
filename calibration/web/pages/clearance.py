"""Asking for a clearance, and the last ones."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query
from starlette.responses import Response

from calibration.web.clearance.forms import Filled, is_request_id, new_request_id, start_form, wrong_product
from calibration.web.clearance.ledger import Order, OrderConflict
from calibration.web.clearance.office import Office
from calibration.web.http.refusals import Refused
from calibration.web.http.rendering import page
from calibration.web.pages import clearance_orders, clearance_results
from calibration.web.pages.clearance_office import (
    Clearing,
    InOffice,
    Seeing,
    Visit,
    go,
    may_clear,
    not_ready_text,
    now_utc,
    order_path,
    ready_of,
)

router = APIRouter()
Text = Annotated[str, Query(max_length=400)]
router.include_router(clearance_orders.router)
router.include_router(clearance_results.router)


@router.get("/clearance")
def start_page(visit: Seeing, office: InOffice, batch: Text = "", product: Text = "", again: Text = "") -> Response:
    """The form, if this person may clear, and the last clearances. again: an order whose contents are filled in anew."""
    before = office.ledger.get(again) if is_request_id(again) else None
    body: dict[str, Any] = {"batch": batch, "product": product or office.product(), "operator": visit.user.person, "note": ""}
    if before is not None and before.kind == "clearance" and before.asked_by == visit.user.name:
        body |= before.body
    return _form(visit, office, Filled(body, {}), new_request_id())


@router.post("/clearance")
def start(
    visit: Clearing,
    office: InOffice,
    request_id: Annotated[str, Form(max_length=128)],
    batch: Annotated[str, Form(max_length=4000)] = "",
    product: Annotated[str, Form(max_length=4000)] = "",
    operator: Annotated[str, Form(max_length=4000)] = "",
    note: Annotated[str, Form(max_length=8000)] = "",
) -> Response:
    """Ask the station. The same form again leads to the same clearance."""
    if not is_request_id(request_id):
        raise Refused("clearance.form_broken")
    needs_operator = office.site.config.clearance.operator == "required"
    filled = start_form(batch, product, operator, note, needs_operator=needs_operator)
    known = office.ledger.get(request_id)
    if known is None:
        other = wrong_product(office.site.mirror.now().state, filled.body["product"])
        if other and "product" not in filled.problems:
            filled = Filled(filled.body, {**filled.problems, "product": "other_product"})
        if filled.problems or not ready_of(office).is_ready:
            return _form(visit, office, filled, request_id, status=422 if filled.problems else 409)
    try:
        order = office.desk.place(Order(request_id, "clearance", visit.user.name, now_utc(), filled.body))
    except OrderConflict:
        visit.say("error", "clearance.form_used", batch=str(known.body.get("batch")) if known else "")
        return go("/clearance")
    return go(order_path(order))


def _form(visit: Visit, office: Office, filled: Filled, request_id: str, *, status: int = 200) -> Response:
    state = office.site.mirror.now().state
    return page(
        visit,
        "clearance/start.html",
        status=status,
        ready=ready_of(office),
        not_ready=partial(not_ready_text, visit),
        body=filled.body,
        problems=filled.problems,
        force=wrong_product(state, str(filled.body["product"])),
        request_id=request_id,
        may_clear=may_clear(visit),
        lines=office.clearances.last(),
        needs_operator=office.site.config.clearance.operator == "required",
    )
