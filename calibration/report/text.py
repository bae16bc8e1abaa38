"""The results as a terminal shows them."""

from __future__ import annotations

from calibration.evaluate.comparing import Comparison
from calibration.evaluate.results import Evaluation, Sweep
from calibration.report import words
from calibration.report.markup import printable

MOST_LISTED = 25
_WIDTHS = (11, 13, 13, 11, 11, 11, 11, 17, 14, 11, 10)
_HEAD = ("", "AUROC image", "AUROC pixel", "PRO", "IoU", "AP", "ACC", "method", "false alarms", "missed", "undecided")


def evaluation_text(evaluation: Evaluation) -> str:
    """A line per configuration, the best one, and what a reader must know."""
    lines = [_line(_HEAD)]
    for row in evaluation.rows:
        cells = dict(words.study_rows((row,)))
        names = ("AUROC image", "AUROC pixel", "PRO", "IoU", "AP", "ACC", "method", "false alarms", "missed", "undecided")
        lines.append(_line((row.configuration.code, *(cells[name][0][0] for name in names))))
    best = evaluation.best_row
    if best is None:
        lines.append("best: none, no configuration could be judged")
        levels = {each.level.name: each.level for row in evaluation.rows for each in row.methods if each.level.refused}
        lines += [f"refused {name}: {level.refused}" for name, level in levels.items()]
    else:
        accuracy = f"{words.percent(best.accuracy.value)} % right ({words.interval(best.accuracy) or 'no interval'})"
        lines.append(f"best: {best.configuration.code} with {words.method_name(best)}: {accuracy}; {words.errors(best.method)}")
        lines += [f"refused {each.level.name}: {each.level.refused}" for each in best.methods if each.level.refused]
    wrong = [f"{words.VERDICTS[each.verdict]}: {each.shot.name}" for each in evaluation.mistakes]
    if len(wrong) > MOST_LISTED:  # a screen full of names would push what came out off it
        wrong[MOST_LISTED:] = [
            f"and {len(wrong) - MOST_LISTED} more that were not judged right: see the report (--out, --json)"
        ]
    return "\n".join(printable(line) for line in (*lines, *evaluation.notes, *wrong)) + "\n"


def sweep_text(sweep: Sweep) -> str:
    """Each bundle, then the best."""
    if len(sweep.evaluations) == 1:
        return evaluation_text(sweep.evaluations[0])
    parts = [f"bundle {each.title}\n{evaluation_text(each)}" for each in sweep.evaluations]
    best = "none" if sweep.best is None else sweep.evaluations[sweep.best].title
    return "\n".join(parts) + f"\nbest bundle: {best}\n"


def comparison_text(comparison: Comparison) -> str:
    """Who judged what right, and the frames on which they disagree."""
    lines = [f"A: {comparison.a.title}", f"B: {comparison.b.title}"]
    for each in comparison.discords:
        counts = f"both {each.both}, only A {each.only_a}, only B {each.only_b}, neither {each.neither}"
        lines.append(f"{each.name}: {counts}; McNemar's exact p {each.p_value:.3g}")
    for pair in comparison.pairs:
        if pair.who in {"only A", "only B"}:
            lines.append(f"{pair.who}: {pair.shot.name} (A {words.VERDICTS[pair.a]}, B {words.VERDICTS[pair.b]})")
    return "\n".join(map(printable, lines)) + "\n"


def _line(cells: tuple[str, ...]) -> str:
    return "".join(f"{cell:<{width - 1}} " for cell, width in zip(cells, _WIDTHS, strict=True)).rstrip()
