"""The results as CSV: one line per configuration and method, one line per frame and configuration."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from calibration.evaluate.comparing import Comparison
from calibration.evaluate.results import Evaluation, Figure, verdict_of

CONFIGURATION_COLUMNS = (
    "bundle", "configuration", "measured_as", "best", "method", "chosen", "refused", "image_threshold", "pixel_threshold",
    "accuracy", "good", "bad", "false_alarms", "misses", "undecided_good", "undecided_bad", "iou",
    "image_auroc", "image_auroc_low", "image_auroc_high", "pixel_auroc", "pixel_auroc_low", "pixel_auroc_high",
    "pro", "pro_low", "pro_high", "ap", "ap_low", "ap_high", "image_ap", "best_iou",
)  # fmt: skip
FRAME_COLUMNS = ("bundle", "configuration", "frame", "path", "label", "kind", "score", "threshold", "verdict", "why")
PAIR_COLUMNS = ("frame", "path", "label", "kind", "a", "b", "score_a", "score_b", "right")
Cell = str | int | float | bool | None
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def configurations_csv(evaluations: Sequence[Evaluation]) -> bytes:
    """A line for each configuration and method."""
    return _csv(CONFIGURATION_COLUMNS, (line for each in evaluations for line in _configurations(each)))


def frames_csv(evaluations: Sequence[Evaluation]) -> bytes:
    """A line for each frame and configuration, at the configuration's best method."""
    return _csv(FRAME_COLUMNS, (line for each in evaluations for line in _frames(each)))


def pairs_csv(comparison: Comparison) -> bytes:
    """A line for each frame."""
    return _csv(
        PAIR_COLUMNS,
        (
            (p.shot.name, p.shot.path, _label(p.shot.bad), p.shot.kind, p.a, p.b, p.score_a, p.score_b, p.who)
            for p in comparison.pairs
        ),
    )


def _configurations(evaluation: Evaluation) -> Iterable[tuple[Cell, ...]]:
    for place, row in enumerate(evaluation.rows):
        head = (evaluation.title, row.configuration.code, row.measured_as.code, place == evaluation.best)
        figures = (
            *_three(row.image_auroc),
            *_three(row.pixel_auroc),
            *_three(row.pro),
            *_three(row.ap),
            row.image_ap,
            row.best_iou,
        )
        for index, method in enumerate(row.methods):
            level, tally = method.level, method.tally
            counts: tuple[Cell, ...] = (None,) * 7
            if tally is not None:
                counts = (
                    tally.accuracy, tally.good, tally.bad, tally.false_alarms, tally.misses,
                    tally.undecided_good, tally.undecided_bad,
                )  # fmt: skip
            levels = (level.name, index == row.chosen, level.refused, level.image, level.pixel)
            yield (*head, *levels, *counts, method.iou, *figures)


def _frames(evaluation: Evaluation) -> Iterable[tuple[Cell, ...]]:
    for row in evaluation.rows:
        level = row.method.level.image if row.method else None
        for shot, score, why in zip(evaluation.shots, row.scores, row.refusals, strict=True):
            verdict = None if level is None else verdict_of(shot.bad, score, level)
            head = (evaluation.title, row.configuration.code, shot.name, shot.path, _label(shot.bad), shot.kind)
            yield (*head, score, level, verdict, why)


def _three(figure: Figure) -> tuple[Cell, Cell, Cell]:
    spread = figure.interval
    return figure.value, spread.low if spread else None, spread.high if spread else None


def _label(bad: bool) -> str:
    return "bad" if bad else "good"


def _csv(columns: Sequence[str], lines: Iterable[Sequence[Cell]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in line] for line in lines)
    return text.getvalue().encode("utf-8", "backslashreplace")


def _cell(value: Cell) -> Cell:
    """Text that a spreadsheet would take for a formula gets an apostrophe before it, as spreadsheets themselves write it."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
