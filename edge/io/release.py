"""When the release may hold: only after a fresh CLEAR, and until anything else happens. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from edge.settings.io import Condition, OutputsConfig, SimulatedChip
from edge.types import Clearance, ClearanceOutcome

AHEAD_S = 1.0
"""How far a clearance may seem to come from the future: times are rounded, and NTP slews the clock."""
_SHOWN = {
    ClearanceOutcome.NOT_CLEAR: Condition.NOT_CLEAR,
    ClearanceOutcome.UNDECIDED: Condition.UNDECIDED,
    ClearanceOutcome.RELEASED_BY: Condition.RELEASED_BY,
}


@dataclass(frozen=True)
class Permit:
    """The release may hold for the clearance with this sequence, until host monotonic until_ns."""

    sequence: int
    until_ns: int


class ReleaseGate:
    """Opens for one fresh CLEAR, once. Not thread-safe.

    Fresh: asked for in this life of the station, the newest that was asked for, its sequence above every earlier one, decided
    less than fresh_s ago, on durable record (its sequence is not 0), not simulated unless the lines are.
    """

    def __init__(self, config: OutputsConfig) -> None:
        self._config = config
        self._running: str | None = None
        self._last_sequence = 0
        self._permit: Permit | None = None
        self._shown: Condition | None = None
        self.why_closed = "no clearance yet"

    def started(self, request_id: str) -> None:
        """A clearance is at work: whatever was released is not any more."""
        self._close(f"clearance {request_id} started")
        self._running = request_id
        self._shown = None

    def done(self, clearance: Clearance, now: datetime, now_ns: int) -> bool:
        """What came of it; True if the gate is open now, else `why_closed` says why not."""
        doubt = self._doubt(clearance, now)
        if self._running == clearance.request_id:
            self._running = None
            self._shown = _SHOWN.get(clearance.outcome)
        self._last_sequence = max(self._last_sequence, clearance.sequence)
        self._close(doubt)
        if not doubt:
            age_ns = max(0, int((now - clearance.decided_at).total_seconds() * 1e9))
            self._permit = Permit(clearance.sequence, now_ns - age_ns + int(self._config.hold_s * 1e9))
        return self._permit is not None

    def drop(self, why: str) -> None:
        """Close, for a reason that is no clearance; it stays closed until the next fresh CLEAR."""
        self._close(why)

    def permit(self, now_ns: int) -> Permit | None:
        """The permit in force, None while the gate is closed; closes for good when the hold time is over."""
        if self._permit is not None and now_ns >= self._permit.until_ns:
            self._close(f"{self._config.hold_s:g} s are over")
        return self._permit

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """What of the clearances is to be shown, beside the release itself."""
        if self._running is not None:
            return (Condition.BUSY,)
        return (self._shown,) if self._shown is not None else ()

    def _close(self, why: str) -> None:
        self._permit = None
        self.why_closed = why

    def _doubt(self, clearance: Clearance, now: datetime) -> str:
        """Why this result releases nothing, "" if it does."""
        config, outcome = self._config, clearance.outcome
        age_s = (now - clearance.decided_at).total_seconds()
        if self._running != clearance.request_id:
            return f"clearance {clearance.request_id} is not the one that is at work"
        if outcome is not ClearanceOutcome.CLEAR and not (outcome is ClearanceOutcome.RELEASED_BY and config.released_by):
            return f"clearance {clearance.sequence} is {outcome.value}"
        if clearance.sequence <= self._last_sequence:
            return f"sequence {clearance.sequence} is not above {self._last_sequence}, which was seen already"
        if clearance.is_simulated and not isinstance(config.chip, SimulatedChip):
            return "the clearance is simulated, the line is not"
        if not -AHEAD_S <= age_s <= config.fresh_s:
            return f"clearance {clearance.sequence} was decided {age_s:.1f} s ago, at most {config.fresh_s:g} s count"
        return ""
