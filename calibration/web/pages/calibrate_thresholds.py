"""Step 4: measure the frames, choose a method, and move the line where the frames support it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse

from calibration.web.pages.calibrate_doors import Acts, Refused, Sees
from calibration.web.pages.calibrate_turn import Turn, show, turn_of
from calibration.web.pages.calibrate_words import promise
from calibration.web.wizard.candidate import setup_of
from calibration.web.wizard.choosing import KINDS, Choice, Method, Setup, choose, nearest_within, side_by_side
from calibration.web.wizard.histogram import chart
from calibration.web.wizard.measuring import measure_frames, measurement
from calibration.web.wizard.odds import odds
from edge.errors import ConfigError
from edge.schema import validate

router = APIRouter()

PARAMETERS = {
    "quantile": "quantile", "sigma": "sigma", "conformal": "alpha", "extreme": "rate", "cost": "miss_cost", "max": "",
}  # fmt: skip
"""Of each method the one parameter that a person may want to change; the rest are defaults."""


@router.get("/calibrate/{view}/thresholds")
def thresholds(visit: Sees, view: str, job: str = "") -> HTMLResponse:
    """The scores, every method on them, and the line."""
    turn = turn_of(visit, view)
    setup = _setup(turn)
    if setup is None:
        return show(turn, "thresholds", job, measured=None)
    method = turn.state.method or Method(kind="quantile")
    choice, refusal = _choice(setup, method, turn.state.image_threshold)
    rows = side_by_side(setup.found, method)
    found = setup.found
    bad = found.bad.scores if found.bad is not None else ()
    marks = (choice.card.image_threshold, choice.band.low, choice.band.high) if choice is not None else ()
    return show(
        turn,
        "thresholds",
        job,
        measured=found,
        rows=rows,
        method=method,
        parameters=PARAMETERS,
        choice=choice,
        refusal=refusal,
        chart=chart(found.good.scores, bad, marks),
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
) -> RedirectResponse:
    """The method, its parameter, and where the line is. ConfigError, Refused: these frames do not allow it."""
    turn = turn_of(visit, view)
    turn.bench.check(turn.state)
    setup = _need_setup(turn)
    before, method = turn.state.method, _method(kind, parameter)
    is_new = before is None or before != method
    choice = choose(setup, method, None if is_new else image)
    dragged = choice.card.image_threshold if choice.is_dragged else None
    return turn.changed(method=method, image_threshold=dragged, preview=None, challenge=None).to("thresholds")


@router.get("/calibrate/{view}/thresholds/at")
def at(visit: Sees, view: str, image: float, kind: str = "quantile", parameter: float | None = None) -> JSONResponse:
    """What the card would promise with the line there; the line is kept within the band."""
    turn = turn_of(visit, view)
    setup, method = _need_setup(turn), _method(kind, parameter)
    base = choose(setup, method, None)
    place = nearest_within(base, image) if image != base.base.image_threshold else image
    choice = choose(setup, method, place)
    body: dict[str, Any] = {
        "image": choice.card.image_threshold,
        "low": choice.band.low,
        "high": choice.band.high,
        "promise": promise(visit.t, odds(choice.card)),
        "dragged": choice.is_dragged,
    }
    return JSONResponse(body)


def _setup(turn: Turn) -> Setup | None:
    """Without the pixels of the maps: the image threshold and its promise do not need them, and they are many."""
    kept = measurement(turn.bench, turn.state)
    return setup_of(turn.bench, turn.state, kept, turn.headroom, pixels=False) if kept is not None else None


def _need_setup(turn: Turn) -> Setup:
    setup = _setup(turn)
    if setup is None:
        raise Refused("calibrate.not_measured", 409)
    return setup


def _choice(setup: Setup, method: Method, image: float | None) -> tuple[Choice | None, str]:
    """The choice, or why the method cannot work with these frames."""
    try:
        return choose(setup, method, image), ""
    except ConfigError as error:
        return None, f"{error.message}: {error.remedy}"


def _method(kind: str, parameter: float | None) -> Method:
    if kind not in KINDS:
        raise Refused("calibrate.no_such_method", 422)
    name = PARAMETERS[kind]
    given = {name: parameter} if name and parameter is not None else {}
    return validate(Method, {"kind": kind, **given}, "method")
