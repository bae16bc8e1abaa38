"""Drift of a whole station: every view with the product that is in force."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from calibration.drift.judging import DriftReport, judge_drift
from calibration.drift.readings import Span
from calibration.drift.settings import DriftSettings
from calibration.drift.sources import from_archive
from calibration.progress import Progress, silent
from edge.archive import ArchiveReader
from edge.changeover import PATTERN, ProductFile
from edge.checkup import CheckupOutcome
from edge.config import StationConfig
from edge.errors import Cancelled, LineclearError
from edge.recipe import load_recipe

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


def look_at_station(
    config: StationConfig, span: Span, settings: DriftSettings, progress: Progress = silent
) -> tuple[ViewDrift, ...]:
    """Each view's archived verdicts beside the card of its recipe in force. A view that cannot be looked at says why and
    keeps no other from being looked at. Cancelled comes through.
    """
    state_dir = Path(config.state_dir)
    product = ProductFile(state_dir / "product.json").read() or config.product or ""
    reader = ArchiveReader(config.archive.folder(state_dir))
    if not reader.folder.is_dir() or not any(reader.folder.iterdir()):
        return tuple(ViewDrift(view, None, "nothing was archived yet", is_new=True) for view in config.views)
    found: list[ViewDrift] = []
    for view, place in config.views.items():
        try:
            recipe = load_recipe(Path(place.recipe.replace(PATTERN, product)), view=view)
            readings = from_archive(reader, recipe, span, progress=progress)
            found.append(ViewDrift(view, judge_drift(readings, recipe.card, view, settings)))
        except Cancelled:
            raise
        except LineclearError as error:
            found.append(ViewDrift(view, None, str(error)))
    return tuple(found)
