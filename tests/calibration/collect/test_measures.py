import cv2
import numpy as np
import pytest

from calibration.collect.condition import Yardstick, noise_of
from calibration.collect.duplicates import fingerprint, nearest
from calibration.collect.moving import moving_share
from tests.calibration.collect.spoiling import defocused, lit, moved, saved_again
from tests.calibration.scene import SIZE_WH, part, shot

EVERYWHERE = np.ones(SIZE_WH[::-1], np.bool_)


def noisy(image, seed, sigma=3.0):
    return np.clip(np.round(image + np.random.default_rng(seed).normal(0, sigma, image.shape)), 0, 255).astype(np.uint8)


def test_the_reference_measures_one_against_itself():
    found = Yardstick(part()).measure(part(), np.eye(3))
    assert (found.sharpness, found.steadiness) == (pytest.approx(1), pytest.approx(1))
    assert (found.brightness, found.contrast) == (pytest.approx(1), pytest.approx(1))


def test_light_does_not_pass_for_focus():
    found = Yardstick(part()).measure(lit(part(), 0.6), np.eye(3))
    assert found.sharpness == pytest.approx(1, abs=0.03)
    assert found.brightness == pytest.approx(0.6, abs=0.02)


@pytest.mark.parametrize(("angle_deg", "direction"), [(0, 0.0), (90, 90.0), (45, 135.0), (135, 45.0)])
def test_the_direction_of_a_movement_is_found(angle_deg, direction):
    found = Yardstick(part()).measure(moved(part(), 11, angle_deg), np.eye(3))
    assert found.steadiness < (0.5 if angle_deg % 90 == 0 else 0.7)
    assert found.blur_deg == direction


def test_sharpness_falls_with_defocus():
    yardstick = Yardstick(part())
    values = [yardstick.measure(defocused(part(), sigma), np.eye(3)).sharpness for sigma in (0.5, 1, 2, 4)]
    assert values == sorted(values, reverse=True)
    assert values[-1] < 0.3


def test_only_the_judged_area_counts():
    judged = EVERYWHERE.copy()
    judged[:, :240] = False
    half_dark = part().copy()
    half_dark[:, :240] = 0
    assert Yardstick(part(), judged).measure(half_dark, np.eye(3)).black == 0
    assert Yardstick(part()).measure(half_dark, np.eye(3)).black == pytest.approx(0.5, abs=0.01)


def test_a_frame_that_moved_is_measured_where_it_is():
    shift = np.array([[1, 0, 17], [0, 1, -9], [0, 0, 1]], np.float64)
    image = cv2.warpPerspective(part(), np.linalg.inv(shift), SIZE_WH, borderMode=cv2.BORDER_REPLICATE)
    assert Yardstick(part()).measure(image, shift).sharpness == pytest.approx(1, abs=0.05)


def test_a_bare_reference_says_that_it_cannot_tell():
    bare = np.full((200, 300, 3), 120, np.uint8)
    yardstick = Yardstick(bare)
    assert not yardstick.tells_sharpness
    assert yardstick.measure(bare, np.eye(3)).sharpness is None


@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("sigma", [2.0, 5.0])
def test_noise_is_measured_beside_texture(grey, sigma):
    image = cv2.cvtColor(part(), cv2.COLOR_RGB2GRAY) if grey else part()
    expected = sigma if grey else sigma * np.linalg.norm([0.299, 0.587, 0.114])
    assert noise_of(noisy(image, 1, sigma)) == pytest.approx(expected, rel=0.25)


def test_noise_is_never_less_than_rounding():
    assert noise_of(np.full((200, 300), 120, np.uint8)) == pytest.approx(12**-0.5)
    assert noise_of(np.full((8, 8), 0, np.uint8)) == pytest.approx(12**-0.5)


def distance(image, other, matrix=None):
    stored = fingerprint("a", image, np.eye(3), EVERYWHERE)
    return nearest(other, np.eye(3) if matrix is None else matrix, [stored])


def test_two_exposures_of_a_still_scene_are_root_two_of_the_noise_apart():
    assert distance(noisy(part(), 1), noisy(part(), 2)).distance == pytest.approx(2**0.5, rel=0.15)


def test_a_copy_is_nearer_than_the_noise_however_it_was_saved_or_lit():
    image = noisy(part(), 1)
    assert distance(image, image).distance == pytest.approx(0, abs=1e-9)
    assert distance(image, lit(image, 1.04)).distance < 0.4
    assert distance(image, saved_again(image, 95)).distance < 1.2
    shift = np.array([[1, 0, -3], [0, 1, -2], [0, 0, 1]], np.float64)
    near = distance(image, np.roll(image, (2, 3), (0, 1)), shift)
    assert near.moved
    assert near.distance < 0.1


def test_the_nearest_of_several_is_named_and_none_of_none():
    prints = [fingerprint(f"{number}", shot(number), np.eye(3), EVERYWHERE) for number in range(4)]
    assert nearest(shot(2), np.eye(3), prints).name == "2"
    assert nearest(shot(2), np.eye(3), []) is None


def test_frames_that_do_not_overlap_are_not_compared():
    away = np.array([[1, 0, 4000], [0, 1, 0], [0, 0, 1]], np.float64)
    assert distance(part(), part(), away) is None


def test_a_still_scene_does_not_move_and_a_hand_does():
    first, second = noisy(part(), 1), noisy(part(), 2)
    assert moving_share(first, second, EVERYWHERE) == 0
    assert moving_share(lit(first, 1.02), second, EVERYWHERE) < 0.002
    cv2.circle(second, (200, 150), 20, (200, 160, 140), cv2.FILLED)
    assert moving_share(first, second, EVERYWHERE) > 0.003
    masked = EVERYWHERE.copy()
    masked[120:180, 170:230] = False
    assert moving_share(first, second, masked) == 0
    assert moving_share(first, second, ~EVERYWHERE) == 0


def test_a_trembling_camera_is_no_movement_of_the_scene():
    shift = np.array([[1, 0, 0.1], [0, 1, 0]], np.float64)
    trembling = cv2.warpAffine(part(), shift, SIZE_WH, borderMode=cv2.BORDER_REPLICATE)
    assert moving_share(noisy(part(), 1), noisy(trembling, 2), EVERYWHERE) == 0
