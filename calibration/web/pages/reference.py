"""The reference of a view: see it, take a new one, look at both, save."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Form
from starlette.responses import RedirectResponse, Response

from calibration.progress import Progress
from calibration.web.http.refusals import Refused
from calibration.web.http.rendering import page
from calibration.web.pages import reference_candidate, reference_pictures
from calibration.web.pages.reference_seat import Acting, Seat, Seeing, Technician
from calibration.web.reference.candidate import LEAST_SEVERAL, MOST_SEVERAL, Candidate, Method, make
from calibration.web.reference.shots import recent, shot_of, take_shot

router = APIRouter()
router.include_router(reference_candidate.router)
router.include_router(reference_pictures.router)

OFFERED: Final = 24
KIND: Final = "reference"


@router.get("/reference")
def views(visit: Technician) -> Response:
    """Every view that this person may see, with its reference."""
    names = [name for name in visit.site.config.views if visit.user.may_see(name)]
    seats = [(name, *Seat(visit, name).recipe_or_why()) for name in names]
    return page(visit, "camera/views.html", views=seats)


@router.get("/reference/{view}")
def reference(seat: Seeing) -> Response:
    """The reference in force, and what a new one can be made of."""
    recipe, error = seat.recipe_or_why()
    shots = recent(seat.visit.site.archive, seat.view, OFFERED) if recipe is not None else []
    return page(
        seat.visit, "camera/reference.html", view=seat.view, recipe=recipe, error=error, shots=shots, least=LEAST_SEVERAL,
        most=MOST_SEVERAL, status=200 if recipe is not None else 409,
    )  # fmt: skip


@router.post("/reference/{view}/candidate")
def candidate(
    seat: Acting,
    source: Annotated[str, Form(pattern="^(now|archive)$")],
    method: Annotated[str, Form(pattern="^(one|best|median)$")] = "one",
    result: Annotated[list[str] | None, Form(max_length=MOST_SEVERAL + 20)] = None,
) -> Response:
    """A picture taken now, or one or several of the archive, beside the reference; then the page where both are looked at."""
    recipe, visit = seat.recipe(), seat.visit
    archive = visit.site.archive
    if source == "now":
        shots = [take_shot(visit.site.link, archive, seat.view)]
    else:
        shots = [shot_of(archive, seat.view, result_id[:200]) for result_id in _chosen(result or [], method)]
    wanted: Method = "best" if method == "best" else "median" if method == "median" else "one"
    if source == "now" or wanted == "one":
        return _to(seat, make(recipe, shots, "one"))
    who, candidates = visit.user.name, seat.candidates

    def work(progress: Progress) -> str:
        return candidates.put(who, make(recipe, shots, wanted, progress))

    job = visit.site.jobs.start(KIND, who, work)
    return RedirectResponse(f"/reference/{seat.view}/making/{job.id}", status_code=303)


@router.get("/reference/{view}/making/{job_id}")
def making(seat: Seeing, job_id: str) -> Response:
    """How far it is; the browser looks again by itself, without script."""
    job = seat.visit.site.jobs.get(job_id[:80])
    if job is None or job.kind != KIND or job.who != seat.visit.user.name:
        raise Refused("camera.gone", 404, remedy=seat.visit.t("camera.gone_do"))
    if job.state == "done":
        return RedirectResponse(f"/reference/{seat.view}/candidate/{job.result}", status_code=303)
    if job.error is not None:
        raise job.error
    return page(seat.visit, "camera/making.html", view=seat.view, job=job)


def _chosen(results: list[str], method: str) -> list[str]:
    """Without doubles. Refused: too few or too many for the method."""
    names = list(dict.fromkeys(name for name in results if name))
    if not names:
        raise Refused("camera.choose_one", 422)
    if method != "one" and not LEAST_SEVERAL <= len(names) <= MOST_SEVERAL:
        raise Refused("camera.choose_several", 422, least=LEAST_SEVERAL, most=MOST_SEVERAL, count=len(names))
    if method == "one" and len(names) > 1:
        raise Refused("camera.choose_only_one", 422, count=len(names))
    return names


def _to(seat: Seat, made: Candidate) -> Response:
    name = seat.candidates.put(seat.visit.user.name, made)
    return RedirectResponse(f"/reference/{seat.view}/candidate/{name}", status_code=303)
