"""Logs to test on, and what may be done to them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edge.audit import Action, AuditLog, Entry
from edge.settings.audit import AuditSettings

FIRST = "audit-000001.jsonl"


def written(folder: Path, count: int, max_file_bytes: int = 16 * 1024**2) -> AuditLog:
    """A log of `count` entries."""
    log = AuditLog(folder, AuditSettings(max_file_bytes=max_file_bytes))
    for number in range(1, count + 1):
        entry = append(log, number)
        assert entry.sequence == number
    return log


def append(log: AuditLog, number: int) -> Entry:
    before, after = {"image_threshold": number}, {"image_threshold": number + 0.5}
    return log.append(Action.THRESHOLD, who="A. Müller", subject="front", why="dust\nand more", before=before, after=after)


def rewrite(path: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    """Replace the lines of a file by what `change` makes of them."""
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))
