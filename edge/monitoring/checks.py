"""What the timers beside the station found out, told to those who listen to the station: see edge/checkup.py."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from edge.checkup import Checkup, CheckupOutcome, read_checkups
from edge.health import Value

READ_EVERY_S: Final = 10.0
DAY_S: Final = 24 * 3600.0
MAX_AGE_S: Final = {"drift": 3 * DAY_S, "archive-verify": 16 * DAY_S}
"""Twice the timer's interval and a weekend on top: beyond that it does not run as it should."""
OTHERS_MAX_AGE_S: Final = 16 * DAY_S
MAX_CHECKS: Final = 20
MAX_SUMMARY: Final = 200


class Checks:
    """Values and alarms from STATE_DIR/checks. One thread uses it; it looks at the disk every READ_EVERY_S."""

    def __init__(self, state_dir: Path, now: Callable[[], datetime], clock: Callable[[], float] = time.monotonic) -> None:
        """now: wall clock; clock: steady."""
        self._state_dir = state_dir
        self._now = now
        self._clock = clock
        self._read_s = float("-inf")
        self._found: Sequence[Checkup] = ()
        self._told = {_code(name) for name in MAX_AGE_S} | {_code(name) + OLD for name in MAX_AGE_S}

    def values(self) -> dict[str, Value]:
        """`checks.drift.outcome`, `.age_s`, `.summary`."""
        values: dict[str, Value] = {}
        for checkup in self._read():
            head = f"checks.{checkup.name}"
            values[f"{head}.outcome"] = checkup.outcome.value
            values[f"{head}.age_s"] = round(max(0.0, checkup.age_s(self._now())), 1)
            values[f"{head}.summary"] = checkup.summary[:MAX_SUMMARY]
        return values

    def alarms(self) -> dict[str, str | None]:
        """`check_drift`: what it found and what to do; `check_drift_old`: it has run, but not lately. None: all is well, or
        it never ran: a station without timers is no alarm.
        """
        found: dict[str, str | None] = {}
        for checkup in self._read():
            code = _code(checkup.name)
            if checkup.outcome in (CheckupOutcome.ATTENTION, CheckupOutcome.FAILED):
                found[code] = f"{checkup.name}: {checkup.summary}" + (f": {checkup.remedy}" if checkup.remedy else "")
            else:
                found[code] = None
            age_s, limit_s = checkup.age_s(self._now()), MAX_AGE_S.get(checkup.name, OTHERS_MAX_AGE_S)
            found[code + OLD] = None if age_s <= limit_s else _old(checkup.name, age_s)
        self._told |= found.keys()
        return {**dict.fromkeys(sorted(self._told)), **found}

    def _read(self) -> Sequence[Checkup]:
        if self._clock() - self._read_s >= READ_EVERY_S:
            self._read_s = self._clock()
            self._found = read_checkups(self._state_dir)[:MAX_CHECKS]
        return self._found


OLD: Final = "_old"


def _code(name: str) -> str:
    """As far as the name can stand in an alarm code."""
    return "check_" + name.replace("-", "_")[:50]


def _old(name: str, age_s: float) -> str:
    return (
        f"{name} ran {age_s / DAY_S:.0f} days ago, and not since: look at its timer (systemctl list-timers 'lineclear-*') and "
        f"its journal (journalctl -u 'lineclear-{name}@*')"
    )
