"""Reading the log back, and proving that nothing in it was changed, removed, moved or cut off."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from edge.audit.entry import MAX_LINE_BYTES, NOTHING_BEFORE, Action, Anchor, AuditError, Entry, decode
from edge.audit.files import LOCK, numbered

_WENT_BACK: Final = "went_back_to"
_MANY: Final = 1000


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it was written. file and line: where, line 0 for a whole file; sequence: the entry's number.

    kind: changed, removed, moved, unchained, torn, anchor, went_back.
    """

    kind: str
    file: str
    line: int
    sequence: int
    problem: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.problem}"


@dataclass(frozen=True)
class Verified:
    """What verification saw. entries: whole ones; head: the last whole one; repairs: ends of the log mended after a crash."""

    entries: int
    files: int
    head: Anchor | None
    findings: tuple[Finding, ...]
    repairs: tuple[Entry, ...] = ()

    @property
    def sound(self) -> bool:
        """True if every entry is as it was written."""
        return not self.findings


def verify(folder: Path, anchor: Anchor | None = None) -> Verified:
    """Walk the whole log. anchor: a head that was known earlier (from `health`), so that a cut tail or a rewritten log shows.

    May run while a station writes. Raises AuditError if there is no log, or it cannot be read.
    """
    walk = _Walk(anchor)
    extents = _extents(folder)
    for number, path, size_bytes in extents:
        walk.file(number, path.name)
        for line_number, line in _lines(path, size_bytes):
            walk.line(line_number, line)
    return walk.finish()


def entries(folder: Path) -> Iterator[Entry]:
    """Every whole entry in the order of the files; damaged lines are passed over (`verify` names them). Raises AuditError."""
    for _, path, size_bytes in _extents(folder):
        for _, line in _lines(path, size_bytes):
            entry = decode(line.removesuffix(b"\n"))
            if entry is not None:
                yield entry


@dataclass
class _Walk:
    """The state of one walk along the chain.

    last: number of the last whole entry that stood in its place; previous: its hash; damaged: lines since then that are not
    as they were written; missing: number of an entry that was not where it belongs -> where it was missed.
    """

    anchor: Anchor | None
    findings: list[Finding] = field(default_factory=list)
    repairs: list[Entry] = field(default_factory=list)
    missing: dict[int, tuple[str, int]] = field(default_factory=dict)
    head: Anchor | None = None
    previous: str = NOTHING_BEFORE
    last: int = 0
    damaged: int = 0
    whole: int = 0
    files: int = 0
    number: int = 0
    name: str = ""
    anchored: bool = False

    def file(self, number: int, name: str) -> None:
        """Go on with the next file that is there."""
        self.files, self.name = self.files + 1, name
        expected = self.number + 1
        if number != expected:
            self._find("removed", 0, self.last + 1, f"the log's file number {expected} is missing before this one")
        self.number = number

    def line(self, number: int, line: bytes) -> None:
        """Look at one line, line end included."""
        following = self.last + self.damaged + 1
        if not line.endswith(b"\n"):
            problem = "the last line has no end: the machine stopped while writing, or it was cut"
            self._find("torn", number, following, problem)
            return
        entry = decode(line[:-1])
        if entry is None:
            self._find("changed", number, following, f"entry {following} is not as it was written")
            self.damaged += 1
            return
        self.whole += 1
        self.anchored = self.anchored or entry.anchor == self.anchor
        if entry.sequence <= self.last:
            self._out_of_place(number, entry)
            return
        if entry.sequence > following:
            self._miss(number, following, entry.sequence)
        elif not self.damaged and entry.previous != self.previous:
            problem = f"entry {entry.sequence} does not follow the entry before it: one of them was put in another's place"
            self._find("unchained", number, entry.sequence, problem)
        self._look_at_repair(number, entry)
        self.head, self.last, self.previous, self.damaged = entry.anchor, entry.sequence, entry.sha256, 0

    def finish(self) -> Verified:
        """What was seen in all."""
        if self.anchor is not None and not self.anchored:
            known = f"entry {self.anchor.sequence} was announced as {self.anchor.sha256[:12]}..."
            cut = self.last < self.anchor.sequence
            found = (
                f"the log ends at entry {self.last}: its end was cut off" if cut else "it is not there: the log was rewritten"
            )
            self._find("anchor", 0, self.anchor.sequence, f"{known}, but {found}")
        for gone, (name, line) in self.missing.items():
            self.findings.append(Finding("removed", name, line, gone, f"entry {gone} is missing before this line"))
        self.findings.sort(key=lambda finding: (finding.file, finding.line, finding.sequence))
        return Verified(self.whole, self.files, self.head, tuple(self.findings), tuple(self.repairs))

    def _miss(self, number: int, first: int, beyond: int) -> None:
        if beyond - first > _MANY:
            self._find("removed", number, first, f"entries {first} to {beyond - 1} are missing before this line")
        else:
            self.missing |= dict.fromkeys(range(first, beyond), (self.name, number))

    def _out_of_place(self, number: int, entry: Entry) -> None:
        if self.missing.pop(entry.sequence, None) is not None:
            problem = f"entry {entry.sequence} stands after entry {self.last}: they were reordered"
        else:
            problem = f"entry {entry.sequence} stands here again, after entry {self.last}: it was copied or put in"
        self._find("moved", number, entry.sequence, problem)

    def _look_at_repair(self, number: int, entry: Entry) -> None:
        if entry.action is not Action.REPAIR or not isinstance(entry.after, dict):
            return
        self.repairs.append(entry)
        if _WENT_BACK in entry.after:
            problem = f"entry {entry.sequence} records that the log had lost its end: it was {entry.after.get('from')} before"
            self._find("went_back", number, entry.sequence, problem)

    def _find(self, kind: str, line: int, sequence: int, problem: str) -> None:
        self.findings.append(Finding(kind, self.name, line, sequence, problem))


def _extents(folder: Path) -> list[tuple[int, Path, int]]:
    """Number, path and size of each file at one moment at which nobody writes."""
    try:
        with _shared(folder):
            found = [(number, path, path.stat().st_size) for number, path in numbered(folder).items()]
    except OSError as error:
        raise AuditError(
            f"cannot be read ({error.strerror})", where=str(folder), remedy="check the path and its rights"
        ) from None
    if not found:
        raise AuditError("holds no audit log", where=str(folder), remedy="name the folder with audit-000001.jsonl in it")
    return found


@contextmanager
def _shared(folder: Path) -> Iterator[None]:
    """The lock as readers take it, where they may: a copy of a log on a read-only disk has nobody who writes it."""
    descriptor = -1
    with suppress(OSError):
        descriptor = os.open(folder / LOCK, os.O_RDONLY | os.O_CLOEXEC)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
    try:
        yield
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def _lines(path: Path, size_bytes: int) -> Iterator[tuple[int, bytes]]:
    """Each line with its number, line end included. Of a line longer than any entry only an end, if it has one."""
    left, number, begun = size_bytes, 1, False
    try:
        with path.open("rb") as file:
            while left > 0 and (piece := file.readline(min(left, MAX_LINE_BYTES + 1))):
                left -= len(piece)
                if piece.endswith(b"\n") or left == 0:
                    yield number, piece[-1:] if begun else piece
                    number, begun = number + 1, False
                else:
                    begun = True
    except OSError as error:
        raise AuditError(
            f"cannot be read ({error.strerror})", where=str(path), remedy="check its rights and the disk"
        ) from None
