"""Settings of the audit log."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from edge.schema import Closed


class AuditSettings(Closed):
    """The hash-chained log of changes; it cannot be switched off, and no file of it is ever deleted.

    path None: `audit` in the state folder. max_file_bytes: a file that has reached it is closed and the next one begun.
    lock_timeout_s: how long a change waits for another process that is writing.
    """

    path: str | None = Field(None, min_length=1)
    max_file_bytes: int = Field(16 * 1024**2, ge=1024)
    lock_timeout_s: float = Field(5.0, gt=0, le=60)

    def folder(self, state_dir: Path) -> Path:
        """Where the audit log of the station with this state folder lies."""
        return Path(self.path) if self.path is not None else state_dir / "audit"
