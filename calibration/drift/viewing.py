"""What was found of one view, and what it is for the station."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from calibration.drift.judging import DriftReport, judge_drift
from calibration.drift.readings import Readings
from calibration.drift.settings import DriftSettings
from edge.checkup import CheckupOutcome
from edge.recipe import ThresholdCard

_OUTCOME: Final = {"ok": CheckupOutcome.OK, "act": CheckupOutcome.ATTENTION, "unknown": CheckupOutcome.UNKNOWN}


@dataclass(frozen=True)
class ViewDrift:
    """One view. report: what was found; None where the view could not be looked at, and `problem` says why.

    is_new: there is nothing to look at yet, and that is no failure.
    """

    view: str
    report: DriftReport | None
    problem: str = ""
    is_new: bool = False

    @property
    def outcome(self) -> CheckupOutcome:
        """What it is for the station."""
        if self.report is not None:
            return _OUTCOME[self.report.status]
        return CheckupOutcome.UNKNOWN if self.is_new else CheckupOutcome.FAILED

    def summary(self) -> str:
        """One line: what is to be done, or why nothing can be said."""
        if self.report is None:
            return f"{self.view}: {self.problem}"
        findings = "; ".join(str(finding) for finding in self.report.findings)
        nothing = "nothing to do" if self.report.status == "ok" else f"cannot say: {'; '.join(self.report.unknown)}"
        return f"{self.view}: {findings or nothing}"


def judged(view: str, readings: Readings, card: ThresholdCard | None, settings: DriftSettings) -> ViewDrift:
    """The view's readings beside the card of its recipe."""
    return ViewDrift(view, judge_drift(readings, card, view, settings))
