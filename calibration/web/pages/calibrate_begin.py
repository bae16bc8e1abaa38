"""Which view is calibrated, and the beginning and the end of its wizard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, RedirectResponse

from calibration.web.pages.calibrate_doors import Acts, Sees, Visit, page
from calibration.web.pages.calibrate_turn import bench_for, stop_work, wizard_url
from calibration.web.pages.calibrate_words import stale_lines
from calibration.web.wizard.collecting import can_keep
from calibration.web.wizard.holding import holding
from calibration.web.wizard.state import WizardState
from edge.errors import LineclearError

router = APIRouter()


@dataclass(frozen=True)
class ViewLine:
    """One view in the list. stale: why its card does not hold, empty if it does; at_work: the calibration under way."""

    name: str
    url: str
    version: int | None
    stale: tuple[str, ...]
    at_work: WizardState | None
    mine: bool


@router.get("/calibrate")
def views(visit: Sees) -> HTMLResponse:
    """Every view that this person may see, with the state of its card."""
    shown = [_line(visit, name) for name in visit.site.config.views if visit.user.may_see(name)]
    return page(visit, "calibrate/views.html", lines=shown)


@router.get("/calibrate/{view}")
def begin_page(visit: Sees, view: str) -> HTMLResponse:
    """Begin, go on, or be told who is at it."""
    bench = bench_for(visit, view)
    recipe = bench.in_force()
    return page(
        visit,
        "calibrate/begin.html",
        view=view,
        url=wizard_url(view),
        line=_line(visit, view),
        recipe=recipe,
        card=recipe.card,
        kept=can_keep(bench.desk.good, recipe, bench.camera_hash),
        last=bench.desk.last(),
    )


@router.post("/calibrate/{view}/begin")
def begin(visit: Acts, view: str, keep: Annotated[str, Form(max_length=3)] = "") -> RedirectResponse:
    """Start a calibration, or go on with one's own. AtWork: it is somebody else's."""
    bench = bench_for(visit, view)
    recipe = bench.in_force()
    kept = keep == "yes" and can_keep(bench.desk.good, recipe, bench.camera_hash) > 0
    user = visit.user
    bench.desk.begin(user.name, user.person, str(bench.recipe_path), recipe.version, keep_frames=kept)
    return RedirectResponse(f"{wizard_url(view)}/frames", status_code=303)


@router.post("/calibrate/{view}/take-over")
def take_over(visit: Acts, view: str) -> RedirectResponse:
    """Go on with somebody else's, who is told on the next page."""
    bench = bench_for(visit, view)
    stop_work(visit, view)
    bench.desk.take_over(visit.user.name, visit.user.person)
    return RedirectResponse(f"{wizard_url(view)}/frames", status_code=303)


@router.post("/calibrate/{view}/discard")
def discard(visit: Acts, view: str, frames: Annotated[str, Form(max_length=3)] = "") -> RedirectResponse:
    """End it without a change; the frames stay for the next time unless they are to go too."""
    bench = bench_for(visit, view)
    state = bench.desk.state()
    if state is not None and state.user == visit.user.name:
        stop_work(visit, view)
    bench.desk.discard(visit.user.name, frames=frames == "yes")
    visit.say("info", "calibrate.discarded", view=view)
    return RedirectResponse("/calibrate", status_code=303)


def _line(visit: Visit, name: str) -> ViewLine:
    bench = bench_for(visit, name)
    at_work: WizardState | None = None
    found = holding(bench)
    stale = stale_lines(visit.t, found)
    try:
        at_work = bench.desk.state()
    except LineclearError as error:
        stale = (*stale, str(error))
    mine = at_work is not None and at_work.user == visit.user.name
    return ViewLine(name, wizard_url(name), found.version, stale, at_work, mine)
