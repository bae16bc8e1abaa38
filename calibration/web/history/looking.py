"""What the history page shows for a filter: a page of results, how many there are, what there is to ask for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final

from calibration.web.history.asking import OUTCOMES, Filter
from calibration.web.history.labels import Labels
from calibration.web.history.telling import share_of
from calibration.web.history.thumbnails import has_picture
from edge.archive import ArchivePages, ArchiveReader, Entry, Gone, Place

ON_A_PAGE: Final = 50
COUNTED: Final = 1000
_CLEARANCE_OUTCOMES: Final = ("CLEAR", "NOT_CLEAR", "RELEASED_BY")


@dataclass(frozen=True)
class Row:
    """One result of the list. share: of the score in its bar. label: good, bad, or "" where nobody said anything."""

    entry: Entry
    has_picture: bool
    share: float | None
    label: str


@dataclass(frozen=True)
class Choices:
    """What may be asked for, as far as there is any of it."""

    views: tuple[str, ...]
    products: tuple[str, ...]
    reasons: tuple[str, ...]
    batches: tuple[str, ...]
    outcomes: tuple[str, ...]


@dataclass(frozen=True)
class Listing:
    """A page of the history. count: of all that match, at most COUNTED; is_more: there are more than that.

    gone: what of the batch that is asked for has no evidence, None where no batch is. oldest: where the archive begins.
    """

    rows: tuple[Row, ...]
    newer: Place | None
    older: Place | None
    count: int
    is_more: bool
    choices: Choices
    gone: Gone | None
    oldest: datetime | None


@dataclass(frozen=True)
class Looker:
    """Who looks. views: what they are limited to, None for all. configured: the station's views. zone: its time zone."""

    views: tuple[str, ...] | None
    configured: tuple[str, ...]
    zone: tzinfo | None = None


def look(
    reader: ArchiveReader, labels: Labels, asked: Filter, looker: Looker, now: datetime, *, before: Place | None = None,
    after: Place | None = None,
) -> Listing:  # fmt: skip
    """Raises ArchiveError: there is no archive, or its index cannot be read."""
    pages = ArchivePages(reader)
    selection = asked.selection(now, looker.views, looker.zone)
    sheet = pages.page(selection, before=before, after=after, limit=ON_A_PAGE)
    count = pages.count_up_to(selection, COUNTED + 1)
    return Listing(
        rows=tuple(_row(entry, labels) for entry in sheet.entries),
        newer=sheet.newer,
        older=sheet.older,
        count=min(count, COUNTED),
        is_more=count > COUNTED,
        choices=_choices(pages, asked, looker),
        gone=pages.gone(selection) if asked.batch else None,
        oldest=pages.oldest() if looker.views is None else None,
    )


def _row(entry: Entry, labels: Labels) -> Row:
    label = labels.says(entry)
    return Row(entry, has_picture(entry), share_of(entry.score, entry.threshold), label)


def _choices(pages: ArchivePages, asked: Filter, looker: Looker) -> Choices:
    """A view that the station no longer has stays in its archive, and may be asked for by those who see all."""
    is_limited = looker.views is not None
    views: Iterable[str] = looker.views if looker.views is not None else (*looker.configured, *pages.values_of("view"))
    outcomes = tuple(outcome for outcome in OUTCOMES if not is_limited or outcome not in _CLEARANCE_OUTCOMES)
    return Choices(
        views=_with(views, asked.view),
        products=_with(pages.values_of("product", views=looker.views), asked.product),
        reasons=_with(pages.values_of("reason", views=looker.views), asked.reason),
        batches=tuple(pages.recent_batches(views=looker.views)),
        outcomes=outcomes,
    )


def _with(values: Iterable[str], asked: str) -> tuple[str, ...]:
    """Each once, and what is asked for among them: a bookmark shows what it asks even where there is none of it."""
    return tuple(dict.fromkeys([*values, *([asked] if asked else [])]))
