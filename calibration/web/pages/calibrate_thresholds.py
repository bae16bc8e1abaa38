"""Step 4: measure the frames, choose a method, and move the line where the frames support it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse

from calibration.web.pages.calibrate_choice import (
    base_of,
    choice_or_why,
    digits_for,
    lack_of,
    line_at,
    line_in_field,
    method_of,
    need_setup,
    parameter_of,
    setup_if_any,
    written,
)
from calibration.web.pages.calibrate_doors import Acts, Sees
from calibration.web.pages.calibrate_turn import show, turn_of
from calibration.web.pages.calibrate_words import promise, shortage_line
from calibration.web.wizard.choosing import Method, nearest_within, side_by_side
from calibration.web.wizard.histogram import chart
from calibration.web.wizard.measuring import measure_frames
from calibration.web.wizard.odds import odds

router = APIRouter()


@router.get("/calibrate/{view}/thresholds")
def thresholds(visit: Sees, view: str, job: str = "") -> HTMLResponse:
    """The scores, every method on them, and the line."""
    turn = turn_of(visit, view)
    setup = setup_if_any(turn)
    if setup is None:
        return show(turn, "thresholds", job, measured=None)
    method = turn.state.method or Method(kind="quantile")
    choice, refusal = choice_or_why(visit, setup, method, turn.state.image_threshold)
    found = setup.found
    good, bad = found.good.scores, found.bad.scores if found.bad is not None else ()
    rows = [
        (row, shortage_line(visit.t, lack_of(setup, row.method)) if row.levels is None else "")
        for row in side_by_side(found, method)
    ]
    marks = (choice.card.image_threshold, choice.band.low, choice.band.high) if choice is not None else ()
    return show(
        turn,
        "thresholds",
        job,
        measured=found,
        rows=rows,
        method=method,
        parameter=parameter_of(method),
        choice=choice,
        digits=digits_for(choice.low, choice.high) if choice is not None else 4,
        written=written,
        refusal=refusal,
        chart=chart(good, bad, marks),
        promise=promise(visit.t, odds(choice.card)) if choice is not None else (),
        chosen=turn.state.method is not None,
    )


@router.post("/calibrate/{view}/measure")
def measure(visit: Acts, view: str) -> RedirectResponse:
    """Judge every frame on the page's own engine."""
    turn = turn_of(visit, view)
    turn.bench.check(turn.state)
    return turn.start("thresholds", lambda progress: measure_frames(turn.bench, turn.state, progress))


@router.post("/calibrate/{view}/thresholds")
def choose_thresholds(
    visit: Acts,
    view: str,
    kind: Annotated[str, Form(max_length=20)],
    parameter: Annotated[float | None, Form()] = None,
    image: Annotated[float | None, Form()] = None,
    exact: Annotated[float | None, Form()] = None,
    back: Annotated[str, Form(max_length=3)] = "",
) -> RedirectResponse:
    """The method, its parameter, and where the line is. image: as it stands in the field; exact: what that was short for.

    back: to where the method puts the line. Refused: these frames do not allow it.
    """
    turn = turn_of(visit, view)
    turn.bench.check(turn.state)
    setup = need_setup(turn)
    before, method = turn.state.method, method_of(visit, kind, parameter)
    base = base_of(visit, setup, method)
    stays = before is None or before != method or back == "yes"
    choice = base if stays or image is None else line_at(setup, base, line_in_field(base, image, exact))
    dragged = choice.card.image_threshold if choice.is_dragged else None
    return turn.changed(method=method, image_threshold=dragged, preview=None, challenge=None).to("thresholds")


@router.get("/calibrate/{view}/thresholds/at")
def at(visit: Sees, view: str, image: float, kind: str = "quantile", parameter: float | None = None) -> JSONResponse:
    """What the card would promise with the line there; the line is kept within the band."""
    turn = turn_of(visit, view)
    setup, method = need_setup(turn), method_of(visit, kind, parameter)
    base = base_of(visit, setup, method)
    place = nearest_within(base, image) if image != base.base.image_threshold else image
    choice = line_at(setup, base, place)
    body: dict[str, Any] = {
        "image": choice.card.image_threshold,
        "low": choice.band.low,
        "high": choice.band.high,
        "promise": promise(visit.t, odds(choice.card)),
        "dragged": choice.is_dragged,
    }
    return JSONResponse(body)
