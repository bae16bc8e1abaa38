"""`/`: how the station is now. The server renders it whole, so that it works without script; script keeps it live."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from calibration.web.access.guard import Visit, acts, sees, view_of
from calibration.web.access.roles import Right
from calibration.web.http.asking import wants_json
from calibration.web.http.rendering import environment, figure, local, page
from calibration.web.site import NotFound
from calibration.web.station import Doubt, digest, show_to

SNAPSHOT_S = 20.0
_NOBODY = (Doubt.NO_BROKER, Doubt.LINK, Doubt.UNHEARD, Doubt.OFFLINE)
"""Where nobody would hear a command."""

router = APIRouter()
Seeing = Annotated[Visit, Depends(sees())]


@router.get("/", response_class=HTMLResponse)
def station(visit: Seeing) -> HTMLResponse:
    """The whole page."""
    return page(visit, "station/page.html", **_context(visit))


@router.get("/station/live", response_class=HTMLResponse)
def live(visit: Seeing) -> HTMLResponse:
    """What of it changes, for the script that puts it in place of what it shows."""
    more = {"t": visit.t, "local": partial(local, visit.site, visit.language), "user": visit.user, "csrf": visit.csrf}
    return HTMLResponse(environment().get_template("station/live.html").render(**more, **_context(visit)))


@router.get("/views/{view}/picture", response_class=Response)
def picture(view: str, visit: Seeing, id: str = "") -> Response:
    """The last picture of a view as the station sent it. id: that of this result, one of the last few."""
    view_of(visit, view)
    found = visit.site.mirror.picture(view, id) if id else visit.site.mirror.now().views[view].picture
    if found is None:
        raise NotFound(visit.t("station.no_picture"), where=view)
    return Response(found.data, media_type=found.content_type)


@router.post("/views/{view}/snapshot")
def snapshot(request: Request, view: str, visit: Annotated[Visit, Depends(acts(Right.CLEAR))]) -> Response:
    """A picture is taken now; it comes to the page by itself."""
    view_of(visit, view)
    result = visit.site.link.ask("snapshot", {"view": view}, timeout_s=SNAPSHOT_S)
    if wants_json(request):
        told = {name: result.get(name) for name in ("kind", "result_id", "outcome")}
        return JSONResponse({**told, "text": visit.t("station.taken", view=view)})
    visit.say("ok", "station.taken", view=view)
    return RedirectResponse("/", status_code=303)


def _context(visit: Visit) -> dict[str, Any]:
    shown = show_to(visit.site, visit.user.may_see)
    return {
        "shown": shown,
        "digest": digest(shown),
        "knows": visit.site.words.knows,
        "can_ask": shown.doubt not in _NOBODY,
        "may_clear": visit.user.may(Right.CLEAR),
        "number": partial(figure, visit.language),
    }
