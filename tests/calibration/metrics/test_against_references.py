"""Random maps, many ties, against scikit-learn and against plain loops: equal to 1e-9."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score, jaccard_score, precision_recall_curve, roc_auc_score, roc_curve

from calibration.metrics import PixelSet, steps
from tests.calibration.metrics import reference

CLOSE = 1e-9


@dataclass(frozen=True)
class Scene:
    """Maps of different sizes, some good, some with ignored pixels, with `levels` different scores."""

    maps: list[np.ndarray]
    truths: list[np.ndarray | None]
    ignore: list[np.ndarray | None]

    @property
    def pixels(self) -> PixelSet:
        return PixelSet(self.maps, self.truths, self.ignore)

    @property
    def pooled(self) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
        return reference.pooled(self.maps, self.truths, self.ignore)


def scene(seed: int, count: int, levels: int, share: float, dtype: type = np.float32) -> Scene:
    random = np.random.default_rng(seed)
    made = Scene([], [], [])
    for _ in range(count):
        shape = tuple(random.integers(1, 14, 2))
        truth = random.random(shape) < share * random.random()
        scores = random.integers(0, levels, shape) + truth * random.integers(0, 2, shape) * levels / 3
        made.maps.append((scores / 7).astype(dtype))
        made.truths.append(None if random.random() < 0.3 else truth)
        made.ignore.append(None if random.random() < 0.5 else random.random(shape) < 0.2)
    made.maps.append(np.array([[0.1, 0.3, 0.5]], dtype))
    made.truths.append(np.array([[False, True, False]]))
    made.ignore.append(None)
    return made


scenes = st.builds(
    scene,
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(0, 4),
    levels=st.sampled_from([1, 2, 5, 1000]),
    share=st.sampled_from([0.05, 0.5, 1.0]),
    dtype=st.sampled_from([np.float32, np.float64, np.float16]),
)


@settings(deadline=None, max_examples=150)
@given(scenes, st.sampled_from([0.01, 0.3, 1 / 3, 0.99, 1.0]))
def test_areas(made: Scene, limit: float) -> None:
    scores, truth, regions = made.pooled
    pixels = made.pixels
    assert pixels.auroc() == pytest.approx(roc_auc_score(truth, scores), abs=CLOSE)
    assert pixels.average_precision() == pytest.approx(average_precision_score(truth, scores), abs=CLOSE)
    assert pixels.aupro(limit) == pytest.approx(reference.aupro(scores, truth, regions, limit), abs=CLOSE)
    assert pixels.steps.regions == len(regions)


@settings(deadline=None, max_examples=100)
@given(scenes, st.floats(-1, 200, width=32))
def test_counts_at_a_threshold(made: Scene, threshold: float) -> None:
    scores, truth, _ = made.pooled
    above = scores > threshold
    counts = made.pixels.at(threshold)
    assert counts.iou == pytest.approx(jaccard_score(truth, above, zero_division=0), abs=CLOSE)
    assert counts.f1 == pytest.approx(f1_score(truth, above, zero_division=0), abs=CLOSE)
    assert counts.accuracy == pytest.approx((truth == above).mean(), abs=CLOSE)
    assert counts.precision == (pytest.approx(truth[above].mean(), abs=CLOSE) if above.any() else None)
    assert counts.recall == pytest.approx(above[truth].mean(), abs=CLOSE)
    assert made.pixels.iou(threshold) == counts.iou


@settings(deadline=None, max_examples=100)
@given(scenes)
def test_whole_curves(made: Scene) -> None:
    scores, truth, regions = made.pooled
    roc, precision, pro = made.pixels.roc_curve(None), made.pixels.pr_curve(None), made.pixels.pro_curve(None, 1.0)
    assert roc is not None
    assert precision is not None
    assert pro is not None
    fpr, tpr, _ = roc_curve(truth, scores, drop_intermediate=False)
    np.testing.assert_allclose(_held(roc.x, roc.y, fpr), _held(fpr, tpr, fpr), atol=CLOSE)
    rates, overlaps = reference.pro_vertices(scores, truth, regions)
    np.testing.assert_allclose(_held(pro.x, pro.y, rates), _held(rates, overlaps, rates), atol=CLOSE)
    wanted = {(round(float(r), 9), round(float(p), 9)) for p, r in _at_positives(*precision_recall_curve(truth, scores))}
    assert {(round(float(r), 9), round(float(p), 9)) for r, p in zip(precision.x, precision.y, strict=True)} == wanted


@settings(deadline=None, max_examples=60)
@given(scenes)
def test_thresholds_of_a_curve_give_its_points(made: Scene) -> None:
    """Handed to the station, or to `at`, a threshold of a curve gives just that point of it."""
    roc, precision = made.pixels.roc_curve(None), made.pixels.pr_curve(None)
    assert roc is not None
    assert precision is not None
    for curve in (roc, precision):
        for x, y, threshold in list(zip(curve.x, curve.y, curve.thresholds, strict=True))[:: max(len(curve) // 8, 1)]:
            counts = made.pixels.at(float(threshold))
            if curve is roc:
                assert (counts.fp / (counts.fp + counts.tn), counts.recall) == pytest.approx((x, y), abs=CLOSE)
            elif np.isfinite(threshold):
                assert (counts.recall, counts.precision) == pytest.approx((x, y), abs=CLOSE)


@settings(deadline=None, max_examples=60)
@given(scenes)
def test_iou_over_thresholds(made: Scene) -> None:
    scores, truth, _ = made.pooled
    curve, best = made.pixels.iou_curve(9), made.pixels.best_iou()
    assert curve is not None
    assert best is not None
    assert (curve.x[0], curve.x[-1]) == (scores.max(), scores.min())
    for threshold, iou in zip(curve.x, curve.y, strict=True):
        assert iou == made.pixels.iou(float(threshold))
    every = [jaccard_score(truth, scores >= level) for level in np.unique(scores)]
    assert best.value == pytest.approx(max(every), abs=CLOSE)
    assert made.pixels.iou(best.threshold) == pytest.approx(best.value, abs=CLOSE)


@pytest.mark.parametrize("block", [1, 3])
@pytest.mark.parametrize("chunk_px", [1, 100])
def test_pieces_change_nothing(block: int, chunk_px: int, monkeypatch: pytest.MonkeyPatch) -> None:
    made = scene(3, 6, 20, 0.5)
    whole, curves = _figures(made.pixels), _curves(made.pixels)
    monkeypatch.setattr(steps, "_BLOCK", block)
    monkeypatch.setattr(steps, "_SMALLEST_CHUNK_PX", chunk_px)
    monkeypatch.setattr(steps, "_LARGEST_CHUNK_PX", chunk_px)
    assert _figures(made.pixels) == pytest.approx(whole, abs=CLOSE)
    monkeypatch.setattr(steps, "_UINT32_MAX", 100)
    pieces = made.pixels
    assert _figures(pieces) == pytest.approx(whole, abs=CLOSE)
    assert pieces.steps.below.dtype == np.int64
    for one, other in zip(curves, _curves(pieces), strict=True):
        np.testing.assert_allclose(one, other, atol=CLOSE)


def _figures(pixels: PixelSet) -> list[float | None]:
    best = pixels.best_iou()
    return [pixels.auroc(), pixels.average_precision(), pixels.aupro(), best and best.value, best and best.threshold]


def _curves(pixels: PixelSet) -> list[np.ndarray]:
    drawn = (pixels.roc_curve(None), pixels.pr_curve(None), pixels.pro_curve(None, 0.3))
    return [np.stack([curve.x, curve.y]) for curve in drawn if curve is not None]


def _held(x: np.ndarray, y: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The curve's highest value at each x: what an exact staircase and one with fewer vertices have in common."""
    top = np.interp(at, x, y)
    for place, value in enumerate(at):
        same = np.abs(x - value) < 1e-12
        top[place] = max(top[place], y[same].max(initial=0))
    return top


def _at_positives(precision: np.ndarray, recall: np.ndarray, _: np.ndarray) -> list[tuple[float, float]]:
    """Of all vertices, those where the recall has just risen, and the (0, 1) that scikit-learn puts at the end."""
    points = list(zip(precision[::-1], recall[::-1], strict=True))
    return [points[0], *(after for before, after in pairwise(points) if after[1] > before[1])]
