"""The audit log as those write it who change something. Several processes may, each line under one lock."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final

from edge.audit.entry import MAX_LINE_BYTES, NOTHING_BEFORE, Action, Anchor, AuditError, Entry, encode
from edge.audit.files import Tail, append_durably, locked, name_of, numbered, read_tail
from edge.durable import sync
from edge.settings.audit import AuditSettings

THE_LOG: Final = "audit log"
PROBE: Final = "audit.probe"
_REMEDY: Final = "check space and rights of the folder; nothing was changed"


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(timezone.utc)


@dataclass(frozen=True)
class _End:
    """Where the next line goes, and what it follows. damaged: lines at the end that are not as they were written."""

    path: Path
    number: int
    size_bytes: int
    sequence: int
    previous: str
    damaged: int = 0

    def follows(self, seen: Anchor) -> bool:
        """False if the log no longer holds what this process saw in it."""
        return self.sequence > seen.sequence or (self.sequence, self.previous) == (seen.sequence, seen.sha256)


class AuditLog:
    """Append-only, hash-chained, on the disk before `append` returns. Any thread and any process may append.

    folder: made when the first entry is written. now: wall clock, with a zone.
    """

    def __init__(self, folder: Path, settings: AuditSettings | None = None, now: Callable[[], datetime] = utc_now) -> None:
        self._folder = folder
        self._settings = settings or AuditSettings()
        self._now = now
        self._boot = _boot_id()
        self._seen: Anchor | None = None

    @property
    def folder(self) -> Path:
        """Where the files are."""
        return self._folder

    def append(self, action: Action, *, who: str, subject: str, why: str = "", before: Any = None, after: Any = None) -> Entry:
        """Record one change, before it is made. who: a person, or the part of the station that acts by itself.

        AuditError: it is not on the disk, so the change must not be made.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with locked(self._folder, self._settings.lock_timeout_s):
                end = self._mended_end()
                return self._write(end, action, who, subject, why, before, after)[1]
        except OSError as error:
            raise AuditError(
                f"cannot be written ({error.strerror or error})", where=str(self._folder), remedy=_REMEDY
            ) from None

    def prove(self) -> None:
        """Whether an entry could be written now: its folder takes a file of the largest entry's size, and nobody holds the
        lock. Nothing is left of it. AuditError says why not.
        """
        probe = self._folder / PROBE
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with locked(self._folder, self._settings.lock_timeout_s):
                try:
                    append_durably(probe, 0, bytes(MAX_LINE_BYTES))
                    self._prove_end()
                finally:
                    probe.unlink(missing_ok=True)
        except OSError as error:
            raise AuditError(
                f"cannot be written ({error.strerror or error})", where=str(self._folder), remedy=_REMEDY
            ) from None

    def head(self) -> Anchor | None:
        """Number and hash of the last whole entry, for `health`; None if there is none. Raises AuditError."""
        try:
            for _, path in sorted(numbered(self._folder).items(), reverse=True):
                entry, _ = read_tail(path).last_whole()
                if entry is not None:
                    return entry.anchor
        except FileNotFoundError:
            return None
        except OSError as error:
            raise AuditError(f"cannot be read ({error.strerror})", where=str(self._folder), remedy="check its rights") from None
        return None

    def _write(
        self, end: _End, action: Action, who: str, subject: str, why: str, before: Any, after: Any
    ) -> tuple[_End, Entry]:
        if end.size_bytes >= self._settings.max_file_bytes:
            number = end.number + 1
            end = _End(self._folder / name_of(number), number, 0, end.sequence, end.previous)
        sequence = end.sequence + 1
        line, entry = encode(
            Entry(
                sequence, self._now(), time.monotonic_ns(), self._boot, who, action, subject, why, before, after, end.previous
            )
        )
        append_durably(end.path, end.size_bytes, line)
        self._seen = entry.anchor
        return _End(end.path, end.number, end.size_bytes + len(line), sequence, entry.sha256), entry

    def _mended_end(self) -> _End:
        """The end of the log, mended and the mending recorded, where a crash or somebody's hand left it damaged."""
        files = numbered(self._folder)
        number = max(files, default=1)
        mended: dict[str, Any] = {}
        if number in files and (tail := read_tail(files[number])).torn:
            mended |= {"torn_bytes": len(tail.torn), "kept_as": self._keep_aside(files[number], tail.torn)}
            os.truncate(files[number], tail.size_bytes)
        end = self._find_end(files, number)
        if end.damaged:
            mended |= {"damaged_entries": end.damaged}
        if self._seen is not None and not end.follows(self._seen):
            mended |= {"went_back_to": end.sequence, "from": str(self._seen)}
        if mended:
            after = {"file": end.path.name, **mended}
            why = "the end of the log was not as it was written"
            end, _ = self._write(end, Action.REPAIR, "lineclear", THE_LOG, why, None, after)
        return end

    def _prove_end(self) -> None:
        """The file that the next entry goes into can be opened for writing. Raises OSError."""
        files = numbered(self._folder)
        if files:
            os.close(os.open(files[max(files)], os.O_WRONLY | os.O_CLOEXEC))

    def _find_end(self, files: Mapping[int, Path], number: int) -> _End:
        """A last file without a line was begun just before the machine stopped: it follows the one before."""
        for earlier in sorted(files, reverse=True):
            tail = read_tail(files[earlier])
            if tail.lines:
                end = _end_after(files[earlier], earlier, tail)
                return end if earlier == number else replace(end, path=files[number], number=number, size_bytes=0)
        return _End(self._folder / name_of(number), number, 0, 0, NOTHING_BEFORE)

    def _keep_aside(self, path: Path, torn: bytes) -> str:
        count = 1
        while (kept := path.with_name(f"{path.stem}.torn-{count}")).exists():
            count += 1
        append_durably(kept, 0, torn)
        sync(self._folder)
        return kept.name


def _end_after(path: Path, number: int, tail: Tail) -> _End:
    """What follows this tail. A damaged last line is not passed over: the next entry pins it as it is."""
    entry, damaged = tail.last_whole()
    if entry is None:
        remedy = "keep the folder as evidence, move it aside, find out who changed it; a new log then begins at 1"
        raise AuditError(f"its last {damaged} entries are all damaged", where=str(path), remedy=remedy)
    previous = hashlib.sha256(tail.lines[-1]).hexdigest() if damaged else entry.sha256
    return _End(path, number, tail.size_bytes, entry.sequence + damaged, previous, damaged)


def _boot_id() -> str:
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    return ""
