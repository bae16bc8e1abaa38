"""Is the station fit to answer? Asked before a clearance takes a frame; everything that speaks against it, at once."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

from edge.clearance.base import Check, Fit, Seat
from edge.clearance.seats import merged, parts_of, troubles_of
from edge.errors import LineclearError, OutboxError
from edge.loop.judging import EARLIEST_SANE
from edge.types import Reason, ReasonCode

CLOCK_SLACK_S = 2.0
"""How far the clock may go back between two clearances: NTP corrects by less."""


class Fitness:
    """Looks at cameras, recipes, cards, engines, clock and disk, and at whatever else it was given.

    last_time: when the last clearance was answered. free_bytes: of the disk that holds a folder.
    """

    def __init__(
        self,
        seats: Mapping[str, Seat],
        state_dir: Path,
        min_free_bytes: int,
        last_time: Callable[[], datetime | None],
        checks: Sequence[Check] = (),
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
        free_bytes: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free,
    ) -> None:
        self._seats = seats
        self._state_dir = state_dir
        self._min_free_bytes = min_free_bytes
        self._last_time = last_time
        self._checks = (self._clock, self._disk, *checks)
        self._now = now
        self._free_bytes = free_bytes

    def look(self) -> Fit:
        """Everything that speaks against the station now. Never raises."""
        station = tuple(reason for reason in map(_asked, self._checks) if reason is not None)
        troubles = {name: troubles_of(seat) for name, seat in self._seats.items()}
        views = {name: merged(found) for name, found in troubles.items() if found}
        return Fit(station, views, {name: parts_of(seat) for name, seat in self._seats.items()})

    def _clock(self) -> Reason | None:
        now, last = self._now(), self._last_time()
        if now < EARLIEST_SANE:
            detail = f"the station's clock says {now:%Y-%m-%d}: set it (timedatectl), then ask again"
            return Reason(ReasonCode.CLOCK, detail)
        if last is not None and now < last - timedelta(seconds=CLOCK_SLACK_S):
            detail = f"the clock says {now:%Y-%m-%d %H:%M:%S}, the last clearance was at {last:%Y-%m-%d %H:%M:%S} UTC"
            return Reason(ReasonCode.CLOCK, f"{detail}: look which is right, set the clock, then ask again")
        return None

    def _disk(self) -> Reason | None:
        try:
            free = self._free_bytes(self._state_dir)
        except OSError as error:
            remedy = "check the disk of state_dir"
            return Reason(ReasonCode.DISK_LOW, f"the free space cannot be read ({error.strerror}): {remedy}")
        if free < self._min_free_bytes:
            found, wanted = (f"{size / 1e6:.0f} MB" for size in (free, self._min_free_bytes))
            return Reason(ReasonCode.DISK_LOW, f"{found} are free where state_dir lies, {wanted} are needed: free the disk")
        return None


def _asked(check: Check) -> Reason | None:
    try:
        return check()
    except OutboxError as error:
        return Reason(ReasonCode.NOT_RECORDED, str(error))
    except LineclearError as error:
        return Reason(ReasonCode.NOT_FIT, str(error))
