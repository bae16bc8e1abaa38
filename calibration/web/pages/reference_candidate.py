"""A new reference beside the old one: what it is, what follows from it, and saving it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form
from starlette.responses import RedirectResponse, Response

from calibration.web.http.refusals import Refused
from calibration.web.http.rendering import page
from calibration.web.pages.reference_seat import Acting, Seat, Seeing, image_response
from calibration.web.reference.candidate import Candidate
from calibration.web.reference.carrying import MaskPlan, masks_for
from calibration.web.reference.pictures import jpeg, laid
from calibration.web.reference.saving import save_reference
from edge.errors import LineclearError

router = APIRouter()


@router.get("/reference/{view}/candidate/{name}")
def compare(seat: Seeing, name: str) -> Response:
    """Both, one over the other, with how they lie on each other."""
    found, recipe = _found(seat, name), seat.recipe()
    plans: dict[MaskPlan, str] = {}
    for plan in ("carried", "kept"):
        try:
            masks_for(recipe, found, "carried" if plan == "carried" else "kept")
            plans["carried" if plan == "carried" else "kept"] = ""
        except LineclearError as error:
            plans["carried" if plan == "carried" else "kept"] = f"{error.message}: {error.remedy}"
    return page(
        seat.visit, "camera/candidate.html", view=seat.view, name=name, candidate=found, recipe=recipe, plans=plans,
        outdated=recipe.version != found.version,
    )  # fmt: skip


@router.get("/reference/{view}/candidate/{name}/picture.jpg")
def picture(seat: Seeing, name: str, on: str = "") -> Response:
    """The new picture. on=old: as it lies on the old reference."""
    found = _found(seat, name)
    image = found.image
    if on == "old" and found.check.alignment.trusted:
        image = laid(image, found.check.alignment.frame_to_reference, seat.recipe(found.version).reference)
    return image_response(jpeg(image), kept=True)


@router.post("/reference/{view}/candidate/{name}/save")
def save(
    seat: Acting,
    name: str,
    why: Annotated[str, Form(max_length=2000)],
    masks: Annotated[str, Form(pattern="^(carried|kept)$")] = "kept",
) -> Response:
    """It becomes the reference of a new version, and the station is asked to use it."""
    found, visit = _found(seat, name), seat.visit
    reason = " ".join(why.split())
    if not reason:
        raise Refused("camera.why_missing", 422)
    version = save_reference(
        visit.site.recipe(seat.view),
        found,
        "carried" if masks == "carried" else "kept",
        who=visit.user.person,
        why=reason,
        write=visit.site.audit.append,
        trust=seat.trust,
    )
    seat.candidates.drop(name)
    visit.say("ok", "camera.saved", version=f"{version:04d}")
    seat.reload(reason)
    return RedirectResponse(f"/reference/{seat.view}", status_code=303)


@router.post("/reference/{view}/candidate/{name}/drop")
def drop(seat: Acting, name: str) -> Response:
    """Nobody wants it."""
    _found(seat, name)
    seat.candidates.drop(name)
    return RedirectResponse(f"/reference/{seat.view}", status_code=303)


def _found(seat: Seat, name: str) -> Candidate:
    found = seat.candidates.get(seat.visit.user.name, seat.view, name[:80])
    if found is None:
        raise Refused("camera.gone", 404, remedy=seat.visit.t("camera.gone_do"))
    return found
