"""What was found of drift, in words for a technician and as JSON."""

from __future__ import annotations

from dataclasses import asdict

from calibration.drift.judging import ADVICE, DriftReport
from edge.cli.terminal import one_line


def describe(report: DriftReport) -> str:
    """What a technician reads."""
    lines = [f"left out: {count} {why}" for why, count in sorted(report.left_out.items())]
    for day in report.days:
        what = f"{report.unit} {day.label}: {day.frames} frames, {day.judged} judged, {day.failed} failed"
        if day.comparison is not None and day.p is not None:
            found = day.comparison
            what += f", median {found.shift:+.1f} spreads, KS {found.ks:.2f}, PSI {found.psi:.2f}, p {day.p:.2g}"
        lines.append(what)
    lines += [f"cannot say: {why}" for why in report.unknown]
    lines += [str(finding) for finding in report.findings]
    if report.status == "ok":
        lines.append("nothing to do")
    return "".join(one_line(line) + "\n" for line in lines)


def document(report: DriftReport) -> dict[str, object]:
    """The report as JSON."""
    return {
        "view": report.view,
        "status": report.status,
        "findings": [
            {"code": finding.code, "advice": ADVICE[finding.code], "evidence": finding.evidence} for finding in report.findings
        ],
        "unknown": list(report.unknown),
        "leftOut": report.left_out,
        "unit": report.unit,
        "days": [asdict(day) for day in report.days],
        "overall": asdict(report.overall) if report.overall else None,
        "passed": asdict(report.passed) if report.passed else None,
        "trends": {name: asdict(found) for name, found in report.trends.items()},
        "figures": report.figures(),
    }
