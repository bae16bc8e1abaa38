"""Masks become a version of the recipe, and the station is asked to use it."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from calibration.web.access.guard import Visit
from calibration.web.http.rendering import in_zone, local
from calibration.web.masking.checking import Check
from calibration.web.masking.draft import read_order
from calibration.web.masking.saving import MustConfirm, SavedMeanwhile, save_masks
from calibration.web.pages.masks_studio import Drawing, Seat, Sent
from calibration.web.pages.masks_trial import KIND
from edge.errors import LineclearError
from edge.recipe import RecipeFile

router = APIRouter()

RELOAD_S: Final = 60.0


@router.post("/masks/{view}/save")
def save(seat: Drawing, sent: Sent) -> Response:
    """Save; 409 with what is in force where somebody was quicker, or where a known defect would be missed."""
    order = read_order(sent)
    visit, studio = seat.visit, seat.studio
    try:
        saved = save_masks(
            studio.path,
            order,
            visit.user.person,
            check=_check(visit, order.check),
            bad_frames=studio.bad_frames() > 0,
            write=visit.site.audit.append,
            trust=studio.trust,
        )
    except SavedMeanwhile as error:
        now = {"version": error.version, "who": error.who, "why": error.why, "at": in_zone(visit.site, error.at).isoformat()}
        text = visit.t("masks.conflict", who=error.who, version=f"{error.version:04d}", why=error.why)
        return _refused(text, visit.t("masks.conflict_do"), current=now)
    except MustConfirm as error:
        key = "masks.must_confirm" if error.hidden else "masks.must_try"
        names = ", ".join(error.hidden[:5])
        return _refused(visit.t(key, frames=names), visit.t("masks.must_confirm_do"), confirm=True)
    recipe = studio.recipe(saved.version)
    key = "saved_stale" if saved.is_stale else "saved"
    return JSONResponse(
        {
            "version": saved.version,
            "version_text": version_text(visit, saved.version, recipe.document),
            "masks": [mask.model_dump(mode="json") for mask in recipe.masks],
            "stale": saved.is_stale,
            "text": visit.t(f"masks.{key}", version=f"{saved.version:04d}"),
            "reload": _reload(seat, order.why),
        }
    )


def version_text(visit: Visit, version: int, document: RecipeFile) -> str:
    """Which version this is, in one line for people."""
    at = local(visit.site, visit.language, document.created_at).striptags()
    return visit.t("masks.version", version=f"{version:04d}", who=document.created_by, at=at)


def _check(visit: Visit, job_id: str) -> Check | None:
    """What came of the trial with this id, if it is this person's and done."""
    job = visit.site.jobs.get(job_id) if job_id else None
    if job is None or job.kind != KIND or job.who != visit.user.name:
        return None
    return job.result if isinstance(job.result, Check) else None


def _reload(seat: Seat, why: str) -> dict[str, Any]:
    """Ask the station to use what was saved. It is saved whatever the station says."""
    visit = seat.visit
    try:
        visit.site.link.ask("reload", {"who": visit.user.person, "why": why}, timeout_s=RELOAD_S)
    except LineclearError as error:
        return {"done": False, "text": visit.t("masks.reload_failed", why=error.message, remedy=error.remedy)}
    return {"done": True, "text": visit.t("masks.reload_done")}


def _refused(error: str, what_to_do: str, **more: Any) -> Response:
    return JSONResponse({"error": error, "what_to_do": what_to_do, **more}, status_code=409)
