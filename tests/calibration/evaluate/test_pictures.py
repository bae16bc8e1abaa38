import cv2
import numpy as np
import pytest

from calibration.evaluate.pictures import WIDTHS_PX, Scene, panels, width_for

FRAME = np.full((200, 400, 3), 90, np.uint8)
REFERENCE = np.full((200, 400, 3), (200, 30, 30), np.uint8)
TRUTH = np.zeros((100, 200), bool)
TRUTH[40:60, 100:130] = True
SCORES = np.where(TRUTH, np.float32(9), np.float32(0.1))


def decoded(scene, width=400):
    return {
        caption: cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
        for caption, data in panels(scene, width)
    }


def scene(**changes):
    return Scene(
        **{
            "frame": FRAME,
            "reference": REFERENCE,
            "map": SCORES,
            "truth": TRUTH,
            "image_level": 3.0,
            "pixel_level": 2.0,
            **changes,
        }
    )


def test_six_panels_of_one_size():
    shown = decoded(scene())
    assert list(shown) == ["input", "reference", "map", "truth", "prediction", "overlay"]
    assert {image.shape for image in shown.values()} == {(200, 400, 3)}


def test_colours_are_right_way_round():
    shown = decoded(scene())
    assert shown["reference"][100, 200, 0] > 150 > shown["reference"][100, 200, 2]
    assert abs(int(shown["input"][100, 200, 0]) - 90) < 8


def test_truth_and_prediction_are_where_they_are():
    shown = decoded(scene())
    for name in ("truth", "prediction"):
        white = shown[name][..., 0] > 128
        rows, columns = np.nonzero(white)
        assert abs(rows.mean() - 99.5) < 2
        assert abs(columns.mean() - 229.5) < 2
        assert abs(white.sum() - 4 * TRUTH.sum()) < 200


def test_the_pixel_threshold_makes_the_prediction():
    shown = decoded(scene(pixel_level=20.0))
    assert not (shown["prediction"] > 128).any()


def test_the_map_is_on_a_fixed_scale():
    dim = decoded(scene(map=SCORES * np.float32(0.1)))["map"].astype(int)
    bright = decoded(scene())["map"].astype(int)
    assert np.abs(dim - bright)[100, 230].max() > 50
    assert np.abs(dim - bright)[10, 10].max() < 25


def test_what_is_not_judged_is_grey():
    hidden = SCORES.copy()
    hidden[:, :100] = np.nan
    shown = decoded(scene(map=hidden))
    left = shown["map"][100, 50].astype(int)
    assert left.max() - left.min() < 25
    assert not (shown["prediction"][:, :190] > 128).any()


def test_the_overlay_outlines_the_truth():
    missed = decoded(scene(map=np.full_like(SCORES, 0.1)))["overlay"].astype(int)
    near = missed[..., 2] - missed[..., 0] > 60  # bluish, as TRUTH_RGB is, in a grey picture
    assert near.sum() > 60
    rows, columns = np.nonzero(near)
    assert 70 <= rows.min() <= rows.max() <= 130
    assert 190 <= columns.min() <= columns.max() <= 270


def test_an_undecided_frame_shows_what_there_is():
    assert list(decoded(scene(map=None))) == ["input", "reference", "truth"]
    assert list(decoded(scene(map=None, truth=None))) == ["input", "reference"]
    assert list(decoded(scene(truth=None))) == ["input", "reference", "map", "prediction", "overlay"]


def test_grey_frames_and_small_panels():
    shown = decoded(scene(frame=FRAME[..., 0].copy(), reference=REFERENCE[..., 0].copy()), width=140)
    assert {image.shape for image in shown.values()} == {(70, 140, 3)}


def test_a_small_region_does_not_vanish_in_a_small_panel():
    speck = np.zeros((1000, 2000), bool)
    speck[500:504, 900:904] = True
    shown = decoded(scene(frame=np.zeros((1000, 2000, 3), np.uint8), truth=speck, map=None), width=500)
    assert (shown["truth"] > 128).any()


def test_fewer_frames_get_larger_panels_and_too_many_get_none():
    wide = [width_for(count, (960, 390), 12_000_000) for count in (1, 200, 700, 1500, 100_000)]
    assert wide[0] == WIDTHS_PX[0]
    assert wide == sorted(wide, reverse=True)
    assert wide[-1] == 0
    assert len(set(wide)) >= 4


def test_a_panel_is_no_wider_than_its_frame():
    assert width_for(1, (128, 128), 12_000_000) == 128


@pytest.mark.parametrize("count", [5, 60, 300])
def test_real_panels_keep_to_the_budget(count):
    random = np.random.default_rng(0)
    noisy = cv2.GaussianBlur(random.integers(0, 255, (390, 960, 3)).astype(np.uint8), (0, 0), 1.5)
    budget = 3_000_000
    width = width_for(count, (960, 390), budget)
    if width:
        truth, scores = np.zeros((195, 480), bool), random.random((195, 480)).astype(np.float32)
        made = sum(len(data) for _, data in panels(Scene(noisy, noisy, scores, truth, 1.0, 0.5), width))
        assert made * count <= 1.5 * budget
