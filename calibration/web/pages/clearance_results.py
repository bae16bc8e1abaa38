"""One clearance: its outcome, its reasons, each view, and what can be done about it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import JSONResponse, Response

from calibration.web.clearance.cards import card_of
from calibration.web.clearance.forms import new_request_id
from calibration.web.clearance.releasing import answerable, open_views
from calibration.web.clearance.telling import told_of
from calibration.web.clearance.viewing import entry_of
from calibration.web.http.rendering import page
from calibration.web.pages.clearance_office import InOffice, Seeing, known_of, may_clear, may_release, now_utc

router = APIRouter()


@router.get("/clearance/{result_id}")
def result_page(
    visit: Seeing, office: InOffice, result_id: str, frame: Annotated[list[str] | None, Query(max_length=64)] = None
) -> Response:
    """The whole answer. frame: frames to be shown instead of the worst of their views."""
    known = known_of(visit, office, result_id)
    told = told_of(known, visit.user.may_see, frame or ())
    around = office.circumstances(visit.user.person, may_release=may_release(visit))
    review, now = office.site.config.clearance.review, now_utc()
    return page(
        visit,
        "clearance/result.html",
        known=known,
        clearance=known.clearance,
        told=told,
        releasers=list(dict.fromkeys(view.release.who for view in told.views if view.release is not None)),
        cards=[card_of(office, known, view, around, visit.user.name, now) for view in told.views],
        newest=around.newest,
        no_answer=answerable(known.clearance, around.newest, review, now),
        review=review,
        may_clear=may_clear(visit),
        may_release=may_release(visit),
        sees_all=all(visit.user.may_see(view) for view in office.site.config.views),
        removed_id=new_request_id(),
        open_names=[view.view for view in open_views(known.clearance) if visit.user.may_see(view.view)],
        awaits=known.source != "archive" and office.site.config.archive.enabled,
    )


@router.get("/clearance/{result_id}/evidence.json")
def evidence(visit: Seeing, office: InOffice, result_id: str) -> Response:
    """Whether the archive has all of it by now: the station writes it just after the answer."""
    known = known_of(visit, office, result_id)
    frames = [view.frame for view in told_of(known, visit.user.may_see).views if view.frame]
    there = known.source == "archive" and all(entry_of(office.site, frame) is not None for frame in frames)
    return JSONResponse({"there": there})
