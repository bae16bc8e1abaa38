import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from calibration.evaluate.collecting import Collected, Seen
from calibration.evaluate.configurations import STATION
from calibration.evaluate.figures import Asked, row_of, tally_of
from calibration.evaluate.levels import DEFAULT_METHODS, Level
from calibration.evaluate.results import Tally, verdict_of
from calibration.evaluate.store import MapStore
from calibration.metrics import PixelSet, image_auroc, image_average_precision

SIDE = 24


def picture(number, bad, strength=4.0):
    """(map, truth): noise, with a square of higher scores where it is bad."""
    random = np.random.default_rng(number)
    scores = random.random((SIDE, SIDE)).astype(np.float32)
    truth = np.zeros((SIDE, SIDE), bool)
    if bad:
        truth[5:11, 6:13] = True
        scores[5:11, 6:13] += np.float32(strength)
    return scores, truth


def measured(store, frames):
    """What `collect` would have made of these (score or None, bad) frames."""
    seen = Seen(good_scores=[0.9, 1.0, 0.95, 0.97, 0.99, 0.96])
    seen.good_pixels = [np.linspace(0, 1, 100, dtype=np.float32)]
    collected = Collected({STATION: seen}, store, 1, True)
    for number, (score, bad) in enumerate(frames):
        scores, truth = picture(number, bad)
        seen.scores.append(score)
        seen.refusals.append("" if score is not None else "not registered")
        seen.maps.append(None if score is None else store.put(scores))
        collected.truths.append(truth if bad else None)
    return collected


def row_from(frames, asked=None, known=None):
    bad = [is_bad for _, is_bad in frames]
    with MapStore() as store:
        collected = measured(store, frames)
        return row_of(STATION, STATION, collected, bad, known or [True] * len(bad), asked or Asked(DEFAULT_METHODS, rounds=0))


FRAMES = [(0.9, False), (0.95, False), (1.2, False), (4.9, True), (5.0, True), (1.1, True)]


def test_image_figures_are_the_metrics_own():
    row = row_from(FRAMES)
    bad, scores = [False] * 3 + [True] * 3, [score for score, _ in FRAMES]
    assert row.image_auroc.value == image_auroc(bad, scores)
    assert row.image_ap == image_average_precision(bad, scores)


def test_pixel_figures_are_the_metrics_own():
    row = row_from(FRAMES)
    pairs = [picture(number, bad) for number, (_, bad) in enumerate(FRAMES)]
    pixels = PixelSet([scores for scores, _ in pairs], [truth for _, truth in pairs])
    assert row.pixel_auroc.value == pytest.approx(pixels.auroc(), abs=1e-12)
    assert row.pro.value == pytest.approx(pixels.aupro(0.3), abs=1e-12)
    assert row.ap.value == pytest.approx(pixels.average_precision(), abs=1e-12)
    assert row.best_iou == pytest.approx(pixels.best_iou().value, abs=1e-12)
    first = row.methods[0]
    assert first.iou == pytest.approx(pixels.iou(first.level.pixel), abs=1e-12)


def test_the_methods_alarms_and_misses():
    row = row_from(FRAMES)
    highest = row.methods[0]
    assert highest.level.image == 1.0
    assert highest.tally == Tally(3, 3, false_alarms=1, misses=0, undecided_good=0, undecided_bad=0)
    assert row.chosen is not None
    assert row.accuracy.value == row.method.tally.accuracy


def test_an_undecided_frame_is_in_no_ranking_and_not_right():
    row = row_from([*FRAMES, (None, False), (None, True)])
    assert row.image_auroc.value == row_from(FRAMES).image_auroc.value
    assert row.pixel_auroc.value == row_from(FRAMES).pixel_auroc.value
    tally = row.methods[0].tally
    assert (tally.undecided_good, tally.undecided_bad) == (1, 1)
    assert tally.accuracy == pytest.approx(5 / 8)
    assert row.refusals[-1] == "not registered"


def test_a_view_without_anomalies_is_undefined_and_neither_0_nor_1():
    row = row_from([(0.9, False), (1.2, False)])
    for figure in (row.image_auroc, row.pixel_auroc, row.pro, row.ap):
        assert figure.value is None
        assert figure.interval is None
    assert row.image_ap is None
    assert row.best_iou is None
    assert row.curves.image_roc is None
    assert row.curves.pixel_roc is None
    assert row.methods[0].tally.accuracy == 0.5
    assert row.methods[0].iou is None


def test_a_view_without_good_frames_is_undefined_too():
    row = row_from([(4.0, True), (5.0, True)])
    assert row.image_auroc.value is None
    assert row.pixel_auroc.value is not None, "its background pixels are good"


def test_no_frame_at_all_could_be_judged():
    row = row_from([(None, False), (None, True)])
    assert row.pixel_auroc.value is None
    assert row.curves.iou is None
    assert row.methods[0].tally.undecided == 2
    assert row.accuracy.value == 0.0


def test_a_bad_frame_whose_pixels_nobody_labelled_is_in_the_image_figures_only():
    known = [True] * 5 + [False]
    row = row_from(FRAMES, known=known)
    pairs = [picture(number, bad) for number, (_, bad) in enumerate(FRAMES[:5])]
    pixels = PixelSet([scores for scores, _ in pairs], [truth for _, truth in pairs])
    assert row.pixel_auroc.value == pytest.approx(pixels.auroc(), abs=1e-12)
    assert row.image_auroc.value == row_from(FRAMES).image_auroc.value
    assert row.methods[0].tally.bad == 3


def test_intervals_hold_the_figure_and_one_seed_gives_one_interval():
    asked = Asked(DEFAULT_METHODS, rounds=100)
    frames = [*FRAMES, (0.8, False), (1.3, True), (1.1, False), (0.97, True)]
    row, again = row_from(frames, asked), row_from(frames, asked)
    for name in ("image_auroc", "pixel_auroc", "pro", "ap", "accuracy"):
        figure = getattr(row, name)
        assert figure.interval.low - 2e-3 <= figure.value <= figure.interval.high + 2e-3, name
        assert figure.interval == getattr(again, name).interval


def test_no_rounds_no_intervals():
    row = row_from(FRAMES)
    assert all(figure.interval is None for figure in (row.image_auroc, row.pixel_auroc, row.pro, row.ap, row.accuracy))


def test_given_levels_come_before_the_methods():
    card = Level("card", "card (quantile)", 2.0, 1.5)
    row = row_from(FRAMES, Asked(DEFAULT_METHODS[:1], fixed=(card,), rounds=0))
    assert [method.level.kind for method in row.methods] == ["card", "max"]
    assert row.methods[0].tally.misses == 1


def test_curves_are_thinned_and_end_where_they_must():
    curves = row_from(FRAMES).curves
    assert len(curves.pixel_roc) <= 210
    assert (curves.image_roc.x[0], curves.image_roc.y[-1]) == (0.0, 1.0)
    assert curves.pro.x[-1] >= 0.3
    assert 0 <= curves.iou.y.min() <= curves.iou.y.max() <= 1


scores_of_frames = st.lists(st.tuples(st.booleans(), st.one_of(st.none(), st.floats(-5, 5))), min_size=1, max_size=30)


@given(scores_of_frames, st.floats(-5, 5))
def test_every_frame_is_counted_once(frames, threshold):
    bad, scores = [each for each, _ in frames], [score for _, score in frames]
    tally = tally_of(bad, scores, threshold)
    right = sum(verdict_of(each, score, threshold) == "right" for each, score in frames)
    assert tally.good + tally.bad == len(frames)
    assert tally.false_alarms + tally.undecided_good <= tally.good
    assert tally.misses + tally.undecided_bad <= tally.bad
    assert tally.accuracy == pytest.approx(right / len(frames))


def test_a_score_at_the_threshold_passes_as_at_the_station():
    assert verdict_of(False, 2.0, 2.0) == "right"
    assert verdict_of(True, 2.0, 2.0) == "miss"
    assert verdict_of(True, np.nextafter(2.0, 3), 2.0) == "right"
    assert verdict_of(True, None, 2.0) == "undecided"


def test_no_frames_no_accuracy():
    assert tally_of([], [], 1.0).accuracy is None


def test_the_accuracy_has_the_exact_interval():
    row = row_from(FRAMES, Asked(DEFAULT_METHODS, rounds=20))
    right = row.method.tally.right
    exact = binomtest(right, len(FRAMES)).proportion_ci(0.95, "exact")
    assert row.accuracy.interval.low == pytest.approx(exact.low, abs=1e-9)
    assert row.accuracy.interval.high == pytest.approx(exact.high, abs=1e-9)


def test_without_a_mistake_the_accuracy_is_not_certain():
    row = row_from([(0.9, False), (0.95, False), (4.0, True), (5.0, True)], Asked(DEFAULT_METHODS, rounds=20))
    assert row.accuracy.value == 1.0
    assert row.accuracy.interval.low == pytest.approx(0.025 ** (1 / 4), abs=1e-9)
    assert row.accuracy.interval.high == 1.0


def test_undecided_frames_are_among_those_that_the_interval_counts():
    frames = [(0.9, False), (4.0, True), (None, True), (None, False)]
    row = row_from(frames, Asked(DEFAULT_METHODS, rounds=20))
    exact = binomtest(2, 4).proportion_ci(0.95, "exact")
    assert (row.accuracy.interval.low, row.accuracy.interval.high) == pytest.approx((exact.low, exact.high), abs=1e-9)
