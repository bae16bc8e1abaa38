"""The camera of a view: how it stands, how sharp and bright it sees, and what of it may be set."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, RedirectResponse, Response

from calibration.web.http.refusals import Refused
from calibration.web.http.rendering import page
from calibration.web.pages.camera_readings import reading_of, told
from calibration.web.pages.reference_seat import Acting, Seat, Seeing
from calibration.web.reference.charting import charts_of
from calibration.web.reference.setting import panel_of, wanted
from calibration.web.reference.shots import NoFrame, Shot, recent, shot_of, take_shot
from calibration.web.reference.trend import trend_of
from edge.errors import LineclearError

router = APIRouter()

CAMERA_S: Final = 120.0
LEAST_S: Final = 1.5
LAST: Final = 120
Share = Annotated[float, Field(ge=0, le=1)]


class Asked(BaseModel):
    """What the focus helper asks for: a part of the picture, in 0..1."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    x: Share = 0.0
    y: Share = 0.0
    width: Share = 1.0
    height: Share = 1.0


@router.get("/camera/{view}")
def camera(seat: Seeing, result: str = "") -> Response:
    """Everything about one view's camera. result: the picture to look at, else the newest of the archive."""
    recipe, error = seat.recipe_or_why()
    site = seat.visit.site
    context: dict[str, Any] = {"view": seat.view, "recipe": recipe, "error": error, "shot": None, "reading": None}
    if recipe is not None:
        shot = _shot(seat, result)
        trend = trend_of(site.archive, seat.view, (recipe.reference.shape[1], recipe.reference.shape[0]), LAST)
        context |= {"shot": shot, "trend": trend, "charts": charts_of(trend)}
        if shot is not None:
            context["reading"] = reading_of(shot, recipe)
    panel = panel_of(site.config, seat.view, recipe)
    return page(seat.visit, "camera/camera.html", panel=panel, status=200 if error is None else 409, **context)


@router.post("/camera/{view}/shot")
def shot(seat: Acting) -> Response:
    """Take a picture, for people without script: the page comes again with it."""
    _pace(seat)
    made = take_shot(seat.visit.site.link, seat.visit.site.archive, seat.view)
    return RedirectResponse(f"/camera/{seat.view}?result={made.result_id}", status_code=303)


@router.post("/camera/{view}/reading")
def reading(seat: Acting, asked: Asked) -> JSONResponse:
    """Take a picture and say how sharp and bright it is within a part of it."""
    _pace(seat)
    recipe = seat.recipe()
    made = take_shot(seat.visit.site.link, seat.visit.site.archive, seat.view)
    try:
        found = reading_of(made, recipe, (asked.x, asked.y, asked.width, asked.height))
    except ValueError as error:
        raise Refused(str(error), 422) from None
    return JSONResponse(told(seat.visit, seat.view, made, found))


@router.post("/camera/{view}/settings")
async def settings(seat: Acting, request: Request) -> Response:
    """Set the camera; the reason is asked for, and the station does it or says why not."""
    form = await request.form()
    given = {name: value for name, value in form.items() if isinstance(value, str)}
    from starlette.concurrency import run_in_threadpool

    return await run_in_threadpool(_set, seat, given)


@router.post("/camera/{view}/reset")
def reset(seat: Acting, why: Annotated[str, Form(max_length=2000)]) -> Response:
    """All of it as in the config again."""
    return _order(seat, None, why)


def _set(seat: Seat, given: dict[str, str]) -> Response:
    return _order(seat, wanted(seat.visit.site.config, seat.view, given), given.get("why", ""))


def _order(seat: Seat, values: dict[str, float] | None, why: str) -> Response:
    visit, reason = seat.visit, " ".join(why.split())
    if not reason:
        raise Refused("camera.why_missing", 422)
    body = {"view": seat.view, "settings": values, "who": visit.user.person, "why": reason[:2000]}
    answer = visit.site.link.ask("camera", body, timeout_s=CAMERA_S)
    undecided = str(answer.get("undecided") or "")
    if undecided.startswith("card_stale"):
        visit.say("warning", "camera.set_stale")
    elif undecided:
        visit.say("warning", "camera.set_undecided", why=undecided)
    else:
        visit.say("ok", "camera.set_fits")
    return RedirectResponse(f"/camera/{seat.view}#settings", status_code=303)


def _shot(seat: Seat, result: str) -> Shot | None:
    archive = seat.visit.site.archive
    if result:
        return shot_of(archive, seat.view, result[:200])
    for entry in recent(archive, seat.view, 1):
        try:
            return shot_of(archive, seat.view, entry.result_id)
        except (NoFrame, LineclearError):
            return None
    return None


def _pace(seat: Seat) -> None:
    wait_s = seat.paces.wait_s(seat.visit.user.name, seat.view, LEAST_S)
    if wait_s > 0:
        raise Refused("camera.too_fast", 429, remedy=seat.visit.t("camera.too_fast_do"))
