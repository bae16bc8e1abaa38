"""Figures that can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from calibration.metrics import PixelSet, image_auroc

ONE, FOUR = np.zeros((3, 3), bool), np.zeros((3, 3), bool)
ONE[1, 1] = True
FOUR[:2, :2] = True


def _maps(*masks: np.ndarray) -> list[np.ndarray]:
    return [mask.astype(np.float32) for mask in masks]


@pytest.mark.parametrize("columns", [[3], [1, 3, 5]])
def test_a_region_spread_evenly_over_the_scores_is_found_as_chance_would(columns: list[int]) -> None:
    scores = (np.arange(2800) / 2800).reshape(400, 7)
    truth = np.zeros(scores.shape, bool)
    truth[:, columns] = True
    for dtype in (np.float32, np.float64):
        assert PixelSet([scores.astype(dtype)], [truth]).aupro(1 / 3) == pytest.approx(1 / 6, abs=2e-6)


def test_a_staircase_is_cut_exactly_at_the_limit() -> None:
    """400 rows of 6 background pixels and 1 of the region in their middle: 133 whole rows, then 2 pixels at 133/400."""
    scores = (np.arange(2800) / 2800).reshape(400, 7)
    truth = np.zeros(scores.shape, bool)
    truth[:, 3] = True
    whole, rest = (133 / 400) ** 2 / 2, 2 / 2400 * 133 / 400
    assert PixelSet([scores], [truth]).aupro(1 / 3) == pytest.approx((whole + rest) * 3, abs=1e-12)


def test_a_region_found_just_at_the_limit_adds_nothing() -> None:
    """3 of 9 background pixels score above the region: at a limit of 1/3 its step stands on the limit itself."""
    scores = np.array([[9, 8, 7, 6, 5, 4, 3, 2, 1, 0]], np.float32)
    truth = scores == 6
    pixels = PixelSet([scores], [truth])
    assert pixels.aupro(1 / 3) == 0.0
    assert pixels.aupro(4 / 9) == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("maps", "figure"),
    [
        (_maps(ONE, FOUR), 1.0),
        (_maps(~ONE, ~FOUR), 0.0),
        (_maps(np.zeros_like(ONE), np.zeros_like(FOUR)), 0.15),
        (_maps(ONE, np.zeros_like(FOUR)), 0.575),
    ],
    ids=["perfect", "reversed", "all tied", "only the small region found"],
)
def test_regions_weigh_the_same_whatever_their_size(maps: list[np.ndarray], figure: float) -> None:
    assert PixelSet(maps, [ONE, FOUR]).aupro(0.3) == pytest.approx(figure, abs=1e-12)


def test_auroc_never_flips_itself() -> None:
    assert image_auroc([False, False, True, True], [0.9, 0.8, 0.2, 0.1]) == 0.0
    assert PixelSet(_maps(~ONE), [ONE]).auroc() == 0.0


def test_all_tied_is_chance() -> None:
    tied = PixelSet(_maps(ONE & False), [ONE])
    assert tied.auroc() == 0.5
    assert tied.average_precision() == pytest.approx(1 / 9)
    assert image_auroc([False, True, True], [1.0, 1.0, 1.0]) == 0.5


def test_perfect_pixels() -> None:
    perfect = PixelSet(_maps(ONE, FOUR), [ONE, FOUR])
    assert (perfect.auroc(), perfect.average_precision(), perfect.iou(0.5)) == (1.0, 1.0, 1.0)
    best = perfect.best_iou()
    assert best is not None
    assert best.value == 1.0
    assert perfect.iou(best.threshold) == 1.0


def test_diagonal_neighbours_are_one_region() -> None:
    """Two regions of one pixel would have an overlap of one half after the first; so would one of two: found together."""
    scores = np.array([[3, 0, 0], [0, 0, 0], [0, 0, 2]], np.float32)
    apart = np.array([[1, 0, 0], [0, 0, 0], [0, 0, 1]], bool)
    joined = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]], bool)
    assert PixelSet([scores], [apart]).steps.regions == 2
    assert PixelSet([scores], [joined]).steps.regions == 1


def test_counts_at_a_threshold() -> None:
    """What equals the threshold is not above it: the station passes it."""
    scores = np.array([[1, 2, 3], [4, 5, 6]], np.float32)
    truth = np.array([[0, 0, 1], [0, 1, 1]], bool)
    counts = PixelSet([scores, np.full((1, 2), 9, np.float32)], [truth, None]).at(4.0)
    assert (counts.tp, counts.fp, counts.tn, counts.fn) == (2, 2, 3, 1)
    assert counts.accuracy == 5 / 8
    assert counts.precision == 0.5
    assert counts.recall == 2 / 3
    assert counts.f1 == pytest.approx(4 / 7)
    assert counts.iou == pytest.approx(2 / 5)
    assert counts.threshold == 4.0
