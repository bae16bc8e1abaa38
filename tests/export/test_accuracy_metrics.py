"""The figures of benchmarks/accuracy.py, against hand-computed and brute-force values."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from benchmarks.chains import to_frame
from benchmarks.metrics import aupro, auroc, pixel_auroc


def _brute_aupro(scores: np.ndarray, truth: np.ndarray, limit: float = 0.3) -> float:
    count, labels = cv2.connectedComponents(truth.astype(np.uint8))
    rates, overlaps = [0.0], [0.0]
    for level in np.unique(scores)[::-1]:
        above = scores >= level
        rates.append(float(above[~truth].mean()))
        overlaps.append(float(np.mean([above[labels == label].mean() for label in range(1, count)])))
    grid = np.linspace(0, limit, 200_001)
    return float(np.interp(grid, rates, overlaps).mean())


@pytest.mark.parametrize("seed", range(4))
def test_aupro_is_the_area_under_the_mean_overlap(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = np.zeros((40, 50), bool)
    truth[5:9, 5:30] = truth[20:35, 40:44] = truth[30:32, 3:5] = True
    scores = rng.integers(0, 60, truth.shape).astype(np.float32) + 20 * truth * rng.random(truth.shape).astype(np.float32)
    assert aupro([scores], [truth]) == pytest.approx(_brute_aupro(scores, truth), abs=1e-3)


def test_aupro_weighs_regions_not_pixels() -> None:
    truth = np.zeros((20, 40), bool)
    truth[2:12, 2:12] = truth[15:17, 30:32] = True
    found_large = np.zeros(truth.shape, np.float32)
    found_large[2:12, 2:12] = 1
    rest = np.random.default_rng(0).random(truth.shape).astype(np.float32) * 0.5
    rest[15:17, 30:32] = -1
    assert aupro([np.maximum(found_large, rest)], [truth]) == pytest.approx(0.5, abs=0.01)


def test_perfect_maps_score_one_and_none_without_regions() -> None:
    truth = np.zeros((10, 10), bool)
    truth[3:6, 3:6] = True
    assert aupro([truth.astype(np.float32)], [truth]) == pytest.approx(1)
    assert pixel_auroc([truth.astype(np.float32)], [truth]) == 1
    assert np.isnan(aupro([np.ones((4, 4), np.float32)], [np.zeros((4, 4), bool)]))
    assert np.isnan(auroc([1.0, 2.0], []))


def test_auroc_is_the_share_of_pairs_in_order() -> None:
    assert auroc([1.0, 2.0, 5.0], [3.0, 6.0]) == pytest.approx(5 / 6)


def test_a_map_lands_where_the_frame_shows_it() -> None:
    scores = np.zeros((60, 80), np.float32)
    scores[30, 40] = 1
    map_to_frame = np.array([[2.0, 0, 20], [0, 2.0, 10], [0, 0, 1]])
    seen = to_frame(scores, map_to_frame, (200, 150))
    assert seen.shape == (75, 100)
    assert np.unravel_index(seen.argmax(), seen.shape) == ((2 * 30 + 10) // 2, (2 * 40 + 20) // 2)
