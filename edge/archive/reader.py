"""Finding evidence again, from any process, also while a station writes it."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from edge.archive.evidence import DOCUMENT, FRAME, MAP, OVERLAY, ArchiveError, Entry, Kind, StoredMap
from edge.archive.index import files_of
from edge.archive.index_file import INDEX, open_for_reading
from edge.archive.packing import FIELDS, clean, moment_of, unpack_document, unpack_map
from edge.archive.selecting import Selection
from edge.bundle.image import decode_png
from edge.errors import BundleError
from edge.schema import read_bounded
from edge.types import ImageU8

COLUMNS: Final = ", ".join(("decided_us", "folder", "files", *FIELDS))
_LISTED: Final = ("result_id", "kind", "view", "outcome", "batch", "clearance_id", "why", "at_us", "decided_us")
_VERIFY: Final = "run `lineclear archive verify`"


class ArchiveReader:
    """Reads the archive in a folder. Nothing is held open between calls; every method may raise ArchiveError."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(
        self,
        *,
        view: str | None = None,
        batch: str | None = None,
        product: str | None = None,
        outcome: str | None = None,
        reason: str | None = None,
        kind: Kind | None = None,
        clearance_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        newest_first: bool = True,
    ) -> list[Entry]:
        """What matches all that is given; since (included) and until (excluded) are times of decision, with a zone."""
        asked = Selection(view, batch, product, outcome, reason, kind, clearance_id, since, until)
        where, values = asked.where()
        order = "DESC" if newest_first else "ASC"
        query = f"SELECT {COLUMNS} FROM entries WHERE {where} ORDER BY decided_us {order}, id {order} LIMIT ?"  # noqa: S608
        return self._entries(query, (*values, -1 if limit is None else limit))

    def get(self, result_id: str) -> Entry | None:
        """One result, None if it is not there."""
        found = self._entries(f"SELECT {COLUMNS} FROM entries WHERE result_id = ?", (clean(result_id),))  # noqa: S608
        return found[0] if found else None

    def folders(self) -> list[str]:
        """The folders that the index names, relative, `2026-11-22/07`, in order of time."""
        with self.index() as index:
            return [folder for (folder,) in index.execute("SELECT DISTINCT folder FROM entries ORDER BY folder")]

    def in_folder(self, folder: str) -> list[Entry]:
        """All results of one of the folders."""
        return self._entries(f"SELECT {COLUMNS} FROM entries WHERE folder = ? ORDER BY decided_us, id", (folder,))  # noqa: S608

    def count(self) -> int:
        """How many results there are."""
        with self.index() as index:
            return int(index.execute("SELECT count(*) FROM entries").fetchone()[0])

    def purged(self, batch: str | None = None, limit: int | None = None) -> list[dict[str, Any]]:
        """What was deleted, newest first: fields, why ("age" or "space"), at_us and decided_us in UTC microseconds."""
        return self._listed("purged", batch, limit)

    def missing(self, batch: str | None = None, limit: int | None = None) -> list[dict[str, Any]]:
        """What could never be stored, newest first: the same fields, and why in words."""
        return self._listed("missing", batch, limit)

    def frame(self, entry: Entry) -> ImageU8:
        """The frame as grabbed: read-only uint8 HxWx3 RGB or HxW."""
        data = self.read(entry, FRAME)
        where = str(entry.folder / entry.files[FRAME])
        try:
            return decode_png(data, where)
        except BundleError as error:
            raise ArchiveError(f"is no picture ({error.message})", where=where, remedy=_VERIFY) from None

    def map(self, entry: Entry) -> StoredMap:
        """The anomaly map with what of it was judged."""
        return unpack_map(self.read(entry, MAP), str(entry.folder / entry.files[MAP]))

    def document(self, entry: Entry) -> dict[str, Any]:
        """The JSON body as it was published."""
        name = entry.files[DOCUMENT]
        try:
            return unpack_document(self.read(entry, DOCUMENT), name, "")[1]
        except ValueError as error:
            raise ArchiveError(f"cannot be read ({error})", where=str(entry.folder / name), remedy=_VERIFY) from None

    def overlay(self, entry: Entry) -> tuple[bytes, str]:
        """The picture's file bytes and content type."""
        data = self.read(entry, OVERLAY)
        return data, "image/png" if entry.files[OVERLAY].endswith(".png") else "image/jpeg"

    def read(self, entry: Entry, role: str) -> bytes:
        """The bytes of one file, proven to be those that were written."""
        if role not in entry.files:
            raise ArchiveError(
                f"has no {role}", where=f"result {entry.result_id[:80]}", remedy="see what it has: `archive show`"
            )
        path = entry.folder / entry.files[role]
        try:
            with path.open("rb") as file:
                data = read_bounded(file, entry.size_bytes[role])
        except OSError as error:
            raise ArchiveError(f"cannot be read ({error.strerror})", where=str(path), remedy=_VERIFY) from None
        if data is None or hashlib.sha256(data).hexdigest() != entry.sha256[role]:
            raise ArchiveError("is not as it was written", where=str(path), remedy=_VERIFY)
        return data

    def _entries(self, query: str, values: tuple[object, ...]) -> list[Entry]:
        with self.index() as index:
            return [self.entry(row) for row in index.execute(query, values)]

    def entry(self, row: tuple[Any, ...]) -> Entry:
        """A row of COLUMNS."""
        decided_us, folder, text, *rest = row
        files = files_of(text)
        return Entry(
            **dict(zip(FIELDS, rest, strict=True)),
            decided_at=moment_of(decided_us),
            folder=self.folder / folder,
            files={role: file.name for role, file in files.items()},
            sha256={role: file.sha256 for role, file in files.items()},
            size_bytes={role: file.size_bytes for role, file in files.items()},
        )

    def _listed(self, table: str, batch: str | None, limit: int | None) -> list[dict[str, Any]]:
        where, values = ("batch = ?", (clean(batch),)) if batch is not None else ("1", ())
        query = f"SELECT {', '.join(_LISTED)} FROM {table} WHERE {where} ORDER BY id DESC LIMIT ?"  # noqa: S608
        with self.index() as index:
            rows = index.execute(query, (*values, -1 if limit is None else limit))
            return [dict(zip(_LISTED, row, strict=True)) for row in rows]

    @contextmanager
    def index(self) -> Iterator[sqlite3.Connection]:
        """The index, to be read only; what goes wrong with it in the block is an ArchiveError."""
        path = self.folder / INDEX
        if not path.exists():
            remedy = "name the archive's folder; a station makes it when it first runs with it"
            raise ArchiveError("holds no archive", where=str(self.folder), remedy=remedy)
        try:
            with closing(open_for_reading(path)) as connection:
                yield connection
        except (sqlite3.Error, ValueError) as error:
            remedy = "check its rights; a damaged index is built anew when the station starts"
            raise ArchiveError(f"cannot be read ({error})", where=str(path), remedy=remedy) from None
