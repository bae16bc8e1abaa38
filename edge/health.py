"""What a station counts: verdicts, times, clearances, things that went wrong, nudges. Thread-safe; for health and Prometheus.

Who looks from outside (Prometheus) never gets at a lock of the judge: it reads `observed`, which the station's report made.
"""

from __future__ import annotations

import statistics
import threading
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

from edge.types import Clearance, ClearanceOutcome, Verdict

STAGE_BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
CLEARANCE_BUCKETS_S: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
TREND_LENGTH: Final = 500
GRAB: Final = "grab"
"""The stage from the trigger to the frame: the camera's time, not the judge's."""
Value = float | int | str | bool | None
Key = TypeVar("Key")


@dataclass(frozen=True)
class NudgeTrend:
    """How far the camera stands from its reference pose, in reference pixels (largest corner displacement).

    recent_px: median of the newest tenth; earlier_px: median of the oldest tenth; px_per_h: slope by Theil-Sen over the
    window; samples: how many trusted alignments are behind it.
    """

    recent_px: float
    earlier_px: float
    px_per_h: float
    samples: int


@dataclass(frozen=True)
class Spread:
    """How long something took. counts: per bucket, each from the bound before to its own; the last one has no bound."""

    bounds_s: tuple[float, ...]
    counts: tuple[int, ...]
    sum_s: float

    def plus(self, seconds: float) -> Spread:
        """With one more."""
        at = bisect_left(self.bounds_s, seconds)
        counts = (*self.counts[:at], self.counts[at] + 1, *self.counts[at + 1 :])
        return Spread(self.bounds_s, counts, self.sum_s + seconds)


def _empty(bounds_s: tuple[float, ...]) -> Spread:
    return Spread(bounds_s, (0,) * (len(bounds_s) + 1), 0.0)


@dataclass(frozen=True)
class Observed:
    """The station as its report last saw it. at_s: host monotonic.

    values: flat, as in the health topic. verdicts: by view, outcome and reason ("" where there is none). stages: by view and
    stage. latencies: by view, from the frame to the durable verdict. clearances: by outcome.
    """

    values: Mapping[str, Value] = field(default_factory=dict)
    verdicts: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    stages: Mapping[tuple[str, str], Spread] = field(default_factory=dict)
    latencies: Mapping[str, Spread] = field(default_factory=dict)
    clearances: Mapping[str, Spread] = field(default_factory=dict)
    at_s: float = 0.0


class Health:
    """All counters of one station."""

    def __init__(self) -> None:
        self.observed = Observed(at_s=time.monotonic())
        self._lock = threading.Lock()
        self._shifts: dict[str, deque[tuple[float, float]]] = {}
        self._counts: dict[tuple[str, str, str], int] = {}
        self._events: dict[tuple[str, str], int] = {}
        self._stages: dict[tuple[str, str], Spread] = {}
        self._latencies: dict[str, Spread] = {}
        self._answers: dict[tuple[str, str], int] = {}
        self._answer_times: dict[str, Spread] = {}

    def verdict(self, verdict: Verdict) -> None:
        """Count one verdict with its stage times and its alignment's displacement."""
        reason = verdict.reason.code.value if verdict.reason else ""
        key = (verdict.view, verdict.outcome.value, reason)
        with self._lock:
            self._counts[key] = self._counts.get(key, 0) + 1
            if verdict.alignment is not None and verdict.alignment.trusted and verdict.origin.grabbed_at is not None:
                samples = self._shifts.setdefault(verdict.view, deque(maxlen=TREND_LENGTH))
                samples.append((verdict.origin.grabbed_at.timestamp() / 3600, verdict.alignment.corner_shift_px))
            for stage, milliseconds in verdict.stage_ms.items():
                _add(self._stages, (verdict.view, stage), milliseconds / 1000, STAGE_BUCKETS_S)
            latency_s = sum(ms for stage, ms in verdict.stage_ms.items() if stage != GRAB) / 1000
            if verdict.origin.grabbed_at is not None and verdict.stage_ms:
                _add(self._latencies, verdict.view, latency_s, STAGE_BUCKETS_S)

    def clearance(self, clearance: Clearance) -> None:
        """Count one clearance, with the time from the request to the answer unless a person took it."""
        outcome = clearance.outcome.value
        taken_s = max(0.0, (clearance.decided_at - clearance.requested_at).total_seconds())
        with self._lock:
            for name in ("", *(reason.code.value for reason in clearance.reasons)):
                self._answers[outcome, name] = self._answers.get((outcome, name), 0) + 1
            if clearance.outcome is not ClearanceOutcome.RELEASED_BY:
                _add(self._answer_times, outcome, taken_s, CLEARANCE_BUCKETS_S)

    def event(self, view: str, name: str, count: int = 1) -> None:
        """Count something that went wrong: frames_lost, frames_incomplete, not_recorded, overlay_dropped..."""
        if count > 0:
            with self._lock:
                self._events[view, name] = self._events.get((view, name), 0) + count

    def nudge_trend(self, view: str) -> NudgeTrend | None:
        """The camera's drift from its reference pose; None before ten trusted alignments."""
        with self._lock:
            samples = list(self._shifts.get(view, ()))
        if len(samples) < 10:
            return None
        tenth = max(3, len(samples) // 10)
        thinned = samples[:: max(1, len(samples) // 50)]
        slopes = [
            (later - earlier) / (t1 - t0)
            for i, (t0, earlier) in enumerate(thinned)
            for t1, later in thinned[i + 1 :]
            if t1 - t0 > 1 / 3600
        ]
        return NudgeTrend(
            recent_px=statistics.median(px for _, px in samples[-tenth:]),
            earlier_px=statistics.median(px for _, px in samples[:tenth]),
            px_per_h=statistics.median(slopes) if slopes else 0.0,
            samples=len(samples),
        )

    def observe(self, values: Mapping[str, Value]) -> None:
        """Keep all of it as it is now, with these values, for who looks from outside. One thread calls it."""
        with self._lock:
            observed = Observed(
                dict(values),
                dict(self._counts),
                dict(self._stages),
                dict(self._latencies),
                dict(self._answer_times),
                time.monotonic(),
            )
        self.observed = observed

    def values(self) -> dict[str, Value]:
        """All counters as flat names: `view.front.verdicts.PASS`, `view.front.reasons.camera_lost`, `view.front.nudge_px`."""
        with self._lock:
            counts, events, answers = dict(self._counts), dict(self._events), dict(self._answers)
            shifted = list(self._shifts)
        values: dict[str, Value] = {}

        def add(name: str, count: int) -> None:
            values[name] = int(values.get(name) or 0) + count

        for (view, outcome, reason), count in counts.items():
            add(f"view.{view}.verdicts.{outcome}", count)
            if reason:
                add(f"view.{view}.reasons.{reason}", count)
        for (view, event), count in events.items():
            add(f"view.{view}.events.{event}" if view else f"events.{event}", count)
        for (outcome, reason), count in answers.items():
            add(f"clearances.reasons.{reason}" if reason else f"clearances.{outcome}", count)
        for view in shifted:
            trend = self.nudge_trend(view)
            if trend is not None:
                values[f"view.{view}.nudge_px"] = round(trend.recent_px, 2)
                values[f"view.{view}.nudge_before_px"] = round(trend.earlier_px, 2)
                values[f"view.{view}.nudge_px_per_h"] = round(trend.px_per_h, 3)
        return values


def _add(spreads: dict[Key, Spread], key: Key, seconds: float, bounds_s: tuple[float, ...]) -> None:
    spreads[key] = (spreads.get(key) or _empty(bounds_s)).plus(seconds)
