"""Counters of a station per view: verdicts, stage times, frames lost, nudges. Thread-safe; for health and Prometheus."""

from __future__ import annotations

import statistics
import threading
from collections import deque
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from edge.types import Verdict

STAGE_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
TREND_LENGTH = 500


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


class Health:
    """All counters of one station."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._lock = threading.Lock()
        self._shifts: dict[str, deque[tuple[float, float]]] = {}
        self._counts: dict[tuple[str, str, str], int] = {}
        self._events: dict[tuple[str, str], int] = {}
        self._verdicts = Counter(
            "lineclear_verdicts", "Verdicts by view, outcome and reason", ["view", "outcome", "reason"], registry=self.registry
        )
        self._stages = Histogram(
            "lineclear_stage_seconds", "Time per stage", ["view", "stage"], buckets=STAGE_BUCKETS_S, registry=self.registry
        )
        self._event_total = Counter("lineclear_events", "Things that went wrong", ["view", "event"], registry=self.registry)
        self._shift = Gauge(
            "lineclear_corner_shift_pixels", "Newest displacement of the camera", ["view"], registry=self.registry
        )

    def verdict(self, verdict: Verdict) -> None:
        """Count one verdict with its stage times and its alignment's displacement."""
        reason = verdict.reason.code.value if verdict.reason else ""
        key = (verdict.view, verdict.outcome.value, reason)
        with self._lock:
            self._counts[key] = self._counts.get(key, 0) + 1
            if verdict.alignment is not None and verdict.alignment.trusted and verdict.origin.grabbed_at is not None:
                samples = self._shifts.setdefault(verdict.view, deque(maxlen=TREND_LENGTH))
                samples.append((verdict.origin.grabbed_at.timestamp() / 3600, verdict.alignment.corner_shift_px))
                self._shift.labels(verdict.view).set(verdict.alignment.corner_shift_px)
        self._verdicts.labels(*key).inc()
        for stage, milliseconds in verdict.stage_ms.items():
            self._stages.labels(verdict.view, stage).observe(milliseconds / 1000)

    def event(self, view: str, name: str, count: int = 1) -> None:
        """Count something that went wrong: frames_lost, frames_incomplete, not_recorded, overlay_dropped..."""
        if count > 0:
            with self._lock:
                self._events[view, name] = self._events.get((view, name), 0) + count
            self._event_total.labels(view, name).inc(count)

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

    def values(self) -> dict[str, float | int | str | bool | None]:
        """All counters as flat names: `view.front.verdicts.PASS`, `view.front.reasons.camera_lost`, `view.front.nudge_px`."""
        with self._lock:
            counts, events = dict(self._counts), dict(self._events)
            shifted = list(self._shifts)
        values: dict[str, float | int | str | bool | None] = {}

        def add(name: str, count: int) -> None:
            values[name] = int(values.get(name) or 0) + count

        for (view, outcome, reason), count in counts.items():
            add(f"view.{view}.verdicts.{outcome}", count)
            if reason:
                add(f"view.{view}.reasons.{reason}", count)
        for (view, event), count in events.items():
            add(f"view.{view}.events.{event}" if view else f"events.{event}", count)
        for view in shifted:
            trend = self.nudge_trend(view)
            if trend is not None:
                values[f"view.{view}.nudge_px"] = round(trend.recent_px, 2)
                values[f"view.{view}.nudge_before_px"] = round(trend.earlier_px, 2)
                values[f"view.{view}.nudge_px_per_h"] = round(trend.px_per_h, 3)
        return values
