import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.heatmap import Picture, Scale, encode, overlay, paint
from edge.settings.judging import MaskPolygon
from edge.types import Gate, ReasonCode
from edge.verdict import judge, not_registered, undecided
from tests.verdict.builders import MAX, alignment, anomaly_map, limits

SIZE = (200, 120)
FRAME = np.full((120, 200, 3), 128, np.uint8)
RAMP = np.repeat(np.arange(200, dtype=np.uint8)[None, :, None], 120, 0).repeat(3, 2)


def picture(scores=None, *, frame=FRAME, align=None, judged=None, threshold=1.0, masks=(), title="", reference_wh=SIZE):
    scores = np.zeros((60, 100), np.float32) if scores is None else scores
    judged = np.ones(scores.shape, bool) if judged is None else judged
    align = align or alignment()
    to_reference = np.diag([reference_wh[0] / scores.shape[1], reference_wh[1] / scores.shape[0], 1.0])
    to_reference[0, 2], to_reference[1, 2] = to_reference[0, 0] / 2 - 0.5, to_reference[1, 1] / 2 - 0.5
    made = anomaly_map(scores, to_reference)
    judgement = judge(made, align, limits(threshold), judged, MAX, frame_size_wh=(frame.shape[1], frame.shape[0]))
    return Picture(frame, judgement, reference_wh, align, made.scores, judged, to_reference, masks, title)


def spot(value, at=(30, 50)):
    scores = np.zeros((60, 100), np.float32)
    scores[at[0] - 5 : at[0] + 5, at[1] - 5 : at[1] + 5] = value
    return scores


def test_a_clean_map_leaves_the_frame_as_it_is():
    assert np.array_equal(paint(picture()), FRAME)
    below_half = paint(picture(spot(0.49)))
    assert np.abs(below_half.astype(int) - FRAME).max() <= 1


def test_a_score_has_the_same_colour_whatever_else_is_in_the_picture():
    alone, beside_a_higher = spot(1.5), np.maximum(spot(1.5), spot(9.0, (30, 85)))
    assert np.array_equal(paint(picture(alone))[60, 101], paint(picture(beside_a_higher))[60, 101])
    assert not np.array_equal(paint(picture(alone))[60, 101], paint(picture(alone, threshold=1.2))[60, 101])


def test_the_colours_end_at_twice_the_threshold():
    assert np.array_equal(paint(picture(spot(2.0)))[60, 101], paint(picture(spot(50.0)))[60, 101])


def test_what_is_not_judged_is_not_coloured():
    judged = np.ones((60, 100), bool)
    judged[20:40, 40:60] = False
    assert np.array_equal(paint(picture(spot(9.0), judged=judged)), FRAME)


def test_a_fail_is_bracketed_where_the_region_is_and_a_pass_is_not():
    failed = paint(picture(spot(3.0)))
    changed = np.argwhere((failed != FRAME).any(axis=2))
    (top, left), (bottom, right) = changed.min(axis=0), changed.max(axis=0)
    assert (top >= 20, left >= 75) == (True, True)  # the label above the brackets included
    assert (bottom <= 80, right <= 130) == (True, True)
    assert (failed.reshape(-1, 3) == (213, 94, 0)).all(axis=1).any()
    passed = paint(picture(spot(0.9)))
    assert not (passed.reshape(-1, 3) == (213, 94, 0)).all(axis=1).any()


def test_the_picture_is_in_reference_pixels_whatever_the_nudge():
    nudge = np.array([[1.0, 0, 12.0], [0, 1, -7.0], [0, 0, 1]])
    painted = paint(picture(frame=RAMP, align=alignment(nudge)))
    assert np.array_equal(painted[20:100, 20:190], RAMP[20:100, 8:178])


def test_what_the_frame_does_not_show_is_hatched_not_filled():
    nudge = np.array([[1.0, 0, 40.0], [0, 1, 0], [0, 0, 1]])
    hidden = paint(picture(frame=FRAME, align=alignment(nudge)))[:, :39]
    assert set(np.unique(hidden)) == {40, 70}


def test_a_wide_reference_is_scaled_down_and_a_small_one_kept():
    big = np.full((1500, 3000, 3), 90, np.uint8)
    shown = paint(picture(frame=big, reference_wh=(3000, 1500)))
    assert shown.shape == (512, 1024, 3)
    assert np.array_equal(np.unique(shown), [90])
    assert paint(picture()).shape == (120, 200, 3)
    assert overlay(picture()).shape[1] == 320


def test_the_frame_is_not_aliased_when_it_is_reduced():
    stripes = np.zeros((600, 3072), np.uint8)
    stripes[:, ::3] = 255
    shown = paint(picture(frame=stripes, reference_wh=(3072, 600)))
    assert shown[5:-5, 5:-5].std() < 3


def test_masks_are_hatched_dashed_and_named_only_if_they_are_on():
    on = MaskPolygon(name="hose", points=((0.1, 0.1), (0.5, 0.1), (0.5, 0.6), (0.1, 0.6)))
    off = on.model_copy(update={"enabled": False})
    hatched = paint(picture(masks=(on,)))
    changed = (hatched != FRAME).any(axis=2)
    assert 0.15 < changed[30:70, 30:95].mean() < 0.6
    assert not changed[80:, :].any()
    assert np.array_equal(paint(picture(masks=(off,))), FRAME)


def test_header_and_footer_differ_by_outcome_and_score():
    passed, failed = overlay(picture(spot(0.9), title="front")), overlay(picture(spot(3.0), title="front"))
    assert not np.array_equal(passed[:56], failed[:56])
    assert not np.array_equal(passed[-48:], failed[-48:])
    assert not np.array_equal(overlay(picture(title="front"))[:56], overlay(picture(title="back"))[:56])


def test_undecided_without_alignment_shows_the_frame_and_the_reason():
    reason = undecided(ReasonCode.CAMERA_LOST, "unplugged")
    shown = overlay(Picture(np.repeat(RAMP, 2, 1), reason, SIZE))
    assert shown.shape == (56 + 120, 400, 3)
    assert np.array_equal(shown[56:], np.repeat(RAMP, 2, 1))
    other = overlay(Picture(np.repeat(RAMP, 2, 1), undecided(ReasonCode.CAMERA_LOST, "stalled"), SIZE))
    assert not np.array_equal(shown[:56], other[:56])


def test_an_alignment_that_is_not_trusted_is_never_used_for_a_picture():
    bad = alignment(np.full((3, 3), np.nan), (Gate("inliers", 1, 12, "min"),))
    assert np.array_equal(paint(Picture(RAMP, not_registered(bad), SIZE, bad)), RAMP)


def test_grey_frames_and_long_or_foreign_titles_are_drawn():
    assert np.array_equal(paint(picture(frame=FRAME[..., 0])), FRAME)
    assert overlay(picture(title="Müller\n" * 500)).shape == overlay(picture()).shape


@pytest.mark.parametrize(("threshold", "low", "high"), [(2.0, 0.0, 4.0), (-2.0, -4.0, 0.0), (0.0, -1.0, 1.0)])
def test_the_scale_has_the_threshold_in_its_middle(threshold, low, high):
    assert Scale.around(threshold) == Scale(low, high)
    assert Scale.around(threshold).share(np.array([threshold], np.float32))[0] == 0.5


def test_a_score_that_is_no_number_is_drawn_as_the_worst():
    assert Scale(0, 2).share(np.array([np.nan, np.inf, -np.inf], np.float32)).tolist() == [1, 1, 0]


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.floats(0, 5, width=32))
def test_any_size_can_be_drawn(width, height, score):
    frame = np.full((height, width, 3), 50, np.uint8)
    scores = np.full((height, width), score, np.float32)
    mask = MaskPolygon(name="m", points=((0, 0), (1, 0), (0, 1)))
    shown = overlay(picture(scores, frame=frame, reference_wh=(width, height), masks=(mask,), title="t"))
    assert shown.dtype == np.uint8
    assert shown.shape[1] == 320


def test_png_is_lossless_rgb_and_jpeg_is_close():
    image = np.random.default_rng(0).integers(0, 255, (30, 40, 3), np.uint8)
    back = cv2.imdecode(np.frombuffer(encode(image, "png"), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert np.array_equal(back, image)
    data = encode(FRAME, "jpeg", 90)
    assert data[:2] == b"\xff\xd8"
    assert np.abs(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).astype(int) - 128).max() <= 2
