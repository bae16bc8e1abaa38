"""The masks page: the views, and the editor over one view's reference."""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from calibration.web.access.guard import Visit
from calibration.web.http.rendering import page
from calibration.web.masking.candidate import heeds_masks, size_of
from calibration.web.pages import masks_layers, masks_saving, masks_trial
from calibration.web.pages.masks_studio import Seeing, Technician, studio_of
from edge.errors import LineclearError
from edge.recipe import Recipe

router = APIRouter()
router.include_router(masks_trial.router)
router.include_router(masks_layers.router)
router.include_router(masks_saving.router)

MAX_SIDE: Final = 3072
_QUALITY: Final = 88


@router.get("/masks")
def views(visit: Technician) -> Response:
    """Every view that this person may see, with its masks in short."""
    names = [name for name in visit.site.config.views if visit.user.may_see(name)]
    return page(visit, "masks/views.html", views=[_short(visit, name) for name in names])


@router.get("/masks/{view}")
def editor(seat: Seeing) -> Response:
    """The editor. A recipe that cannot be read is said, in its place."""
    try:
        recipe = seat.studio.recipe()
    except LineclearError as error:
        return page(seat.visit, "masks/broken.html", status=409, view=seat.studio.view, error=error)
    width, height = size_of(recipe)
    return page(
        seat.visit,
        "masks/editor.html",
        view=seat.studio.view,
        recipe=recipe,
        width=width,
        height=height,
        heeds=heeds_masks(recipe),
        days=masks_layers.DAYS,
        steps=masks_layers.STEPS,
        version_text=masks_saving.version_text(seat.visit, recipe.version, recipe.document),
        bad_frames=seat.studio.bad_frames(recipe.version),
    )


@router.get("/masks/{view}/document")
def document(seat: Seeing) -> JSONResponse:
    """The masks of the version in force, for the script."""
    recipe = seat.studio.recipe()
    return JSONResponse(
        {
            "version": recipe.version,
            "version_text": masks_saving.version_text(seat.visit, recipe.version, recipe.document),
            "masks": [mask.model_dump(mode="json") for mask in recipe.masks],
            "bad_frames": seat.studio.bad_frames(recipe.version),
        }
    )


@router.get("/masks/{view}/reference.jpg")
def reference(seat: Seeing, v: int | None = None) -> Response:
    """The reference as a picture. v: the recipe's version, so that a browser may keep it."""
    if v is not None and not 1 <= v <= 999_999_999:
        v = None
    data = _jpeg(seat.studio.recipe(v))
    keep = "private, max-age=86400" if v is not None else "no-store"
    return Response(data, media_type="image/jpeg", headers={"Cache-Control": keep})


def _short(visit: Visit, view: str) -> dict[str, Any]:
    try:
        recipe = studio_of(visit.site, view).recipe()
    except LineclearError as error:
        return {"name": view, "error": str(error)}
    on = sum(mask.enabled for mask in recipe.masks)
    return {"name": view, "error": "", "masks": len(recipe.masks), "on": on, "version": recipe.version}


def _jpeg(recipe: Recipe) -> bytes:
    image = recipe.reference
    scale = MAX_SIDE / max(image.shape[:2])
    if scale < 1:
        size_wh = (round(image.shape[1] * scale), round(image.shape[0] * scale))
        image = np.asarray(cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA), np.uint8)
    bgr = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return bytes(data)
