"""While masks are drawn: how much they take, and whether they would hide what must be found."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter
from starlette.responses import JSONResponse

from calibration.web.access.guard import Visit
from calibration.web.http.refusals import Refused
from calibration.web.masking.area import shares_of
from calibration.web.masking.candidate import heeds_masks, makes_stale, size_of
from calibration.web.masking.checking import Check, Tried
from calibration.web.masking.draft import read_draft
from calibration.web.pages.masks_studio import Drawing, Seeing, Sent

router = APIRouter()

KIND: Final = "masks"


@router.post("/masks/{view}/share")
def share(seat: Drawing, sent: Sent) -> JSONResponse:
    """The exact shares of these masks, whether thresholds hold for them, and what forbids them, "" if nothing."""
    draft = read_draft(sent)
    recipe = seat.studio.recipe(draft.version)
    masks = draft.polygons
    shares = shares_of(masks, size_of(recipe))
    fault = ""
    if shares.together >= 1:
        fault = seat.visit.t("masks.fault_whole")
    elif shares.together > 0 and not heeds_masks(recipe):
        fault = seat.visit.t("masks.fault_graph")
    told = {"together": shares.together, "each": shares.each, "stale": makes_stale(recipe, masks), "fault": fault}
    return JSONResponse(told)


@router.post("/masks/{view}/check")
def check(seat: Drawing, sent: Sent) -> JSONResponse:
    """Start a trial of these masks on every known bad frame; the id of the work."""
    draft = read_draft(sent)
    masks, version, studio = draft.polygons, draft.version, seat.studio
    job = seat.visit.site.jobs.start(KIND, seat.visit.user.name, lambda progress: studio.check(version, masks, progress))
    return JSONResponse({"job": job.id}, status_code=202)


@router.get("/masks/{view}/check/{job_id}")
def trial(seat: Seeing, job_id: str) -> JSONResponse:
    """How far a trial is, and what came of it; for the one who started it."""
    job = seat.visit.site.jobs.get(job_id[:100])
    if job is None or job.kind != KIND or job.who != seat.visit.user.name:
        raise Refused("masks.no_trial", 404)
    told: dict[str, Any] = {"state": job.state, "done": job.done, "total": job.total}
    if job.error is not None:
        told |= {"error": job.error.message, "what_to_do": job.error.remedy}
    if isinstance(job.result, Check):
        told["check"] = told_of(seat.visit, job.result)
    return JSONResponse(told)


def told_of(visit: Visit, check: Check) -> dict[str, Any]:
    """A trial as the script shows it."""
    hidden, frames = len(check.hidden), len(check.frames)
    key = "verdict_none" if not frames else "verdict_hidden" if hidden else "verdict_found"
    return {
        "hidden": hidden,
        "text": visit.t(f"masks.{key}", hidden=hidden, frames=frames),
        "frames": [_frame(visit, frame) for frame in check.frames],
        "unusable": list(check.unusable[:50]),
    }


def _frame(visit: Visit, frame: Tried) -> dict[str, Any]:
    under = ", ".join(frame.masks)
    if frame.after == "UNDECIDED":
        key = "frame_undecided"
    elif not frame.is_found:
        key = "frame_missed_under" if under else "frame_missed"
    elif frame.is_hidden:
        key = "frame_covered"
    else:
        key = "frame_touched" if under else "frame_clear"
    numbers = {
        "score": _number(frame.score_after),
        "before": _number(frame.score_before),
        "threshold": _number(frame.threshold),
    }
    share = f"{100 * frame.covered:.0f}"
    return {
        "name": frame.name,
        "note": frame.note,
        "hidden": frame.is_hidden,
        "boxes": [list(box) for box in frame.boxes],
        "text": visit.t(f"masks.{key}", masks=under, share=share, why=frame.detail, **numbers),
    }


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"
