"""The results as JSON-ready data: `report.json` and `--json`. None is null: undefined. No NaN, no infinity."""

from __future__ import annotations

import math
from typing import Any

from calibration.evaluate.comparing import Comparison
from calibration.evaluate.results import Evaluation, Figure, MethodRow, Row, Sweep, verdict_of
from calibration.metrics import Curve

SCHEMA = 1
KIND = "lineclear-report"


def sweep_document(sweep: Sweep) -> dict[str, Any]:
    """Of a sweep."""
    return {**_head("sweep"), "best": sweep.best, "evaluations": [_evaluation(each) for each in sweep.evaluations]}


def evaluation_document(evaluation: Evaluation) -> dict[str, Any]:
    """Of one evaluation."""
    return {**_head("evaluation"), "evaluation": _evaluation(evaluation)}


def comparison_document(comparison: Comparison) -> dict[str, Any]:
    """Of a comparison."""
    pairs = [
        {
            "frame": pair.shot.name,
            "bad": pair.shot.bad,
            "a": pair.a,
            "b": pair.b,
            "score_a": pair.score_a,
            "score_b": pair.score_b,
        }
        for pair in comparison.pairs
    ]
    discords = [
        {
            "name": each.name,
            "both": each.both,
            "only_a": each.only_a,
            "only_b": each.only_b,
            "neither": each.neither,
            "p_value": each.p_value,
        }
        for each in comparison.discords
    ]
    both = {"a": _evaluation(comparison.a), "b": _evaluation(comparison.b)}
    return {**_head("comparison"), **both, "discords": discords, "frames": pairs}


def _head(what: str) -> dict[str, Any]:
    return {"kind": KIND, "schema": SCHEMA, "what": what}


def _evaluation(evaluation: Evaluation) -> dict[str, Any]:
    return {
        "title": evaluation.title,
        "view": evaluation.view,
        "recipe": evaluation.recipe,
        "version": evaluation.version,
        "bundle": evaluation.bundle,
        "family": evaluation.family,
        "engine": evaluation.engine,
        "source": evaluation.source,
        "good_source": evaluation.good_source,
        "made_at": evaluation.made_at.isoformat(),
        "reduction": evaluation.reduction,
        "frame_size_wh": list(evaluation.frame_size_wh),
        "map_size_wh": list(evaluation.map_size_wh),
        "best": evaluation.best,
        "configurations": [_row(row) for row in evaluation.rows],
        "frames": _frames(evaluation),
        "notes": list(evaluation.notes),
    }


def _row(row: Row) -> dict[str, Any]:
    return {
        "code": row.configuration.code,
        "measured_as": row.measured_as.code,
        "image_auroc": _figure(row.image_auroc),
        "image_ap": row.image_ap,
        "pixel_auroc": _figure(row.pixel_auroc),
        "pro": _figure(row.pro),
        "ap": _figure(row.ap),
        "best_iou": row.best_iou,
        "accuracy": _figure(row.accuracy),
        "chosen": row.chosen,
        "methods": [_method(method) for method in row.methods],
        "good_scores": list(row.good_scores),
        "good_refused": dict(row.good_refused),
        "curves": {
            name: _curve(getattr(row.curves, name)) for name in ("image_roc", "pixel_roc", "pro", "precision_recall", "iou")
        },
    }


def _method(method: MethodRow) -> dict[str, Any]:
    level, tally = method.level, method.tally
    return {
        "kind": level.kind,
        "name": level.name,
        "image_threshold": level.image,
        "pixel_threshold": level.pixel,
        "refused": level.refused or None,
        "iou": method.iou,
        "accuracy": tally.accuracy if tally else None,
        "good": tally.good if tally else None,
        "bad": tally.bad if tally else None,
        "false_alarms": tally.false_alarms if tally else None,
        "misses": tally.misses if tally else None,
        "undecided_good": tally.undecided_good if tally else None,
        "undecided_bad": tally.undecided_bad if tally else None,
    }


def _frames(evaluation: Evaluation) -> list[dict[str, Any]]:
    frames = []
    for index, shot in enumerate(evaluation.shots):
        judged = {}
        for row in evaluation.rows:
            level = row.method.level.image if row.method else None
            score = row.scores[index]
            verdict = None if level is None else verdict_of(shot.bad, score, level)
            judged[row.configuration.code] = {"score": score, "verdict": verdict, "why": row.refusals[index] or None}
        frames.append({"name": shot.name, "path": shot.path, "bad": shot.bad, "kind": shot.kind, "judged": judged})
    return frames


def _figure(figure: Figure) -> dict[str, Any]:
    spread = figure.interval
    return {"value": figure.value, "low": spread.low if spread else None, "high": spread.high if spread else None}


def _curve(curve: Curve | None) -> dict[str, list[float]] | None:
    if curve is None:
        return None
    return {"x": [_short(float(value)) for value in curve.x], "y": [_short(float(value)) for value in curve.y]}


def _short(value: float) -> float:
    """Enough digits to draw by."""
    return float(f"{value:.6g}") if math.isfinite(value) else 0.0
