"""Clearances as they were published: from the archive, else from what the station said last, else from what the page kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from edge.archive import ArchiveError, ArchiveReader, Entry
from edge.publishers.clearance_payloads import read_clearance
from edge.types import Clearance

Source = Literal["archive", "station", "kept"]
Document = Mapping[str, Any]
LISTED = 20


@dataclass(frozen=True, eq=False)
class Known:
    """One clearance. source: where its document was found; without `archive` no evidence of it is there (yet)."""

    clearance: Clearance
    document: Document
    source: Source


@dataclass(frozen=True)
class Line:
    """One clearance of the list."""

    result_id: str
    outcome: str
    batch: str
    product: str
    operator: str
    decided_at: datetime
    is_simulated: bool
    sequence: int


@dataclass(frozen=True, eq=False)
class Clearances:
    """Finds clearances. heard: the last one that the station said, None if none. kept: the page's own copy by result_id."""

    archive: ArchiveReader
    heard: Callable[[], Document | None]
    kept: Callable[[str], Document | None]

    def find(self, result_id: str) -> Known | None:
        """The clearance of this id; None if nobody knows it, or if it is no clearance."""
        sources: list[tuple[Source, Callable[[str], Document | None]]] = [
            ("archive", self._archived),
            ("station", self._said),
            ("kept", self.kept),
        ]
        for source, look in sources:
            document = look(result_id)
            clearance = _read(document) if document is not None else None
            if document is not None and clearance is not None and clearance.result_id == result_id:
                return Known(clearance, document, source)
        return None

    def newest(self) -> str:
        """result_id of the clearance with the highest number that is known, "" if none is."""
        known = self.last(1)
        return known[0].result_id if known else ""

    def last(self, count: int = LISTED) -> list[Line]:
        """The last clearances, the highest number first."""
        found: dict[str, Line] = {}
        for document in (*self._archived_last(max(count, 3)), self.heard()):
            clearance = _read(document) if document is not None else None
            if document is not None and clearance is not None:
                found[clearance.result_id] = _line(clearance, document)
        return sorted(found.values(), key=lambda line: (line.sequence, line.decided_at), reverse=True)[:count]

    def of_request(self, request_id: str) -> str:
        """result_id of the clearance that answered this request, "" if none is known: looks through the last ones."""
        heard = self.heard()
        if heard is not None and heard.get("requestId") == request_id:
            return str(heard.get("resultId") or "")
        return next((entry.result_id for entry in self._entries(LISTED * 5) if entry.request_id == request_id), "")

    def _archived(self, result_id: str) -> Document | None:
        try:
            entry = self.archive.get(result_id)
            return self.archive.document(entry) if entry is not None and entry.kind == "clearance" else None
        except ArchiveError:
            return None

    def _said(self, result_id: str) -> Document | None:
        heard = self.heard()
        return heard if heard is not None and heard.get("resultId") == result_id else None

    def _entries(self, count: int) -> list[Entry]:
        try:
            return self.archive.find(kind="clearance", limit=count)
        except ArchiveError:
            return []

    def _archived_last(self, count: int) -> list[Document]:
        found: list[Document] = []
        for entry in self._entries(count):
            try:
                found.append(self.archive.document(entry))
            except ArchiveError:
                continue
        return found


def _read(document: Document) -> Clearance | None:
    try:
        return read_clearance(document)
    except (KeyError, TypeError, ValueError):
        return None


def _line(clearance: Clearance, document: Document) -> Line:
    return Line(
        clearance.result_id,
        clearance.outcome.value,
        clearance.batch,
        clearance.product,
        clearance.operator,
        clearance.decided_at,
        bool(document.get("isSimulated")),
        clearance.sequence,
    )
