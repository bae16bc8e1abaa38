import cv2
import numpy as np
import pytest

from calibration.collect import CheckValue, CollectSettings, Shot
from calibration.collect.inspecting import REMEDIES, Inspector, distance_of
from edge.settings.registration import RegistrationSettings
from tests.calibration.collect.spoiling import defocused, lit, moved
from tests.calibration.scene import SIZE_WH, part, shot

EVERYWHERE = np.ones(SIZE_WH[::-1], np.bool_)


def inspector(reference=None, judged=None, **limits):
    image = shot(0) if reference is None else reference
    return Inspector(image, RegistrationSettings(), CollectSettings(**limits), judged)


def broken(found):
    return [refusal.check for refusal in found.broken]


def test_a_good_frame_has_every_check_and_none_broken():
    found = inspector().inspect(Shot("a", shot(3)))
    assert found.broken == ()
    assert [check.name for check in found.checks] == ["steadiness", "sharpness", "saturated", "black", "brightness"]
    assert found.alignment.trusted


def test_a_pair_has_two_checks_more_and_a_stored_frame_one():
    looking = inspector()
    looking.remember(looking.known("0001.png", shot(0), np.eye(3)))
    found = looking.inspect(Shot("a", shot(3, nudge_px=0), before=shot(4, nudge_px=0)))
    assert {"moving", "shake_px", "distance"} <= {check.name for check in found.checks}
    assert found.broken == ()
    assert distance_of(found.checks) > 1.2
    assert distance_of(()) is None


def test_a_camera_that_shakes_between_two_frames_is_told():
    shifted = cv2.warpAffine(shot(3), np.array([[1, 0, 3.0], [0, 1, 0]]), SIZE_WH, borderMode=cv2.BORDER_REPLICATE)
    found = inspector().inspect(Shot("a", shot(3, nudge_px=0), before=shifted))
    assert "shake_px" in broken(found)
    shake = next(check for check in found.checks if check.name == "shake_px")
    assert shake.value > 1.5
    assert shake.limit == pytest.approx(0.48)


def test_a_frame_before_of_another_size_is_no_pair():
    found = inspector().inspect(Shot("a", shot(3), before=shot(4)[:100]))
    assert not {"moving", "shake_px"} & {check.name for check in found.checks}


@pytest.mark.parametrize("image", [shot(1)[:200], cv2.cvtColor(shot(1), cv2.COLOR_RGB2GRAY)])
def test_another_size_or_colour_is_refused_in_words(image):
    found = inspector().inspect(Shot("a", np.ascontiguousarray(image)))
    assert broken(found) == ["size"]
    assert "not 480x320 colour" in found.broken[0].detail


def test_grey_frames_are_held_against_a_grey_reference():
    grey = [np.ascontiguousarray(cv2.cvtColor(shot(number), cv2.COLOR_RGB2GRAY)) for number in (0, 1, 2)]
    looking = inspector(grey[0])
    assert looking.inspect(Shot("a", grey[1])).broken == ()
    assert broken(looking.inspect(Shot("b", defocused(grey[2], 3)))) == ["sharpness"]


def test_what_is_clipped_in_the_reference_too_is_no_fault():
    glaring = part().copy()
    cv2.rectangle(glaring, (300, 40), (400, 140), (255, 255, 255), cv2.FILLED)
    assert inspector(glaring).inspect(Shot("a", glaring)).broken == ()
    assert "saturated" in broken(inspector(part()).inspect(Shot("a", glaring)))


def test_what_is_masked_is_not_looked_at():
    spoilt = shot(2).copy()
    spoilt[:, 300:] = 255
    judged = EVERYWHERE.copy()
    judged[:, 290:] = False
    assert "saturated" in broken(inspector().inspect(Shot("a", spoilt)))
    assert "saturated" not in broken(inspector(judged=judged).inspect(Shot("a", spoilt)))


def test_the_worst_is_named_first_and_a_copy_last():
    looking = inspector()
    first = looking.inspect(Shot("k", shot(2))).alignment
    looking.remember(looking.known("0001.png", shot(2), first.frame_to_reference))
    dragged = moved(shot(3), 15)
    assert broken(looking.inspect(Shot("a", dragged)))[0] == "steadiness"
    dark_copy = lit(shot(2), 0.6)
    assert broken(looking.inspect(Shot("a", dark_copy)))[-1].startswith("distance")
    assert broken(looking.inspect(Shot("a", dark_copy)))[0] == "brightness"


def test_a_copy_is_found_by_what_frames_are_usually_apart():
    """The fixed limit is off: only the usual distance can tell."""
    looking = inspector(min_distance=0, min_distance_moved=0)
    for number in range(1, 8):
        found = looking.inspect(Shot("x", shot(number)))
        known = looking.known(f"{number}", shot(number), found.alignment.frame_to_reference)
        looking.remember(known, distance_of(found.checks))
    assert looking.inspect(Shot("new", shot(20))).broken == ()
    again = looking.inspect(Shot("again", shot(5)))
    assert broken(again) == ["distance_usual"]
    assert "same picture as 5" in again.broken[0].detail


def test_a_bare_reference_leaves_focus_out():
    bare = np.random.default_rng(0).integers(118, 122, (320, 480, 3), np.uint8)
    looking = Inspector(bare, RegistrationSettings(mode="none"), CollectSettings())
    assert not looking.tells_sharpness
    found = looking.inspect(Shot("a", bare))
    assert not {"sharpness", "steadiness"} & {check.name for check in found.checks}


def test_every_check_has_a_remedy():
    names = {"registration", "size", "sharpness", "steadiness", "brightness", "saturated", "black", "moving", "shake_px"}
    assert names | {"distance", "distance_usual", "trained"} == set(REMEDIES)
    assert all(len(text) > 15 for text in REMEDIES.values())


@pytest.mark.parametrize(
    ("kind", "value", "passed", "text"),
    [
        ("min", 0.5, False, "x 0.5 < 0.75"),
        ("min", 0.75, True, "x 0.75 ≥ 0.75"),
        ("max", 0.8, False, "x 0.8 > 0.75"),
        ("max", 0.1, True, "x 0.1 ≤ 0.75"),
    ],
)
def test_a_check_says_its_value_and_limit(kind, value, passed, text):
    check = CheckValue(name="x", value=value, limit=0.75, kind=kind)
    assert check.passed is passed
    assert str(check) == text
