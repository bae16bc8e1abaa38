"""A person answers: something was removed, check again; or nothing is there, release. The station has the last word."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form
from starlette.responses import Response

from calibration.web.access.guard import confirm_password, view_of
from calibration.web.clearance.answering import objection
from calibration.web.clearance.forms import answer_why, is_request_id
from calibration.web.clearance.ledger import Order, OrderConflict
from calibration.web.clearance.viewing import await_archived, live_picture
from calibration.web.http.refusals import Refused
from calibration.web.http.wording import in_one
from calibration.web.pages.clearance_office import (
    Clearing,
    InOffice,
    Releasing,
    Seeing,
    Visit,
    go,
    known_of,
    may_release,
    not_found,
    now_utc,
    order_path,
    result_path,
)
from edge.errors import LineclearError

router = APIRouter()


@router.post("/clearance/{result_id}/removed")
def removed(
    visit: Clearing,
    office: InOffice,
    result_id: str,
    request_id: Annotated[str, Form(max_length=128)],
    why: Annotated[str, Form(max_length=8000)] = "",
    view: Annotated[list[str] | None, Form(max_length=64)] = None,
) -> Response:
    """Something was taken away or mended: the same batch is checked again."""
    known = known_of(visit, office, result_id)
    reason, problem = answer_why(why)
    views = [name for name in dict.fromkeys(view or ()) if view_of(visit, name)]
    if not is_request_id(request_id):
        raise Refused("clearance.form_broken")
    if problem or not views:
        visit.say("error", f"clearance.problem.{problem}_why" if problem else "clearance.problem.no_view")
        return go(result_path(known.clearance.result_id))
    body = {
        "result_id": known.clearance.result_id,
        "views": views,
        "action": "removed",
        "who": visit.user.person,
        "why": reason,
    }
    return _place(visit, office, request_id, body)


@router.post("/clearance/{result_id}/look")
def look(visit: Clearing, office: InOffice, result_id: str, view: Annotated[str, Form(max_length=128)]) -> Response:
    """Have the station take a live frame of a view, to be looked at."""
    view_of(visit, view)
    known = known_of(visit, office, result_id)
    path = result_path(known.clearance.result_id)
    try:
        taken = office.looks.take(view, visit.user.name)
    except LineclearError as error:
        visit.say("error", "clearance.look_failed", why=in_one(visit.site.words, visit.language, error))
        return go(path)
    if taken.picture is None:
        visit.say("error", "clearance.look_without_picture")
        return go(path)
    await_archived(visit.site, taken.snapshot_id)
    return go(f"{path}#view-{view.encode().hex()}")


@router.get("/clearance/looks/{snapshot_id}")
def look_picture(visit: Seeing, office: InOffice, snapshot_id: str) -> Response:
    """The live frame. That it was sent to this person's browser is what makes it looked at."""
    found = office.looks.show(visit.user.name, snapshot_id)
    if found is None or found.picture is None:
        raise not_found(visit, "clearance.no_such_look")
    view_of(visit, found.view)
    data, content_type = live_picture(visit.site, found, found.picture)
    return Response(data, media_type=content_type)


@router.post("/clearance/{result_id}/release")
def release(
    visit: Releasing,
    office: InOffice,
    result_id: str,
    request_id: Annotated[str, Form(max_length=128)],
    view: Annotated[str, Form(max_length=128)],
    snapshot: Annotated[str, Form(max_length=160)] = "",
    why: Annotated[str, Form(max_length=8000)] = "",
    looked: Annotated[str, Form(max_length=8)] = "",
    password: Annotated[str, Form(max_length=1000)] = "",
) -> Response:
    """Nothing is there: this person answers for the view, by name, reason and password."""
    view_of(visit, view)
    known = known_of(visit, office, result_id)
    if not is_request_id(request_id):
        raise Refused("clearance.form_broken")
    reason, problem = answer_why(why)
    body = {
        "result_id": known.clearance.result_id,
        "views": [view],
        "action": "false_alarm",
        "snapshots": {view: snapshot},
        "who": visit.user.person,
        "why": reason,
    }
    done = office.ledger.get(request_id)
    if done is not None and done.asked_by == visit.user.name and dict(done.body) == body and done.result_id:
        return go(order_path(done))  # the back button, then the button once more
    around = office.circumstances(visit.user.person, may_release=may_release(visit))
    key, values = objection(office, known, view, snapshot, around, visit.user.name, now_utc())
    if problem:
        key, values = f"clearance.problem.{problem}_why", {}
    elif not looked:
        key, values = "clearance.no_look.not_ticked", {}
    if not key:
        try:
            confirm_password(visit, password)
        except Refused as error:
            key, values = error.message, error.values
    if key:
        visit.say("error", key, **values)
        return go(result_path(known.clearance.result_id))
    return _place(visit, office, request_id, body)


def _place(visit: Visit, office: InOffice, request_id: str, body: dict[str, Any]) -> Response:
    try:
        order = office.desk.place(Order(request_id, "review", visit.user.name, now_utc(), body))
    except OrderConflict:
        visit.say("error", "clearance.form_used_review")
        return go(result_path(str(body["result_id"])))
    return go(order_path(order))
