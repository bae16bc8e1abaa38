import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as stn

from edge.settings.judging import Limits, ScoreRule
from edge.types import Box, Gate, Outcome, ReasonCode
from edge.verdict import judge
from tests.verdict.builders import MAX, alignment, anomaly_map, limits

SIZE = (9, 7)
ALL = np.ones((7, 9), bool)
GOOD = alignment()
# Multiples of 1/64 below 1024: sums are exact, so that monotonicity can be asked for to the last bit.
EXACT = st.integers(0, 65535).map(lambda value: value / 64)


def run(scores, judged=ALL, level=1.0, rule=MAX, align=GOOD, **keywords):
    return judge(anomaly_map(scores), align, limits(level, **keywords), judged, rule, frame_size_wh=SIZE)


def test_at_the_threshold_it_passes_and_just_above_it_fails():
    scores = np.zeros((7, 9), np.float32)
    scores[3, 4] = 1.0
    assert run(scores).outcome is Outcome.PASS
    scores[3, 4] = np.nextafter(np.float32(1), np.float32(2))
    failed = run(scores)
    assert failed.outcome is Outcome.FAIL
    assert failed.reason is None
    assert (failed.score, failed.threshold, failed.pixel_threshold) == (float(scores[3, 4]), 1.0, 1.0)
    assert failed.regions[0].box == Box(4, 3, 1, 1)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_no_number_is_undecided_only_where_it_is_judged(bad):
    scores = np.zeros((7, 9), np.float32)
    scores[2, 2] = bad
    assert run(scores).reason.code is ReasonCode.MAP_INVALID
    judged = ALL.copy()
    judged[2, 2] = False
    assert run(scores, judged).outcome is Outcome.PASS


@pytest.mark.parametrize(
    "scores",
    [np.zeros((9, 7), np.float32), np.zeros((1, 7, 9), np.float32), np.zeros((0, 0), np.float32), np.zeros(63, np.float32)],
)
def test_a_map_of_the_wrong_shape_is_undecided(scores):
    assert run(scores).reason.code is ReasonCode.MAP_INVALID


def test_a_map_of_the_wrong_type_is_undecided():
    made = anomaly_map(np.zeros((7, 9)))
    object.__setattr__(made, "scores", np.zeros((7, 9), np.float64))
    assert judge(made, GOOD, limits(), ALL, MAX, frame_size_wh=SIZE).reason.code is ReasonCode.MAP_INVALID


def test_nothing_left_to_judge_is_undecided():
    verdict = run(np.zeros((7, 9)), np.zeros((7, 9), bool))
    assert verdict.outcome is Outcome.UNDECIDED
    assert "nothing is left to judge" in verdict.reason.detail


def test_a_map_that_lies_nowhere_is_undecided():
    broken = anomaly_map(np.zeros((7, 9)), np.zeros((3, 3)))
    assert judge(broken, GOOD, limits(), ALL, MAX, frame_size_wh=SIZE).reason.code is ReasonCode.MAP_INVALID


@pytest.mark.parametrize("field", ["image_threshold", "pixel_threshold", "min_area_px"])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_limit_that_is_no_number_is_undecided(field, bad):
    broken = Limits.model_construct(**{"image_threshold": 1.0, "pixel_threshold": 1.0, "min_area_px": 0.0, field: bad})
    verdict = judge(anomaly_map(np.zeros((7, 9))), GOOD, broken, ALL, MAX, frame_size_wh=SIZE)
    assert verdict.reason.code is ReasonCode.RECIPE_INVALID
    with pytest.raises(ValueError, match=field):
        Limits(**{"image_threshold": 1.0, "pixel_threshold": 1.0, "min_area_px": 0.0, field: bad})


def test_an_alignment_that_is_not_trusted_is_undecided_and_names_gate_value_and_limit():
    untrusted = alignment(
        gates=(Gate("inliers", 5, 12, "min"), Gate("residual_px", 0.2, 1.5, "max"), Gate("visible", 0.5, 0.9, "min"))
    )
    verdict = run(np.full((7, 9), 9.0), align=untrusted)
    assert verdict.outcome is Outcome.UNDECIDED
    assert verdict.reason.code is ReasonCode.NOT_REGISTERED
    assert verdict.reason.detail.startswith("inliers 5 < 12; visible 0.5 < 0.9: look whether")


@pytest.mark.parametrize("matrix", [np.full((3, 3), np.nan), np.zeros((3, 3)), np.diag([1.0, 0.0, 1.0])])
def test_a_homography_that_is_none_is_undecided(matrix):
    assert run(np.zeros((7, 9)), align=alignment(matrix)).reason.code is ReasonCode.NOT_REGISTERED


def test_a_graph_score_that_is_missing_or_nan_is_undecided_and_else_decides():
    rule = ScoreRule(kind="graph", window=1)
    for score, outcome in [(None, Outcome.UNDECIDED), (math.nan, Outcome.UNDECIDED), (2.0, Outcome.FAIL), (0.5, Outcome.PASS)]:
        made = anomaly_map(np.zeros((7, 9)), image_score=score)
        assert judge(made, GOOD, limits(), ALL, rule, frame_size_wh=SIZE).outcome is outcome


def test_scores_so_large_that_their_sum_overflows_do_not_pass():
    verdict = run(np.full((7, 9), 3e38, np.float32), rule=ScoreRule(window=5))
    assert verdict.outcome is Outcome.UNDECIDED


def test_a_fail_without_a_region_large_enough_shows_its_peak():
    scores = np.zeros((7, 9), np.float32)
    scores[3, 4] = 5.0
    verdict = run(scores, area=50)
    assert [region.box for region in verdict.regions] == [Box(4, 3, 1, 1)]
    verdict = judge(anomaly_map(scores), GOOD, limits(1.0, pixel=100.0), ALL, MAX, frame_size_wh=SIZE)
    assert [region.box for region in verdict.regions] == [Box(4, 3, 1, 1)]


def test_the_pixel_threshold_outlines_what_the_image_threshold_lets_in():
    scores = np.zeros((7, 9), np.float32)
    scores[1, 1:4] = (0.6, 5.0, 0.6)
    scores[5, 6:8] = 0.8
    verdict = judge(anomaly_map(scores), GOOD, limits(1.0, pixel=0.5), ALL, MAX, frame_size_wh=SIZE)
    assert [region.box for region in verdict.regions] == [Box(1, 1, 3, 1)]
    scores[1, 2] = 1.0
    verdict = judge(anomaly_map(scores), GOOD, limits(1.0, pixel=0.5), ALL, MAX, frame_size_wh=SIZE)
    assert (verdict.outcome, verdict.regions) == (Outcome.PASS, ())


def test_a_fail_by_the_graphs_own_score_shows_the_maps_peak():
    scores = np.zeros((7, 9), np.float32)
    scores[1, 2] = 0.25
    made = anomaly_map(scores, image_score=9.0)
    verdict = judge(made, GOOD, limits(1.0), ALL, ScoreRule(kind="graph", window=1), frame_size_wh=SIZE)
    assert verdict.regions[0].box == Box(2, 1, 1, 1)


def test_a_smoothed_map_that_the_caller_has_already_gives_the_same():
    from edge.scoring import smooth

    scores = np.random.default_rng(1).random((7, 9), np.float32)
    rule = ScoreRule(window=3)
    given_map = judge(
        anomaly_map(scores),
        GOOD,
        limits(0.5),
        ALL,
        rule,
        frame_size_wh=SIZE,
        smoothed=smooth(anomaly_map(scores).scores, ALL, rule),
    )
    assert given_map == run(scores, level=0.5, rule=rule)


anything = st.floats(width=32, allow_nan=True, allow_infinity=True)
masks = stn.arrays(np.bool_, (7, 9))
rules = st.builds(
    ScoreRule,
    kind=st.sampled_from(["max_of_mean_filter", "max", "graph"]),
    window=st.sampled_from([1, 3, 5]),
    padding=st.sampled_from(["zero", "inside"]),
)


@settings(max_examples=300, deadline=None)
@given(
    stn.arrays(np.float32, st.sampled_from([(7, 9), (7, 9), (9, 7)]), elements=anything),
    masks, rules, st.tuples(st.floats(), st.floats(-1, 1), st.one_of(st.none(), st.floats())),
)  # fmt: skip
def test_pass_only_where_everything_is_known(scores, judged, rule, numbers):
    level, gate_value, graph_score = numbers
    align = alignment(gates=(Gate("similarity", gate_value, 0.0, "min"),))
    held_to = Limits.model_construct(image_threshold=level, pixel_threshold=level, min_area_px=0.0)
    with np.errstate(all="ignore"):
        verdict = judge(anomaly_map(scores, image_score=graph_score), align, held_to, judged, rule, frame_size_wh=SIZE)
    assert (verdict.reason is None) == (verdict.outcome is not Outcome.UNDECIDED)
    if verdict.outcome is Outcome.UNDECIDED:
        assert verdict.score is None
        return
    assert math.isfinite(level)
    assert gate_value >= 0
    assert scores.shape == judged.shape
    assert judged.any()
    assert np.isfinite(scores[judged]).all()
    assert math.isfinite(verdict.score)
    assert (verdict.score > level) == (verdict.outcome is Outcome.FAIL)
    assert verdict.outcome is Outcome.PASS or verdict.regions


@settings(max_examples=200, deadline=None)
@given(stn.arrays(np.float32, (7, 9), elements=EXACT), stn.arrays(np.float32, (7, 9), elements=EXACT), masks, rules, EXACT)
def test_raising_scores_never_turns_fail_into_pass(scores, raised_by, judged, rule, level):
    assume(rule.kind != "graph")
    before, after = run(scores, judged, level, rule), run(scores + raised_by, judged, level, rule)
    if before.outcome is Outcome.FAIL:
        assert after.outcome is Outcome.FAIL
    assert (before.outcome is Outcome.UNDECIDED) == (not judged.any())


@settings(max_examples=200, deadline=None)
@given(stn.arrays(np.float32, (7, 9), elements=EXACT), masks, masks)
def test_masking_only_removes_what_lies_under_the_mask(scores, judged, mask):
    assume((judged & ~mask).any())
    before, after = run(scores, judged, 100.0), run(scores, judged & ~mask, 100.0)
    visible = (scores > 100.0) & judged & ~mask
    assert (after.outcome is Outcome.FAIL) == bool(visible.any())
    if after.outcome is Outcome.FAIL:
        assert before.outcome is Outcome.FAIL


@settings(max_examples=100, deadline=None)
@given(stn.arrays(np.float32, (7, 9), elements=EXACT), masks, rules, EXACT, stn.arrays(np.float32, (7, 9), elements=anything))
def test_what_is_masked_never_changes_the_judgement(scores, judged, rule, level, other):
    assume(rule.kind != "graph")
    changed = np.where(judged, scores, other).astype(np.float32)
    assert run(scores, judged, level, rule) == run(changed, judged, level, rule)
