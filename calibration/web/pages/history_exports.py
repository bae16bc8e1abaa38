"""All evidence of a batch to take away: made by the page's long work, fetched by who asked for it."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Form
from starlette.responses import FileResponse, RedirectResponse, Response

from calibration.progress import Progress
from calibration.web.access.guard import Visit
from calibration.web.history import MAX_TEXT, BatchZip, export_for
from calibration.web.http.refusals import Refused
from calibration.web.http.rendering import page
from calibration.web.jobs import Job
from calibration.web.pages.history_parts import Asking, Doing, not_found, views_seen
from edge.archive import ArchivePages, Selection

router = APIRouter()
KIND: Final = "batch_export"
FOLDER: Final = "exports"


@router.post("/history/exports")
def start(visit: Doing, batch: Annotated[str, Form(max_length=MAX_TEXT)]) -> Response:
    """Begin. An export tells of all views, so it is for those who may see all of them."""
    if views_seen(visit) is not None:
        raise Refused("history.export_all_views", 403)
    site, who = visit.site, visit.user.person
    if ArchivePages(site.archive).count_up_to(Selection(batch=batch), 1) == 0:
        raise not_found(visit, "history.no_batch", batch)
    min_free_bytes = site.config.archive.min_free_bytes

    def work(progress: Progress) -> BatchZip:
        return export_for(
            site.archive, site.audit, site.folder / FOLDER, batch, who, min_free_bytes=min_free_bytes, progress=progress
        )

    job = site.jobs.start(KIND, visit.user.name, work)
    return RedirectResponse(f"/history/exports/{job.id}", status_code=303)


@router.get("/history/exports/{job_id}")
def show(visit: Asking, job_id: str) -> Response:
    """How far it is, and the file once it is there."""
    job = _job(visit, job_id)
    made = job.result if isinstance(job.result, BatchZip) else None
    answer = page(visit, "history/export.html", job=job, made=made, is_there=made is not None and made.path.is_file())
    if not job.is_over:
        answer.headers["Refresh"] = "2"
    return answer


@router.get("/history/exports/{job_id}/zip")
def fetch(visit: Asking, job_id: str) -> Response:
    """The file. It is kept for two hours."""
    made = _job(visit, job_id).result
    if not isinstance(made, BatchZip) or not made.path.is_file():
        raise not_found(visit, "history.export_gone")
    headers = {"Cache-Control": "private, no-store"}
    return FileResponse(made.path, media_type="application/zip", filename=f"{_plain(made.batch)}.zip", headers=headers)


def _job(visit: Visit, job_id: str) -> Job:
    """The job of this person. NotFound: there is none, it is forgotten, or another's."""
    job = visit.site.jobs.get(job_id)
    if job is None or job.kind != KIND or job.who != visit.user.name or views_seen(visit) is not None:
        raise not_found(visit, "history.export_gone")
    found: Job = job
    return found


def _plain(batch: str) -> str:
    """A batch as a file's name."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in batch).strip(".")[:60] or "batch"
