"""What is undefined is None; what is wrong is refused, by name; what is given is not changed."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from calibration.metrics import PixelIntervals, PixelSet, pixel_intervals
from edge.errors import ConfigError

SCORES = np.arange(12, dtype=np.float32).reshape(3, 4)
TRUTH = SCORES > 8
NOTHING = np.zeros((3, 4), bool)


@pytest.mark.parametrize(
    ("pixels", "why"),
    [
        (PixelSet([SCORES, SCORES], [None, NOTHING]), "no anomalous pixel"),
        (PixelSet([SCORES], [~NOTHING]), "no background pixel"),
        (PixelSet([SCORES], [TRUTH], [~TRUTH]), "no background pixel"),
        (PixelSet([SCORES], [TRUTH], [TRUTH]), "no anomalous pixel"),
        (PixelSet([SCORES], [TRUTH], [~NOTHING]), "no pixel that counts"),
        (PixelSet([], []), "no pixel that counts"),
    ],
)
def test_rankings_without_both_kinds_are_undefined(pixels: PixelSet, why: str) -> None:
    assert pixels.undefined == why
    assert [pixels.auroc(), pixels.average_precision(), pixels.aupro()] == [None] * 3
    assert [pixels.roc_curve(), pixels.pr_curve(), pixels.pro_curve()] == [None] * 3
    assert pixel_intervals(pixels, seed=0, rounds=2) == PixelIntervals(None, None, None, None)


def test_without_anomalies_only_the_accuracy_is_defined() -> None:
    good = PixelSet([SCORES], [None])
    counts = good.at(8)
    assert (counts.fp, counts.tn, counts.accuracy) == (3, 9, 0.75)
    assert [counts.precision, counts.recall, counts.f1, counts.iou, good.iou(8)] == [None] * 5
    assert good.iou_curve() is None
    assert good.best_iou() is None
    assert PixelSet([], []).at(1).accuracy is None


def test_with_anomalies_but_without_predictions_only_the_precision_is_undefined() -> None:
    counts = PixelSet([SCORES], [TRUTH]).at(100)
    assert counts.precision is None
    assert (counts.recall, counts.f1, counts.iou) == (0, 0, 0)


def test_without_background_pixels_the_iou_is_still_defined() -> None:
    assert PixelSet([SCORES], [~NOTHING]).iou(5) == 0.5


def test_ignored_pixels_may_hold_anything_and_change_nothing() -> None:
    spoilt = SCORES.copy()
    skip = np.zeros(SCORES.shape, bool)
    skip[0] = skip[2, 3] = True
    spoilt[skip] = np.nan
    small = PixelSet([SCORES[1:].copy()], [TRUTH[1:]], [skip[1:]])
    pixels = PixelSet([spoilt], [TRUTH], [skip])
    assert pixels.auroc() == small.auroc()
    assert pixels.aupro() == small.aupro()
    assert pixels.at(5) == small.at(5)


def test_a_region_cut_by_ignored_pixels_stays_one() -> None:
    scores = np.array([[9, 0, 1, 8, 3]], np.float32)
    truth = np.array([[1, 1, 1, 0, 1]], bool)
    skip = np.array([[0, 1, 0, 0, 0]], bool)
    pixels = PixelSet([scores], [truth], [skip])
    assert pixels.steps.regions == 2
    assert pixels.steps.shares.tolist() == [0.5, 1.0, 0.5]
    assert PixelSet([scores], [truth], [truth & (scores > 2) | skip]).steps.regions == 1


def test_maps_of_different_sizes_count_together_and_stay_as_they_are() -> None:
    shapes = [(3, 4), (5, 2), (1, 1)]
    random = np.random.default_rng(0)
    maps = [random.random(shape, np.float32) for shape in shapes]
    truths = [random.random(shape) < 0.4 for shape in shapes]
    before = [each.copy() for each in maps]
    for each in (*maps, *truths):
        each.flags.writeable = False
    pixels = PixelSet(maps, truths)
    for figure in (pixels.auroc, pixels.average_precision, pixels.aupro, pixels.iou_curve, lambda: pixels.at(0.5)):
        assert figure() is not None
    assert all((one == other).all() for one, other in zip(maps, before, strict=True))
    assert pixels.at(-1).tp + pixels.at(-1).fp == 12 + 10 + 1
    assert len(pixels) == 3


def test_a_view_of_a_larger_array_is_a_map_too() -> None:
    scores, truth = np.zeros((6, 8), np.float32), np.zeros((6, 8), bool)
    scores[::2, ::2], truth[::2, ::2] = SCORES, TRUTH
    assert PixelSet([scores[::2, ::2][::-1]], [truth[::2, ::2][::-1]]).aupro() == PixelSet([SCORES], [TRUTH]).aupro() == 1


class _Loaded(Sequence):
    """Makes each map when it is asked for."""

    def __init__(self, count: int, side: int) -> None:
        self._count, self._side = count, side

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> np.ndarray:
        return np.random.default_rng(index).random((self._side, self._side), np.float32)


def test_maps_may_be_loaded_as_they_are_asked() -> None:
    loaded = _Loaded(40, 8)
    truths = [np.random.default_rng(index + 99).random((8, 8)) < 0.1 for index in range(40)]
    listed = [loaded[index] for index in range(40)]
    assert PixelSet(loaded, truths).aupro() == PixelSet(listed, truths).aupro()


def test_maps_are_never_in_memory_all_at_once() -> None:
    """160 maps are 42 MB; half of that is enough for every figure of them."""
    truth = np.zeros((256, 256), bool)
    truth[:20, :20] = True
    pixels = PixelSet(_Loaded(160, 256), [truth, None] * 80)
    tracemalloc.start()
    try:
        for figure in (pixels.auroc, pixels.aupro, pixels.roc_curve, pixels.pr_curve, pixels.pro_curve, pixels.iou_curve):
            assert figure() is not None
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 21e6


def _with(scores: float) -> np.ndarray:
    spoilt = SCORES.copy()
    spoilt[2, 3] = scores
    return spoilt


@pytest.mark.parametrize(
    ("second", "truth", "skip", "message"),
    [
        (_with(np.nan), None, None, "map 1 (b.png): a score is NaN or infinite: leave this frame out"),
        (_with(np.nan), TRUTH, None, "map 1 (b.png): a score is NaN or infinite"),
        (_with(np.inf), TRUTH, None, "map 1 (b.png): a score is NaN or infinite"),
        (_with(-np.inf), None, None, "map 1 (b.png): a score is NaN or infinite"),
        (SCORES.astype(np.int32), None, None, "map 1 (b.png): must be a float HxW array, is int32 (3, 4)"),
        (SCORES[None], None, None, "map 1 (b.png): must be a float HxW array, is float32 (1, 3, 4)"),
        (SCORES, TRUTH.T, None, "map 1 (b.png): the truth is 3x4 pixels, the map 4x3: give the truth at the size of its map"),
        (SCORES, TRUTH.astype(np.uint8), None, "map 1 (b.png): the truth must be bool, is uint8"),
        (SCORES, None, TRUTH[:2], "map 1 (b.png): the ignore mask is 4x2 pixels, the map 4x3"),
        (SCORES, TRUTH, TRUTH[:2], "map 1 (b.png): the ignore mask is 4x2 pixels, the map 4x3"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(second: np.ndarray, truth: np.ndarray | None, skip: np.ndarray | None, message: str) -> None:
    pixels = PixelSet([SCORES, second], [TRUTH, truth], [None, skip], names=["a.png", "b.png"])
    for figure in (pixels.aupro, lambda: pixels.at(1)):
        with pytest.raises(ConfigError) as caught:
            figure()
        assert str(caught.value).startswith(message)


def test_a_map_without_a_name_is_named_by_its_index() -> None:
    with pytest.raises(ConfigError, match=r"^map 0: a score is NaN"):
        PixelSet([_with(np.nan)], [None]).auroc()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PixelSet([SCORES], []), "1 maps, but 0 truths"),
        (lambda: PixelSet([SCORES], [TRUTH], [None, None]), "1 maps, but 2 ignore masks"),
        (lambda: PixelSet([SCORES], [TRUTH], names=["a", "b"]), "1 maps, but 2 names"),
        (lambda: PixelSet([SCORES], [TRUTH]).aupro(0), "false-positive rate is 0: write a rate above 0"),
        (lambda: PixelSet([SCORES], [TRUTH]).aupro(30), "false-positive rate is 30"),
        (lambda: PixelSet([SCORES], [TRUTH]).pro_curve(10, -1.0), "false-positive rate is -1"),
        (lambda: PixelSet([SCORES], [TRUTH]).roc_curve(1), "a curve of 1 points"),
        (lambda: PixelSet([SCORES], [TRUTH]).iou_curve(1), "a curve of 1 points"),
        (lambda: PixelSet([SCORES], [TRUTH]).at(float("nan")), "the threshold is NaN"),
    ],
)
def test_wrong_questions_are_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()
