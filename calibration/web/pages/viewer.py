"""The pictures of the viewer: of one result, for those who may see its view."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from starlette.responses import Response

from calibration.web.access.guard import Visit, sees, view_of
from calibration.web.clearance.judged_by import JudgedBy
from calibration.web.clearance.pictures import FULL_PX, SMALL_PX, heat_png, reference_jpeg
from calibration.web.clearance.viewing import entry_of, judged_by_of, laid_frame
from calibration.web.site import NotFound
from edge.archive import ArchiveError, Entry
from edge.archive.evidence import FRAME, MAP, OVERLAY
from edge.errors import BundleError, RecipeError

router = APIRouter()
Seeing = Annotated[Visit, Depends(sees())]
Width = Literal["small", "full"]
_PX = {"small": SMALL_PX, "full": FULL_PX}
_KEEP = {"Cache-Control": "private, max-age=3600"}
"""What is archived never changes; the browser of this session may keep it for a while."""


@router.get("/viewer/{result_id}/frame.jpg")
def frame(visit: Seeing, result_id: str, width: Width = "small") -> Response:
    """The frame, on the reference where it could be registered."""
    entry = _entry(visit, result_id, FRAME)
    return Response(laid_frame(visit.site, entry, _PX[width]), media_type="image/jpeg", headers=_KEEP)


@router.get("/viewer/{result_id}/reference.jpg")
def reference(visit: Seeing, result_id: str, width: Width = "small") -> Response:
    """The reference that the frame was held against."""
    judged_by = _judged_by(visit, _entry(visit, result_id))
    if judged_by is None:
        raise NotFound(visit.t("viewer.note.no_recipe"))
    return Response(reference_jpeg(judged_by, _PX[width]), media_type="image/jpeg", headers=_KEEP)


@router.get("/viewer/{result_id}/heat.png")
def heat(visit: Seeing, result_id: str) -> Response:
    """The heat map over nothing, on the scale of every overlay."""
    entry = _entry(visit, result_id, MAP)
    judged_by, threshold = _judged_by(visit, entry), visit.site.archive.document(entry).get("threshold")
    if judged_by is None or not isinstance(threshold, (int, float)):
        raise NotFound(visit.t("viewer.note.no_map"))
    stored = visit.site.archive.map(entry)
    return Response(heat_png(stored, judged_by, float(threshold)), media_type="image/png", headers=_KEEP)


@router.get("/viewer/{result_id}/overlay")
def overlay(visit: Seeing, result_id: str) -> Response:
    """The painted picture: of the archive, else the one that came over MQTT."""
    entry = entry_of(visit.site, result_id)
    if entry is not None:
        view_of(visit, entry.view)
        if OVERLAY in entry.files:
            data, content_type = visit.site.archive.overlay(entry)
            return Response(data, media_type=content_type, headers=_KEEP)
    for view in visit.site.config.views:
        found = visit.site.mirror.picture(view, result_id)
        if found is not None:
            view_of(visit, view)
            return Response(found.data, media_type=found.content_type)
    raise NotFound(visit.t("viewer.note.no_picture"))


def _entry(visit: Visit, result_id: str, role: str = "") -> Entry:
    """The archive's entry of a verdict whose view this person may see. NotFound, also where it has no such file."""
    entry = entry_of(visit.site, result_id)
    if entry is None or not entry.view:
        raise NotFound(visit.t("viewer.note.no_picture"))
    view_of(visit, entry.view)
    if role and role not in entry.files:
        raise NotFound(visit.t("viewer.note.no_picture"))
    return entry


def _judged_by(visit: Visit, entry: Entry) -> JudgedBy | None:
    try:
        return judged_by_of(visit.site, entry, visit.site.archive.document(entry))
    except (RecipeError, BundleError, ArchiveError):
        return None
