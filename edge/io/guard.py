"""What the guard makes of the station's beats: the levels of every line at a time. Pure: no lines, no clock, no I/O.

The guard trusts the station with nothing but its last word: silence, an old word, a sequence that was used before, or a permit
that has run out is no release, and what was dropped once comes back only with a higher sequence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edge.io.base import Wire

RELEASED, FAULT = "released", "fault"
IDLE_NS = 1_000_000_000


@dataclass(frozen=True)
class Order:
    """How one line is to be driven. on: conditions; a release line has `released` alone and nothing else counts for it."""

    wire: Wire
    on: frozenset[str]
    signal: str
    period_ns: int = 0
    pulse_ns: int = 0

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Order:
        """From the station's first message."""
        return cls(
            Wire.of(data),
            frozenset(data["on"]),
            data["signal"],
            int(data.get("period_ms", 0) * 1e6),
            int(data.get("pulse_ms", 0) * 1e6),
        )


@dataclass(frozen=True)
class Beat:
    """The station's word. sent_ns: host monotonic. permit: (sequence, until_ns), None: no release. show: conditions."""

    number: int
    sent_ns: int
    permit: tuple[int, int] | None
    show: frozenset[str]

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Beat:
        """From a message; KeyError, TypeError or ValueError for anything else."""
        permit = data["permit"]
        held = None if permit is None else (int(permit[0]), int(permit[1]))
        return cls(int(data["beat"]), int(data["sent_ns"]), held, frozenset(map(str, data["show"])))


class Guard:
    """Hears beats, says levels. silence_ns: without a beat for so long the station is taken for hung. hold_ns: no release lasts
    longer, whatever the station says.
    """

    def __init__(self, orders: Sequence[Order], silence_ns: int, hold_ns: int) -> None:
        self._orders = tuple(orders)
        self._silence_ns, self._hold_ns = silence_ns, hold_ns
        self._heard_ns = -(1 << 62)
        self._show: frozenset[str] = frozenset()
        self._spent = 0
        self._open = False
        self._until_ns = 0
        self._since: dict[str, int] = {}

    def hear(self, beat: Beat, now_ns: int) -> None:
        """Take a beat in. One that lay in the socket while this process stood still is no sign of life."""
        if not 0 <= now_ns - beat.sent_ns < self._silence_ns:
            return
        self._close_if_due(now_ns)
        self._heard_ns = beat.sent_ns
        self._show = beat.show
        if beat.permit is None:
            self._open = False
            return
        sequence, until_ns = beat.permit
        until_ns = min(until_ns, now_ns + self._hold_ns)
        if self._open and sequence == self._spent:
            self._until_ns = min(self._until_ns, until_ns)
        else:
            self._open = sequence > self._spent and until_ns > now_ns
            self._until_ns = until_ns
        self._spent = max(self._spent, sequence)

    def is_released(self, now_ns: int) -> bool:
        """Whether the release holds now."""
        self._close_if_due(now_ns)
        return self._open

    def levels(self, now_ns: int) -> dict[str, bool]:
        """Every line's level now, True for energised."""
        conditions = self._conditions(now_ns)
        return {order.wire.name: self._level(order, conditions, now_ns) for order in self._orders}

    def next_ns(self, now_ns: int) -> int:
        """When the levels may change by themselves, after `levels` was asked for now_ns."""
        times = [now_ns + IDLE_NS, self._heard_ns + self._silence_ns]
        if self._open:
            times.append(self._until_ns)
        for order in self._orders:
            since = self._since.get(order.wire.name)
            if since is None:
                continue
            if order.signal == "pulse":
                times.append(since + order.pulse_ns)
            elif order.signal in ("heartbeat", "blink"):
                half = order.period_ns // 2
                times.append(since + ((now_ns - since) // half + 1) * half)
        return min(time for time in times if time > now_ns)

    def _close_if_due(self, now_ns: int) -> None:
        if now_ns >= self._until_ns or self._is_silent(now_ns):
            self._open = False

    def _is_silent(self, now_ns: int) -> bool:
        return now_ns - self._heard_ns >= self._silence_ns

    def _conditions(self, now_ns: int) -> frozenset[str]:
        """A station that is not heard shows nothing but its fault."""
        if self.is_released(now_ns):
            return self._show | {RELEASED}
        return frozenset({FAULT}) if self._is_silent(now_ns) else self._show - {RELEASED}

    def _level(self, order: Order, conditions: frozenset[str], now_ns: int) -> bool:
        name = order.wire.name
        if not order.on & conditions:
            self._since.pop(name, None)
            return False
        since = self._since.setdefault(name, now_ns)
        if order.signal == "pulse":
            return now_ns - since < order.pulse_ns
        if order.signal in ("heartbeat", "blink"):
            return (now_ns - since) // (order.period_ns // 2) % 2 == 0
        return True
