"""How long work is coming along, for the script that shows it, and its end by the person who started it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Path
from fastapi.responses import JSONResponse, RedirectResponse, Response

from calibration.web.access.guard import Visit, acts, sees
from calibration.web.access.roles import Right
from calibration.web.http.asking import local_path, wants_json
from calibration.web.jobs import Job, Jobs
from calibration.web.site import NotFound

router = APIRouter()
Sees = Annotated[Visit, Depends(sees(Right.SEE))]
Acts = Annotated[Visit, Depends(acts(Right.SEE))]
JobId = Annotated[str, Path(max_length=40)]


@router.get("/jobs/{job_id}")
def job(visit: Sees, job_id: JobId) -> JSONResponse:
    """Where it stands. NotFound for one that there is not, and for somebody else's."""
    return JSONResponse(document(_mine(visit, job_id), visit))


@router.post("/jobs/{job_id}/cancel")
def cancel(visit: Acts, job_id: JobId, then: Annotated[str, Form(max_length=2000)] = "/") -> Response:
    """Stop it at its next step. then: where a page without script goes on."""
    found = _mine(visit, job_id)
    jobs: Jobs = visit.site.jobs
    jobs.cancel(found.id)
    if wants_json(visit.request):
        return JSONResponse(document(jobs.get(found.id) or found, visit))
    return RedirectResponse(local_path(then), status_code=303)


def document(job: Job, visit: Visit) -> dict[str, Any]:
    """As JSON, with the words that the page shows."""
    body: dict[str, Any] = {
        "id": job.id, "kind": job.kind, "state": job.state, "done": job.done, "total": job.total, "what": job.what,
        "over": job.is_over, "text": visit.t(f"jobs.{job.state}", done=job.done, total=job.total),
    }  # fmt: skip
    if job.error is not None:
        body["error"] = {"error": job.error.message, "where": job.error.where, "what_to_do": job.error.remedy}
    return body


def _mine(visit: Visit, job_id: str) -> Job:
    jobs: Jobs = visit.site.jobs
    found = jobs.get(job_id)
    if found is None or found.who != visit.user.name:
        raise NotFound(visit.t("jobs.unknown"))
    return found
