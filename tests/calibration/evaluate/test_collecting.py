import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.evaluate.collecting import MAX_FRAME_PIXELS, collect, reduced, reduction_for, to_frame
from calibration.evaluate.configurations import STATION
from calibration.evaluate.looking import Look
from calibration.evaluate.samples import good_samples, read_labelled
from calibration.evaluate.store import MapStore
from edge.errors import Cancelled, ConfigError
from tests.calibration.evaluate.making import engine_of, frame
from tests.calibration.scene import SIZE_WH, write

DOUBLE = np.array([[2.0, 0, 0.5], [0, 2.0, 0.5], [0, 0, 1]])


class Still:
    """A viewer as far as `reduction_for` looks at it."""

    def __init__(self, size_wh, scale):
        self.reference_size_wh = size_wh
        self.map_to_reference = np.diag([scale, scale, 1.0])


def looked(scores, judged=None, matrix=None):
    scores = np.asarray(scores, np.float32)
    judged = np.ones(scores.shape, bool) if judged is None else judged
    return Look(float(scores.max()), "", scores, judged, np.eye(3) if matrix is None else matrix)


def test_a_map_at_half_size_fills_the_frame():
    scores = np.zeros((40, 60), np.float32)
    scores[10, 20] = 1
    found = to_frame(looked(scores), DOUBLE, (120, 80), 1)
    assert found.shape == (80, 120)
    assert found.dtype == np.float32
    top = np.unravel_index(np.argmax(found), found.shape)
    assert abs(top[0] - 20.5) <= 1
    assert abs(top[1] - 40.5) <= 1
    assert np.isfinite(found[1:-1, 1:-1]).all()


def test_every_second_pixel_is_the_same_map_sampled():
    scores = cv2.GaussianBlur(np.random.default_rng(0).random((40, 60)).astype(np.float32), (0, 0), 3)
    whole = to_frame(looked(scores), DOUBLE, (120, 80), 1)
    half = to_frame(looked(scores), DOUBLE, (120, 80), 2)
    assert half.shape == (40, 60)
    np.testing.assert_allclose(half[1:-1, 1:-1], whole[::2, ::2][1:-1, 1:-1], atol=2e-3)


def test_odd_frames_keep_their_last_row_and_column():
    assert to_frame(looked(np.zeros((40, 60))), DOUBLE, (119, 79), 2).shape == (40, 60)


def test_the_map_goes_back_by_the_inverse_of_the_alignment():
    scores = np.zeros((80, 120), np.float32)
    scores[30:33, 50:53] = 1
    moved = np.array([[1, 0, 7.0], [0, 1, -4.0], [0, 0, 1]])
    found = to_frame(looked(scores, matrix=moved), np.eye(3), (120, 80), 1)
    rows, columns = np.nonzero(np.nan_to_num(found) > 0.5)
    assert (rows.min(), rows.max()) == (34, 36)
    assert (columns.min(), columns.max()) == (43, 45)


def test_what_the_reference_does_not_show_or_a_mask_covers_is_not_judged():
    judged = np.ones((80, 120), bool)
    judged[:20] = False
    moved = np.array([[1, 0, 10.0], [0, 1, 0], [0, 0, 1]])
    found = to_frame(looked(np.full((80, 120), 3.0), judged, moved), np.eye(3), (120, 80), 1)
    assert np.isnan(found[:20]).all()
    assert np.isnan(found[:, 111:]).all(), "beyond the reference's right edge"
    assert (found[20:, :109] == 3).all()


def test_a_refused_frame_has_no_map():
    with pytest.raises(ValueError, match="no map"):
        to_frame(Look(None, "not registered"), np.eye(3), (10, 10), 1)


@given(st.integers(1, 6), st.integers(5, 40), st.integers(5, 40), st.integers(0, 2**32 - 1))
def test_a_truth_never_vanishes_and_a_good_one_stays_empty(factor, height, width, seed):
    random = np.random.default_rng(seed)
    truth = random.random((height, width)) < 0.02
    small = reduced(truth, factor)
    assert small.shape == (-(-height // factor), -(-width // factor))
    assert small.any() == truth.any()


def test_a_truth_that_survives_is_sampled_as_it_is():
    truth = np.zeros((20, 20), bool)
    truth[4:9, 4:9] = True
    np.testing.assert_array_equal(reduced(truth, 2), truth[::2, ::2])


def test_a_speck_between_the_samples_is_kept():
    truth = np.zeros((20, 20), bool)
    truth[5, 7] = True
    small = reduced(truth, 4)
    assert small.sum() == 1
    assert small[1, 1]


def test_the_reduction_is_no_finer_than_the_map():
    assert reduction_for(Still((960, 390), 2.0), 50) == 2
    assert reduction_for(Still((960, 390), 1.0), 50) == 1
    assert reduction_for(Still((3072, 2048), 3.55), 50) == 3


def test_many_large_frames_are_reduced_further_to_fit_the_memory():
    factor = reduction_for(Still((3072, 2048), 1.0), 1000)
    assert 1000 * (3072 // factor) * (2048 // factor) <= MAX_FRAME_PIXELS
    assert 1000 * (3072 // (factor - 1)) * (2048 // (factor - 1)) > MAX_FRAME_PIXELS


def run(recipe, good, tests, step=lambda what: None):
    with MapStore() as store, engine_of(recipe.bundle) as engine:
        collected = collect(recipe, engine, [STATION], good_samples(good), tests.samples, store, step)
        return collected, [number is not None for number in collected.seen[STATION].maps]


def test_every_frame_is_counted_once_and_in_order(masked, built, labelled):
    tests, seen = read_labelled(labelled), []
    collected, mapped = run(masked, built / "good", tests, seen.append)
    assert seen == [*(f"{n:03d}.png" for n in range(20, 28)), *(each.name for each in tests.samples)]
    assert len(collected.seen[STATION].scores) == len(tests.samples) == 11
    assert all(mapped)
    assert [truth is not None for truth in collected.truths] == [each.bad for each in tests.samples]


def test_a_step_that_raises_stops_the_work(masked, built, labelled):
    def step(what):
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        run(masked, built / "good", read_labelled(labelled), step)


def test_a_labelled_frame_that_is_a_good_frame_in_another_file_is_refused(masked, built, tmp_path):
    image = cv2.imread(str(built / "good" / "020.png"))
    for kind in ("good", "bad"):
        (tmp_path / kind).mkdir()
        write(tmp_path / kind / "a.png", frame(1, leftover=(200, 200) if kind == "bad" else None)[0])
    assert cv2.imwrite(str(tmp_path / "good" / "copy.bmp"), image)
    with pytest.raises(ConfigError, match=r"copy\.bmp: is the same picture as the good frame 020\.png"):
        run(masked, built / "good", read_labelled(tmp_path))


def test_an_unreadable_frame_is_undecided_with_its_reason(masked, built, tmp_path):
    for kind in ("good", "bad"):
        (tmp_path / kind).mkdir()
        write(tmp_path / kind / "a.png", frame(1, leftover=(200, 200) if kind == "bad" else None)[0])
    tests = read_labelled(tmp_path)
    data = (tmp_path / "bad" / "a.png").read_bytes()
    (tmp_path / "bad" / "a.png").write_bytes(data[: len(data) // 2])
    collected, mapped = run(masked, built / "good", tests)
    bad = [each.bad for each in tests.samples].index(True)
    assert collected.seen[STATION].scores[bad] is None
    assert collected.seen[STATION].refusals[bad]
    assert not mapped[bad]


def test_good_frames_that_cannot_be_used_are_named(masked, built, tmp_path, labelled):
    for path in sorted((built / "good").iterdir()):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "zz-same.png").write_bytes((tmp_path / "020.png").read_bytes())
    write(tmp_path / "zz-strange.png", np.random.default_rng(0).integers(0, 255, (*SIZE_WH[::-1], 3), np.uint8))
    (tmp_path / "zz-torn.png").write_bytes((tmp_path / "020.png").read_bytes()[:900])
    collected, _ = run(masked, tmp_path, read_labelled(labelled))
    seen = collected.seen[STATION]
    assert len(seen.good_scores) == 8
    assert [name for name, _ in seen.good_refused] == ["zz-same.png", "zz-strange.png", "zz-torn.png"]
    assert "is the same picture as 020.png" in dict(seen.good_refused)["zz-same.png"]


def test_a_mask_of_another_size_is_an_error_with_the_files_name(masked, built, labelled):
    from dataclasses import replace

    tests = read_labelled(labelled)
    wrong = [replace(each, item=replace(each.item, size_wh=(100, 80))) if each.bad else each for each in tests.samples]
    with pytest.raises(ConfigError, match=r"00\.png: its mask is 100x80, the image 480x320"):
        run(masked, built / "good", replace(tests, samples=tuple(wrong)))


@given(st.integers(2, 6), st.integers(0, 2**32 - 1))
def test_no_region_of_a_truth_is_lost_beside_a_larger_one(factor, seed):
    random = np.random.default_rng(seed)
    truth = random.random((37, 53)) < 0.01
    truth[10:20, 10:20] = True
    small = reduced(truth, factor)
    count, regions = cv2.connectedComponents(truth.astype(np.uint8), connectivity=8)
    for region in range(1, count):
        rows, columns = np.nonzero(regions == region)
        assert small[rows // factor, columns // factor].any() or small[-(-rows // factor), -(-columns // factor)].any()


def test_a_speck_beside_a_large_region_stays_and_the_large_one_is_sampled_as_it_is():
    truth = np.zeros((40, 40), bool)
    truth[4:12, 4:12] = True
    expected = truth[::2, ::2].copy()
    truth[31, 33] = True
    expected[15, 16] = True
    np.testing.assert_array_equal(reduced(truth, 2), expected)


def labelled_pair(folder, good, bad):
    for kind, image in (("good", good), ("bad", bad)):
        (folder / kind).mkdir(parents=True)
        write(folder / kind / "a.png", image)
    return folder


def test_one_picture_in_two_files_cannot_be_good_and_bad(masked, built, tmp_path):
    image = frame(1, leftover=(200, 200))[0]
    labelled_pair(tmp_path, image, frame(2, leftover=(100, 200))[0])
    assert cv2.imwrite(str(tmp_path / "bad" / "b.bmp"), image[..., ::-1])
    with pytest.raises(ConfigError, match=r"is the same picture as bad/b\.bmp, once called good and once bad: keep the label"):
        run(masked, built / "good", read_labelled(tmp_path))


def test_one_picture_twice_under_one_label_is_counted_and_told(masked, built, tmp_path):
    image = frame(1)[0]
    labelled_pair(tmp_path, image, frame(2, leftover=(100, 200))[0])
    assert cv2.imwrite(str(tmp_path / "good" / "b.bmp"), image[..., ::-1])
    collected, mapped = run(masked, built / "good", read_labelled(tmp_path))
    assert collected.repeated == [("good/b.bmp", "good/a.png")]
    assert len(mapped) == 3
