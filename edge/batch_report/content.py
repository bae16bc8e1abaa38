"""What is known of a batch: read from the archive once, shown in any form."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Final

from edge.archive import ArchiveError, ArchiveReader, Entry, batch_entries
from edge.batch_report.fields import Document, number, parts, text
from edge.batch_report.pictures import Limits, Shown, fit
from edge.types import Outcome

DOCUMENT, OVERLAY = "document", "overlay"
_PIECE_BYTES: Final = 1 << 20
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
Progress = Callable[[int, int, str], None]


def silent(done: int, total: int, what: str) -> None:
    """Nobody watches."""


@dataclass(frozen=True)
class File:
    """One file of the export: its name in the zip, and the hash that it was written with."""

    name: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Known:
    """One result. document: the JSON as published, empty where it cannot be read."""

    entry: Entry
    document: Document = field(default_factory=dict)


@dataclass(frozen=True)
class Gone:
    """Evidence that is not there. why: in words. at: when it was deleted, or was found that it cannot be stored."""

    result_id: str
    what: str
    why: str
    decided_at: datetime
    at: datetime


@dataclass(frozen=True, eq=False)
class BatchContent:
    """clearances: in their order. verdicts: by result_id, with documents where they belong to a clearance here.

    loose: verdicts that no clearance here names. missing, purged: what the archive knows of evidence that is not there.
    damage: files that are not as they were written. pictures: by result_id; unshown: why there is none, by result_id.
    """

    batch: str
    clearances: tuple[Known, ...]
    verdicts: Mapping[str, Known]
    loose: tuple[Entry, ...]
    missing: tuple[Gone, ...]
    purged: tuple[Gone, ...]
    damage: tuple[str, ...]
    files: tuple[File, ...]
    pictures: Mapping[str, Shown]
    unshown: Mapping[str, str]
    limits: Limits

    @property
    def results(self) -> int:
        """How many results of the batch are in the archive."""
        return len(self.verdicts) + len(self.clearances)


def gather(reader: ArchiveReader, batch: str, *, limits: Limits | None = None, progress: Progress = silent) -> BatchContent:
    """All of a batch; reads and checks every file. Raises ArchiveError if the index cannot be read."""
    entries = batch_entries(reader, batch)
    files, damage = [], []
    for done, entry in enumerate(entries, 1):
        for role, name in sorted(entry.files.items()):
            inside = f"evidence/{entry.folder.relative_to(reader.folder).as_posix()}/{name}"
            files.append(File(inside, entry.sha256[role], entry.size_bytes[role]))
            problem = _problem(entry.folder / name, entry.sha256[role])
            damage += [f"{inside}: {problem}"] if problem else []
        progress(done, len(entries), entry.result_id[:80])
    clearances = _in_order([_known(reader, entry) for entry in entries if entry.kind == "clearance"])
    named = {text(frame, "resultId") for each in clearances for view in views_of(each) for frame in parts(view, "results")}
    verdicts = {
        entry.result_id: _known(reader, entry) if entry.result_id in named else Known(entry)
        for entry in entries
        if entry.kind != "clearance"
    }
    loose = tuple(each.entry for each in verdicts.values() if each.entry.result_id not in named)
    damage += [text_of for each in (*clearances, *verdicts.values()) if (text_of := _disagreement(each))]
    bounds = limits or Limits()
    pictures, unshown = _pictures(reader, clearances, verdicts, loose, bounds)
    return BatchContent(
        batch, tuple(clearances), verdicts, loose, _gone(reader.missing(batch)), _gone(reader.purged(batch)), tuple(damage),
        tuple(files), pictures, unshown, bounds,
    )  # fmt: skip


def views_of(clearance: Known) -> list[Document]:
    """The views of a clearance as published."""
    return parts(clearance.document, "views")


def chosen_frame(view: Document, verdicts: Mapping[str, Known]) -> Known | None:
    """The frame that stands for a view: its worst, else the highest score among those that ended as the view did."""

    def rank(frame: Document) -> tuple[bool, bool, float]:
        known = verdicts[text(frame, "resultId")]
        is_other = text(frame, "outcome") != text(view, "outcome")
        return is_other, OVERLAY not in known.entry.files, -(number(frame, "score") or 0.0)

    worst = verdicts.get(text(view, "worstResultId"))
    if worst is not None:
        return worst
    frames = sorted((frame for frame in parts(view, "results") if text(frame, "resultId") in verdicts), key=rank)
    return verdicts[text(frames[0], "resultId")] if frames else None


def _gone(rows: Sequence[Mapping[str, Any]]) -> tuple[Gone, ...]:
    """Oldest first."""
    return tuple(
        Gone(
            str(row["result_id"]),
            f"{row['view'] or row['kind']} {row['outcome']}",
            str(row["why"]),
            _EPOCH + timedelta(microseconds=row["decided_us"]),
            _EPOCH + timedelta(microseconds=row["at_us"]),
        )
        for row in reversed(rows)
    )


def _in_order(clearances: Sequence[Known]) -> list[Known]:
    """By number, which only grows, also where the clock went back; one that has no number comes where its time is."""
    keys, last = {}, 0.0
    for each in sorted(clearances, key=lambda known: (known.entry.decided_at, known.entry.result_id)):
        own = number(each.document, "sequence") or last
        keys[each.entry.result_id] = own
        last = max(last, own)
    return sorted(clearances, key=lambda known: (keys[known.entry.result_id], known.entry.decided_at, known.entry.result_id))


def _pictures(
    reader: ArchiveReader, clearances: Iterable[Known], verdicts: Mapping[str, Known], loose: Iterable[Entry], limits: Limits
) -> tuple[dict[str, Shown], dict[str, str]]:
    """What did not pass comes first, and clearances before the rest, for as long as there is room."""
    chosen: dict[str, tuple[bool, bool, int]] = {}
    for place, view in enumerate(view for each in clearances for view in views_of(each)):
        known = chosen_frame(view, verdicts)
        if known is not None:
            rank = (False, text(view, "outcome") == Outcome.PASS.value, -place)
            chosen[known.entry.result_id] = min(rank, chosen.get(known.entry.result_id, rank))
    chosen |= {entry.result_id: (True, entry.outcome != Outcome.FAIL.value, 0) for entry in loose if _is_worth_it(entry)}
    pictures: dict[str, Shown] = {}
    unshown: dict[str, str] = {}
    room = limits.all_bytes
    for result_id in sorted(chosen, key=lambda each: (chosen[each], each)):
        entry = verdicts[result_id].entry
        shown, why = _picture(reader, entry, limits)
        if shown is not None and len(shown.data) > room:
            shown, why = None, "left out of this report for its size; it is in the export"
        if shown is None:
            unshown[result_id] = why
        else:
            pictures[result_id] = shown
            room -= len(shown.data)
    return pictures, unshown


def _is_worth_it(entry: Entry) -> bool:
    return entry.outcome != Outcome.PASS.value and OVERLAY in entry.files


def _picture(reader: ArchiveReader, entry: Entry, limits: Limits) -> tuple[Shown | None, str]:
    if OVERLAY not in entry.files:
        return None, "no overlay was kept" + ("" if "frame" in entry.files else ": no frame was taken, or it could not be used")
    try:
        data, content_type = reader.overlay(entry)
    except ArchiveError as error:
        return None, f"the overlay {error.message}"
    shown = fit(data, content_type, limits)
    return shown, "" if shown is not None else "the overlay is no picture that can be shown"


def _known(reader: ArchiveReader, entry: Entry) -> Known:
    try:
        return Known(entry, reader.document(entry))
    except ArchiveError:  # the file is in `damage` then
        return Known(entry)


def _disagreement(known: Known) -> str:
    said, indexed = text(known.document, "outcome"), known.entry.outcome
    if not known.document or said == indexed:
        return ""
    return f"result {known.entry.result_id[:80]}: the index says {indexed[:40]}, its own document {said[:40] or 'nothing'}"


def _problem(path: Path, expected: str) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while piece := file.read(_PIECE_BYTES):
                digest.update(piece)
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return "" if digest.hexdigest() == expected else "is not as it was written"
