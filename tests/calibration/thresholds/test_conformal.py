import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.methods import Method, conformal_rank, frames_for_rate, image_threshold, pixel_threshold
from edge.errors import ConfigError

alphas = st.floats(0.001, 0.5)


def conformal(alpha: float) -> Method:
    return Method(kind="conformal", alpha=alpha)


@pytest.mark.parametrize(("alpha", "frames"), [(0.01, 99), (0.05, 19), (0.1, 9), (0.001, 999), (0.07, 14), (0.5, 1)])
def test_the_least_number_of_frames_is_the_reciprocal_less_one(alpha, frames):
    assert frames_for_rate(alpha) == frames
    assert conformal_rank(frames, 1 - alpha) <= frames
    if frames > 1:
        assert conformal_rank(frames - 1, 1 - alpha) > frames - 1


@given(alphas, st.integers(1, 2000))
@settings(max_examples=300, deadline=None)
def test_it_refuses_exactly_where_the_rank_would_be_beyond_the_frames(alpha, count):
    scores = np.arange(float(count))
    if conformal_rank(count, 1 - alpha) > count:
        with pytest.raises(ConfigError, match=f"give {frames_for_rate(alpha) - count} more good frames"):
            image_threshold(scores, conformal(alpha))
    else:
        above = int((scores > image_threshold(scores, conformal(alpha))).sum())
        assert above <= alpha * (count + 1)


def test_too_few_frames_are_told_how_many_more_and_what_they_could_promise():
    with pytest.raises(ConfigError) as caught:
        image_threshold(np.arange(21.0), conformal(0.01))
    assert str(caught.value) == (
        "method conformal: 21 frames cannot promise at most 1 % false alarms: that takes 99: "
        "give 78 more good frames, or promise less: --alpha 0.0455"
    )
    assert image_threshold(np.arange(21.0), conformal(0.0455)) == 20


def test_the_rank_is_the_lowest_that_keeps_the_promise():
    scores = np.arange(1.0, 100)
    assert image_threshold(scores, conformal(0.01)) == 99
    assert image_threshold(scores, conformal(0.1)) == 90
    assert image_threshold(scores, conformal(0.1).model_copy(update={"margin": 1.0})) > 90


@pytest.mark.parametrize(("count", "alpha"), [(19, 0.05), (25, 0.1), (120, 0.05)])
def test_exchangeable_frames_are_alarmed_at_the_promised_rate_whatever_their_distribution(count, alpha):
    random = np.random.default_rng(count)
    trials = 4000
    rates = []
    for _ in range(trials):
        level = image_threshold(random.lognormal(size=count), conformal(alpha))
        rates.append(0.5 * math.erfc(math.log(level) / math.sqrt(2)))
    mean, error = np.mean(rates), np.std(rates) / trials**0.5
    assert mean <= alpha + 4 * error
    # And not far below, or it would be no method but caution: 1 / (n + 1) is the step between two ranks.
    assert mean >= alpha - 1 / (count + 1) - 4 * error


def test_tied_scores_only_make_it_safer():
    random = np.random.default_rng(5)
    rates = [
        np.mean(random.integers(0, 6, 400) > image_threshold(random.integers(0, 6, 30).astype(float), conformal(0.1)))
        for _ in range(500)
    ]
    assert np.mean(rates) <= 0.1


def test_pixels_are_held_to_the_share_that_frames_not_pixels_can_promise():
    pixels = np.arange(10_000, dtype=np.float32)
    # 99 frames: the correction eats all of 1 %, no pixel may be above; 999 frames leave 0.9 % of them.
    assert pixel_threshold(pixels, conformal(0.01), None, frames=99) == 9999
    assert pixel_threshold(pixels, conformal(0.01), None, frames=999) == pytest.approx(9999 * (1 - 0.01 + 0.99 / 999), abs=1)
    assert pixel_threshold(pixels, conformal(0.01), 12.0, frames=999) == 12.0


def test_the_share_of_a_new_frames_pixels_above_the_level_is_kept():
    random = np.random.default_rng(8)
    count, alpha, size = 30, 0.1, 200
    shares = []
    for _ in range(600):
        gains = random.lognormal(sigma=0.5, size=count + 1)
        pixels = random.exponential(size=(count + 1, size)) * gains[:, None]
        level = pixel_threshold(pixels[:-1].ravel(), conformal(alpha), None, frames=count)
        shares.append(np.mean(pixels[-1] > level))
    assert np.mean(shares) <= alpha + 4 * np.std(shares) / len(shares) ** 0.5
