"""How figures are written for people: None is "undefined", never 0 or 1."""

from __future__ import annotations

from calibration.evaluate.results import Figure, MethodRow, Row, Verdict

UNDEFINED = "undefined"
VERDICTS: dict[Verdict, str] = {
    "right": "right",
    "miss": "missed",
    "false_alarm": "false alarm",
    "undecided": "undecided",
}
CONFIGURATION_NOTE = (
    "PRE: masked pixels enter neither the model's statistics nor the smoothing (the station's own way). PO: the map is "
    "computed and smoothed as if there were no mask, then the masked pixels are set aside. M: with the recipe's masks; NM: "
    "without, then PRE and PO are the same. R: registered to the reference, with the station's gates; NR: the frame as it is, "
    "without gates. What is not judged counts as found by nobody: a leftover under a mask is missed."
)
FIGURE_NOTE = (
    "AUROC: of images, of pixels. PRO: mean overlap of the true regions up to a false-positive rate of 0.3. IoU: at the best "
    "method's pixel threshold; at best: at the one that fits these frames best. AP: average precision of pixels. ACC: right "
    "answers over all frames at the best method; undecided frames are not right. Maps and truths are compared in the pixels "
    "of the frame as it was taken. Small figures: 95 % interval, by bootstrap over frames; of ACC the exact one (Clopper and "
    "Pearson). A bootstrap interval without width, such as 100.0 to 100.0, means that these frames are too few or too easy to "
    "show a mistake, not that there is none."
)


def percent(value: float | None, digits: int = 1) -> str:
    """0.8566 as 85.7."""
    return UNDEFINED if value is None else f"{100 * value:.{digits}f}"


def number(value: float | None) -> str:
    """A score or threshold."""
    return "none" if value is None else f"{value:.4g}"


def interval(figure: Figure) -> str:
    """`71.8-95.2`, or "" where there is none."""
    spread = figure.interval
    return "" if spread is None or figure.value is None else f"{100 * spread.low:.1f}\N{EN DASH}{100 * spread.high:.1f}"


def method_name(row: Row) -> str:
    """The best method's name, or why there is none."""
    return "none" if row.method is None else row.method.level.name


def errors(method: MethodRow | None) -> str:
    """`1 false alarm, 9 missed, 0 undecided`."""
    tally = method.tally if method else None
    if tally is None:
        return "not judged"
    alarms = f"{tally.false_alarms} of {tally.good} good alarmed"
    return f"{alarms}, {tally.misses} of {tally.bad} bad missed, {tally.undecided} undecided"


def study_rows(rows: tuple[Row, ...]) -> list[tuple[str, list[tuple[str, str]]]]:
    """The study's table: (figure, [(value, interval) of each configuration]); AUROC as image, pixel."""
    return [
        ("AUROC image", [(percent(row.image_auroc.value), interval(row.image_auroc)) for row in rows]),
        ("AUROC pixel", [(percent(row.pixel_auroc.value), interval(row.pixel_auroc)) for row in rows]),
        ("PRO", [(percent(row.pro.value), interval(row.pro)) for row in rows]),
        ("IoU", [(percent(row.method.iou if row.method else None), "") for row in rows]),
        ("IoU at best", [(percent(row.best_iou), "") for row in rows]),
        ("AP", [(percent(row.ap.value), interval(row.ap)) for row in rows]),
        ("ACC", [(percent(row.accuracy.value), interval(row.accuracy)) for row in rows]),
        ("method", [(method_name(row), "") for row in rows]),
        ("false alarms", [(_count(row, "false_alarms", "good"), "") for row in rows]),
        ("missed", [(_count(row, "misses", "bad"), "") for row in rows]),
        ("undecided", [(_undecided(row), "") for row in rows]),
    ]


def _count(row: Row, what: str, whole: str) -> str:
    tally = row.method.tally if row.method else None
    return UNDEFINED if tally is None else f"{getattr(tally, what)}/{getattr(tally, whole)}"


def _undecided(row: Row) -> str:
    undecided = sum(score is None for score in row.scores)
    return f"{undecided}/{len(row.scores)}"
