"""What the routes of the history have in common: who sees what, where labels and thumbnails are, which result is meant."""

from __future__ import annotations

from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import Annotated, Final

from fastapi import Depends

from calibration.web.access import Right
from calibration.web.access.guard import Visit, acts, sees
from calibration.web.history import Thumbnails, find, views_of
from calibration.web.history.labels import Labels
from calibration.web.site import NotFound, Site
from edge.archive import Entry, Fate

Seeing = Annotated[Visit, Depends(sees())]
Asking = Annotated[Visit, Depends(sees(Right.LABEL))]
Doing = Annotated[Visit, Depends(acts(Right.LABEL))]
LABELS: Final = "labels"
THUMBNAILS: Final = "thumbnails"


def now_utc() -> datetime:
    """The wall clock."""
    return datetime.now(timezone.utc)


def views_seen(visit: Visit) -> tuple[str, ...] | None:
    """What this person is limited to; None: nothing."""
    return views_of(visit.user, visit.site.config.views)


def labels_of(site: Site) -> Labels:
    """What people said of frames, in the page's own folder."""
    return Labels(site.folder / LABELS, site.audit, site.config.archive.min_free_bytes)


@cache
def thumbnails_in(folder: Path) -> Thumbnails:
    """The small pictures kept in a folder; one of them per process, since it counts what it keeps."""
    return Thumbnails(folder / THUMBNAILS)


def meant(visit: Visit, result_id: str) -> Entry | Fate:
    """A result, or what became of it. NotFound, in the same words: there was none, or none that this person may see."""
    found = find(visit.site.archive, result_id, views_seen(visit))
    if found is None:
        raise not_found(visit, "history.no_result", result_id)
    return found


def stored(visit: Visit, result_id: str, role: str = "") -> Entry:
    """A result of which there is evidence, and this file of it. NotFound: as `meant`, or there is none (any more)."""
    found = meant(visit, result_id)
    if isinstance(found, Fate) or (role and role not in found.files):
        raise not_found(visit, "history.no_result", result_id)
    return found


def may_label(visit: Visit) -> bool:
    """Whether this person may say what a frame is, and take evidence away."""
    return visit.user.may(Right.LABEL)


def not_found(visit: Visit, key: str, where: str = "") -> NotFound:
    """What to raise. key: of the message; what to do is `KEY_do`."""
    return NotFound(visit.t(key), where=where[:80], remedy=visit.t(f"{key}_do"))
