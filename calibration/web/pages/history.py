"""The history: what the archive holds, filtered, a page at a time; the list and the evidence of a batch to take away."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from calibration.web.access.guard import Visit
from calibration.web.history import (
    COUNTED,
    SPANS,
    Filter,
    Listing,
    Looker,
    as_csv,
    as_json_lines,
    look,
    read_filter,
    read_place,
)
from calibration.web.http.rendering import page
from calibration.web.pages import history_exports
from calibration.web.pages.history_parts import Seeing, labels_of, may_label, now_utc, views_seen
from edge.archive import ArchiveError, ArchivePages, Entry

router = APIRouter()
router.include_router(history_exports.router)
_CHECKED_EACH: Final = 500


@router.get("/history")
def history(visit: Seeing, request: Request, before: str = "", after: str = "") -> Response:
    """The list. What is asked for stands in the address."""
    asked = read_filter(request.query_params)
    listing: Listing | None = None
    trouble: ArchiveError | None = None
    try:
        listing = look(
            visit.site.archive,
            labels_of(visit.site),
            asked,
            _looker(visit),
            now_utc(),
            before=read_place(before),
            after=read_place(after),
        )
    except ArchiveError as error:
        trouble = error
    return page(
        visit,
        "history/list.html",
        status=200,
        asked=asked,
        listing=listing,
        trouble=trouble,
        spans=SPANS,
        counted=COUNTED,
        keep=visit.site.config.archive.keep,
        pass_share=visit.site.config.archive.pass_share,
        archive_enabled=visit.site.config.archive.enabled,
        is_limited=views_seen(visit) is not None,
        may_export=may_label(visit) and views_seen(visit) is None,
    )


@router.get("/history/list.csv")
def list_csv(visit: Seeing, request: Request) -> Response:
    """All that the filter finds, for a spreadsheet."""
    return _streamed(as_csv(_entries(visit, read_filter(request.query_params))), "text/csv; charset=utf-8", "csv")


@router.get("/history/list.jsonl")
def list_json(visit: Seeing, request: Request) -> Response:
    """The same for programs: one object per line."""
    pieces = as_json_lines(_entries(visit, read_filter(request.query_params)))
    return _streamed(pieces, "application/x-ndjson", "jsonl")


def _entries(visit: Visit, asked: Filter) -> Iterator[Entry]:
    """Newest first, for as long as the person stays signed in. The first page is read now, so that trouble is a page."""
    pages = ArchivePages(visit.site.archive)
    selection = asked.selection(now_utc(), views_seen(visit), _zone(visit))
    first = pages.page(selection, limit=1)

    def walk() -> Iterator[Entry]:
        for count, entry in enumerate(pages.walk(selection)):
            if count % _CHECKED_EACH == 0 and not visit.is_in():
                return
            yield entry

    return walk() if first.entries else iter(())


def _streamed(pieces: Iterator[bytes], media_type: str, suffix: str) -> Response:
    name = f"history-{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}.{suffix}"
    return StreamingResponse(pieces, media_type=media_type, headers={"Content-Disposition": f'attachment; filename="{name}"'})


def _looker(visit: Visit) -> Looker:
    return Looker(views_seen(visit), tuple(visit.site.config.views), _zone(visit))


def _zone(visit: Visit) -> ZoneInfo | None:
    return ZoneInfo(visit.site.settings.time_zone) if visit.site.settings.time_zone else None
