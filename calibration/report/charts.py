"""Which charts an evaluation is shown by: the study's five curves, and the scores of good and bad frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from calibration.evaluate.results import Evaluation, Row, Shot
from calibration.metrics import Curve
from calibration.report.markup import Markup, join, tag
from calibration.report.svg import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Axis, Chart, Line, Mark, legend, span

BINS = 24
LOG_FROM_RATIO = 25.0
PRO_LIMIT = 0.3
_LOWER_RIGHT = (WIDTH - RIGHT - 6, HEIGHT - BOTTOM - 10, "end")
_UPPER_RIGHT = (WIDTH - RIGHT - 6, TOP + 16, "end")
_LOWER_LEFT = (LEFT + 6, HEIGHT - BOTTOM - 10, "start")
Picked: TypeAlias = "tuple[Curve | None, float | None]"


@dataclass(frozen=True)
class Traced:
    """A configuration whose curves are drawn, under a name and in a colour."""

    name: str
    row: Row
    look: str
    dashed: bool
    thick: bool


def traced(evaluation: Evaluation) -> list[Traced]:
    """Each measured configuration once: colour tells the masking, dashes that nothing was registered, thick the best."""
    looks = {("pre", True): "c1", ("post", True): "c2", ("pre", False): "c3"}
    best = evaluation.best_row
    found: dict[str, Traced] = {}
    for row in evaluation.rows:
        source = row.measured_as
        same = [each.configuration.code for each in evaluation.rows if each.measured_as == source]
        name = " = ".join(same) if len(same) <= 2 else f"{same[0]} and {len(same) - 1} that give the same"
        if source.code not in found:
            is_best = best is not None and best.measured_as == source
            dashed = not source.registered
            found[source.code] = Traced(name, row, looks[source.timing, source.masked], dashed, is_best)
    return list(found.values())


def best_of_each(evaluations: Sequence[Evaluation]) -> list[Traced]:
    """The best configuration of each bundle."""
    rows = [(each.title, each.best_row) for each in evaluations]
    return [
        Traced(f"{title} ({row.configuration.code})", row, f"c{1 + index % 6}", index >= 6, False)
        for index, (title, row) in enumerate(rows)
        if row is not None
    ]


def curves(shown: Sequence[Traced]) -> Markup:
    """Image ROC, pixel ROC, PRO, precision-recall and IoU, with one legend."""
    rate, share = Axis("false-positive rate", 0, 1), Axis("false-positive rate", 0, PRO_LIMIT)
    pair = Axis("recall", 0, 1), Axis("precision", 0, 1)
    panels = [
        _panel("Image ROC", rate, Axis("bad frames found", 0, 1), shown, _image_roc),
        _panel("Pixel ROC", rate, Axis("true pixels found", 0, 1), shown, _pixel_roc),
        _panel("PRO", share, Axis("mean region overlap", 0, 1), shown, _pro),
        _panel("Precision and recall of pixels", *pair, shown, _precision_recall),
        _panel("IoU", _threshold_axis(shown), Axis("IoU of pixels", 0, 1), shown, _iou),
    ]
    keys = [Line((), (), each.look, each.name, each.dashed, each.thick) for each in shown]
    return join(legend(keys), tag("div", *panels, class_="charts"))


def histogram(row: Row, shots: Sequence[Shot], title: str) -> Markup:
    """Good frames up, bad frames down, the good frames that set the thresholds as strokes, each threshold as a line."""
    good = [score for score, shot in zip(row.scores, shots, strict=True) if score is not None and not shot.bad]
    bad = [score for score, shot in zip(row.scores, shots, strict=True) if score is not None and shot.bad]
    marks = [Mark(each.level.image, each.level.name) for each in row.methods if each.level.image is not None]
    values = [*good, *bad, *row.good_scores, *(mark.value for mark in marks)]
    if not good and not bad:
        return tag("figure", tag("figcaption", f"{title}: no frame was judged"), class_="panel")
    axis = _score_axis(values)
    edges = _edges(axis)
    ups, downs = (np.histogram(np.clip(each, edges[0], edges[-1]), edges)[0].tolist() for each in (good, bad))
    most_up, most_down = max([1, *ups]), max([1, *downs])
    chart = Chart(axis, Axis("frames", -most_down * 1.12, most_up * 1.12, whole=True), title)
    chart.bars(edges, ups, "bar good", 1)
    chart.bars(edges, downs, "bar bad", -1)
    chart.rug(row.good_scores, "rug")
    chart.marks(marks)
    up, down = (tag("b", f"{len(each)} {name}", class_=f"{name}-text") for name, each in (("good", good), ("bad", bad)))
    caption = tag("figcaption", f"{title}: ", up, " frames upwards, ", down, " downwards")
    return tag("figure", caption, chart.svg(), class_="panel scores")


def _image_roc(row: Row) -> Picked:
    return row.curves.image_roc, row.image_auroc.value


def _pixel_roc(row: Row) -> Picked:
    return row.curves.pixel_roc, row.pixel_auroc.value


def _pro(row: Row) -> Picked:
    return row.curves.pro, row.pro.value


def _precision_recall(row: Row) -> Picked:
    return row.curves.precision_recall, row.ap.value


def _iou(row: Row) -> Picked:
    return row.curves.iou, row.best_iou


def _panel(title: str, x: Axis, y: Axis, shown: Sequence[Traced], pick: Callable[[Row], Picked]) -> Markup:
    """The curves of all, the best last and on top; a few words in the plot say what the best one's figure is."""
    if all(pick(each.row)[0] is None for each in shown):
        return tag("figure", tag("figcaption", f"{title}: undefined"), class_="panel")
    chart = Chart(x, y, title)
    for each in sorted(shown, key=lambda each: each.thick):
        curve, value = pick(each.row)
        if curve is not None:
            chart.line(Line(curve.x.tolist(), curve.y.tolist(), each.look, each.name, each.dashed, each.thick))
        if each.thick and value is not None:
            words = f"{each.row.measured_as.code}: {100 * value:.1f} %"
            x_px, y_px, anchor = _place(title, value)
            chart.text(words, x_px, y_px, anchor, f"label halo {each.look}-text")
    return tag("figure", tag("figcaption", title), chart.svg(), class_="panel")


def _place(title: str, value: float) -> tuple[float, float, str]:
    """Where a curve of this kind and this height leaves room for words."""
    if title == "IoU" or (title.startswith("Precision") and value < 0.5):
        return _UPPER_RIGHT
    return _LOWER_LEFT if title.startswith("Precision") else _LOWER_RIGHT


def _threshold_axis(shown: Sequence[Traced]) -> Axis:
    ends = [float(value) for each in shown if each.row.curves.iou is not None for value in each.row.curves.iou.x[[0, -1]]]
    low, high = span(ends, 0.0)
    return Axis("pixel threshold", low, high)


def _score_axis(values: Sequence[float]) -> Axis:
    low, high = span(values)
    least = min(values)
    if least > 0 and max(values) / least > LOG_FROM_RATIO:
        return Axis("image score (logarithmic)", least * 0.9, max(values) * 1.15, log=True)
    return Axis("image score", low, high)


def _edges(axis: Axis) -> list[float]:
    if axis.log:
        return [float(value) for value in np.geomspace(axis.low, axis.high, BINS + 1)]
    return [float(value) for value in np.linspace(axis.low, axis.high, BINS + 1)]
