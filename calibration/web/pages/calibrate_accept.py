"""Step 7: accept with a reason, and what came of it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, RedirectResponse

from calibration.web.pages.calibrate_doors import Acts, Refused, Sees, page
from calibration.web.pages.calibrate_signing import audited, signature_of
from calibration.web.pages.calibrate_turn import Progress, begin, bench_for, job_shown, show, turn_of, wizard_url
from calibration.web.pages.calibrate_words import promise
from calibration.web.wizard.accepting import Finished, accept, obstacles, put_in_force
from calibration.web.wizard.candidate import candidate
from calibration.web.wizard.odds import odds
from edge.errors import ConfigError

router = APIRouter()


@router.get("/calibrate/{view}/accept")
def accept_page(visit: Sees, view: str, job: str = "") -> HTMLResponse:
    """The new card beside the one in force, what is still missing, and the reason."""
    turn = turn_of(visit, view)
    recipe = turn.bench.in_force()
    try:
        made = candidate(turn.bench, turn.state, turn.headroom, pixels=False)
    except ConfigError:
        made = None
    new = made.choice.card if made is not None else None
    return show(
        turn,
        "accept",
        job,
        recipe=recipe,
        old=recipe.card,
        new=new,
        promise=promise(visit.t, odds(new)) if new is not None else (),
        missing=obstacles(turn.state, recipe, made.key if made is not None else ""),
    )


@router.post("/calibrate/{view}/accept")
def accept_it(visit: Acts, view: str, why: Annotated[str, Form(max_length=2000)] = "") -> RedirectResponse:
    """Save, and ask the station to judge with it. Refused: something is missing, or no reason is given."""
    turn = turn_of(visit, view)
    signature, trace = signature_of(visit, why), audited(visit)
    light = candidate(turn.bench, turn.state, turn.headroom, pixels=False)
    missing = obstacles(turn.state, turn.bench.in_force(), light.key)
    if missing:
        raise Refused(f"calibrate.missing.{missing[0]}", 409)

    def work(progress: Progress) -> Finished:
        made = candidate(turn.bench, turn.state, turn.headroom)
        return accept(turn.bench, turn.state, made.choice, signature, trace, progress)

    job = begin(visit, view, work)
    return RedirectResponse(f"{turn.url}/done?job={job.id}", status_code=303)


@router.get("/calibrate/{view}/done")
def done(visit: Sees, view: str, job: str = "") -> HTMLResponse:
    """What came of the last one that was accepted."""
    bench = bench_for(visit, view)
    shown = job_shown(visit, view, job)
    return page(
        visit, "calibrate/done.html", view=view, url=wizard_url(view), job=shown, last=bench.desk.last(),
        at_work=bench.desk.state(),
    )  # fmt: skip


@router.post("/calibrate/{view}/reload")
def reload(visit: Acts, view: str) -> RedirectResponse:
    """Ask the station once more to judge with what was saved."""
    bench = bench_for(visit, view)
    last = bench.desk.last()
    if last is None:
        raise Refused("calibrate.nothing_saved", 409)

    def work(progress: Progress) -> Finished:
        finished = put_in_force(bench, last.model_copy(update={"person": visit.user.person}), progress)
        bench.desk.note(finished)
        return finished

    job = begin(visit, view, work)
    return RedirectResponse(f"{wizard_url(view)}/done?job={job.id}", status_code=303)
