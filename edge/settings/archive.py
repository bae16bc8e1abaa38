"""Settings of the evidence archive: what is kept, how long, and how much of the disk is never touched."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator
from typing_extensions import Self

from edge.schema import Closed


class KeepSettings(Closed):
    """How many days evidence is kept. Everything that belongs to a clearance counts as clearance, whatever its outcome."""

    pass_days: float = Field(30.0, gt=0)
    undecided_days: float = Field(90.0, gt=0)
    fail_days: float = Field(365.0, gt=0)
    clearance_days: float = Field(1095.0, gt=0)

    @model_validator(mode="after")
    def _clearances_longest(self) -> Self:
        longest = max(self.pass_days, self.undecided_days, self.fail_days)
        if self.clearance_days < longest:
            raise ValueError(f"clearance_days ({self.clearance_days:g}) must be the longest: write at least {longest:g}")
        return self


class ArchiveSettings(Closed):
    """Evidence on disk.

    path None: `archive` in the state folder. own_disk: refuse to write where the folder lies on the system's own disk, as
    it does when the archive's disk is not mounted. pass_share: share of PASS verdicts outside clearances whose evidence is
    kept, drawn from the result's id and pass_seed. min_free_bytes: what stays free on the disk; for it evidence is deleted
    before its age, oldest first, PASS, then UNDECIDED, then FAIL, never a clearance's. max_bytes: the same for the
    archive's own size. queue_bytes: how much may wait in memory to be written.
    """

    enabled: bool = True
    path: str | None = Field(None, min_length=1)
    own_disk: bool = False
    pass_share: float = Field(0.01, ge=0, le=1)
    pass_seed: int = 0
    keep: KeepSettings = KeepSettings()
    min_free_bytes: int = Field(2 * 1024**3, ge=0)
    max_bytes: int | None = Field(None, ge=1)
    queue_bytes: int = Field(256 * 1024**2, ge=1024)

    def folder(self, state_dir: Path) -> Path:
        """Where the archive of the station with this state folder lies."""
        return Path(self.path) if self.path is not None else state_dir / "archive"
