"""A camera that comes back by itself."""

from __future__ import annotations

import os
import signal
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.cameras.supervision import Backoff, CameraState, SupervisedCamera
from edge.errors import CameraLost, CameraRefused, DeviceError
from edge.settings.cameras import ProcessSettings
from edge.types import Frame
from tests.cameras.making import folder, folder_of, simulated
from tests.contracts.camera import PATIENCE_S, children, open_files

QUICK = ProcessSettings(retry_first_s=0.05, retry_last_s=0.1, hang_timeout_s=2.0)


def frames(camera: SupervisedCamera, count: int) -> tuple[list[Frame], list[DeviceError]]:
    """`count` frames, and what was raised on the way."""
    found: list[Frame] = []
    errors: list[DeviceError] = []
    end_s = time.monotonic() + PATIENCE_S
    while len(found) < count:
        assert time.monotonic() < end_s, f"{len(found)} frames, {errors[-3:]}"
        try:
            frame = camera.grab(0.2)
        except DeviceError as error:
            errors.append(error)
        else:
            found += [frame] if frame else []
    return found, errors


def test_a_crash_is_told_and_mended() -> None:
    settings = simulated(policy="every", faults=[{"kind": "crash", "frames": [4], "life": 0}])
    files, processes = open_files(), children()
    with SupervisedCamera(settings, "front", QUICK) as camera:
        found, errors = frames(camera, 8)
        state = camera.state
    assert [frame.number for frame in found] == [0, 1, 2, 3, 0, 1, 2, 3]
    assert any("ended with code 70" in str(error) for error in errors)
    assert (state.status, state.why, state.restarts, state.next_try_in_s) == ("live", "", 1, None)
    assert state.frames >= 8
    assert camera.state.status == "closed"
    del found, errors
    assert children() <= processes
    assert open_files().keys() <= files.keys()


def test_a_killed_process_is_replaced() -> None:
    with SupervisedCamera(simulated(), "front", QUICK) as camera:
        frames(camera, 1)
        first = camera.pid
        os.kill(first, signal.SIGKILL)
        _, errors = frames(camera, 3)
        # With policy newest the frames before the end may still be read: then the loss comes later, but it comes.
        while camera.pid == first:
            errors += frames(camera, 1)[1]
    assert any("ended by SIGKILL" in str(error) for error in errors)


def test_while_it_is_away_everyone_is_told_why() -> None:
    slow = ProcessSettings(retry_first_s=600, retry_last_s=600)
    with SupervisedCamera(simulated(faults=[{"kind": "not_there"}]), "front", slow) as camera:
        while camera.state.status == "opening":
            with pytest.raises(CameraLost):
                camera.grab(0.2)
        state: CameraState = camera.state
        assert state.status == "lost"
        assert "is not there (simulated)" in state.why
        assert 500 < (state.next_try_in_s or 0) <= 600
        for use in (camera.trigger, lambda: camera.grab(0.01)):
            with pytest.raises(CameraLost, match="is not there"):
                use()
        assert camera.pid is None


def test_a_refused_camera_is_tried_again_at_the_slow_rate() -> None:
    settings = ProcessSettings(retry_first_s=0.01, retry_last_s=600)
    with SupervisedCamera(simulated(faults=[{"kind": "refused"}]), "front", settings) as camera:
        while camera.state.status == "opening":
            with pytest.raises(DeviceError):
                camera.grab(0.2)
        with pytest.raises(CameraRefused, match="refuses its settings"):
            camera.grab(0.01)
        assert camera.state.status == "refused"
        assert (camera.state.next_try_in_s or 0) > 500


def test_entering_does_not_wait_for_the_camera() -> None:
    with SupervisedCamera(simulated(), "front", QUICK) as camera:
        os.kill(camera.pid, signal.SIGSTOP)
        assert camera.state.status == "opening"
        with pytest.raises(CameraLost, match="still being opened"):
            camera.grab(0.05)
        with pytest.raises(CameraLost, match="still being opened"):
            camera.trigger()
        os.kill(camera.pid, signal.SIGCONT)
        frames(camera, 1)
        assert camera.state.status == "live"


def test_a_folder_that_appears_later_is_picked_up(tmp_path) -> None:
    with SupervisedCamera(folder(tmp_path / "late"), "front", QUICK) as camera:
        while camera.state.status == "opening":
            with pytest.raises(DeviceError):
                camera.grab(0.1)
        assert camera.state.status == "refused"
        folder_of(tmp_path / "late")
        found, _ = frames(camera, 2)
    assert [frame.number for frame in found] == [0, 1]


def test_pauses_double_to_the_last_and_start_over_after_health() -> None:
    backoff = Backoff(1, 30, 10)
    assert [backoff.failed(100) - 100 for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    backoff.opened(200)
    assert backoff.failed(209) == 209 + 30, "it was not healthy for long enough"
    backoff.opened(300)
    assert backoff.failed(310) == 311


def test_a_refusal_always_waits_longest() -> None:
    backoff = Backoff(1, 30, 10)
    assert backoff.failed(0, refused=True) == 30
    assert backoff.failed(0) == 2


@given(st.lists(st.tuples(st.sampled_from(("opened", "failed", "refused")), st.floats(0, 1000)), max_size=60))
def test_a_pause_is_never_shorter_than_first_nor_longer_than_last(events: list[tuple[str, float]]) -> None:
    backoff, now = Backoff(1, 30, 10), 0.0
    for event, later in events:
        now += later
        if event == "opened":
            backoff.opened(now)
        else:
            assert 1 - 1e-6 <= backoff.failed(now, refused=event == "refused") - now <= 30 + 1e-6
