"""Step 1: good frames, from the camera, the archive, or files; and bad ones, where there are any."""

from __future__ import annotations

import secrets
import shutil
from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse

from calibration.web.pages.calibrate_doors import Acts, Sees, Visit
from calibration.web.pages.calibrate_turn import Progress, Turn, show, turn_of
from calibration.web.pages.calibrate_uploads import Files, receive, takes_uploads
from calibration.web.pages.calibrate_words import refusal_line
from calibration.web.wizard import collecting, known_bad

router = APIRouter()
VOID = {"preview": None, "challenge": None}


@router.get("/calibrate/{view}/frames")
def frames(visit: Sees, view: str, job: str = "") -> HTMLResponse:
    """What is collected, what was refused and why, and where more comes from."""
    turn = turn_of(visit, view)
    tally = collecting.tally(turn.bench.desk.good)
    return show(
        turn,
        "frames",
        job,
        tally=tally,
        refusals=[(each, refusal_line(visit.t, each), _remedy(visit, each.check, each.remedy)) for each in tally.refused],
        bad=known_bad.bad_frames(turn.bench.desk.bad),
        answered_for=collecting.answered_for(turn.bench),
        labelled_bad=len(known_bad.bad_frames(turn.bench.labelled_bad)),
    )


@router.get("/calibrate/{view}/frames/count")
def count(visit: Sees, view: str) -> JSONResponse:
    """How many there are, while they come."""
    tally = collecting.tally(turn_of(visit, view).bench.desk.good)
    return JSONResponse({"frames": len(tally.frames), "refused": tally.refused_count})


@router.post("/calibrate/{view}/frames/camera")
def from_camera(
    visit: Acts,
    view: str,
    count: Annotated[int, Form(ge=1, le=200)] = 20,
    every_s: Annotated[float, Form(ge=0, le=600)] = 1.0,
) -> RedirectResponse:
    """Fresh frames of the running station."""
    turn = _ready(turn_of(visit, view))
    wrapped, told = turn.told()
    return turn.start(
        "frames",
        lambda progress: collecting.from_station(turn.bench, turn.state, count, every_s, wrapped(progress), told).added,
    )


@router.post("/calibrate/{view}/frames/archive")
def from_archive(visit: Acts, view: str, days: Annotated[float, Form(gt=0, le=3650)] = 7) -> RedirectResponse:
    """Frames that passed."""
    turn = _ready(turn_of(visit, view))
    wrapped, told = turn.told()
    return turn.start(
        "frames", lambda progress: collecting.from_archive(turn.bench, turn.state, days, wrapped(progress), told).added
    )


@router.post("/calibrate/{view}/frames/people")
def from_people(visit: Acts, view: str) -> RedirectResponse:
    """Frames that somebody released, or labelled good."""
    turn = _ready(turn_of(visit, view))
    wrapped, told = turn.told()
    return turn.start("frames", lambda progress: collecting.from_people(turn.bench, turn.state, wrapped(progress), told).added)


@router.post("/calibrate/{view}/frames/upload")
@takes_uploads
def from_files(visit: Acts, view: str, files: Files) -> RedirectResponse:
    """Pictures from somewhere else; the names that they had are not used."""
    turn = _ready(turn_of(visit, view))
    folder = turn.bench.incoming / secrets.token_hex(8)
    receive(visit, files, folder)
    wrapped, told = turn.told()

    def work(progress: Progress) -> int:
        return collecting.from_upload(turn.bench, turn.state, folder, wrapped(progress), told).added

    return turn.start("frames", work)


@router.post("/calibrate/{view}/frames/remove")
def remove(visit: Acts, view: str, file: Annotated[str, Form(max_length=40)]) -> RedirectResponse:
    """Take out one that is not good after all."""
    turn = _ready(turn_of(visit, view))
    collecting.remove_frame(turn.bench, turn.state, file)
    return turn.to("frames")


@router.post("/calibrate/{view}/bad/upload")
@takes_uploads
def bad_files(visit: Acts, view: str, files: Files) -> RedirectResponse:
    """Pictures with something on them that must be found."""
    turn = _ready(turn_of(visit, view))
    folder = turn.bench.incoming / secrets.token_hex(8)
    try:
        receive(visit, files, folder)
        known_bad.add_folder(turn.bench.desk.bad, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return turn.to("frames")


@router.post("/calibrate/{view}/bad/labelled")
def bad_labelled(visit: Acts, view: str) -> RedirectResponse:
    """Those that were labelled bad in the history."""
    turn = _ready(turn_of(visit, view))
    known_bad.add_folder(turn.bench.desk.bad, turn.bench.labelled_bad)
    return turn.to("frames")


@router.post("/calibrate/{view}/bad/remove")
def bad_remove(visit: Acts, view: str, file: Annotated[str, Form(max_length=40)]) -> RedirectResponse:
    """Take one out."""
    turn = _ready(turn_of(visit, view))
    known_bad.remove(turn.bench.desk.bad, file)
    return turn.to("frames")


def _ready(turn: Turn) -> Turn:
    """Nothing is collected for a recipe that is no longer in force. RecipeMoved. What was proven is void from here on."""
    turn.bench.check(turn.state)
    return turn.changed(**VOID)


def _remedy(visit: Visit, check: str, otherwise: str) -> str:
    key = f"calibrate.remedy.{check}"
    return visit.t(key) if visit.site.words.knows(key) else otherwise
