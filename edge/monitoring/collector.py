"""What Prometheus is told: the station as its report last saw it. A scrape reads finished values; it waits for nobody."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from edge.health import Health, Observed, Spread, Value
from edge.monitoring.families import FAMILIES, Family
from edge.monitoring.rows import row_of
from edge.types import ClearanceOutcome, Outcome, ReasonCode

EVENTS: Final = (
    "frames_lost",
    "frames_incomplete",
    "frames_frozen",
    "not_recorded",
    "overlay_dropped",
    "overlay_not_recorded",
)
Labels = Mapping[str, str]
Infos = Callable[[], Mapping[str, Iterable[Labels]]]


class StationCollector(Collector):
    """Every family of the table, also those that have no series yet.

    views: names of the station's views: what is counted per view is there as 0 before it first happens, so that the first
    time is seen as an increase. infos: by metric of kind info, the labels of its series.
    """

    def __init__(self, health: Health, views: Iterable[str], infos: Infos) -> None:
        self._health = health
        self._views = tuple(views)
        self._infos = infos

    def describe(self) -> Iterable[Metric]:
        """Nothing is collected to register it."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """One Metric per family."""
        observed = self._health.observed
        metrics = {name: _metric(family) for name, family in FAMILIES.items()}
        for name, series in self._numbers(observed).items():
            family = FAMILIES[name]
            for labels, number in series.items():
                metrics[name].add_sample(family.name, dict(zip(family.labels, labels, strict=True)), number)
        for name, spreads in (
            ("lineclear_stage_duration_seconds", observed.stages),
            ("lineclear_verdict_latency_seconds", {(view,): spread for view, spread in observed.latencies.items()}),
            ("lineclear_clearance_duration_seconds", {(outcome,): spread for outcome, spread in observed.clearances.items()}),
        ):
            for key, spread in spreads.items():
                metrics[name].samples += _histogram(name, dict(zip(FAMILIES[name].labels, key, strict=True)), spread)
        for name, found in self._infos().items():
            for each in found:
                metrics[name].add_sample(name, {label: each.get(label, "") for label in FAMILIES[name].labels}, 1.0)
        metrics["lineclear_report_age_seconds"].add_sample(
            "lineclear_report_age_seconds", {}, max(0.0, time.monotonic() - observed.at_s)
        )
        yield from metrics.values()

    def _numbers(self, observed: Observed) -> dict[str, dict[tuple[str, ...], float]]:
        """By metric, its series; those of a counter start at 0."""
        verdicts: dict[tuple[str, ...], float] = dict.fromkeys(_possible_verdicts(self._views), 0.0)
        verdicts.update({key: float(count) for key, count in observed.verdicts.items()})
        found: dict[str, dict[tuple[str, ...], float]] = {
            "lineclear_verdicts_total": verdicts,
            "lineclear_events_total": {(view, event): 0.0 for view in self._views for event in EVENTS},
            "lineclear_clearances_total": {(outcome.value,): 0.0 for outcome in ClearanceOutcome},
        }
        for value_name, value in observed.values.items():
            known = row_of(value_name)
            if known is None or not known[0].metric:
                continue
            row, labels = known
            family = FAMILIES[row.metric]
            series = found.setdefault(row.metric, {})
            if family.kind == "states":
                series |= _states(family, labels, value)
            elif (number := row.read(value)) is not None:
                series[tuple(labels[label] for label in family.labels)] = number
        return found


def _possible_verdicts(views: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    for view in views:
        for outcome in Outcome:
            reasons = [code.value for code in ReasonCode] if outcome is Outcome.UNDECIDED else [""]
            yield from ((view, outcome.value, reason) for reason in reasons)


def _states(family: Family, labels: Labels, value: Value) -> dict[tuple[str, ...], float]:
    first = tuple(labels[label] for label in family.labels[:-1])
    return {(*first, state): float(state == value) for state in family.states}


def _metric(family: Family) -> Metric:
    kind = {"states": "gauge", "info": "gauge"}.get(family.kind, family.kind)
    name = family.name.removesuffix("_total") if kind == "counter" else family.name
    return GaugeMetricFamily(name, family.meaning) if kind == "gauge" else Metric(name, family.meaning, kind)


def _histogram(name: str, labels: Labels, spread: Spread) -> list[Sample]:
    samples, total = [], 0
    for bound, count in zip((*(f"{bound:g}" for bound in spread.bounds_s), "+Inf"), spread.counts, strict=True):
        total += count
        samples.append(Sample(f"{name}_bucket", {**labels, "le": bound}, float(total)))
    samples.append(Sample(f"{name}_count", dict(labels), float(total)))
    samples.append(Sample(f"{name}_sum", dict(labels), spread.sum_s))
    return samples
