"""A parity report for people: one block per engine, one line per measure, and what it means."""

from __future__ import annotations

from edge.recipe import ParityComparison, ParityReport

EQUAL, DIFFERS, INCOMPLETE = 0, 1, 2


def status_of(report: ParityReport) -> int:
    """The exit status: 1 beyond a limit, 2 not everything could be run here, 0 equal."""
    if any(not each.passed for each in report.comparisons):
        return DIFFERS
    return INCOMPLETE if report.missing or not report.comparisons else EQUAL


def text_of(report: ParityReport) -> str:
    """Several lines; the last says how it ended."""
    blocks = [_block(each) for each in report.comparisons]
    missing = [f"not run here: {what}\n" for what in report.missing]
    ends = {
        EQUAL: "equal: every engine that was compared is within the limits",
        DIFFERS: "beyond a limit: do not judge with it",
        INCOMPLETE: "equal as far as it could be run here",
    }
    return "".join([f"{report.bundle}\n", *blocks, *missing, ends[status_of(report)] + "\n"])


def _block(each: ParityComparison) -> str:
    head = f"{each.candidate}  against  {each.baseline}" if each.candidate != each.baseline else f"{each.candidate}  alone"
    frames = ", ".join(f"{count} {source}" for source, count in each.frames.items()) or "no frame"
    refused = f", {each.refused} refused" if each.refused else ""
    lines = [
        f"  {'ok  ' if line.passed else 'FAIL'}  {line}{'  ' + line.detail if line.detail else ''}\n" for line in each.lines
    ]
    problem = [f"  FAIL  {each.problem}\n"] if each.problem else []
    return "".join([f"{head}  ({frames}{refused})\n", *lines, *problem])
