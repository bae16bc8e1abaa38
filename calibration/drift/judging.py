"""From readings to what has to be done, with the evidence for it. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from calibration.drift.readings import Group, Reading, Readings, values_of
from calibration.drift.settings import DriftSettings
from calibration.drift.statistics import Comparison, Trend, Values, compare, holm, trend
from edge.recipe import ThresholdCard
from edge.types import Outcome

Code = Literal["camera_moved", "light_changed", "clean_lens", "recalibrate", "look_at_rejects"]
Status = Literal["ok", "act", "unknown"]
ADVICE: dict[str, str] = {
    "camera_moved": "someone moved the camera, or what it sees: put it back, or take a new reference and recalibrate",
    "light_changed": "light changed: look at lamp, exposure and shutters; recalibrate if it is to stay so",
    "clean_lens": "clean the lens, and look at its focus",
    "recalibrate": "recalibrate: take new thresholds from recent good frames",
    "look_at_rejects": "look at the rejects: more frames fail than the card promised, while those that pass are as they were",
}
MIN_CREEP = 0.05  # of the gate for the shift
MIN_JUMP_PX = 1.0
MIN_CHANGE = 0.15  # of brightness or sharpness, over the whole time
PLAINLY = 0.05  # p-value from which scores are taken to be as they were


@dataclass(frozen=True)
class Finding:
    """Something to do. evidence: one sentence with the numbers."""

    code: Code
    evidence: str

    def __str__(self) -> str:
        return f"{ADVICE[self.code]} ({self.evidence})"


@dataclass(frozen=True)
class Day:
    """One group's scores beside the card's. p: of both tests, adjusted for the number of groups; None with too few scores."""

    label: str
    frames: int
    judged: int
    failed: int
    comparison: Comparison | None
    p: float | None


@dataclass(frozen=True)
class DriftReport:
    """Everything that was found. unknown: what could not be said, and why.

    overall: the recent scores beside the card's; passed: only those of frames that pass beside the card's that pass, which
    a few real rejects cannot disturb. trends: by name (shift_x, shift_y, brightness, sharpness).
    """

    view: str
    unit: str
    days: tuple[Day, ...]
    overall: Comparison | None
    passed: Comparison | None
    trends: dict[str, Trend]
    findings: tuple[Finding, ...]
    unknown: tuple[str, ...]
    left_out: dict[str, int]
    latest: dict[str, float]

    @property
    def status(self) -> Status:
        """act: there is something to do; unknown: nothing found, but too little was there to look at."""
        if self.findings:
            return "act"
        return "unknown" if self.overall is None and self.passed is None else "ok"

    def figures(self) -> dict[str, float]:
        """Flat, for the health topic: drift.VIEW.psi, .ks, .p, .shift_px, .brightness, .sharpness, .act, ..."""
        values: dict[str, float] = {"act": float(self.status == "act"), "unknown": float(self.status == "unknown")}
        deciding = self.overall or self.passed
        if deciding is not None:
            values |= {"psi": deciding.psi, "ks": deciding.ks, "p": deciding.p, "shift": deciding.shift}
        values |= self.latest
        values |= {f"finding.{finding.code}": 1.0 for finding in self.findings}
        return {f"drift.{self.view}.{name}": value for name, value in values.items() if math.isfinite(value)}


def judge_drift(readings: Readings, card: ThresholdCard | None, view: str, settings: DriftSettings) -> DriftReport:
    """What the readings say of scores, camera, light and lens."""
    groups = readings.groups()
    unknown: list[str] = []
    findings = [
        *_camera(readings.items, groups, settings),
        *_light(readings.items, groups, settings, unknown),
    ]
    days, overall, passed, scored = _scores(readings, groups, card, settings, unknown)
    findings += scored
    trends = {name: found for name, found in _trends(readings.items).items() if found is not None}
    latest = _latest(groups[-1]) if groups else {}
    return DriftReport(
        view,
        readings.unit,
        days,
        overall,
        passed,
        trends,
        tuple(findings),
        tuple(unknown),
        readings.left_out,
        latest,
    )


def _scores(
    readings: Readings, groups: Sequence[Group], card: ThresholdCard | None, settings: DriftSettings, unknown: list[str]
) -> tuple[tuple[Day, ...], Comparison | None, Comparison | None, list[Finding]]:
    scores = [item.score for item in readings.items if item.score is not None]
    if card is None or card.frames < settings.min_card:
        unknown.append("scores: the recipe has no card with enough scores to compare with: take thresholds")
        return _bare_days(groups), None, None, []
    limit = card.image_threshold
    good, then = [score for score in scores if score <= limit], [score for score in card.scores if score <= limit]
    overall = _compared(card.scores, scores, settings) if readings.complete else None
    passed = _compared(then, good, settings) if len(then) >= settings.min_card else None
    if overall is None and passed is None:
        kind = "judged" if readings.complete else "passed"
        count = len(scores) if readings.complete else len(good)
        unknown.append(f"scores: only {count} {kind} frames, at least {settings.min_recent} are needed")
    days = _days(groups, card, settings, readings.complete)
    return days, overall, passed, _score_findings(readings, days, overall, passed, settings, (len(good), len(scores)))


def _compared(then: Sequence[float], now: Sequence[float], settings: DriftSettings) -> Comparison | None:
    if len(now) < settings.min_recent:
        return None
    return compare(then, now, settings.permutations, settings.seed)


def _bare_days(groups: Sequence[Group]) -> tuple[Day, ...]:
    return tuple(
        Day(group.label, len(group.readings), len(group.scores), _failed(group.readings), None, None) for group in groups
    )


def _days(groups: Sequence[Group], card: ThresholdCard, settings: DriftSettings, complete: bool) -> tuple[Day, ...]:
    """Each group beside the card, with p-values adjusted for their number."""
    days = [
        replace(day, comparison=_day(group.scores, card, settings, complete))
        for day, group in zip(_bare_days(groups), groups, strict=True)
    ]
    tested = [day.comparison.p for day in days if day.comparison is not None]
    adjusted = iter(holm(tested))
    return tuple(replace(day, p=next(adjusted)) if day.comparison is not None else day for day in days)


def _day(scores: Sequence[float], card: ThresholdCard, settings: DriftSettings, complete: bool) -> Comparison | None:
    """All scores beside all of the card's; only what passes, where only that is known or where it is plainly as it was.

    What passes alone would hide a drift that has begun to fail frames; all of it would call a few real rejects a drift.
    """

    def compared(then: Sequence[float], now: Sequence[float]) -> Comparison | None:
        if len(now) < settings.min_day or len(then) < settings.min_card:
            return None
        return compare(then, now, settings.permutations, settings.seed)

    limit = card.image_threshold
    good = [score for score in scores if score <= limit]
    of_good = compared([score for score in card.scores if score <= limit], good)
    if not complete:
        return of_good
    some_fail = 0 < len(scores) - len(good) < len(good)
    if some_fail and of_good is not None and of_good.p > PLAINLY:
        return of_good
    return compared(card.scores, scores)


def _score_findings(
    readings: Readings,
    days: Sequence[Day],
    overall: Comparison | None,
    passed: Comparison | None,
    settings: DriftSettings,
    counts: tuple[int, int],
) -> list[Finding]:
    """Whether the body of the scores moved, or only more frames fail.

    A few real rejects move few ranks, and none of those that pass; a drift moves what passes too, until nothing does.
    """

    def moved(found: Comparison | None) -> bool:
        # All, what passes, and the days are looked at together: they share the error rate, a quarter, a quarter and a half.
        return found is not None and found.p <= settings.alpha / 4 and found.psi >= settings.min_psi

    bad_days = [day for day in days if day.p is not None and day.p <= settings.alpha / 2]
    bad_days = [day for day in bad_days if day.comparison is not None and day.comparison.psi >= settings.min_psi]
    if not moved(overall) and not moved(passed) and not bad_days:
        return []
    good, judged = counts
    all_of_it = overall is not None and good <= judged / 2
    deciding = passed if moved(passed) else overall if overall is not None else passed
    if moved(overall) and passed is not None and passed.p > PLAINLY and not all_of_it and not bad_days:
        return [Finding("look_at_rejects", f"{judged - good} of {judged} frames fail; {_told(overall)}")]
    parts = []
    if deciding is not None and moved(deciding):
        which = "of all judged frames" if deciding is overall else "of the frames that pass"
        parts.append(f"scores {which}: {_told(deciding)}")
    if bad_days:
        listed = ", ".join(day.label for day in bad_days[:5]) + (", ..." if len(bad_days) > 5 else "")
        worst = min(bad_days, key=lambda day: day.p or 0.0)
        parts.append(f"{readings.unit}s that differ from the card: {listed}; {worst.label}: {_told(worst.comparison)}")
    return [Finding("recalibrate", "; ".join(parts))]


def _told(found: Comparison | None) -> str:
    if found is None:
        return ""
    direction = "higher" if found.shift > 0 else "lower"
    return (
        f"{found.recent} against the card's {found.card}, KS {found.ks:.2f} (p {found.ks_p:.2g}), PSI {found.psi:.2f} "
        f"(p {found.psi_p:.2g}), median {abs(found.shift):.1f} spreads {direction}"
    )


def _camera(items: Sequence[Reading], groups: Sequence[Group], settings: DriftSettings) -> list[Finding]:
    reached = [item for item in items if item.registered is not None]
    refused = [item for item in reached if not item.registered]
    if len(refused) >= 3 and len(refused) > settings.refused_share * len(reached):
        return [Finding("camera_moved", f"{len(refused)} of {len(reached)} frames do not register, first {refused[0].name}")]
    gates = [item.gate_px for item in items if item.gate_px is not None]
    if not gates:
        return []
    gate = float(np.median(gates))
    found: list[Finding] = []
    recent = [item.corner_px for item in groups[-1].readings if item.corner_px is not None] if groups else []
    if len(recent) >= 3 and float(np.median(recent)) > settings.moved_share * gate:
        found.append(
            Finding("camera_moved", f"corners lie {np.median(recent):.1f} px from the reference, the gate is {gate:.0f} px")
        )
    for axis in ("shift_x", "shift_y"):
        series = _trends(items)[axis]
        if series is None:
            continue
        least = max(MIN_JUMP_PX, MIN_CREEP * gate)
        if series.step_p <= settings.alpha / 2 and abs(series.step) >= least and _is_jump(series, values_of_shift(items, axis)):
            when = _when(items[series.step_at])
            found.append(
                Finding("camera_moved", f"{axis} jumped by {series.step:+.1f} px before {when}, p {series.step_p:.2g}")
            )
        elif series.p <= settings.alpha / 2 and abs(series.total) >= least:
            low, high = sorted((series.low, series.high))
            text = (
                f"{axis} creeps by {series.total:+.1f} px in all, p {series.p:.2g}, 95 % of the slope {low:.3g} .. {high:.3g}"
            )
            found.append(Finding("camera_moved", text))
    return found[:1]


def _is_jump(series: Trend, values: Values) -> bool:
    """A jump leaves two levels; in a creep each half spreads as far as the halves lie apart."""
    halves = [part[np.isfinite(part)] for part in (values[: series.step_at], values[series.step_at :])]
    within = max(float(np.median(np.abs(part - np.median(part)))) for part in halves if part.size)
    return within < 0.2 * abs(series.step)


def _light(items: Sequence[Reading], groups: Sequence[Group], settings: DriftSettings, unknown: list[str]) -> list[Finding]:
    found: list[Finding] = []
    if not any(item.brightness is not None for item in items):
        unknown.append("light and focus: no frame is there to look at, only results")
        return found
    trends = _trends(items)
    latest = _latest(groups[-1])
    brightness, sharpness = latest.get("brightness"), latest.get("sharpness")
    if brightness is not None and not settings.dark <= brightness <= settings.bright:
        found.append(
            Finding("light_changed", f"{100 * brightness:.0f} % of the reference's brightness since {groups[-1].label}")
        )
    elif _goes(trends["brightness"], settings):
        found.append(Finding("light_changed", _going("brightness", trends["brightness"])))
    contrast = latest.get("contrast")
    if sharpness is not None and sharpness < settings.soft:
        found.append(Finding("clean_lens", f"{100 * sharpness:.0f} % of the reference's sharpness since {groups[-1].label}"))
    elif contrast is not None and brightness is not None and contrast < settings.soft * min(1.0, brightness):
        found.append(Finding("clean_lens", f"{100 * contrast:.0f} % of the reference's contrast since {groups[-1].label}"))
    elif _goes(trends["sharpness"], settings) and (trends["sharpness"] or _NONE).total < 0:
        found.append(Finding("clean_lens", _going("sharpness", trends["sharpness"])))
    return found


_NONE = Trend(0, 0.0, 0.0, 0.0, 1.0, 0.0, 0, 0.0, 1.0)


def _goes(series: Trend | None, settings: DriftSettings) -> bool:
    return series is not None and series.p <= settings.alpha / 2 and abs(series.total) >= MIN_CHANGE


def _going(name: str, series: Trend | None) -> str:
    known = series or _NONE
    return f"{name} changed by {100 * known.total:+.0f} % of the reference's over {known.count} frames, p {known.p:.2g}"


def _trends(items: Sequence[Reading]) -> dict[str, Trend | None]:
    times = _times(items)
    series = {name: values_of_shift(items, name) for name in ("shift_x", "shift_y")}
    series |= {name: values_of(items, name) for name in ("brightness", "sharpness")}
    return {name: trend(times, values) for name, values in series.items()}


def values_of_shift(items: Sequence[Reading], axis: str) -> Values:
    """shift_x or shift_y of all readings, NaN where a frame did not register."""
    index = 0 if axis == "shift_x" else 1
    return np.array([math.nan if item.shift_xy is None else item.shift_xy[index] for item in items], np.float64)


def _times(items: Sequence[Reading]) -> Values:
    """Hours since the first; the number in the row where a frame has no time."""
    if not items or any(item.at is None for item in items):
        return np.arange(len(items), dtype=np.float64)
    first = items[0].at
    return np.array([(item.at - first).total_seconds() / 3600 if item.at and first else 0.0 for item in items], np.float64)


def _latest(group: Group) -> dict[str, float]:
    """Medians of the last group."""
    found: dict[str, float] = {}
    for name in ("brightness", "sharpness", "contrast", "similarity", "corner_px"):
        values = values_of(group.readings, name)
        if np.isfinite(values).any():
            found[name] = float(np.nanmedian(values))
    return found


def _when(reading: Reading) -> str:
    return reading.at.strftime("%Y-%m-%d %H:%M UTC") if reading.at is not None else reading.name


def _failed(readings: Sequence[Reading]) -> int:
    return sum(item.outcome == Outcome.FAIL.value for item in readings)
