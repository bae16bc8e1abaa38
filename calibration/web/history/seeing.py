"""Who may see which result. A person who is limited to some views gets the same answer for the others as for none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from edge.archive import ArchivePages, ArchiveReader, Entry, Fate


class Sees(Protocol):
    """A person, as far as it matters here: `calibration.web.access.users.User`."""

    def may_see(self, view: str) -> bool:
        """True if the view is among theirs."""
        ...


def views_of(person: Sees, configured: Iterable[str]) -> tuple[str, ...] | None:
    """The views that a person is limited to; None: they may see every view of the station, and so the clearances too.

    A clearance tells of all views, so it is for those who may see all of them.
    """
    names = tuple(configured)
    seen = tuple(name for name in names if person.may_see(name))
    return None if person.may_see("") or seen == names else seen


def may_see(views: Sequence[str] | None, result: Entry | Fate) -> bool:
    """True if a result is among what `views_of` gave."""
    return views is None or (result.kind == "verdict" and result.view in views)


def find(reader: ArchiveReader, result_id: str, views: Sequence[str] | None) -> Entry | Fate | None:
    """A result, or what became of it; None: there was none that this person may see."""
    entry = reader.get(result_id)
    if entry is not None:
        return entry if may_see(views, entry) else None
    fate = ArchivePages(reader).fate(result_id)
    return fate if fate is not None and may_see(views, fate) else None
