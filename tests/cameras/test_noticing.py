"""A camera that is dead is noticed within a second beyond its expected period, and long before it is ended."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import pytest

from edge.cameras.supervision import CameraState, SupervisedCamera
from edge.errors import CameraLost, DeviceError
from edge.settings.cameras import CameraSettings, ProcessSettings
from tests.cameras.making import folder, folder_of, simulated
from tests.contracts.camera import PATIENCE_S

SLOW_TO_KILL = ProcessSettings(hang_timeout_s=600, stall_timeout_s=600)


def until(condition: Callable[[], bool], camera: SupervisedCamera) -> None:
    """Fetch frames, as a view's thread does, until it is so."""
    end_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end_s, camera.state
        try:
            camera.grab(0.05)
        except DeviceError:
            time.sleep(0.01)


def live(camera: SupervisedCamera, frames: int) -> None:
    until(lambda: camera.state.status == "live" and camera.state.frames >= frames, camera)


def noticed_after_s(settings: CameraSettings, hurt: Callable[[int], None], frames: int = 8) -> tuple[float, CameraState]:
    with SupervisedCamera(settings, "front", SLOW_TO_KILL) as camera:
        live(camera, frames)
        assert camera.pid is not None
        began_s = time.monotonic()
        hurt(camera.pid)
        until(lambda: camera.state.status != "live", camera)
        took_s, state = time.monotonic() - began_s, camera.state
        os.kill(camera.pid or 0, signal.SIGCONT)
        until(lambda: camera.state.status == "live", camera)
    return took_s, state


def test_a_stopped_process_seems_dead_long_before_its_time_is_up_and_may_come_back() -> None:
    _, state = noticed_after_s(simulated(rate_hz=20), lambda pid: os.kill(pid, signal.SIGSTOP))
    assert state.status == "silent"
    assert "sends no frame for" in state.why or "no sign of life" in state.why
    assert state.restarts == 0


def test_a_camera_that_falls_silent_is_noticed_by_its_own_rate() -> None:
    stalls = simulated(rate_hz=20, faults=[{"kind": "stall", "frames": [12], "length": 40}])
    with SupervisedCamera(stalls, "front", SLOW_TO_KILL) as camera:
        live(camera, 12)
        until(lambda: camera.state.status == "silent", camera)
        why = camera.state.why
        until(lambda: camera.state.status == "live", camera)
        assert camera.state.why == ""
    assert "used to send one every 0.0" in why


def test_a_slow_camera_is_not_taken_for_a_dead_one() -> None:
    seen = set()
    with SupervisedCamera(simulated(rate_hz=1.2), "front", SLOW_TO_KILL) as camera:

        def looked() -> bool:
            seen.add(camera.state.status)
            return camera.state.frames >= 3

        until(looked, camera)
    assert seen <= {"opening", "live"}


def test_a_triggered_camera_that_is_stopped_is_noticed_by_its_heartbeat() -> None:
    _, state = noticed_after_s(simulated(trigger="software"), lambda pid: os.kill(pid, signal.SIGSTOP), frames=0)
    assert state.status == "silent"
    assert "no sign of life" in state.why


def test_one_that_runs_freely_awaits_its_first_frame_and_one_that_is_asked_does_not() -> None:
    never = simulated(faults=[{"kind": "stall", "frames": [0], "length": 100_000}])
    with SupervisedCamera(never, "front", SLOW_TO_KILL) as camera:
        until(lambda: camera.state.status in ("live", "silent"), camera)
        assert camera.state.awaits_first
    with SupervisedCamera(simulated(trigger="software"), "front", SLOW_TO_KILL) as camera:
        until(lambda: camera.state.status == "live", camera)
        assert not camera.state.awaits_first


def test_looking_takes_no_frame_and_brings_a_dead_camera_back(tmp_path) -> None:
    quick = ProcessSettings(retry_first_s=0.05, retry_last_s=0.1)
    with SupervisedCamera(folder(folder_of(tmp_path / "images")), "front", quick) as camera:
        until_looked(camera, "live")
        first = camera.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        until_looked(camera, "lost")
        until_looked(camera, "live")
        assert camera.pid not in (None, first)
        frame = camera.grab(20)
        assert frame is not None
        assert frame.number == 0


def until_looked(camera: SupervisedCamera, status: str) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while camera.state.status != status:
        assert time.monotonic() < end_s, camera.state
        try:
            camera.look()
        except DeviceError:
            time.sleep(0.01)


def test_the_age_of_the_last_sign_of_life_grows_while_it_is_stopped() -> None:
    with SupervisedCamera(simulated(), "front", SLOW_TO_KILL) as camera:
        assert camera.beat_age_s == 0
        live(camera, 1)
        assert camera.pid is not None
        os.kill(camera.pid, signal.SIGSTOP)
        until(lambda: camera.beat_age_s > 0.8, camera)
        os.kill(camera.pid, signal.SIGCONT)
        until(lambda: camera.beat_age_s < 0.5, camera)
    assert camera.beat_age_s == 0
    with pytest.raises(CameraLost, match="is closed"):
        camera.look()
