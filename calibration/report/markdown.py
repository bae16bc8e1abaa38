"""The study's table as Markdown rows, ready for docs."""

from __future__ import annotations

from collections.abc import Sequence

from calibration.evaluate.results import Evaluation
from calibration.report import words


def configurations_markdown(evaluation: Evaluation) -> str:
    """A row for each figure, a column for each configuration; configurations that give the same share a column."""
    rows = tuple(row for row in evaluation.rows if row.configuration == _first_of(evaluation, row.measured_as.code))
    heads = [_heading(evaluation, row.measured_as.code) for row in rows]
    lines = [_line(["", *heads]), _line(["---"] * (len(rows) + 1))]
    for name, cells in words.study_rows(rows):
        lines.append(_line([name, *(f"{value} ({spread})" if spread else value for value, spread in cells)]))
    return "\n".join(lines) + "\n"


def best_line(evaluation: Evaluation) -> str:
    """One sentence: the best configuration and what it got wrong."""
    row = evaluation.best_row
    if row is None:
        return f"{evaluation.view}: no configuration could be judged."
    accuracy = f"{words.percent(row.accuracy.value)} %"
    best = f"best {row.configuration.code} with {words.method_name(row)}"
    return f"{evaluation.view}: {best}, {accuracy} right; {words.errors(row.method)}."


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Any table."""
    return "\n".join([_line(columns), _line(["---"] * len(columns)), *(_line(row) for row in rows)]) + "\n"


def _first_of(evaluation: Evaluation, code: str) -> object:
    return next(row.configuration for row in evaluation.rows if row.measured_as.code == code)


def _heading(evaluation: Evaluation, code: str) -> str:
    same = [row.configuration.code for row in evaluation.rows if row.measured_as.code == code]
    if len(same) <= 2:
        return " = ".join(same)
    return f"{same[0].rpartition('+')[2]} (no masks)"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
