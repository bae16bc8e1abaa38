"""Which threshold method, which configuration, which bundle is best: by accuracy, and how ties are broken."""

from __future__ import annotations

from collections.abc import Sequence

from calibration.evaluate.configurations import EIGHT, STATION
from calibration.evaluate.levels import CARD, KINDS
from calibration.evaluate.results import Evaluation, MethodRow, Row

RULE = (
    "Best is the highest accuracy. Ties between methods: card, max, sigma, quantile, conformal, extreme (the study's order, "
    "max first because it is the more conservative). Further ties between configurations: fewer misses, then the higher "
    "image AUROC, then the nearest to the station's own way (PRE+M+R). The best of several is chosen on the "
    "labelled frames themselves, so its accuracy flatters it."
)
_ORDER = {kind: place for place, kind in enumerate((CARD, *KINDS))}
Key = tuple[float, ...]


def best_method(methods: Sequence[MethodRow]) -> int | None:
    """Which method, None where all were refused."""
    keys = {index: _method_key(each) for index, each in enumerate(methods) if each.tally is not None}
    return max(keys, key=lambda index: (keys[index], -index)) if keys else None


def best_row(rows: Sequence[Row]) -> int | None:
    """Which configuration, None where nothing could be judged: no threshold, or every frame undecided."""
    judged = {index: row for index, row in enumerate(rows) if any(score is not None for score in row.scores)}
    keys = {index: row_key(row) for index, row in judged.items() if row.method is not None}
    return max(keys, key=lambda index: keys[index]) if keys else None


def best_evaluation(evaluations: Sequence[Evaluation]) -> int | None:
    """Which bundle; the first of equals."""
    rows = {index: each.best_row for index, each in enumerate(evaluations)}
    keys = {index: row_key(row) for index, row in rows.items() if row is not None}
    return max(keys, key=lambda index: (keys[index], -index)) if keys else None


def row_key(row: Row) -> Key:
    """Greater is better. A row without a method is the worst."""
    method = row.method
    if method is None or method.tally is None:
        return (-1.0,)
    mine = row.configuration
    parts = ("timing", "masked", "registered")
    near = sum(getattr(mine, part) == getattr(STATION, part) for part in parts) - EIGHT.index(mine) / len(EIGHT)
    auroc = -1.0 if row.image_auroc.value is None else row.image_auroc.value
    return (*_method_key(method), -float(method.tally.misses), auroc, near)


def _method_key(method: MethodRow) -> Key:
    accuracy = method.tally.accuracy if method.tally else None
    return (-1.0 if accuracy is None else accuracy, -float(_ORDER.get(method.level.kind, len(_ORDER))))
