"""Regions matched one to one, against trying every matching there is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.metrics import InstanceCounts, instances
from edge.errors import ConfigError
from tests.calibration.metrics import reference


def _mask(*rows: str) -> np.ndarray:
    return np.array([[cell == "#" for cell in row] for row in rows])


def test_a_prediction_over_two_truths_matches_one_of_them() -> None:
    truth = _mask("##.###", "##.###")
    joined = _mask("######", "######")
    assert instances([joined], [truth], 1, 0.3) == InstanceCounts(matched=1, predicted=1, true=2)


def test_a_truth_in_two_pieces_is_matched_once() -> None:
    counts = instances([_mask("##.##")], [_mask("#####")], 1, 0.3)
    assert counts == InstanceCounts(matched=1, predicted=2, true=1)
    assert (counts.precision, counts.recall, counts.f1) == (0.5, 1.0, pytest.approx(2 / 3))
    assert (counts.false, counts.missed) == (1, 0)


def test_greed_does_not_cost_a_pair() -> None:
    """The best overlap (8 of 13) is given up where two pairs (1 of 12, 1 of 10) can be made of it."""
    truth = _mask("##########..##")
    prediction = _mask("#.###########.")
    assert instances([prediction], [truth], 1, 0.05) == InstanceCounts(matched=2, predicted=2, true=2)
    assert instances([prediction], [truth], 1, 0.5) == InstanceCounts(matched=1, predicted=2, true=2)


def test_diagonal_pixels_are_one_region() -> None:
    assert instances([_mask("#.", ".#")], [_mask("#.", ".#")]) == InstanceCounts(1, 1, 1)


def test_small_predictions_are_dropped_and_small_truths_are_missed() -> None:
    mask = _mask("#..###")
    assert instances([mask], [mask], 2) == InstanceCounts(matched=1, predicted=1, true=2)
    assert instances([mask], [mask], 3.5) == InstanceCounts(matched=0, predicted=0, true=2)


def test_the_overlap_that_is_asked_for_is_enough() -> None:
    assert instances([_mask("##..")], [_mask(".##.")], 1, 1 / 3).matched == 1
    assert instances([_mask("##..")], [_mask(".##.")], 1, 0.34).matched == 0


def test_ignored_pixels_count_for_neither() -> None:
    prediction, truth = _mask("####.#"), _mask("##...#")
    skip = _mask("..##.#")
    assert instances([prediction], [truth], 1, 0.9, ignore=[skip]) == InstanceCounts(1, 1, 1)
    assert instances([prediction], [truth], 1, 0.9, ignore=[None]) == InstanceCounts(1, 2, 2)
    assert instances([_mask("#.#")], [_mask("###")], 1, 0.4, ignore=[_mask(".#.")]) == InstanceCounts(1, 2, 1)


def test_good_frames_have_only_false_regions_and_undefined_figures() -> None:
    counts = instances([_mask("#.#"), _mask("...")], [None, None])
    assert counts == InstanceCounts(matched=0, predicted=2, true=0)
    assert (counts.precision, counts.recall, counts.f1) == (None, None, None)
    missed = instances([_mask("...")], [_mask("#..")])
    assert (missed.precision, missed.recall, missed.f1) == (None, 0, 0)


@settings(deadline=None, max_examples=200)
@given(
    seed=st.integers(0, 2**32 - 1),
    min_area_px=st.integers(0, 3),
    min_iou=st.sampled_from([0.05, 0.2, 1 / 3, 0.5, 0.9, 1.0]),
    share=st.sampled_from([0.15, 0.3, 0.5]),
)
def test_counts_are_those_of_every_matching_tried(seed: int, min_area_px: int, min_iou: float, share: float) -> None:
    random = np.random.default_rng(seed)
    images = []
    for _ in range(3):
        truth = random.random((4, 7)) < share
        prediction = truth ^ (random.random(truth.shape) < 0.25)
        images.append((prediction, truth))
    wanted = np.sum([reference.instance_counts(*image, min_area_px, min_iou) for image in images], axis=0)
    found = instances([image[0] for image in images], [image[1] for image in images], min_area_px, min_iou)
    assert (found.matched, found.predicted, found.true) == tuple(wanted)


def test_a_noisy_prediction_of_thousands_of_regions_is_counted() -> None:
    prediction = np.zeros((200, 200), bool)
    prediction[::2, ::2] = True
    truth = np.zeros((200, 200), bool)
    truth[50:60, 50:60] = True
    assert instances([prediction], [truth], 1, 0.5) == InstanceCounts(matched=0, predicted=10_000, true=1)


@pytest.mark.parametrize(
    ("prediction", "truth", "skip", "message"),
    [
        (_mask("..").astype(np.uint8), None, None, r"image 1: the prediction must be a bool HxW array, is uint8 \(1, 2\)"),
        (_mask(".."), _mask("...", "..."), None, "image 1: the truth is 3x2 pixels, the prediction 2x1"),
        (_mask(".."), None, _mask("."), "image 1: the ignore mask is 1x1 pixels, the prediction 2x1"),
    ],
)
def test_what_is_wrong_is_named(
    prediction: np.ndarray, truth: np.ndarray | None, skip: np.ndarray | None, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        instances([_mask(".."), prediction], [None, truth], ignore=[None, skip])


def test_wrong_questions_are_refused() -> None:
    with pytest.raises(ConfigError, match="1 predictions, 2 truths, 1 ignore masks"):
        instances([_mask("..")], [None, None])
    with pytest.raises(ConfigError, match="min_iou is 0"):
        instances([], [], 1, 0)
