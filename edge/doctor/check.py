"""One line of the doctor's report, and what every check is given."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from edge.doctor.machine import Machine

if TYPE_CHECKING:  # a machine without pydantic is looked at too
    from edge.config import StationConfig


class Status(str, Enum):
    """FAIL: the station cannot do its work. WARN: it can, but somebody should know. SKIP: not looked at, and why."""

    OK = "OK"
    WARN = "WARN"
    FAIL = "FAIL"
    SKIP = "SKIP"


@dataclass(frozen=True)
class Check:
    """One finding. name: its kind, with what it is about behind it (`camera feeder`). remedy: what to do, of WARN and FAIL."""

    name: str
    status: Status
    detail: str
    remedy: str = ""

    def __str__(self) -> str:
        remedy = f": {self.remedy}" if self.remedy else ""
        return f"{self.status.value:4} {self.name}: {self.detail}{remedy}"


@dataclass(frozen=True)
class Case:
    """What is examined. config None: none was named, or it is malformed; problems: what is wrong with it and what it names.

    now: wall clock, UTC.
    """

    machine: Machine = field(default_factory=Machine)
    config: StationConfig | None = None
    config_path: Path | None = None
    problems: tuple[str, ...] = ()
    now: datetime = field(default_factory=lambda: datetime.now(timezone.utc))

    @property
    def state_dir(self) -> Path | None:
        """The station's state folder, None without a config."""
        return Path(self.config.state_dir) if self.config is not None else None


def ok(name: str, detail: str) -> Check:
    """Nothing to do."""
    return Check(name, Status.OK, detail)


def warn(name: str, detail: str, remedy: str) -> Check:
    """Somebody should know."""
    return Check(name, Status.WARN, detail, remedy)


def fail(name: str, detail: str, remedy: str) -> Check:
    """The station cannot do its work."""
    return Check(name, Status.FAIL, detail, remedy)


def skip(name: str, why: str) -> Check:
    """Not looked at."""
    return Check(name, Status.SKIP, why)
