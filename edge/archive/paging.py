"""The archive as a person looks through it: a page of results at a time, however many there are, and what may be asked for.

Pages are found by where the last one ended, not by counting from the start, so the thousandth is as quick as the first and
none shows a result twice because new ones came meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from edge.archive.evidence import Entry
from edge.archive.packing import clean, moment_of
from edge.archive.reader import COLUMNS, ArchiveReader
from edge.archive.selecting import Place, Selection

RECENT: Final = 2000
_PAGE: Final = f"SELECT id, {COLUMNS} FROM entries WHERE"  # noqa: S608
_NEWEST: Final = "ORDER BY decided_us DESC, id DESC LIMIT ?"
_OLDEST: Final = "ORDER BY decided_us, id LIMIT ?"
_BEFORE: Final = "decided_us <= ? AND (decided_us < ? OR id < ?)"
_AFTER: Final = "decided_us >= ? AND (decided_us > ? OR id > ?)"
_INDEX_OF: Final = {
    "view": "entries_view",
    "outcome": "entries_outcome",
    "product": "entries_product",
    "reason": "entries_reason",
}
# Each next value is looked up in the index, so that it does not matter how many results have it.
_VALUES: Final = """WITH RECURSIVE found(value) AS (
SELECT * FROM (SELECT {name} FROM entries WHERE {name} != '' ORDER BY {name} LIMIT 1)
UNION ALL SELECT (SELECT {name} FROM entries WHERE {name} > found.value AND {name} != '' ORDER BY {name} LIMIT 1)
FROM found WHERE found.value IS NOT NULL)
SELECT value FROM found WHERE value IS NOT NULL LIMIT ?"""


@dataclass(frozen=True)
class Sheet:
    """Results, newest first. newer, older: where the pages beside it begin; None: there are none."""

    entries: tuple[Entry, ...]
    newer: Place | None
    older: Place | None


@dataclass(frozen=True)
class Fate:
    """A result of which there is no evidence. how: purged (deleted since) or missing (could never be stored).

    why: "age" or "space" of what was purged, in words of what is missing.
    """

    how: Literal["purged", "missing"]
    why: str
    at: datetime
    result_id: str
    kind: str
    view: str
    outcome: str
    decided_at: datetime
    batch: str


@dataclass(frozen=True)
class Gone:
    """How many results of a selection have no evidence: deleted by age, for space, never stored."""

    by_age: int
    for_space: int
    missing: int

    @property
    def any(self) -> bool:
        """There is at least one."""
        return bool(self.by_age or self.for_space or self.missing)


class ArchivePages:
    """Looks through the archive of a reader. Nothing is held open between calls; every method may raise ArchiveError."""

    def __init__(self, reader: ArchiveReader) -> None:
        self._reader = reader

    def page(self, asked: Selection, *, before: Place | None = None, after: Place | None = None, limit: int = 50) -> Sheet:
        """The newest results, or those next older than `before`, or next newer than `after`; at most `limit`.

        Where fewer than `limit` are newer than `after`, it is the first page.
        """
        if after is not None:
            rows = self._rows(asked, _AFTER, after, _OLDEST, limit + 1)
            if len(rows) >= limit:
                return self._sheet(rows[:limit][::-1], newer=len(rows) > limit, older=True)
            before = None
        rows = self._rows(asked, _BEFORE if before else "1", before, _NEWEST, limit + 1)
        if before is not None and not rows:
            return Sheet((), before, None)
        return self._sheet(rows[:limit], newer=before is not None, older=len(rows) > limit)

    def walk(self, asked: Selection, *, at_once: int = 500) -> Iterator[Entry]:
        """All that matches, newest first, read a page at a time; the index is not held meanwhile."""
        before: Place | None = None
        while True:
            sheet = self.page(asked, before=before, limit=at_once)
            yield from sheet.entries
            before = sheet.older
            if before is None:
                return

    def count_up_to(self, asked: Selection, limit: int) -> int:
        """How many match, but never more than `limit`: counting all of a year would take longer than showing some."""
        where, values = asked.where()
        query = f"SELECT count(*) FROM (SELECT 1 FROM entries WHERE {where} LIMIT ?)"  # noqa: S608
        with self._reader.index() as index:
            return int(index.execute(query, (*values, limit)).fetchone()[0])

    def values_of(
        self, name: Literal["view", "outcome", "product", "reason"], limit: int = 200, views: tuple[str, ...] | None = None
    ) -> list[str]:
        """What there is of a field, sorted, without the empty one. Of these views alone, and in an index of an older station:
        of the newest results.
        """
        with self._reader.index() as index:
            known = index.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (_INDEX_OF[name],)).fetchone()
            if known is not None and views is None:
                return [value for (value,) in index.execute(_VALUES.format(name=name), (limit,))]
            where, values = Selection(views=views).where()
            rows = index.execute(f"SELECT {name} FROM entries WHERE {where} {_NEWEST}", (*values, RECENT))  # noqa: S608
            return sorted({value for (value,) in rows if value})[:limit]

    def recent_batches(self, limit: int = 50, views: tuple[str, ...] | None = None) -> list[str]:
        """The batches of the newest results, newest first, each once."""
        where, values = Selection(views=views).where()
        with self._reader.index() as index:
            rows = index.execute(f"SELECT batch FROM entries WHERE {where} {_NEWEST}", (*values, RECENT))  # noqa: S608
            return list(dict.fromkeys(batch for (batch,) in rows if batch))[:limit]

    def neighbours(self, entry: Entry) -> tuple[Entry | None, Entry | None]:
        """The result of the same view before this one, and the one after it."""
        with self._reader.index() as index:
            row = index.execute("SELECT decided_us, id FROM entries WHERE result_id = ?", (clean(entry.result_id),)).fetchone()
        if row is None:
            return None, None
        place, same = Place(*row), Selection(view=entry.view, kind=entry.kind)
        earlier = self._rows(same, _BEFORE, place, _NEWEST, 1)
        later = self._rows(same, _AFTER, place, _OLDEST, 1)
        previous, following = (self._reader.entry(rows[0][1:]) if rows else None for rows in (earlier, later))
        return previous, following

    def oldest(self) -> datetime | None:
        """When the oldest result was decided; None: there is none."""
        with self._reader.index() as index:
            row = index.execute(f"SELECT decided_us FROM entries {_OLDEST}", (1,)).fetchone()  # noqa: S608
        return moment_of(row[0]) if row is not None else None

    def fate(self, result_id: str) -> Fate | None:
        """What became of a result that is not there; None: the archive never heard of it."""
        columns = "why, at_us, result_id, kind, view, outcome, decided_us, batch"
        hows: tuple[Literal["purged", "missing"], ...] = ("purged", "missing")
        with self._reader.index() as index:
            for how in hows:
                query = f"SELECT {columns} FROM {how} WHERE result_id = ? ORDER BY id DESC LIMIT 1"  # noqa: S608
                row = index.execute(query, (clean(result_id),)).fetchone()
                if row is not None:
                    why, at_us, found, kind, view, outcome, decided_us, batch = row
                    decided_at = moment_of(decided_us)
                    return Fate(how, why, moment_of(at_us), found, kind, view, outcome, decided_at, batch)
        return None

    def gone(self, asked: Selection) -> Gone:
        """How much of a batch has no evidence. Product and reason of it are not known any more and are not compared.

        ValueError: without a batch it would be the whole past.
        """
        if asked.batch is None:
            raise ValueError("no batch is asked for")
        where, values = asked.where_lost()
        with self._reader.index() as index:
            purged = dict(index.execute(f"SELECT why, count(*) FROM purged WHERE {where} GROUP BY why", values))  # noqa: S608
            missing = index.execute(f"SELECT count(*) FROM missing WHERE {where}", values).fetchone()[0]  # noqa: S608
        by_age = purged.get("age", 0)
        return Gone(by_age, sum(purged.values()) - by_age, missing)

    def _rows(self, asked: Selection, beyond: str, place: Place | None, order: str, limit: int) -> list[tuple[Any, ...]]:
        where, values = asked.where()
        where = f"{where} AND {beyond}"
        if place is not None:
            values = (*values, place.decided_us, place.decided_us, place.number)
        with self._reader.index() as index:
            return index.execute(f"{_PAGE} {where} {order}", (*values, limit)).fetchall()

    def _sheet(self, rows: list[tuple[Any, ...]], *, newer: bool, older: bool) -> Sheet:
        entries = tuple(self._reader.entry(row[1:]) for row in rows)
        first, last = (Place(row[1], row[0]) for row in (rows[0], rows[-1])) if rows else (None, None)
        return Sheet(entries, first if newer else None, last if older else None)
