import sys

import numpy as np
import pytest

from calibration.methods import Method, fit_tail, image_threshold, pareto, pixel_threshold, read_tail, take_levels
from calibration.methods.extreme import LEAST_P, MIN_EXCEEDANCES
from edge.errors import ConfigError

stats = pytest.importorskip("scipy.stats", reason="scipy is in the extra `calibration`")
EXTREME = Method(kind="extreme", rate=0.001)


def drawn(shape: float, count: int, seed: int = 0):
    return np.sort(stats.genpareto.rvs(shape, scale=2.0, size=count, random_state=seed))


@pytest.mark.parametrize("shape", [-0.3, -0.1, 0.0, 0.2, 0.6])
def test_our_fit_is_scipys_from_another_start(shape):
    samples = np.stack([drawn(shape, 80, seed) for seed in range(12)])
    shapes, scales = pareto.fit_rows(samples)
    for sample, found, scale in zip(samples, shapes, scales, strict=True):
        theirs, _, width = stats.genpareto.fit(sample, 0.1, floc=0, scale=sample.mean())
        ours = stats.genpareto.logpdf(sample, found, scale=scale).sum()
        assert ours >= stats.genpareto.logpdf(sample, theirs, scale=width).sum() - 1e-4 or theirs < pareto.LEAST_SHAPE
        if abs(theirs) < 0.45:
            assert (found, scale) == (pytest.approx(theirs, abs=2e-3), pytest.approx(width, rel=2e-3))


def test_many_samples_give_back_the_distribution_they_came_from():
    shapes, scales = pareto.fit_rows(np.stack([drawn(0.2, 4000, seed) for seed in range(4)]))
    assert shapes == pytest.approx(0.2, abs=0.08)
    assert scales == pytest.approx(2.0, rel=0.08)


@pytest.mark.parametrize("shape", [-0.3, 0.0, 0.4])
def test_survival_and_quantile_are_scipys(shape):
    beyond = np.linspace(0, 5, 11)
    assert pareto.survival(beyond, shape, 2.0) == pytest.approx(stats.genpareto.sf(beyond, shape, scale=2.0))
    rates = np.array([0.5, 0.1, 0.001])
    assert pareto.quantile(rates, shape, 2.0) == pytest.approx(stats.genpareto.isf(rates, shape, scale=2.0))


def test_anderson_darling_is_the_textbooks():
    sample = drawn(0.1, 50, 3)
    lower = stats.genpareto.cdf(sample, 0.1, scale=2.0)
    index = np.arange(1, 51)
    by_hand = -50 - np.mean((2 * index - 1) * (np.log(lower) + np.log(1 - lower[::-1])))
    assert pareto.anderson_darling(sample[None], np.array([0.1]), np.array([2.0]))[0] == pytest.approx(by_hand)


def test_a_tail_is_fitted_read_beyond_the_frames_and_shown():
    scores = np.random.default_rng(19).exponential(size=400)
    levels = take_levels(scores, np.ones(10, np.float32), EXTREME)
    assert levels.image == pytest.approx(-np.log(0.001), rel=0.25)
    assert levels.image > scores.max()
    fit = levels.fit
    assert fit.exceedances >= MIN_EXCEEDANCES
    assert fit.p_value >= LEAST_P
    assert abs(fit.shape) < 0.3
    alarms = levels.false_alarms
    assert (alarms.interval, alarms.above) == ("bootstrap", 0)
    assert alarms.expected == pytest.approx(0.001)
    assert alarms.low <= alarms.expected <= alarms.high
    # The bound leans on no model: it is that of 400 frames.
    assert alarms.bound == pytest.approx(1 - 0.05 ** (1 / 400))


def test_the_same_scores_give_the_same_card():
    scores = np.random.default_rng(2).lognormal(size=450)
    assert take_levels(scores, np.ones(3), EXTREME) == take_levels(scores[::-1], np.ones(3), EXTREME)


def test_the_promise_counts_what_the_fit_does_not_know():
    """Read off the plain fit, the true rate would be a multiple of the wanted one."""
    random = np.random.default_rng(3)
    true, naive, inside = [], [], []
    for _ in range(60):
        scores = np.sort(random.exponential(size=150))
        try:
            _, reading = read_tail(scores, 0.004)
        except ConfigError:
            continue
        tail = fit_tail(scores)
        plain = tail.fit.start + pareto.quantile(0.004 / (len(tail.beyond) / 150), tail.fit.shape, tail.fit.scale)
        assert reading.threshold >= max(plain, scores[-1]) - 1e-9
        assert reading.expected == pytest.approx(0.004, rel=0.01)
        true.append(np.exp(-reading.threshold))
        naive.append(np.exp(-plain))
        inside.append(reading.low <= true[-1] <= reading.high)
    assert len(true) > 50
    assert np.mean(naive) > 1.6 * 0.004
    assert np.mean(true) < 1.6 * 0.004
    assert np.mean(inside) > 0.85


def test_good_frames_are_condemned_no_more_than_the_rate_allows():
    scores = np.sort(np.random.default_rng(4).normal(size=1000))
    rare, often = (image_threshold(scores, Method(kind="extreme", rate=rate)) for rate in (0.0006, 0.05))
    assert rare >= scores[-1]
    assert 0 < int((scores > often).sum()) <= 50


@pytest.mark.parametrize(
    ("count", "rate", "said"),
    [
        (99, 0.01, "99 frames are too few to read a tail at 10 false alarms per 1000: that takes 100: give 1 more good frames"),
        (250, 0.001, "takes 400: give 150 more good frames, or aim at --rate 0.0016"),
        (20, 0.001, "takes 400: give 380 more good frames, or choose quantile"),
    ],
)
def test_too_few_frames_are_told_how_many_more(count, rate, said):
    with pytest.raises(ConfigError) as caught:
        image_threshold(np.random.default_rng(0).exponential(size=count), Method(kind="extreme", rate=rate))
    assert said in str(caught.value)


def test_a_tail_that_ends_too_soon_to_be_read_is_refused():
    scores = np.sort(stats.genpareto.rvs(0.4, size=100, random_state=1))
    with pytest.raises(ConfigError, match=r"says nothing below .* false alarms per 1000: give more good frames, or aim at"):
        fit_tail(scores).read(0.0005)


def test_two_heaps_of_scores_are_no_tail():
    random = np.random.default_rng(6)
    scores = np.concatenate([random.normal(1, 0.01, 700), random.normal(5, 0.05, 300)])
    with pytest.raises(ConfigError, match=r"no tail of that shape \(upper 30 %: A² .*p 0\.0\d\d"):
        image_threshold(scores, EXTREME)


def test_equal_scores_are_no_tail():
    scores = np.concatenate([np.linspace(0, 1, 300), np.full(300, 2.0)])
    with pytest.raises(ConfigError, match="too many equal scores"):
        image_threshold(scores, EXTREME)


def test_good_tails_are_seldom_refused():
    random = np.random.default_rng(9)
    refused = 0
    for _ in range(60):
        try:
            fit_tail(np.sort(random.exponential(size=300)))
        except ConfigError:
            refused += 1
    assert refused <= 3


def test_without_scipy_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    with pytest.raises(ConfigError, match=r"pip install 'lineclear\[calibration\]'"):
        image_threshold(np.random.default_rng(1).exponential(size=400), EXTREME)


def test_pixels_reach_as_far_as_the_rate_by_themselves():
    assert pixel_threshold(np.arange(10_000, dtype=np.float32), Method(kind="extreme", rate=0.01), None) == 9900
