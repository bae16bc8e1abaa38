from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.registration import Reference, align
from edge.settings.registration import Gates, RegistrationSettings
from tests.registration.scenes import SIZE_WH, error_px, nudge, shoot, textured

SCENE = textured(1)
REFERENCE = Reference(SCENE, RegistrationSettings())
EYE = np.eye(3)


def numbers(alignment):
    return (*alignment.frame_to_reference.ravel(), *(gate.value for gate in alignment.gates))


def test_a_still_camera_needs_no_motion():
    found = align(shoot(SCENE, EYE), REFERENCE)
    assert found.trusted
    assert found.motion == "identity"
    assert found.start == "identity"
    assert error_px(found.frame_to_reference, EYE) == 0


@given(
    shift=st.tuples(st.floats(-18, 18), st.floats(-12, 12)),
    turn_deg=st.floats(-1.5, 1.5),
    zoom=st.floats(0.985, 1.015),
    tilt=st.tuples(st.floats(-1e-5, 1e-5), st.floats(-1e-5, 1e-5)),
    gain=st.floats(0.6, 1.2),
)
@settings(max_examples=30, deadline=None, derandomize=True)
def test_any_nudge_is_found_to_a_fraction_of_a_pixel(shift, turn_deg, zoom, tilt, gain):
    move = nudge(shift, turn_deg, zoom, tilt)
    found = align(shoot(SCENE, move, gain=gain), REFERENCE)
    assert error_px(found.frame_to_reference, move) < 0.25
    assert not [gate for gate in found.broken if gate.name not in ("visible", "shift_px")]


@pytest.mark.parametrize(
    ("move", "motion"),
    [
        (nudge((6.3, -4.6)), "translation"),
        (nudge((3, 2), turn_deg=0.8), "similarity"),
        (nudge((3, 2), tilt=(2e-5, -1e-5)), "homography"),
    ],
)
def test_the_simplest_motion_that_explains_the_evidence(move, motion):
    assert align(shoot(SCENE, move), REFERENCE).motion == motion


def covered_lens():
    glow = np.random.default_rng(3).uniform(0, 50, (4, 6, 3)).astype(np.float32)
    return cv2.resize(glow, SIZE_WH, interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)


HOPELESS = {
    "another view": textured(2),
    "black": np.zeros_like(SCENE),
    "white": np.full_like(SCENE, 255),
    "noise": np.random.default_rng(0).integers(0, 256, SCENE.shape).astype(np.uint8),
    "covered lens": covered_lens(),
    "blurred away": cv2.GaussianBlur(SCENE, (0, 0), 40),
    "upside down": np.ascontiguousarray(SCENE[::-1, ::-1]),
    "mirrored": np.ascontiguousarray(SCENE[:, ::-1]),
    "one pixel": np.zeros((1, 1, 3), np.uint8),
    "one row": np.zeros((1, 640), np.uint8),
    "half the size": cv2.resize(SCENE, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
    "twice the size": cv2.resize(SCENE, None, fx=2, fy=2),
    "ten times the size": np.zeros((4200, 6400), np.uint8),
    "another shape": textured(2, (420, 640)),
}


@pytest.mark.parametrize("mode", ["track", "orb", "none"])
@pytest.mark.parametrize("name", list(HOPELESS))
def test_hopeless_images_are_refused_without_an_exception(name, mode):
    reference = REFERENCE if mode == "track" else Reference(SCENE, RegistrationSettings(mode=mode))
    found = align(HOPELESS[name], reference)
    assert not found.trusted
    assert np.isfinite(numbers(found)).all()
    assert abs(np.linalg.det(found.frame_to_reference)) > 1e-6


@pytest.mark.parametrize("flat", [np.zeros((300, 400, 3), np.uint8), np.zeros((1, 1), np.uint8)])
def test_a_reference_without_anything_to_track_trusts_nothing(flat):
    reference = Reference(flat, RegistrationSettings())
    assert reference.corner_count == 0
    assert not align(flat, reference).trusted


def test_another_size_is_judged_by_the_gates_alone():
    cropped = np.ascontiguousarray(shoot(SCENE, EYE)[:-30, :-10])
    found = align(cropped, REFERENCE)
    assert found.trusted
    assert error_px(found.frame_to_reference, EYE) < 0.1
    assert 0.9 < found.visible < 0.95


def test_upside_down_names_the_gate_that_a_technician_understands():
    found = align(HOPELESS["upside down"], REFERENCE)
    assert "rotation_deg" in [gate.name for gate in found.broken]
    assert str(next(gate for gate in found.broken if gate.name == "rotation_deg")).startswith("rotation_deg 180 > 5")


@pytest.mark.parametrize("share", [0.1, 0.25, 0.4])
def test_a_new_object_does_not_pull(share):
    move = nudge((7, -5), turn_deg=0.5)
    height, width = (int(side * share**0.5) for side in SCENE.shape[:2])
    scene = SCENE.copy()
    scene[40 : 40 + height, 60 : 60 + width] = textured(5)[:height, :width]
    found = align(shoot(scene, move), REFERENCE)
    assert found.trusted
    assert error_px(found.frame_to_reference, move) < 0.15


@pytest.mark.parametrize("offset", [4, 9, 20])
def test_a_moved_part_does_not_pull(offset):
    move = nudge((7, -5), turn_deg=0.5)
    scene = SCENE.copy()
    scene[100:310, 200:520] = SCENE[100 - offset : 310 - offset, 200 - offset : 520 - offset]
    found = align(shoot(scene, move), REFERENCE)
    assert found.trusted
    assert error_px(found.frame_to_reference, move) < 0.15


def test_two_halves_that_moved_apart_are_refused():
    scene = SCENE.copy()
    scene[:, 330:] = np.roll(SCENE, (8, 8), (0, 1))[:, 330:]
    found = align(shoot(scene, EYE), REFERENCE)
    assert "rival" in [gate.name for gate in found.broken]


def test_what_is_not_judged_has_no_say():
    judged = np.zeros(SCENE.shape[:2], bool)
    judged[:, :260] = True
    scene = SCENE.copy()
    scene[:, 270:] = np.roll(SCENE, (9, 9), (0, 1))[:, 270:]
    move = nudge((4, 3))
    found = align(shoot(scene, move), Reference(SCENE, RegistrationSettings(), judged))
    assert found.trusted
    assert error_px(found.frame_to_reference, move) < 0.3


def test_a_quarter_of_the_frame_never_makes_a_homography():
    judged = np.zeros(SCENE.shape[:2], bool)
    judged[: SCENE.shape[0] // 2, : SCENE.shape[1] // 2] = True
    reference = Reference(SCENE, RegistrationSettings(), judged)
    for seed in range(5):
        move = nudge((5, -3), turn_deg=0.6, tilt=(3e-5, 3e-5))
        assert align(shoot(SCENE, move, seed), reference).motion != "homography"


def test_a_view_that_left_the_frame_is_refused():
    found = align(shoot(SCENE, nudge((60, 40))), Reference(SCENE, RegistrationSettings(gates=Gates(max_shift=0.2))))
    assert [gate.name for gate in found.broken] == ["visible"]
    assert found.visible == pytest.approx((1 - 60 / 640) * (1 - 40 / 420), abs=0.01)


def test_too_far_for_tracking_is_found_by_phase_correlation():
    move = nudge((150, 60))
    found = align(shoot(SCENE, move), Reference(SCENE, RegistrationSettings(gates=Gates(max_shift=0.5, min_visible=0.5))))
    assert found.trusted
    assert found.start in ("phase", "orb")
    assert error_px(found.frame_to_reference, move) < 0.3


def test_the_previous_alignment_is_a_hint():
    move = nudge((100, 40), turn_deg=3)
    reference = Reference(SCENE, RegistrationSettings(gates=Gates(max_shift=0.5, min_visible=0.5)))
    found = align(shoot(SCENE, move), reference, np.linalg.inv(nudge((96, 42), turn_deg=2.5)))
    assert (found.trusted, found.start) == (True, "previous")
    assert error_px(found.frame_to_reference, move) < 0.2


@pytest.mark.parametrize(
    "start",
    [np.zeros((3, 3)), np.full((3, 3), np.nan), np.eye(2), np.diag([1e3, 1e3, 1]), np.diag([-1.0, -1, 1]), nudge((500, 500))],
)
def test_a_useless_hint_does_no_harm(start):
    move = nudge((7, -5))
    found = align(shoot(SCENE, move), REFERENCE, start)
    assert found.trusted
    assert error_px(found.frame_to_reference, move) < 0.15


def test_grey_and_colour_mix():
    move = nudge((7, -5))
    frame = shoot(SCENE, move)
    found = align(np.ascontiguousarray(frame[..., 1]), REFERENCE)
    assert found.trusted
    assert error_px(found.frame_to_reference, move) < 0.15
    assert align(frame, Reference(np.ascontiguousarray(SCENE[..., 1]), RegistrationSettings())).trusted


def test_large_frames_are_tracked_at_a_bounded_size():
    scene = cv2.resize(SCENE, (2600, 1706), interpolation=cv2.INTER_CUBIC)
    move = np.array([[1.002, 0.004, 11.3], [-0.004, 1.002, -17.8], [0, 0, 1]])
    reference = Reference(scene, RegistrationSettings())
    assert max(reference.prepared.work.shape) <= 1280
    found = align(shoot(scene, move), reference)
    assert found.trusted
    assert error_px(found.frame_to_reference, move, (2600, 1706)) < 0.4


def test_equal_input_gives_equal_output_and_the_reference_stays_as_it_is():
    reference = Reference(SCENE, RegistrationSettings())
    parts = (reference, reference.prepared, reference.likeness)
    arrays = [value for part in parts for value in vars(part).values() if isinstance(value, np.ndarray)]
    before = [array.tobytes() for array in arrays]
    frames = [shoot(SCENE, nudge((7, -5))), textured(2), HOPELESS["upside down"], shoot(SCENE, nudge((150, 60)))]
    first = [numbers(align(frame, reference)) for frame in frames]
    with ThreadPoolExecutor(4) as pool:
        again = list(pool.map(lambda frame: numbers(align(frame, reference)), frames * 3))
    assert again == first * 3
    assert [array.tobytes() for array in arrays] == before
    assert not any(array.flags.writeable for array in arrays)


def test_every_gate_is_reported_whether_passed_or_not():
    names = ["inliers", "inlier_ratio", "residual_px", "coverage", "rival", "shift_px", "rotation_deg"]
    names += ["scale", "shear", "determinant", "similarity", "visible"]
    for frame in (shoot(SCENE, nudge((7, -5))), HOPELESS["black"], HOPELESS["one pixel"]):
        assert [gate.name for gate in align(frame, REFERENCE).gates] == names


@pytest.mark.parametrize(
    ("gates", "name"),
    [
        ({"min_inliers": 5000}, "inliers"),
        ({"min_inlier_ratio": 1.0}, "inlier_ratio"),
        ({"max_residual": 1e-6, "finest_residual_px": 1e-6}, "residual_px"),
        ({"min_coverage": 1.0}, "coverage"),
        ({"max_shift": 0.005}, "shift_px"),
        ({"max_rotation_deg": 0.1}, "rotation_deg"),
        ({"max_scale": 1.001}, "scale"),
        ({"max_shear": 0.0005}, "shear"),
        ({"min_determinant": 1.0}, "determinant"),
        ({"min_similarity": 1.0}, "similarity"),
        ({"min_visible": 1.0}, "visible"),
    ],
)
def test_every_gate_can_refuse(gates, name):
    scene = SCENE.copy()
    scene[100:260, 200:400] = SCENE[95:255, 195:395]
    scene[:, :90] = 128
    frame = shoot(scene, nudge((7, -5), turn_deg=0.5, zoom=1.01, tilt=(1e-5, 1e-5)))
    assert align(frame, REFERENCE).trusted
    reference = Reference(SCENE, RegistrationSettings(gates=Gates(**gates)))
    assert name in [gate.name for gate in align(frame, reference).broken]


def test_no_picture_of_any_size_raises():
    rng = np.random.default_rng(0)
    for _ in range(60):
        shape = (int(2 ** rng.uniform(0, 8)), int(2 ** rng.uniform(0, 8)), 3)[: int(rng.integers(2, 4))]
        flat, noise = np.full(shape, rng.integers(256), np.uint8), rng.integers(0, 256, shape).astype(np.uint8)
        reference = Reference(noise if rng.integers(2) else flat, RegistrationSettings(), rng.random(shape[:2]) < 0.98)
        grown = tuple(max(1, side + int(rng.integers(-20, 20))) for side in shape[:2])
        for frame in (flat, noise, rng.integers(0, 256, grown).astype(np.uint8)):
            found = align(frame, reference, rng.normal(0, 1, (3, 3)))
            assert np.isfinite(numbers(found)).all()


class TestModes:
    def test_none_takes_the_frame_as_it_is(self):
        reference = Reference(SCENE, RegistrationSettings(mode="none"))
        found = align(shoot(SCENE, nudge((0.3, 0))), reference)
        assert (found.trusted, found.motion, found.mode) == (True, "identity", "none")
        assert np.array_equal(found.frame_to_reference, EYE)
        assert [gate.name for gate in found.gates] == ["similarity", "visible"]

    def test_none_has_no_similarity_to_ask_for_where_the_reference_is_empty(self):
        empty = np.full_like(SCENE, 240)
        empty[10:12, 20:22] = 0
        reference = Reference(empty, RegistrationSettings(mode="none"))
        found = align(np.full_like(SCENE, 240), reference)
        assert found.trusted
        assert [gate.name for gate in found.gates] == ["visible"]

    def test_none_refuses_a_nudged_camera(self):
        reference = Reference(SCENE, RegistrationSettings(mode="none"))
        assert [gate.name for gate in align(shoot(SCENE, nudge((14, 9))), reference).broken] == ["similarity"]

    def test_orb_is_the_study_recipe_on_a_textured_scene(self):
        move = nudge((7, -5), turn_deg=0.5)
        found = align(shoot(SCENE, move), Reference(SCENE, RegistrationSettings(mode="orb")))
        assert found.start == "orb"
        assert found.motion == "homography"
        assert error_px(found.frame_to_reference, move) < 2


@pytest.mark.parametrize("image", [np.zeros((50, 50), np.uint16), np.zeros((50, 50, 4), np.uint8), np.zeros(50, np.uint8)])
def test_a_reference_of_the_wrong_type_is_refused(image):
    with pytest.raises(ValueError, match="reference must be uint8"):
        Reference(image, RegistrationSettings())


def test_a_mask_of_the_wrong_size_is_refused():
    with pytest.raises(ValueError, match="judged mask"):
        Reference(SCENE, RegistrationSettings(), np.ones((5, 5), bool))
