"""Which results are asked for, and as SQL over the index. Pure.

SQLite has no statistics of a file that grows all the time, so it would guess which of several indexes is worth most. Here it
is said: the field that leaves the fewest results is searched, and the others, which a `+` keeps from their index, are compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from typing_extensions import Self

from edge.archive.evidence import Kind
from edge.archive.packing import clean, microseconds
from edge.types import Outcome

_FIELDS: Final = ("view", "batch", "product", "outcome", "reason", "kind", "clearance_id")
_LOST_FIELDS: Final = ("view", "batch", "outcome", "kind", "clearance_id")
# What leaves fewest comes first. PASS is what nearly all results are, so it comes last.
_BY_WORTH: Final = ("clearance_id", "batch", "reason", "kind", "outcome", "product", "view")
_PLACE: Final = re.compile(r"(-?[0-9]{1,18})\.([0-9]{1,18})")


@dataclass(frozen=True)
class Place:
    """Where a result stands in the order of time: decided_us, and its number in the index for those of one microsecond."""

    decided_us: int
    number: int

    def __str__(self) -> str:
        """As it stands in an address."""
        return f"{self.decided_us}.{self.number}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The place that `str` wrote; None for anything else."""
        found = _PLACE.fullmatch(text)
        return cls(int(found[1]), int(found[2])) if found is not None else None


@dataclass(frozen=True)
class Selection:
    """What matches all that is given; None matches everything.

    since (included) and until (excluded) are times of decision, with a zone. views: nothing but these views, which leaves
    out clearances (they have none).
    """

    view: str | None = None
    batch: str | None = None
    product: str | None = None
    outcome: str | None = None
    reason: str | None = None
    kind: Kind | None = None
    clearance_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    views: tuple[str, ...] | None = None

    def where(self) -> tuple[str, tuple[Any, ...]]:
        """The condition on `entries`, and its values. ValueError: a time without a zone."""
        searched = self._searched()
        return _joined([*self._compared(_FIELDS, searched), *self._times(), *self._seen()])

    def where_lost(self) -> tuple[str, tuple[Any, ...]]:
        """The same on `purged` and `missing`, which know less of a result; what they do not know is left out."""
        return _joined([*self._compared(_LOST_FIELDS, "batch"), *self._times(), *self._seen()])

    def _searched(self) -> str | None:
        given = [name for name in _BY_WORTH if self._is_selective(name)]
        if self.view is not None and self.outcome == Outcome.PASS.value and given[:1] == ["outcome"]:
            return "view"
        return given[0] if given else None

    def _is_selective(self, name: str) -> bool:
        value = getattr(self, name)
        return value is not None and value != "" and not (name == "kind" and value != "clearance")

    def _compared(self, names: tuple[str, ...], searched: str | None) -> Iterator[tuple[str, tuple[Any, ...]]]:
        for name in names:
            value = getattr(self, name)
            if value is None:
                continue
            text = clean(value)
            if name != searched:
                yield f"+{name} = ?", (text,)
            elif name == "kind":  # a partial index is used only where its own condition stands in the query
                yield "kind = 'clearance'", ()
            elif name == "reason":
                yield "reason = ? AND reason != ''", (text,)
            else:
                yield f"{name} = ?", (text,)

    def _times(self) -> Iterator[tuple[str, tuple[Any, ...]]]:
        for condition, moment in (("decided_us >= ?", self.since), ("decided_us < ?", self.until)):
            if moment is not None:
                yield condition, (microseconds(moment),)

    def _seen(self) -> Iterator[tuple[str, tuple[Any, ...]]]:
        if self.views is not None:
            marks = ", ".join("?" * len(self.views))
            yield f"+view IN ({marks})", tuple(clean(view) for view in self.views)


def _joined(conditions: list[tuple[str, tuple[Any, ...]]]) -> tuple[str, tuple[Any, ...]]:
    where = " AND ".join(condition for condition, _ in conditions) or "1"
    return where, tuple(value for _, values in conditions for value in values)
