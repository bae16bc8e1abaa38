import numpy as np
import pytest
from scipy import stats

from calibration.drift.statistics import compare, holm, pettitt, stability, trend


def scores(seed, count, shift=0.0):
    return np.random.default_rng(seed).normal(10 + shift, 1, count)


def test_one_distribution_is_not_told_apart_more_often_than_promised():
    """Both p-values hold their level, at sample sizes where the rule of thumb for the PSI (0.25) is nearly always broken."""
    found = [compare(scores(2 * seed, 13), scores(2 * seed + 1, 9), permutations=200) for seed in range(200)]
    assert np.mean([one.ks_p <= 0.05 for one in found]) <= 0.08
    assert np.mean([one.psi_p <= 0.05 for one in found]) <= 0.08
    assert np.mean([one.p <= 0.05 for one in found]) <= 0.08
    assert np.mean([one.psi > 0.25 for one in found]) > 0.2


def test_a_shift_is_found_and_its_size_said():
    found = compare(scores(1, 30), scores(2, 30, shift=2.0))
    assert found.p < 0.001
    assert found.psi > 0.25
    assert 1 < found.shift < 4
    assert (found.card, found.recent) == (30, 30)


def test_ks_is_scipys():
    expected = stats.ks_2samp(scores(1, 12), scores(2, 17))
    found = compare(scores(1, 12), scores(2, 17))
    assert (found.ks, found.ks_p) == (expected.statistic, expected.pvalue)


def test_psi_of_equal_halves_is_nothing_and_of_two_worlds_much():
    values = np.arange(40, dtype=float)
    psi, p = stability(values[::2], values[1::2], 500, 0)
    assert psi < 0.1
    assert p > 0.5
    psi, p = stability(values[:20], values[20:], 500, 0)
    assert psi > 2
    assert p == pytest.approx(1 / 501)


def test_psi_by_hand():
    """Two bins: 3 of 4 below then, 1 of 4 now."""
    psi, _ = stability(np.array([1.0, 2, 3, 9]), np.array([4.0, 10, 11, 12]), 100, 0)
    share = np.array([3, 1]) / 4
    expected = float(((share[::-1] - share) * np.log(share[::-1] / share)).sum())
    assert psi == pytest.approx(expected)


def test_equal_scores_are_no_drift():
    found = compare([5.0] * 10, [5.0] * 10)
    assert (found.ks, found.psi, found.shift, found.p) == (0, 0, 0, 1)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []


def test_a_slope_is_found_in_noise_and_by_outliers_undisturbed():
    times = np.arange(40.0)
    values = 0.3 * times + np.random.default_rng(0).normal(0, 1, 40)
    values[[5, 17]] = 80
    found = trend(times, values)
    assert found.slope == pytest.approx(0.3, abs=0.05)
    assert found.low < 0.3 < found.high
    assert found.p < 1e-6
    assert found.total == pytest.approx(0.3 * 39, rel=0.2)


def test_noise_has_no_slope_more_often_than_promised():
    found = [trend(np.arange(20.0), np.random.default_rng(seed).normal(0, 1, 20)) for seed in range(200)]
    assert np.mean([one.p <= 0.05 for one in found]) <= 0.08
    assert np.mean([one.step_p <= 0.05 for one in found]) <= 0.08


def test_a_jump_is_found_where_it_is():
    values = np.concatenate([np.zeros(12), np.full(10, 5.0)]) + np.random.default_rng(1).normal(0, 0.3, 22)
    at, p = pettitt(values)
    assert at == 12
    assert p < 0.01
    with_gaps = np.insert(values, 3, [np.nan, np.nan])
    found = trend(np.arange(24.0), with_gaps)
    assert (found.count, found.step_at) == (22, 14)
    assert found.step == pytest.approx(5, abs=0.4)


def test_too_few_or_unmoved_values_have_no_trend():
    assert trend(np.arange(7.0), np.arange(7.0)) is None
    assert trend(np.zeros(20), np.arange(20.0)) is None
    assert trend(np.arange(20.0), np.full(20, np.nan)) is None
    still = trend(np.arange(20.0), np.ones(20))
    assert (still.slope, still.p) == (0, 1)
