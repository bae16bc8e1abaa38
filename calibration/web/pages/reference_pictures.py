"""The pictures of the reference and camera pages: each looked up in the recipe or the archive, never by a path."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from calibration.web.pages.reference_seat import Seeing, image_response
from calibration.web.reference.aligning import check
from calibration.web.reference.pictures import LARGE_PX, SMALL_PX, jpeg, laid
from calibration.web.reference.shots import shot_of

router = APIRouter()


@router.get("/reference/{view}/picture.jpg")
def picture(seat: Seeing, v: int | None = None, small: bool = False) -> Response:
    """The reference. v: a version of the recipe, so that a browser may keep it."""
    number = v if v is not None and 1 <= v <= 999_999_999 else None
    return image_response(jpeg(seat.recipe(number).reference, SMALL_PX if small else LARGE_PX), kept=number is not None)


@router.get("/reference/{view}/frame/{result_id}/picture.jpg")
def frame(seat: Seeing, result_id: str, small: bool = False, on: str = "") -> Response:
    """A frame of the archive. on=reference: as it lies on the reference in force, where it registers."""
    shot = shot_of(seat.visit.site.archive, seat.view, result_id[:200])
    image = shot.frame
    if on == "reference":
        recipe = seat.recipe()
        alignment = check(image, recipe).alignment
        image = laid(image, alignment.frame_to_reference if alignment.trusted else None, recipe.reference)
    return image_response(jpeg(image, SMALL_PX if small else LARGE_PX), kept=not on)
