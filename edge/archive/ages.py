"""Whether the wall clock can be trusted with deleting by age. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

HOLD_S: Final = 24 * 3600.0
_SLACK: Final = timedelta(days=1)
_OFF: Final = timedelta(days=30)


class AgeClock:
    """A clock that leaps forward makes everything old. After a leap nothing is deleted by age for a day, so that somebody
    can set it right; a leap is more than a day beyond what passed, or beyond 30 days where the station was off.

    last: the wall clock when the station was last sure of it, None if it never was.
    """

    def __init__(self, last: datetime | None) -> None:
        self.last = last
        self._last_s: float | None = None
        self._leapt_s: float | None = None
        self.leap = timedelta()

    @property
    def is_held(self) -> bool:
        """True while the clock is not trusted."""
        return self._leapt_s is not None

    def trusted(self, wall: datetime, monotonic_s: float) -> bool:
        """True if ages may be taken from `wall`; `last` is then wall."""
        passed = _OFF if self._last_s is None else timedelta(seconds=monotonic_s - self._last_s)
        leap = wall - self.last - passed if self.last is not None else timedelta()
        if leap > _SLACK:
            if self._leapt_s is None:
                self._leapt_s = monotonic_s
            if monotonic_s - self._leapt_s < HOLD_S:
                self.leap = leap
                return False
        self.last, self._last_s, self._leapt_s = wall, monotonic_s, None
        return True
