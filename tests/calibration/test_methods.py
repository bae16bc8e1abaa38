import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.methods import (
    Method,
    beta_quantile,
    conformal_rank,
    false_alarms,
    figures,
    frames_needed,
    image_threshold,
    pixel_threshold,
    spread,
)

MAX, PLAIN = Method(kind="max"), Method(kind="quantile", margin=0.0)
scores_of = st.lists(st.floats(-100, 1000, width=32), min_size=5, max_size=300).map(lambda values: np.array(values))
methods_of = st.builds(
    Method,
    kind=st.sampled_from(["max", "quantile", "sigma"]),
    quantile=st.floats(0.95, 0.999),
    sigma=st.floats(0, 6),
    margin=st.one_of(st.none(), st.floats(0, 10)),
)


def test_max_is_the_highest_score_to_the_last_bit():
    scores = np.array([0.1, 0.7, 0.3, 0.2, 0.5], np.float32).astype(np.float64)
    assert image_threshold(scores, MAX) == float(np.float32(0.7))


def test_sigma_is_mean_plus_k_deviations_but_never_below_a_good_frame():
    scores = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    assert image_threshold(scores, Method(kind="sigma")) == pytest.approx(3 + 3 * math.sqrt(2.5))
    assert image_threshold(scores, Method(kind="sigma", sigma=0.5)) == 5.0


def test_quantile_is_the_conformal_order_statistic_where_there_are_frames_for_it():
    scores = np.arange(1, 201, dtype=np.float64)
    assert conformal_rank(200, 0.995) == 200
    assert image_threshold(scores, PLAIN) == 200
    assert image_threshold(scores, Method(kind="quantile", quantile=0.95, margin=0.0)) == 191
    assert image_threshold(scores[:5], PLAIN) == 5


def test_the_default_margin_falls_with_the_root_of_the_frames_and_only_quantile_has_one():
    quantile = Method(kind="quantile")
    assert [round(quantile.margin_for(count), 2) for count in (5, 20, 80)] == [5.0, 2.5, 1.25]
    assert (MAX.margin_for(5), Method(kind="sigma").margin_for(5)) == (0.0, 0.0)
    scores = np.array([1.0, 1.1, 1.2, 1.3, 1.4])
    assert spread(scores) == pytest.approx(1.4826 * 0.1)
    assert image_threshold(scores, quantile) == pytest.approx(1.4 + 5 * 0.14826)
    assert image_threshold(scores, Method(kind="max", margin=2.0)) == pytest.approx(1.4 + 2 * 0.14826)


def test_five_lucky_frames_do_not_make_the_spread_nothing():
    assert spread(np.array([2.0, 2.0, 2.0, 2.0, 2.001])) == pytest.approx(0.2)


@settings(max_examples=200, deadline=None)
@given(scores_of, methods_of)
def test_no_method_condemns_more_of_its_own_frames_than_it_says(scores, method):
    threshold = image_threshold(scores, method)
    assert math.isfinite(threshold)
    above = int((scores > threshold).sum())
    if method.kind == "quantile":
        assert above <= len(scores) - min(len(scores), conformal_rank(len(scores), method.quantile))
    else:
        assert above == 0


@settings(max_examples=100, deadline=None)
@given(scores_of, methods_of, st.floats(0.125, 8), st.floats(0, 3))
def test_the_threshold_follows_the_unit_and_the_margin(scores, method, unit, more):
    threshold = image_threshold(scores, method)
    assert image_threshold(scores * unit, method) == pytest.approx(threshold * unit, rel=1e-6, abs=1e-6)
    wider = method.model_copy(update={"margin": method.margin_for(len(scores)) + more})
    assert image_threshold(scores, wider) >= threshold


def test_pixel_threshold_by_method_and_never_above_the_image_threshold():
    pixels = np.arange(1000, dtype=np.float32)
    assert pixel_threshold(pixels, MAX, None) == 999
    assert pixel_threshold(pixels, Method(kind="quantile", quantile=0.99), None) == 990
    assert pixel_threshold(pixels, Method(kind="sigma", sigma=1), None) == pytest.approx(499.5 + 288.675, abs=0.01)
    assert pixel_threshold(pixels, MAX, 12.5) == 12.5


@pytest.mark.parametrize(("a", "b"), [(1, 5), (1, 100), (3, 40), (20, 3), (7, 7)])
@pytest.mark.parametrize("probability", [0.025, 0.5, 0.95, 0.999])
def test_beta_quantile_against_scipy(a, b, probability):
    stats = pytest.importorskip("scipy.stats", reason="scipy comes with scikit-learn, which is only in the dev install")
    assert beta_quantile(probability, a, b) == pytest.approx(stats.beta.ppf(probability, a, b), abs=1e-9)


def test_beta_quantile_of_one_is_the_closed_form():
    assert beta_quantile(0.95, 1, 59) == pytest.approx(1 - 0.05 ** (1 / 59), abs=1e-12)


def test_false_alarms_of_the_maximum_is_the_rule_of_three():
    alarms = false_alarms(np.arange(300.0), 299.0)
    assert alarms.expected == pytest.approx(1 / 301)
    assert alarms.bound == pytest.approx(3 / 300, rel=0.01)
    assert alarms.low < alarms.expected < alarms.high
    assert alarms.above == 0


def test_false_alarms_of_an_order_statistic_is_clopper_pearsons_upper_limit():
    stats = pytest.importorskip("scipy.stats", reason="scipy comes with scikit-learn, which is only in the dev install")
    alarms = false_alarms(np.arange(200.0), 195.0)
    assert alarms.above == 4
    assert alarms.bound == pytest.approx(stats.binomtest(4, 200).proportion_ci(0.90, "exact").high, abs=1e-9)


def test_a_threshold_below_every_own_score_promises_nothing():
    alarms = false_alarms(np.arange(5.0), -1.0)
    assert (alarms.expected, alarms.low, alarms.high, alarms.bound, alarms.above) == (1.0, 0.0, 1.0, 1.0, 5)


@pytest.mark.parametrize(("count", "rank"), [(5, 5), (20, 20), (60, 57)])
def test_the_promise_holds_on_frames_to_come(count, rank):
    random = np.random.default_rng(count)
    trials = 4000
    scores = np.sort(random.lognormal(size=(trials, count)), axis=1)
    thresholds = scores[:, rank - 1]
    # The lognormal's own exceedance rate at each threshold, exactly.
    rates = np.array([0.5 * math.erfc(math.log(threshold) / math.sqrt(2)) for threshold in thresholds])
    alarms = false_alarms(scores[0], float(thresholds[0]))
    assert rates.mean() == pytest.approx(alarms.expected, rel=0.1)
    assert np.mean((rates >= alarms.low) & (rates <= alarms.high)) == pytest.approx(0.95, abs=0.02)
    assert np.mean(rates <= alarms.bound) == pytest.approx(0.95, abs=0.02)


def test_frames_needed_is_the_inverse_of_the_bound():
    assert frames_needed(0.01) == 299
    for rate in (0.5, 0.1, 0.003):
        count = frames_needed(rate)
        assert 1 - 0.05 ** (1 / count) <= rate < 1 - 0.05 ** (1 / (count - 1))


def test_figures_are_those_of_the_values():
    values = np.concatenate([np.zeros(990), np.ones(10)])
    summary = figures(values)
    assert (summary.count, summary.min, summary.median, summary.p99, summary.p999, summary.max) == (1000, 0, 0, 1, 1, 1)
    assert summary.mean == pytest.approx(0.01)
    assert sum(summary.histogram.counts) == 1000
    assert figures(np.full(7, 3.0)).std == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "mode"},
        {"kind": "quantile", "quantile": 1.0},
        {"kind": "quantile", "quantile": 0.9},
        {"kind": "conformal", "alpha": 0.0},
        {"kind": "conformal", "alpha": 0.9},
        {"kind": "extreme", "rate": 0.2},
        {"kind": "cost", "miss_cost": 0},
        {"kind": "cost", "bad_share": 1.0},
        {"kind": "sigma", "sigma": math.nan},
        {"kind": "max", "margin": -1},
    ],
)
def test_a_method_that_is_none_is_refused(fields):
    with pytest.raises(ValueError, match=next(reversed(fields))):
        Method(**fields)
