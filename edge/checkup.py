"""What a timer found out beside the station, kept for it: one small JSON file per kind of check in STATE_DIR/checks.

Drift and the archive are looked at by processes of their own, at low priority, once a day or a week. Each leaves its outcome
here, and the station, `doctor` and the alarms read it: a check that nobody reads might as well not run.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timezone
from enum import Enum
from pathlib import Path
from typing import Any, Final

from pydantic import AwareDatetime, Field, field_validator

from edge.durable import replace_file
from edge.errors import ConfigError
from edge.schema import Closed, read_json, validate

SCHEMA: Final = "lineclear/checkup/1"
FOLDER: Final = "checks"
MAX_BYTES: Final = 256 * 1024
MAX_FIGURES: Final = 1000
MAX_FILES: Final = 100
Figure = float | int | str | bool | None


class CheckupOutcome(str, Enum):
    """ok: nothing to do. attention: something to do. failed: it could not be looked. unknown: too little to say."""

    OK = "ok"
    ATTENTION = "attention"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Checkup(Closed):
    """The outcome of one check. at: when it ended, in UTC. summary, remedy: one line each, for a person. figures: flat."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")
    at: AwareDatetime
    outcome: CheckupOutcome
    summary: str = Field(min_length=1, max_length=500)
    remedy: str = Field("", max_length=500)
    figures: dict[str, Figure] = Field({}, max_length=MAX_FIGURES)

    @field_validator("at")
    @classmethod
    def _in_utc(cls, value: datetime) -> datetime:
        return value.astimezone(timezone.utc)

    @field_validator("figures")
    @classmethod
    def _finite(cls, value: Mapping[str, Figure]) -> Mapping[str, Figure]:
        if any(isinstance(figure, float) and not math.isfinite(figure) for figure in value.values()):
            raise ValueError("a figure is not finite: leave it out, or write null")
        return value

    def age_s(self, now: datetime) -> float:
        """Seconds since it ended; negative where the clock was set back."""
        return (now - self.at).total_seconds()

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {"schema": SCHEMA, **self.model_dump(mode="json")}


def write_checkup(state_dir: Path, checkup: Checkup) -> Path:
    """Keep it in place of the one before; its file. Durable and whole when it returns. ConfigError: the disk refuses."""
    folder = state_dir / FOLDER
    target = folder / f"{checkup.name}.json"
    data = json.dumps(checkup.document(), allow_nan=False, indent=1).encode() + b"\n"
    if len(data) > MAX_BYTES:
        raise ConfigError(
            f"{len(data)} bytes are too many", where=str(target), remedy=f"keep fewer figures: at most {MAX_BYTES}"
        )
    try:
        folder.mkdir(exist_ok=True)
        replace_file(target, data, mode=0o640)  # the group's technicians read it
    except OSError as error:
        remedy = "free the disk, or run it as the station's user (sudo -u lineside)"
        raise ConfigError(f"cannot be written ({error.strerror})", where=str(target), remedy=remedy) from None
    return target


def read_checkup(state_dir: Path, name: str) -> Checkup | None:
    """What was kept under this name; None if it never ran. ConfigError: it cannot be read, or is none."""
    path = state_dir / FOLDER / f"{name}.json"
    if not path.exists():
        return None
    data = read_json(path, MAX_BYTES)
    if not isinstance(data, dict) or data.pop("schema", None) != SCHEMA:
        raise ConfigError(f"is no {SCHEMA}", where=str(path), remedy="delete it: the next check writes it again")
    found = validate(Checkup, data, str(path))
    if found.name != name:
        raise ConfigError(f"is the check {found.name!r}", where=str(path), remedy="delete it: the next check writes it again")
    return found


def read_checkups(state_dir: Path) -> tuple[Checkup, ...]:
    """All that were kept, by name. What cannot be read is there as UNKNOWN and says why; never raises."""
    found: list[Checkup] = []
    with suppress(OSError):
        for path in sorted((state_dir / FOLDER).glob("*.json"))[:MAX_FILES]:
            try:
                checkup = read_checkup(state_dir, path.stem)
            except ConfigError as error:
                checkup = _unreadable(path, str(error))
            if checkup is not None:
                found.append(checkup)
    return tuple(found)


def _unreadable(path: Path, why: str) -> Checkup | None:
    """None: its name is none of ours, or it was replaced meanwhile."""
    try:
        return Checkup(
            name=path.stem,
            at=datetime.fromtimestamp(path.stat().st_mtime, timezone.utc),
            outcome=CheckupOutcome.UNKNOWN,
            summary=why[:500],
            remedy="delete it: the next check writes it again",
            figures={},
        )
    except (OSError, ValueError, OverflowError):
        return None
