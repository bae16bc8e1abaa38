"""Whole pages: of an evaluation, of a sweep, of a comparison."""

from __future__ import annotations

from calibration.evaluate.choosing import RULE
from calibration.evaluate.comparing import Comparison, Pair
from calibration.evaluate.results import Evaluation, Sweep
from calibration.report import charts, sections, words
from calibration.report.markup import Markup, join, tag
from calibration.report.style import page

PANELS_NOTE = (
    "Reference is the recipe's own image, to which the frame is registered; a bundle gives a map and no reconstruction, "
    "so none is shown."
)

P_NOTE = "A small p: the difference between A and B is more than chance. Where few frames disagree, it cannot be small."


def evaluation_page(evaluation: Evaluation) -> bytes:
    """The recipe as the station judges with it."""
    title = f"Evaluation of view {evaluation.view}"
    return page(title, tag("h1", title), *_parts(evaluation))


def sweep_page(sweep: Sweep) -> bytes:
    """The eight configurations, for each bundle."""
    first = sweep.evaluations[0]
    title = f"Sweep of view {first.view}"
    if len(sweep.evaluations) == 1:
        return page(title, tag("h1", title), *_parts(first))
    parts = [tag("h1", title), _bundles(sweep)]
    for evaluation in sweep.evaluations:
        parts += [tag("h2", f"Bundle {evaluation.title}"), *_parts(evaluation)]
    return page(title, *parts)


def comparison_page(comparison: Comparison) -> bytes:
    """Two evaluations, frame by frame."""
    title = f"Comparison on view {comparison.a.view}"
    return page(
        title,
        tag("h1", title),
        *(
            join(tag("h3", f"{letter}: {each.title}"), sections.facts_of(each), sections.answer(each))
            for letter, each in _both(comparison)
        ),
        tag("h2", "Who judged what right"),
        sections.table(("", "both", "only A", "only B", "neither", "McNemar's exact p"), discord_rows(comparison)),
        tag(
            "p",
            P_NOTE,
            class_="soft",
        ),
        tag("h2", "Where they disagree"),
        _pairs([pair for pair in comparison.pairs if pair.who in {"only A", "only B"}]),
        tag("details", tag("summary", "Every frame"), _pairs(list(comparison.pairs))),
        tag("h2", "Curves"),
        charts.curves(charts.best_of_each((comparison.a, comparison.b))),
        *(
            join(tag("h2", f"{letter}: frames judged wrong"), sections.mistakes(each.mistakes))
            for letter, each in _both(comparison)
        ),
        tag("h2", "Notes"),
        *(join(tag("h3", letter), sections.notes(each.notes)) for letter, each in _both(comparison)),
    )


def discord_rows(comparison: Comparison) -> list[tuple[str, ...]]:
    """Who was right how often, with the p-value, as text."""
    return [
        (each.name, str(each.both), str(each.only_a), str(each.only_b), str(each.neither), f"{each.p_value:.3g}")
        for each in comparison.discords
    ]


def _parts(evaluation: Evaluation) -> list[Markup]:
    best = evaluation.best_row
    parts = [sections.facts_of(evaluation), sections.answer(evaluation), sections.notes(evaluation.notes)]
    parts += [tag("h2", "Configurations"), sections.study_table(evaluation)]
    several = [words.CONFIGURATION_NOTE, RULE] if len(evaluation.rows) > 1 else []
    read = [tag("p", each, class_="soft") for each in (words.FIGURE_NOTE, *several)]
    parts.append(tag("details", tag("summary", "How to read this table"), *read))
    if best is not None:
        parts += [
            tag("h2", "Thresholds"),
            tag("p", f"Of {best.configuration.code}, from good frames alone:"),
            sections.method_table(best),
        ]
        parts.append(charts.histogram(best, evaluation.shots, f"Scores, {best.configuration.code}"))
        parts.append(tag("p", "Strokes on the zero line: the good frames that set the thresholds.", class_="soft"))
    others = [each for each in charts.traced(evaluation) if best is None or each.row.measured_as != best.measured_as]
    if others:
        inner = [
            join(
                tag("h3", each.name),
                sections.method_table(each.row),
                charts.histogram(each.row, evaluation.shots, f"Scores, {each.name}"),
            )
            for each in others
        ]
        parts.append(tag("details", tag("summary", "The other configurations"), *inner))
    parts += [tag("h2", "Curves"), charts.curves(charts.traced(evaluation))]
    if best is None:
        return [*parts, tag("h2", "Frames judged wrong"), tag("p", "No frame was judged.")]
    parts.append(tag("h2", f"Frames judged wrong ({len(evaluation.mistakes)})"))
    if evaluation.mistakes:
        parts.append(tag("p", PANELS_NOTE, class_="soft"))
    return [*parts, sections.mistakes(evaluation.mistakes)]


def _bundles(sweep: Sweep) -> Markup:
    columns = (
        "bundle",
        "best",
        "threshold",
        "ACC %",
        "AUROC image",
        "AUROC pixel",
        "PRO",
        "false alarms",
        "missed",
        "undecided",
    )
    rows = []
    for evaluation in sweep.evaluations:
        row = evaluation.best_row
        if row is None:
            rows.append((evaluation.title, "none", *[words.UNDEFINED] * 8))
            continue
        cells = dict(words.study_rows((row,)))
        values = (
            cells[name][0][0] for name in ("ACC", "AUROC image", "AUROC pixel", "PRO", "false alarms", "missed", "undecided")
        )
        rows.append((evaluation.title, row.configuration.code, words.method_name(row), *values))
    best = "none" if sweep.best is None else sweep.evaluations[sweep.best].title
    return join(
        tag("div", tag("strong", f"Best bundle: {best}"), class_="answer"),
        sections.table(columns, rows),
        charts.curves(charts.best_of_each(sweep.evaluations)),
    )


def _both(comparison: Comparison) -> tuple[tuple[str, Evaluation], ...]:
    return (("A", comparison.a), ("B", comparison.b))


def _pairs(pairs: list[Pair]) -> Markup:
    if not pairs:
        return tag("p", "None.")
    rows = [
        (
            pair.shot.name,
            pair.shot.kind if pair.shot.bad else "good",
            f"{words.VERDICTS[pair.a]} ({words.number(pair.score_a)})",
            f"{words.VERDICTS[pair.b]} ({words.number(pair.score_b)})",
            pair.who,
        )
        for pair in pairs
    ]
    return sections.table(("frame", "label", "A", "B", "right"), rows)
