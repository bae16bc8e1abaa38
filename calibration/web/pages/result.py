"""One result: everything that made it, its files, and its small picture for the lists."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Request
from starlette.responses import Response

from calibration.web.access.guard import Visit
from calibration.web.clearance.viewing import shown_of
from calibration.web.history import AT_ONCE, Thumbnail, Told, tag_of, told_of
from calibration.web.http.rendering import page
from calibration.web.pages.history_parts import Seeing, labels_of, may_label, meant, not_found, stored, thumbnails_in
from edge.archive import DOCUMENT, FRAME, MAP, OVERLAY, ArchiveError, ArchivePages, Entry, Fate

router = APIRouter()
_AGAIN: Final = {"Cache-Control": "private, no-cache"}
"""The browser may keep it, but asks each time: whoever signs in next may not see it."""
_TYPES: Final = {".png": "image/png", ".jpg": "image/jpeg", ".npz": "application/octet-stream", ".json": "application/json"}


@router.get("/results/{result_id}")
def result(visit: Seeing, result_id: str, check: bool = False) -> Response:
    """Everything that made it. check: read every file and compare its hash."""
    found = meant(visit, result_id)
    if isinstance(found, Fate):
        return page(visit, "history/gone.html", fate=found)
    site = visit.site
    told, trouble = _told(visit, found)
    is_verdict = found.kind == "verdict"
    previous, following = ArchivePages(site.archive).neighbours(found)
    return page(
        visit,
        "history/result.html",
        entry=found,
        told=told,
        trouble=trouble,
        shown=shown_of(site, found.result_id) if is_verdict and found.view in site.config.views else None,
        previous=previous,
        following=following,
        label=labels_of(site).of(found),
        may_label=is_verdict and FRAME in found.files and may_label(visit) and found.view in site.config.views,
        checked=_check(visit, found) if check else None,
        is_configured=found.view in site.config.views,
    )


@router.get("/results/{result_id}/thumbnail")
async def thumbnail(visit: Seeing, request: Request, result_id: str) -> Response:
    """A small JPEG. Few are made at a time, and those that wait hold no thread that another page needs."""
    state = request.app.state
    if not hasattr(state, "thumbnail_limiter"):
        state.thumbnail_limiter = CapacityLimiter(AT_ONCE)
    made = await to_thread.run_sync(
        _thumbnail, visit, result_id, request.headers.get("if-none-match", ""), limiter=state.thumbnail_limiter
    )
    if isinstance(made, str):
        return Response(status_code=304, headers={**_AGAIN, "ETag": made})
    return Response(made.data, media_type="image/jpeg", headers={**_AGAIN, "ETag": _etag(made.tag)})


@router.get("/results/{result_id}/frame")
def frame(visit: Seeing, result_id: str) -> Response:
    """The frame as grabbed."""
    return _file(visit, result_id, FRAME)


@router.get("/results/{result_id}/overlay")
def overlay(visit: Seeing, result_id: str) -> Response:
    """The painted picture."""
    return _file(visit, result_id, OVERLAY)


@router.get("/results/{result_id}/map.npz")
def anomaly_map(visit: Seeing, result_id: str) -> Response:
    """The anomaly map with what of it was judged; `numpy.load` reads it."""
    return _file(visit, result_id, MAP, is_attached=True)


@router.get("/results/{result_id}/document.json")
def document(visit: Seeing, result_id: str) -> Response:
    """The verdict as it was published, with the hashes of the others."""
    return _file(visit, result_id, DOCUMENT, is_attached=True)


def _told(visit: Visit, entry: Entry) -> tuple[Told, ArchiveError | None]:
    try:
        return told_of(visit.site.archive.document(entry)), None
    except ArchiveError as error:
        return Told(), error


def _check(visit: Visit, entry: Entry) -> dict[str, str]:
    """What is wrong with each file, "" for nothing."""
    found = {}
    for role in entry.files:
        try:
            visit.site.archive.read(entry, role)
            found[role] = ""
        except ArchiveError as error:
            found[role] = error.message
    return found


def _thumbnail(visit: Visit, result_id: str, known: str) -> Thumbnail | str:
    """The picture, or its tag where the browser has it already."""
    entry = stored(visit, result_id)
    tag = _etag(tag_of(entry))
    if tag_of(entry) and tag in known:
        return tag
    made = thumbnails_in(visit.site.folder).of(visit.site.archive, entry)
    if made is None:
        raise not_found(visit, "history.no_picture", result_id)
    return made


def _etag(tag: str) -> str:
    return f'"{tag}"'


def _file(visit: Visit, result_id: str, role: str, *, is_attached: bool = False) -> Response:
    """One file, proven to be as it was written; it is never sent as anything that a browser would run."""
    entry = stored(visit, result_id, role)
    data, name = visit.site.archive.read(entry, role), entry.files[role]
    media_type = next((kind for suffix, kind in _TYPES.items() if name.endswith(suffix)), "application/octet-stream")
    how = "attachment" if is_attached else "inline"
    headers = {**_AGAIN, "Content-Disposition": f"{how}; filename*=UTF-8''{quote(name, safe='')}"}
    return Response(data, media_type=media_type, headers=headers)
