"""A camera that is started again with other settings while it runs."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future

import numpy as np
import pytest

from edge.cameras.supervision import SupervisedCamera
from edge.errors import DeviceError
from edge.types import ReasonCode
from tests.cameras.making import HASTY, frame_of, simulated
from tests.station_parts import Event, ScriptedCamera, make_recipe, make_station, scene, with_noise

DARK, BRIGHT = simulated(exposure_us=2000, noise=0, drift=0), simulated(exposure_us=10_000, noise=0, drift=0)


def test_what_comes_after_is_of_the_new_settings_and_counters_go_on() -> None:
    with SupervisedCamera(BRIGHT, "front", HASTY) as camera:
        bright = float(frame_of(camera).image.mean())
        pid, frames = camera.pid, camera.state.frames
        answer = camera.renew(DARK)
        assert not answer.done()
        dark = frame_of(camera)
        assert answer.result(0) <= dark.grabbed_ns
        assert float(dark.image.mean()) == pytest.approx(bright / 5, rel=0.1)
        assert camera.pid != pid
        assert (camera.state.restarts, camera.state.status) == (1, "live")
        assert camera.state.frames > frames


def test_who_cancels_before_it_is_done_leaves_all_as_it_is() -> None:
    with SupervisedCamera(BRIGHT, "front", HASTY) as camera:
        bright = float(frame_of(camera).image.mean())
        assert camera.renew(DARK).cancel()
        assert float(frame_of(camera).image.mean()) == pytest.approx(bright, rel=0.05)


def test_the_last_settings_win() -> None:
    with SupervisedCamera(BRIGHT, "front", HASTY) as camera:
        bright = float(frame_of(camera).image.mean())
        first, second = camera.renew(DARK), camera.renew(BRIGHT)
        assert float(frame_of(camera).image.mean()) == pytest.approx(bright, rel=0.05)
        assert first.cancelled()
        assert second.done()


def test_one_that_is_closed_opens_with_them() -> None:
    camera = SupervisedCamera(BRIGHT, "front", HASTY)
    assert camera.renew(DARK).done()
    with camera:
        dark = float(frame_of(camera).image.mean())
        pending = camera.renew(BRIGHT)
    assert pending.done()
    with camera:
        assert float(frame_of(camera).image.mean()) > 2 * dark


def test_one_that_is_lost_is_tried_at_once() -> None:
    patient = HASTY.model_copy(update={"retry_first_s": 600.0, "retry_last_s": 600.0})
    with SupervisedCamera(simulated(faults=[{"kind": "refused", "probability": 1, "life": 0}]), "front", patient) as camera:
        while camera.state.status != "refused":
            with pytest.raises(DeviceError):
                camera.grab(0.05)
        camera.renew(BRIGHT)
        frame_of(camera)
        assert camera.state.status == "live"


def test_threads_that_ask_at_once_each_get_an_answer() -> None:
    with SupervisedCamera(BRIGHT, "front", HASTY) as camera:
        frame_of(camera)
        answers: list[Future[int]] = []
        threads = [threading.Thread(target=lambda: answers.append(camera.renew(DARK))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        frame_of(camera)
        assert len(answers) == 8
        assert sum(not answer.cancelled() for answer in answers) == 1
        assert all(answer.done() for answer in answers)


@pytest.mark.parametrize(("ahead_s", "code"), [(60, ReasonCode.CAMERA_LOST), (-60, None)])
def test_a_frame_from_before_is_not_judged(tmp_path, ahead_s: float, code: ReasonCode | None) -> None:
    recipes = {"front": make_recipe(tmp_path)}
    image = with_noise(scene(), 1)
    with make_station(recipes, {"front": ScriptedCamera("front", [Event(image)])}) as station:
        station.views["front"].frames_from_ns = time.monotonic_ns() + int(ahead_s * 1e9)
        (answer,) = station.ask("front", 1, 10.0, None)
        verdict = answer.result(20)
    assert (verdict.reason.code if verdict.reason else None) is code
    assert np.isnan(verdict.judgement.score or float("nan")) == (code is not None)
