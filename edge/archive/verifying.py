"""Is the evidence still what was written? Every file that the index names, and every file that it does not."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge.archive.evidence import DOCUMENT, Entry
from edge.archive.packing import FOLDERS_GLOB, NAMES_GLOB, microseconds, unpack_document
from edge.archive.reader import ArchiveReader

_PIECE_BYTES: Final = 1 << 20
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it was written. file: relative to the archive; result_id: "" for a file that no result has.

    kind: missing, changed, disagrees (index and the result's JSON), unknown (a file in no index).
    """

    kind: str
    file: str
    result_id: str
    problem: str


def silent(done: int, total: int, what: str) -> None:
    """Nobody watches."""


def verify(reader: ArchiveReader, progress: Progress = silent) -> Iterator[Finding]:
    """What is wrong, as it is found; nothing if all is well. Reads every file. Raises ArchiveError if there is no index.

    May run while a station writes; what is stored or deleted meanwhile is no finding.
    """
    total, done = reader.count(), 0
    unknown: list[Path] = []
    on_disk = {path.relative_to(reader.folder).as_posix() for path in reader.folder.glob(FOLDERS_GLOB)}
    for folder in sorted(on_disk | set(reader.folders())):
        # The files are listed first: what is stored after that is in neither list, or in the index too.
        names = {path.name for path in (reader.folder / folder).glob(NAMES_GLOB)}
        for entry in reader.in_folder(folder):
            names -= set(entry.files.values())
            findings = list(_check(reader, entry))
            if findings and reader.get(entry.result_id) is not None:
                yield from findings
            done += 1
            progress(done, max(done, total), entry.files[DOCUMENT])
        unknown += [reader.folder / folder / name for name in sorted(names)]
    for path in unknown:
        known = {name for entry in reader.in_folder(_relative(reader, path.parent)) for name in entry.files.values()}
        if path.exists() and path.name not in known:
            problem = "is in no index: left by a crash, damaged, or put there"
            yield Finding("unknown", _relative(reader, path), "", problem)


def _check(reader: ArchiveReader, entry: Entry) -> Iterator[Finding]:
    for role, name in entry.files.items():
        path = entry.folder / name
        file = _relative(reader, path)
        try:
            is_same = _sha256(path) == entry.sha256[role]
        except OSError as error:
            yield Finding("missing", file, entry.result_id, f"the {role} cannot be read ({error.strerror})")
            continue
        if not is_same:
            yield Finding("changed", file, entry.result_id, f"the {role} is not as it was written")
        elif role == DOCUMENT and not _agrees(path, entry):
            problem = "the index says something else of this result than its own JSON"
            yield Finding("disagrees", file, entry.result_id, problem)


def _agrees(path: Path, entry: Entry) -> bool:
    try:
        record, _ = unpack_document(path.read_bytes(), path.name, "")
    except (OSError, ValueError):
        return False
    files = {role: (file.name, file.sha256) for role, file in record.files.items()}
    said = {role: (name, entry.sha256[role]) for role, name in entry.files.items()}
    is_same_time = record.decided_us == microseconds(entry.decided_at)
    return files == said and is_same_time and all(getattr(entry, name) == value for name, value in record.values.items())


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
    return digest.hexdigest()


def _relative(reader: ArchiveReader, path: Path) -> str:
    return path.relative_to(reader.folder).as_posix()
