"""Drift: whether recent scores are still those of the card, the camera moved, or it is getting dark or soft."""

from calibration.drift.judging import ADVICE, Day, DriftReport, Finding, judge_drift
from calibration.drift.lineage import Lineage
from calibration.drift.measuring import from_folder
from calibration.drift.readings import Reading, Readings, Span
from calibration.drift.settings import DriftSettings
from calibration.drift.sources import from_archive, from_results
from calibration.drift.statistics import Comparison, Trend, compare, holm, trend

__all__ = [
    "ADVICE",
    "Comparison",
    "Day",
    "DriftReport",
    "DriftSettings",
    "Finding",
    "Lineage",
    "Reading",
    "Readings",
    "Span",
    "Trend",
    "compare",
    "from_archive",
    "from_folder",
    "from_results",
    "holm",
    "judge_drift",
    "trend",
]
