"""`lineclear archive verify CONFIG --keep`: what the timer runs. Its outcome is kept for the station and its alarms."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

from edge.archive import ArchiveError, ArchiveReader, Finding, verify
from edge.archive.index_file import INDEX
from edge.checkup import Checkup, CheckupOutcome, Figure, write_checkup
from edge.cli.terminal import one_line
from edge.config import load_config

NAME = "archive-verify"
Progress = Callable[[int, int, str], None]


def verify_and_keep(config_path: Path, progress: Progress, found: Callable[[Finding], bool]) -> Checkup:
    """Verify the archive of a station, telling `found` each finding until it says no, and keep the outcome in its state folder.

    ConfigError: no config, or the outcome cannot be kept. An archive that cannot be read is an outcome, not an error.
    """
    config = load_config(config_path)
    folder, state_dir = config.archive.folder(Path(config.state_dir)), Path(config.state_dir)
    began_s = time.monotonic()
    findings: list[Finding] = []
    entries = 0
    listening = True

    def counted(done: int, total: int, what: str) -> None:
        nonlocal entries
        entries = done
        progress(done, total, what)

    def outcome() -> tuple[CheckupOutcome, str, str]:
        nonlocal listening
        if not config.archive.enabled:
            return CheckupOutcome.OK, "the archive is switched off: nothing to verify", ""
        if not (folder / INDEX).exists() and not any(folder.glob("*")):
            return CheckupOutcome.UNKNOWN, f"{folder}: nothing was archived yet", ""
        try:
            for finding in verify(ArchiveReader(folder), counted):
                findings.append(finding)
                listening = listening and found(finding)
        except ArchiveError as error:
            return CheckupOutcome.FAILED, str(error), "lineclear doctor; is the archive's disk mounted and readable?"
        if not findings:
            return CheckupOutcome.OK, f"{entries} results, each as it was written", ""
        first = f"{findings[0].file}: {findings[0].problem}"
        remedy = f"lineclear archive verify {config_path}: lists them; keep the disk as it is and find out who changed it"
        return (
            CheckupOutcome.ATTENTION,
            f"{len(findings)} of {entries} results' files are not as written: first {first}",
            remedy,
        )

    status, summary, remedy = outcome()
    figures: dict[str, Figure] = {
        "entries": entries,
        "findings": len(findings),
        "duration_s": round(time.monotonic() - began_s, 1),
        **{f"findings.{kind}": sum(one.kind == kind for one in findings) for kind in sorted({one.kind for one in findings})},
    }
    checkup = Checkup(
        name=NAME,
        at=datetime.now(timezone.utc),
        outcome=status,
        summary=one_line(summary)[:500],
        remedy=one_line(remedy)[:500],
        figures=figures,
    )
    write_checkup(state_dir, checkup)
    return checkup
