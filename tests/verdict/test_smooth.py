import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.scoring import image_score, peak, smooth
from edge.settings.judging import ScoreRule


def plain(scores, judged, window, padding):
    height, width = scores.shape
    half = window // 2
    out = np.zeros_like(scores, np.float64)
    for y in range(height):
        for x in range(width):
            if not judged[y, x]:
                continue
            total, count = 0.0, 0
            for v in range(y - half, y + half + 1):
                for u in range(x - half, x + half + 1):
                    inside = 0 <= v < height and 0 <= u < width
                    if inside and judged[v, u]:
                        total += scores[v, u]
                        count += 1
                    elif not inside and padding == "zero":
                        count += 1
            out[y, x] = total / max(count, window * window / 4)
    return out


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([1, 3, 5, 9]),
    st.sampled_from(["zero", "inside"]),
    st.floats(0, 1),
)
def test_it_is_the_mean_of_the_judged_pixels(seed, window, padding, share):
    random = np.random.default_rng(seed)
    scores = random.normal(size=(13, 17)).astype(np.float32)
    judged = random.random((13, 17)) <= share
    smoothed = smooth(scores, judged, ScoreRule(window=window, padding=padding))
    assert smoothed.dtype == np.float32
    np.testing.assert_allclose(smoothed, plain(scores, judged, window, padding), atol=1e-5)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30, -1e30])
@pytest.mark.parametrize("padding", ["zero", "inside"])
def test_what_stands_under_a_mask_never_matters(bad, padding):
    random = np.random.default_rng(3)
    scores = random.random((40, 50)).astype(np.float32)
    judged = np.ones((40, 50), bool)
    judged[10:20, 15:30] = False
    rule = ScoreRule(window=7, padding=padding)
    before = smooth(scores, judged, rule)
    scores[~judged] = bad
    assert np.array_equal(before, smooth(scores, judged, rule))


def test_padding_zero_is_what_avg_pool2d_with_counted_padding_does():
    scores = np.ones((30, 30), np.float32)
    smoothed = smooth(scores, np.ones((30, 30), bool), ScoreRule(window=21))
    assert smoothed[0, 0] == pytest.approx(11 * 11 / 441)
    assert smoothed[15, 15] == pytest.approx(1.0)


def test_a_lone_pixel_between_masks_counts_for_no_more_than_a_quarter_of_a_window():
    scores = np.full((31, 31), 8.0, np.float32)
    judged = np.zeros((31, 31), bool)
    judged[15, 15] = True
    assert smooth(scores, judged, ScoreRule(window=5)).max() == pytest.approx(8.0 / (25 / 4))


def test_kind_max_takes_the_map_as_it_is_and_gives_a_copy():
    scores = np.arange(12, dtype=np.float32).reshape(3, 4)
    judged = np.ones((3, 4), bool)
    smoothed = smooth(scores, judged, ScoreRule(kind="max", window=21))
    assert np.array_equal(smoothed, scores)
    assert not np.shares_memory(smoothed, scores)
    assert image_score(smoothed, judged, ScoreRule(kind="max")) == 11


def test_the_peak_is_where_it_is_judged_even_if_all_scores_are_negative():
    scores = np.full((6, 8), -5.0, np.float32)
    scores[1, 2], scores[4, 7] = 9.0, -2.0
    judged = np.ones((6, 8), bool)
    judged[1, 2] = False
    assert peak(scores, judged) == (-2.0, (7, 4))


def test_the_graphs_own_score_is_used_where_the_rule_says_so():
    ones, judged = np.ones((4, 4), np.float32), np.ones((4, 4), bool)
    assert image_score(ones, judged, ScoreRule(kind="graph"), 0.25) == 0.25
    assert np.isnan(image_score(ones, judged, ScoreRule(kind="graph"), None))
