"""The simulated camera: its pictures are a function of seed and number, and its faults come when they were ordered."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from edge.cameras.faults import FaultPlan
from edge.cameras.pictures import Pictures
from edge.cameras.products import product
from edge.cameras.scene import machine
from edge.cameras.simulated import SimulatedCamera, write_control
from edge.errors import CameraLost, CameraRefused, FrameError
from edge.settings.simulated import Fault, Leftover, MovingPart, NudgeSettings, SceneControl, SimulatedSettings
from tests.cameras.making import simulated
from tests.contracts.camera import next_frame

SIZE = (320, 200)
STILL = SceneControl()
QUIET = {"size_wh": SIZE, "noise": 0.0, "drift": 0.0}


def picture(number: int = 0, control: SceneControl = STILL, **changes: object) -> np.ndarray:
    return Pictures(simulated(**{**QUIET, **changes})).render(number, control)


def difference(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return cv2.absdiff(one, other).max(axis=2)


def test_the_same_seed_gives_the_same_picture_whatever_came_before() -> None:
    settings = {"size_wh": SIZE, "noise": 3.0, "drift": 0.1, "nudge": {"sigma_px": 2}, "moving": [{"kind": "sliding"}]}
    walked = Pictures(simulated(**settings))
    for number in range(5):
        last = walked.render(number, STILL)
    np.testing.assert_array_equal(last, picture(4, **settings))
    assert difference(last, picture(4, **{**settings, "seed": 1})).mean() > 1
    assert difference(last, picture(4, **{**settings, "scene": 1})).mean() > 10


def test_scenes_have_texture_and_nothing_is_burnt_out() -> None:
    for seed in range(6):
        for side in machine(seed, SIZE):
            grey = cv2.cvtColor(side, cv2.COLOR_RGB2GRAY)
            assert grey.std() > 15
            assert len(cv2.goodFeaturesToTrack(grey, 500, 0.01, 5)) > 60
            assert (grey > 250).mean() < 0.01


def test_the_two_lights_differ_in_the_shadows_and_not_in_the_things() -> None:
    left, right = machine(3, SIZE)
    assert 2 < difference(left, right).mean() < 40


def test_large_pictures_are_as_large_as_asked() -> None:
    assert machine(1, (1801, 1203))[0].shape == (1203, 1801, 3)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (16, 9), (7, 300)])
def test_any_size_can_be_drawn(size: tuple[int, int]) -> None:
    leftovers = (Leftover(kind="leaflet", x=1, y=0),)
    shot = picture(size_wh=size, control=SceneControl(leftovers=leftovers), moving=[{"kind": "sliding"}, {"kind": "rotating"}])
    assert shot.shape == (size[1], size[0], 3)


def test_grey_is_the_same_scene() -> None:
    grey = picture(colour=False)
    assert grey.shape == SIZE[::-1]
    np.testing.assert_allclose(grey, cv2.cvtColor(picture(), cv2.COLOR_RGB2GRAY), atol=1)


@pytest.mark.parametrize("kind", ["tablet", "capsule", "blister", "leaflet"])
def test_a_leftover_is_seen_where_it_lies_and_nowhere_else(kind: str) -> None:
    leftover = Leftover(kind=kind, x=0.3, y=0.6, size=0.1, angle_deg=30)
    changed = difference(picture(), picture(control=SceneControl(leftovers=(leftover,)))) > 12
    ys, xs = np.nonzero(changed)
    assert changed.sum() > 150
    assert abs(xs.mean() - 0.3 * 319) < 6
    assert abs(ys.mean() - 0.6 * 199) < 6
    assert max(np.ptp(xs), np.ptp(ys)) < 0.1 * 320 * 1.6


def test_products_are_as_long_as_asked() -> None:
    for kind in ("tablet", "capsule", "blister", "leaflet"):
        assert product(kind, 40).alpha.shape[1] == 40


def test_a_moving_part_stays_in_its_rectangle() -> None:
    x, y, w, h = 0.5, 0.2, 0.3, 0.5
    for kind in ("rotating", "sliding"):
        pictures = Pictures(simulated(**QUIET, moving=[MovingPart(kind=kind, rect=(x, y, w, h), period_frames=8)]))
        shots = [pictures.render(number, STILL) for number in range(8)]
        moved = np.maximum.reduce([difference(shots[0], shot) for shot in shots])
        inside = np.zeros_like(moved, bool)
        inside[int(y * 200) : int((y + h) * 200) + 1, int(x * 320) : int((x + w) * 320) + 1] = True
        assert moved[inside].max() > 30
        assert moved[~inside].max() <= 2


def test_the_pose_is_the_truth() -> None:
    nudge = NudgeSettings(sigma_px=4, sigma_deg=0.5, sigma_scale=0.004, sudden_at=3, sudden_px=(5, -3), sudden_deg=1)
    pictures = Pictures(simulated(**QUIET, nudge=nudge))
    still = picture()
    for number in (1, 3):
        shot, pose = pictures.render(number, STILL), pictures.pose(number, STILL)
        back = cv2.warpPerspective(shot, pose, SIZE, flags=cv2.INTER_LINEAR)
        inner = (slice(25, -25), slice(25, -25))
        assert difference(still[inner], back[inner]).mean() < 4 < difference(still[inner], shot[inner]).mean()


def test_a_sudden_nudge_comes_and_stays() -> None:
    pictures = Pictures(simulated(**QUIET, nudge=NudgeSettings(sudden_at=2, sudden_px=(7, 2))))
    shifts = [tuple(pictures.pose(number, STILL)[:2, 2]) for number in range(4)]
    assert shifts == [(0, 0), (0, 0), (7, 2), (7, 2)]


def test_light_drifts_and_a_covered_lens_is_dark() -> None:
    pictures = Pictures(simulated(size_wh=SIZE, noise=2, drift=0.2, drift_period_frames=20))
    means = [pictures.render(number, STILL).mean() for number in range(20)]
    assert max(means) / min(means) > 1.2
    covered = pictures.render(0, SceneControl(covered=True))
    assert covered.mean() < 20
    assert covered.std() > 1, "noise is there in the dark too"
    dim = pictures.render(0, SceneControl(light=0.5))
    assert abs(dim.mean() / means[0] - 0.5) < 0.03


def test_noise_has_the_strength_that_was_asked_for() -> None:
    noisy = picture(noise=4.0, scene=2).astype(np.float32) - picture(scene=2)
    assert abs(noisy.std() - 4) < 0.3
    assert abs(noisy.mean()) < 0.1


def test_the_control_file_works_while_it_runs(tmp_path: Path) -> None:
    control = tmp_path / "control.json"
    with SimulatedCamera(simulated(**QUIET, control=control), "front") as camera:
        clean = next_frame(camera).image
        write_control(control, SceneControl(leftovers=(Leftover(kind="blister", x=0.5, y=0.5, size=0.2),)))
        assert difference(clean, next_frame(camera).image).max() > 30
        write_control(control, SceneControl(covered=True))
        assert next_frame(camera).image.mean() < 20
        control.write_text('{"coverd": true}')
        with pytest.raises(FrameError, match="did you mean 'covered'"):
            next_frame(camera)
        control.unlink()
        np.testing.assert_array_equal(clean, next_frame(camera).image)
        write_control(control, SceneControl(fault="lost"))
        with pytest.raises(CameraLost):
            next_frame(camera)
    assert os.listdir(tmp_path) == ["control.json"]


def faults(*found: dict[str, object]) -> SimulatedSettings:
    return simulated(faults=found)


def test_lost_and_damaged_frames_are_counted_before_the_next() -> None:
    settings = faults({"kind": "drop", "frames": [1, 2]}, {"kind": "short", "frames": [4]})
    with SimulatedCamera(settings, "front") as camera:
        frames = [next_frame(camera) for _ in range(3)]
    assert [(frame.number, frame.lost_before, frame.incomplete_before) for frame in frames] == [(0, 0, 0), (3, 2, 0), (5, 0, 1)]


def test_what_the_picture_shows_in_a_fault() -> None:
    settings = faults(
        {"kind": "frozen", "frames": [1], "length": 2},
        {"kind": "black", "frames": [4]},
        {"kind": "wrong_size", "frames": [5]},
        {"kind": "damaged", "frames": [6]},
    )
    with SimulatedCamera(settings, "front") as camera:
        shots = [next_frame(camera).image for _ in range(6)]
        with pytest.raises(FrameError, match="frame 6"):
            next_frame(camera)
        assert next_frame(camera).number == 7
    np.testing.assert_array_equal(shots[0], shots[2])
    assert (shots[3] != shots[2]).any()
    assert shots[4].max() == 0
    assert shots[5].shape == (24, 64, 3)


def test_a_stall_is_silent_and_ends() -> None:
    with SimulatedCamera(faults({"kind": "stall", "frames": [1], "length": 30}), "front") as camera:
        next_frame(camera)
        assert camera.grab(0.01) is None
        frame = next_frame(camera)
    assert (frame.number, frame.lost_before) == (31, 0)


def test_opening_can_fail() -> None:
    for kind, error in (("refused", CameraRefused), ("not_there", CameraLost)):
        with pytest.raises(error):
            SimulatedCamera(faults({"kind": kind}), "front").__enter__()


def test_faults_by_chance_come_from_the_seed_and_as_often_as_asked() -> None:
    def struck(seed: int) -> list[int]:
        plan = FaultPlan([Fault(kind="drop", probability=0.2)], seed, 0)
        return [number for number in range(1000) if plan.at(number)]

    assert struck(1) == struck(1) != struck(2)
    assert 150 < len(struck(1)) < 250


def test_a_fault_can_belong_to_one_life() -> None:
    plans = [FaultPlan([Fault(kind="lost", frames=(1,), life=1)], 0, life) for life in range(3)]
    assert [bool(plan.at(1)) for plan in plans] == [False, True, False]


def test_settings_that_cannot_be_are_refused() -> None:
    for wrong in ({"kind": "moth"}, {"x": 1.2}, {"size": 0}):
        with pytest.raises(ValidationError):
            Leftover.model_validate({"kind": "tablet", "x": 0.5, "y": 0.5, **wrong})
    with pytest.raises(ValidationError, match="end inside the frame"):
        MovingPart(rect=(0.8, 0.1, 0.3, 0.1))
