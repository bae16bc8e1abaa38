"""The drift of all views as one outcome, kept for the station and its alarms."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from calibration.drift.judging import ADVICE
from calibration.drift.viewing import ViewDrift
from edge.checkup import MAX_FIGURES, Checkup, CheckupOutcome, Figure
from edge.cli.terminal import one_line

NAME: Final = "drift"
WORST_FIRST: Final = (CheckupOutcome.FAILED, CheckupOutcome.ATTENTION, CheckupOutcome.UNKNOWN, CheckupOutcome.OK)


def checkup_of(views: Sequence[ViewDrift], at: datetime) -> Checkup:
    """The outcome for the station: that of its worst view. views: at least one."""
    ordered = sorted(views, key=lambda drift: WORST_FIRST.index(drift.outcome))
    worst = ordered[0]
    told = [drift.summary() for drift in ordered if drift.outcome is not CheckupOutcome.OK]
    figures: dict[str, Figure] = {f"drift.{drift.view}.outcome": drift.outcome.value for drift in views}
    for drift in views:
        figures |= drift.report.figures() if drift.report is not None else {}
    summary = " | ".join(told) or f"{len(views)} view(s): nothing to do"
    return Checkup(
        name=NAME,
        at=at,
        outcome=worst.outcome,
        summary=one_line(summary)[:500],
        remedy=one_line(_remedy(worst))[:500],
        figures=dict(list(figures.items())[:MAX_FIGURES]),
    )


def _remedy(worst: ViewDrift) -> str:
    if worst.outcome is CheckupOutcome.FAILED:
        return "lineclear doctor CONFIG; `lineclear validate RECIPE` for the view's recipe"
    if worst.report is not None and worst.report.findings:
        return ADVICE[worst.report.findings[0].code]
    return ""
