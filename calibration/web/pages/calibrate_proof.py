"""Steps 5 and 6: what would have been another verdict, and whether known defects are found."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, RedirectResponse

from calibration.web.pages.calibrate_doors import Acts, Sees
from calibration.web.pages.calibrate_turn import Progress, show, turn_of
from calibration.web.wizard import proving
from calibration.web.wizard.candidate import candidate

router = APIRouter()
SHOWN = 200


@router.get("/calibrate/{view}/preview")
def preview(visit: Sees, view: str, job: str = "") -> HTMLResponse:
    """Which verdicts of the archive would change."""
    turn = turn_of(visit, view)
    found = proving.replayed(turn.bench)
    told = found["changes"][:SHOWN] if found is not None else []
    changes = [
        (number, change, datetime.fromisoformat(change["decidedAt"].replace("Z", "+00:00")))
        for number, change in enumerate(told)
    ]
    return show(turn, "preview", job, found=found, changes=changes)


@router.post("/calibrate/{view}/preview")
def make_preview(visit: Acts, view: str, days: Annotated[float, Form(gt=0, le=3650)] = 30) -> RedirectResponse:
    """Replay the archive."""
    turn = turn_of(visit, view)
    turn.bench.check(turn.state)

    def work(progress: Progress) -> str:
        made = candidate(turn.bench, turn.state, turn.headroom)
        proof = proving.replay(turn.bench, made, days, progress)
        turn.changed(preview=proof.model_dump(mode="json"))
        return proof.choice

    return turn.start("preview", work)


@router.get("/calibrate/{view}/challenge")
def challenge(visit: Sees, view: str, job: str = "") -> HTMLResponse:
    """Known frames with the new card."""
    turn = turn_of(visit, view)
    return show(turn, "challenge", job, known=proving.known_names(turn.bench.in_force()))


@router.post("/calibrate/{view}/challenge")
def make_challenge(visit: Acts, view: str) -> RedirectResponse:
    """Judge every known frame."""
    turn = turn_of(visit, view)
    turn.bench.check(turn.state)

    def work(progress: Progress) -> int:
        proof = proving.challenge(turn.bench, candidate(turn.bench, turn.state, turn.headroom), progress)
        turn.changed(challenge=proof.model_dump(mode="json"))
        return len(proof.missed)

    return turn.start("challenge", work)
