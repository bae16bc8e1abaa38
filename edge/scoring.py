"""From a raw anomaly map to the smoothed map and the image score. Measures only; `edge.verdict` decides. Pure.

Mean-filter smoothing and its maximum as the image score follow DRAEM (Zavrtanik et al., ICCV 2021: 21x21 average, then
maximum), extended to masks: a masked pixel neither adds to a mean nor receives one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.settings.judging import ScoreRule
from edge.types import AnomalyMap, MapF32, MaskBool

_LEAST_SHARE = 0.25
_LEAST_PIXELS = 16
_SAME = 1e-5


def fault(anomaly_map: AnomalyMap, judged: MaskBool, rule: ScoreRule) -> str:
    """Why this map cannot be judged, or "" if it can. What lies outside the judged area does not matter."""
    scores = anomaly_map.scores
    if scores is None:
        return _fault_without_map(anomaly_map, judged, rule)
    if scores.ndim != 2 or scores.dtype != np.float32:
        return f"the engine gave a map of {scores.dtype} {scores.shape}, not float32 height x width"
    if judged.shape != scores.shape or judged.dtype != np.bool_:
        return f"the map is {_size(scores)} but the area to judge is {_size(judged)}"
    if place := _fault_of_place(anomaly_map, judged):
        return place
    if not np.isfinite(scores).all():
        bad = int(np.count_nonzero(~np.isfinite(scores) & judged))
        if bad:
            return f"{bad} of {np.count_nonzero(judged)} judged map values are NaN or infinite"
    return _fault_of_score(anomaly_map) if rule.kind == "graph" else ""


def _fault_without_map(anomaly_map: AnomalyMap, judged: MaskBool, rule: ScoreRule) -> str:
    if rule.kind != "graph":
        return f"the bundle gives no map, and the score rule {rule.kind} needs one"
    if judged.ndim != 2 or judged.dtype != np.bool_:
        return f"the area to judge is {judged.dtype} {judged.shape}"
    return _fault_of_place(anomaly_map, judged) or _fault_of_score(anomaly_map)


def _fault_of_place(anomaly_map: AnomalyMap, judged: MaskBool) -> str:
    matrix = anomaly_map.map_to_reference
    if matrix.shape != (3, 3) or not np.isfinite(matrix).all() or abs(float(np.linalg.det(matrix))) < 1e-12:
        return "map_to_reference is no usable homography"
    if not judged.any():
        return "nothing is left to judge: masks and the frame's border cover the whole map"
    return ""


def _fault_of_score(anomaly_map: AnomalyMap) -> str:
    score = anomaly_map.image_score
    if score is None or not np.isfinite(score):
        return f"the recipe takes the graph's own image score, and it is {score}"
    return ""


def lifeless(anomaly_map: AnomalyMap, judged: MaskBool, rule: ScoreRule, known: Sequence[float]) -> str:
    """Why nobody computed this (an engine that gives zeros, say), or "". known: image scores of good frames.

    No picture of a sensor gives one value, to the last bit, at every judged pixel, unless the model cuts its scores off there;
    then good frames of the card scored that very value. The same goes for a score of exactly 0 that the graph gives itself.
    """
    scores, value, is_dead = anomaly_map.scores, anomaly_map.image_score, True
    what = "scored the frame"
    if scores is not None:
        seen = scores[judged]
        is_dead = seen.size >= _LEAST_PIXELS and float(seen.min()) == float(seen.max())
    if scores is not None and rule.kind != "graph":
        value, what = float(seen[0]), f"gave all {seen.size} judged pixels the value"
    elif value != 0.0:
        return ""
    if value is None or not is_dead or any(abs(score - value) <= _SAME * abs(value) for score in known):
        return ""
    return f"the engine {what} {value:g}, as no good frame of the card: is it dead? Restart the station, run lineclear doctor"


def smooth(scores: MapF32, judged: MaskBool, rule: ScoreRule) -> MapF32:
    """The mean of the judged pixels in a window x window square around each judged pixel; 0 where nothing is judged.

    The sum over judged pixels is divided by the number of judged pixels in the window, never by less than a quarter of
    the window: a lone pixel between masks must not count as much as a whole window of the same height would (it is one
    noisy sample), yet a leftover that peeps out from under a mask must not be averaged away by what is hidden. With
    padding "zero" the pixels beyond the map's border count as judged with score 0, as upstream's avg_pool2d has it.
    scores: float32 HxW, finite where judged. Returns float32 HxW.
    """
    whole = bool(judged.all())
    seen = scores if whole else np.where(judged, scores, np.float32(0))
    window = 1 if rule.kind == "max" else rule.window
    if window == 1:
        return seen.copy() if whole else seen
    area = float(window * window)
    total = _box(seen, window)
    if whole and rule.padding == "zero":
        return np.asarray(total * np.float32(1.0 / area), np.float32)
    if rule.padding == "zero":
        count = np.float32(area) - _box((~judged).view(np.uint8), window)
    else:
        count = _box(judged.view(np.uint8), window)
    smoothed = total / np.maximum(count, np.float32(area * _LEAST_SHARE))
    if not whole:
        smoothed[~judged] = 0.0
    return np.asarray(smoothed, np.float32)


def measured(anomaly_map: AnomalyMap, judged: MaskBool, rule: ScoreRule) -> tuple[MapF32 | None, float | None]:
    """(the smoothed map, the image score) of a map without `fault`; the first is None where the bundle gives no map."""
    if anomaly_map.scores is None:
        return None, anomaly_map.image_score
    smoothed = smooth(anomaly_map.scores, judged, rule)
    return smoothed, image_score(smoothed, judged, rule, anomaly_map.image_score)


def image_score(smoothed: MapF32, judged: MaskBool, rule: ScoreRule, graph_score: float | None = None) -> float:
    """The maximum of the smoothed map where it is judged, or the graph's own score if the rule says so."""
    if rule.kind == "graph":
        return float("nan") if graph_score is None else float(graph_score)
    return peak(smoothed, judged)[0]


def peak(smoothed: MapF32, judged: MaskBool) -> tuple[float, tuple[int, int]]:
    """The highest judged value and where it is (x, y), map pixels."""
    _, highest, _, at = cv2.minMaxLoc(smoothed, mask=judged.view(np.uint8))
    return float(highest), (int(at[0]), int(at[1]))


def _box(values: NDArray[Any], window: int) -> MapF32:
    summed: MapF32 = cv2.boxFilter(values, cv2.CV_32F, (window, window), normalize=False, borderType=cv2.BORDER_CONSTANT)
    return summed


def _size(array: NDArray[Any]) -> str:
    return "x".join(str(side) for side in array.shape[::-1])
