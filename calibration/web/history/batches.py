"""All evidence of a batch as one zip to take away: as `lineclear archive export` writes it, with the report to sign."""

from __future__ import annotations

import secrets
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from calibration.progress import Progress, silent
from edge.archive import ArchiveReader, batch_entries, export_batch
from edge.audit import Action, AuditError, AuditLog
from edge.batch_report import gather, html_report
from edge.errors import LineclearError

KEPT_S: Final = 2 * 3600.0
MAX_RESULTS: Final = 20_000


class ExportError(LineclearError):
    """A batch that cannot be exported; nothing is left of it."""


@dataclass(frozen=True)
class BatchZip:
    """An export that waits to be fetched. manifest_sha256: to be signed or written into the batch record. findings: how many
    files are gone or were changed; the zip's manifest lists them.
    """

    path: Path
    batch: str
    results: int
    files: int
    size_bytes: int
    manifest_sha256: str
    findings: int


def export_for(
    reader: ArchiveReader,
    audit: AuditLog,
    folder: Path,
    batch: str,
    who: str,
    *,
    min_free_bytes: int = 0,
    progress: Progress = silent,
) -> BatchZip:
    """Write the zip below `folder`; it is in the audit log before anybody can fetch it.

    ExportError: too large for the disk. ArchiveError: nothing is known of the batch. AuditError: it was not written down, so
    the zip is gone. Cancelled, if progress raises it.
    """
    forget_old(folder)
    entries = batch_entries(reader, batch)
    if len(entries) > MAX_RESULTS:
        remedy = f"at most {MAX_RESULTS} here: use `lineclear archive export` on the station"
        raise ExportError(f"has {len(entries)} results", where=f"batch {batch[:80]}", remedy=remedy)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    needed = sum(size for entry in entries for size in entry.size_bytes.values())
    if shutil.disk_usage(folder).free - needed < min_free_bytes:
        remedy = "free space, or use `lineclear archive export` onto another disk"
        raise ExportError(f"would take {needed >> 20} MiB, for which the disk has no room", where=str(folder), remedy=remedy)
    path = folder / f"{secrets.token_hex(16)}.zip"
    report = {"report.html": html_report(gather(reader, batch, progress=progress), anchor=str(audit.head() or ""))}
    try:
        done = export_batch(reader, batch, path, extra_files=report, progress=progress)
        after = {
            "results": done.results,
            "files": done.files,
            "manifest_sha256": done.manifest_sha256,
            "findings": len(done.findings),
        }
        audit.append(Action.EXPORT, who=who, subject=f"batch {batch[:200]}", why="exported on the page", after=after)
    except (LineclearError, AuditError):
        path.unlink(missing_ok=True)
        raise
    return BatchZip(path, batch, done.results, done.files, done.size_bytes, done.manifest_sha256, len(done.findings))


def forget_old(folder: Path, now_s: float | None = None) -> None:
    """Exports that nobody fetched in time, and what a crash left."""
    now_s = time.time() if now_s is None else now_s
    for path in folder.glob("*"):
        with suppress(OSError):
            if now_s - path.stat().st_mtime > KEPT_S:
                path.unlink()
