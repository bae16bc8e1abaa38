"""What lies over the reference beside the masks: false alarms of the last days, and the regions of a VIA file."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Final

from fastapi import APIRouter, UploadFile
from starlette.responses import JSONResponse, Response

from calibration.web.http.bodies import takes_uploads
from calibration.web.http.refusals import Refused
from calibration.web.http.uploads import save_upload
from calibration.web.masking.candidate import size_of
from calibration.web.masking.density import STEPS, Density, density_of, picture_of
from calibration.web.masking.importing import MAX_BYTES, read_via
from calibration.web.masking.known_bad import said_of
from calibration.web.pages.masks_studio import Drawing, Seat, Seeing

__all__ = ["DAYS", "STEPS", "router"]

router = APIRouter()

DAYS: Final = (1, 7, 30, 90, 365)
USUAL_DAYS: Final = 30


@router.get("/masks/{view}/density")
def density(seat: Seeing, days: int = USUAL_DAYS) -> JSONResponse:
    """What the layer of false alarms rests on."""
    found = _density(seat, days)
    key = "density_none" if not found.results else "density_of"
    text = seat.visit.t(f"masks.{key}", results=found.results, regions=found.regions, days=days, most=found.most)
    if found.other_reference:
        text += " " + seat.visit.t("masks.density_other", count=found.other_reference)
    if found.bounded:
        text += " " + seat.visit.t("masks.density_bounded")
    return JSONResponse({"results": found.results, "regions": found.regions, "most": found.most, "text": text})


@router.get("/masks/{view}/density.png")
def density_picture(seat: Seeing, days: int = USUAL_DAYS) -> Response:
    """The layer itself, transparent where there was none."""
    return Response(picture_of(_density(seat, days)), media_type="image/png")


@router.post("/masks/{view}/import")
@takes_uploads
def import_regions(seat: Drawing, file: UploadFile) -> JSONResponse:
    """The regions of a VIA file as masks of this reference. Nothing is taken over: the script shows them first."""
    path = save_upload(seat.visit.site, file, limit_bytes=MAX_BYTES, suffixes=(".json", ".csv"))
    try:
        images, problems = read_via(path, size_of(seat.studio.recipe()))
    finally:
        path.unlink(missing_ok=True)
    told = [
        {"image": one.image, "masks": [mask.model_dump(mode="json") for mask in one.masks], "problems": one.problems}
        for one in images
    ]
    return JSONResponse({"images": told, "problems": problems})


def _density(seat: Seat, days: int) -> Density:
    if days not in DAYS:
        raise Refused("masks.no_such_days", 422)
    until = datetime.now(timezone.utc)
    good, bad = said_of(seat.studio.view, seat.studio.labels)
    recipe = seat.studio.recipe()
    return density_of(seat.visit.site.archive, recipe, until - timedelta(days=days), until, good, bad)
