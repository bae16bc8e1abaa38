"""The parts of a page: answer, tables, mistakes."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence

from calibration.evaluate.results import Evaluation, Mistake, Row
from calibration.report import words
from calibration.report.markup import Markup, join, tag


def facts(pairs: Sequence[tuple[str, str]]) -> Markup:
    """What was judged, with what."""
    return tag("dl", *(join(tag("dt", name), tag("dd", value)) for name, value in pairs))


def facts_of(evaluation: Evaluation) -> Markup:
    """View, recipe, bundle, frames, thresholds."""
    good = sum(not shot.bad for shot in evaluation.shots)
    sizes = [f"{wide} x {high}" for wide, high in (evaluation.frame_size_wh, evaluation.map_size_wh)]
    return facts(
        [
            ("view", evaluation.view),
            ("recipe", f"{evaluation.recipe}, version {evaluation.version:04d}"),
            ("bundle", f"{evaluation.bundle} on {evaluation.engine}"),
            (
                "labelled frames",
                f"{len(evaluation.shots)} of {evaluation.source}: {good} good, {len(evaluation.shots) - good} bad",
            ),
            ("thresholds from", evaluation.good_source),
            ("frame, map", f"{sizes[0]}, {sizes[1]} pixels"),
            ("made", evaluation.made_at.strftime("%Y-%m-%d %H:%M UTC")),
        ]
    )


def answer(evaluation: Evaluation) -> Markup:
    """What came out, in one box."""
    row = evaluation.best_row
    if row is None:
        return tag("div", tag("strong", "No configuration could be judged: see the reasons below."), class_="answer")
    accuracy = f"{words.percent(row.accuracy.value)} % right"
    spread = words.interval(row.accuracy)
    return tag(
        "div",
        tag("strong", f"{row.configuration.code}, threshold {words.method_name(row)}: {accuracy}"),
        tag("p", f"{words.errors(row.method)}." + (f" Interval of the accuracy {spread} %." if spread else "")),
        tag(
            "p",
            f"{row.configuration.words}; image threshold {words.number(row.method.level.image if row.method else None)}.",
            class_="soft",
        ),
        class_="answer",
    )


def study_table(evaluation: Evaluation) -> Markup:
    """A column for each configuration, as in the study; the best configuration is shaded, the best value of a row bold."""
    rows = evaluation.rows
    head = tag(
        "tr", tag("th", ""), *(tag("th", row.configuration.code, class_=_best(evaluation, i)) for i, row in enumerate(rows))
    )
    body = []
    for name, cells in words.study_rows(rows):
        top = (
            _top([value for value, _ in cells])
            if name in {"AUROC image", "AUROC pixel", "PRO", "IoU", "IoU at best", "AP", "ACC"}
            else set()
        )
        made = []
        for index, (value, spread) in enumerate(cells):
            look = " ".join(filter(None, (_best(evaluation, index), "top" if index in top else None))) or None
            first, _, rest = value.partition(" ")  # a method with its parameter below it: eight of them fit beside each other
            below = tag("br") if rest else None
            made.append(tag("td", first, below, rest or None, tag("small", spread) if spread else None, class_=look))
        body.append(tag("tr", tag("td", name), *made))
    return _scroll(tag("table", tag("thead", head), tag("tbody", *body)))


def method_table(row: Row) -> Markup:
    """A line for each threshold method of one configuration."""
    columns = ("method", "image threshold", "pixel threshold", "ACC %", "false alarms", "missed", "undecided", "IoU %")
    body = []
    for index, method in enumerate(row.methods):
        level, tally = method.level, method.tally
        name = tag("td", level.name, class_="best" if index == row.chosen else None)
        if tally is None:
            body.append(tag("tr", name, tag("td", tag("span", f"refused: {level.refused}"), colspan=7, class_="refused")))
            continue
        cells = (
            words.number(level.image),
            words.number(level.pixel),
            words.percent(tally.accuracy),
            f"{tally.false_alarms}/{tally.good}",
            f"{tally.misses}/{tally.bad}",
            str(tally.undecided),
            words.percent(method.iou),
        )
        body.append(tag("tr", name, *(tag("td", cell) for cell in cells)))
    return _scroll(tag("table", tag("thead", tag("tr", *(tag("th", name) for name in columns))), tag("tbody", *body)))


def mistakes(found: Sequence[Mistake]) -> Markup:
    """Every frame that was judged wrong, with its pictures."""
    if not found:
        return tag("p", "None: every frame was judged right.")
    note = (
        "Outlines in the overlay: cyan the truth, white what lies above the pixel threshold. The map's colours run from 0 to "
        "twice the image threshold."
    )
    dropped = sum(not each.panels for each in found)
    parts = [tag("p", note, class_="soft")]
    if dropped:
        parts.append(tag("p", f"Without pictures, because they cannot be read or are too many: {dropped}."))
    return join(*parts, *(_mistake(each) for each in found))


def notes(lines: Sequence[str]) -> Markup:
    """What a reader must know."""
    return tag("ul", *(tag("li", line) for line in lines)) if lines else join()


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Markup:
    """A plain table."""
    body = (tag("tr", *(tag("td", cell) for cell in row)) for row in rows)
    return _scroll(tag("table", tag("thead", tag("tr", *(tag("th", name) for name in columns))), tag("tbody", *body)))


def _mistake(mistake: Mistake) -> Markup:
    what = tag("span", words.VERDICTS[mistake.verdict], class_=f"tagged {mistake.verdict}")
    score = f"score {mistake.score:.6g}, threshold {mistake.threshold:.6g}" if mistake.score is not None else mistake.why
    pictures = [
        tag(
            "figure",
            tag("img", src=f"data:image/jpeg;base64,{b64encode(data).decode()}", alt=caption, loading="lazy"),
            tag("figcaption", caption),
        )
        for caption, data in mistake.panels
    ]
    title = tag("h3", what, mistake.shot.name)
    label = f"labelled {mistake.shot.kind}" if mistake.shot.bad else "labelled good"
    return tag(
        "section", title, tag("p", f"{label}; {score}", class_="soft"), tag("div", *pictures, class_="shots"), class_="mistake"
    )


def _best(evaluation: Evaluation, index: int) -> str | None:
    return "best" if index == evaluation.best else None


def _top(values: Sequence[str]) -> set[int]:
    known = {index: float(value) for index, value in enumerate(values) if value != words.UNDEFINED}
    return {index for index, value in known.items() if value == max(known.values())}


def _scroll(inner: Markup) -> Markup:
    return tag("div", inner, class_="scroll")
