import numpy as np
import pytest

from calibration.evaluate.levels import CARD, DEFAULT_METHODS, KINDS, Options, card_level, levels
from calibration.methods import Method, take_levels

SCORES = [1.0, 1.4, 1.1, 1.2, 1.3, 1.05]
PIXELS = np.linspace(0, 1.4, 5000, dtype=np.float32)


def test_each_method_in_the_order_of_the_tie_break():
    found = levels(SCORES, PIXELS, DEFAULT_METHODS, True)
    assert tuple(level.kind for level in found) == KINDS == ("max", "sigma", "quantile", "conformal", "extreme")


@pytest.mark.parametrize("kind", ["max", "sigma", "quantile"])
def test_they_are_the_thresholds_that_the_card_would_get(kind):
    (level,) = levels(SCORES, PIXELS, (Method(kind=kind),), True)
    taken = take_levels(np.array(SCORES), PIXELS, Method(kind=kind))
    assert (level.image, level.pixel) == (taken.image, taken.pixel)
    assert level.refused == ""


def test_max_is_the_highest_score_and_the_highest_pixel():
    (level,) = levels(SCORES, PIXELS, (Method(kind="max"),), True)
    assert level.image == 1.4
    assert level.pixel == pytest.approx(1.4)


def test_a_parameter_counts_and_is_in_the_name():
    two, four = levels(SCORES, PIXELS, (Method(kind="sigma", sigma=2), Method(kind="sigma", sigma=4)), True)
    assert two.image < four.image
    assert (two.name, four.name) == ("sigma 2", "sigma 4")


@pytest.mark.parametrize("kind", ["conformal", "extreme"])
def test_a_method_that_cannot_be_taken_says_why(kind):
    (level,) = levels(SCORES, PIXELS, (Method(kind=kind),), True)
    assert level.image is None
    assert level.pixel is None
    assert "6" in level.refused


def test_conformal_can_be_taken_from_enough_frames():
    scores = np.random.default_rng(1).gamma(4, 0.3, 120).tolist()
    (level,) = levels(scores, PIXELS, (Method(kind="conformal"),), True)
    assert level.image is not None
    assert level.image <= max(scores)


@pytest.mark.parametrize("count", [0, 1, 4])
def test_too_few_good_frames_are_said_for_every_method(count):
    found = levels(SCORES[:count], PIXELS, DEFAULT_METHODS, True)
    assert {level.refused for level in found} == {f"{count} usable good frames; it takes at least 5"}


def test_the_graphs_own_score_does_not_bound_the_pixel_threshold():
    high = PIXELS * 100
    (bound,) = levels(SCORES, high, (Method(kind="max"),), True)
    (free,) = levels(SCORES, high, (Method(kind="max"),), False)
    assert bound.pixel == bound.image == 1.4
    assert free.pixel == pytest.approx(140)


def test_scores_that_are_no_numbers_refuse_the_method():
    (level,) = levels([*SCORES, float("nan")], PIXELS, (Method(kind="max"),), True)
    assert level.image is None
    assert "NaN" in level.refused


def test_the_cards_level(recipe, built):
    from calibration.thresholds import Signature, take_thresholds
    from tests.calibration.evaluate.making import engine_of

    signature = Signature(who="A. Meier", why="test")
    taken = take_thresholds(recipe, built / "good", Method(kind="max"), signature, open_engine=engine_of)
    level = card_level(taken.card)
    assert (level.kind, level.name) == (CARD, "card (max)")
    assert (level.image, level.pixel) == (taken.card.image_threshold, taken.card.pixel_threshold)


def test_the_default_options_take_every_method():
    assert tuple(method.kind for method in Options().methods) == KINDS
