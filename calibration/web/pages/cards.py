"""The cards of a view: history, what differs between two, one put in force again."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Query
from fastapi.responses import HTMLResponse, RedirectResponse

from calibration.web.pages.calibrate_doors import Acts, Right, SeesCards, page
from calibration.web.pages.calibrate_signing import audited, signature_of
from calibration.web.pages.calibrate_turn import Progress, begin, bench_for, job_shown, wizard_url
from calibration.web.pages.calibrate_words import promise, stale_lines
from calibration.web.wizard.accepting import Finished, Quiet, put_in_force
from calibration.web.wizard.holding import holding
from calibration.web.wizard.odds import odds
from calibration.web.wizard.versions import compare_versions, lines, roll_back

router = APIRouter()
Version = Annotated[int, Query(ge=1, le=999_999_999)]


@router.get("/cards/{view}")
def history(visit: SeesCards, view: str, job: str = "") -> HTMLResponse:
    """Every version with who, when, why, and whether the card in force holds."""
    bench = bench_for(visit, view)
    shown = lines(bench)
    in_force = next((line for line in shown if line.entry.in_force), None)
    card = in_force.entry.card if in_force is not None else None
    return page(
        visit,
        "calibrate/cards.html",
        view=view,
        url=_url(view),
        wizard=wizard_url(view),
        lines=shown,
        stale=stale_lines(visit.t, holding(bench)),
        card=card,
        promise=promise(visit.t, odds(card)) if card is not None else (),
        at_work=bench.desk.state(),
        job=job_shown(visit, view, job),
        may_change=visit.user.may(Right.CALIBRATE),
    )


@router.get("/cards/{view}/diff")
def diff(visit: SeesCards, view: str, before: Version, after: Version) -> HTMLResponse:
    """Two versions side by side."""
    bench = bench_for(visit, view)
    found = compare_versions(bench.recipe_path, before, after)
    one, other = found.difference.before, found.difference.after
    return page(
        visit, "calibrate/diff.html", view=view, url=_url(view), before=before, after=after, found=found, one=one, other=other
    )


@router.post("/cards/{view}/rollback")
def rollback(
    visit: Acts,
    view: str,
    version: Annotated[int, Form(ge=1, le=999_999_999)],
    why: Annotated[str, Form(max_length=2000)] = "",
) -> RedirectResponse:
    """An old version again, as a new one, and in force on the station."""
    bench = bench_for(visit, view)
    signature, trace = signature_of(visit, why), audited(visit)

    def work(progress: Progress) -> Finished:
        progress(0, 3, "")
        finished = roll_back(bench, version, signature, trace)
        bench.desk.note(finished)
        finished = put_in_force(bench, finished, Quiet(progress))
        bench.desk.note(finished)
        return finished

    job = begin(visit, view, work)
    return RedirectResponse(f"{_url(view)}?job={job.id}", status_code=303)


def _url(view: str) -> str:
    return f"/cards/{quote(view, safe='')}"
