"""What every camera must do, whatever it is made of. Subclass it and give a `camera` fixture (not entered)."""

from __future__ import annotations

import gc
import os
import time
from datetime import timedelta

import numpy as np
import psutil
import pytest

from edge.cameras.base import Camera
from edge.errors import CameraLost
from edge.types import Frame

PATIENCE_S = 60.0


def next_frame(camera: Camera) -> Frame:
    """The next frame, however long a busy machine takes for it."""
    end_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < end_s:
        frame = camera.grab(0.5)
        if frame is not None:
            return frame
    raise AssertionError(f"no frame within {PATIENCE_S:g} s")


def children() -> set[int]:
    """Process ids of this process's children, the dead but not yet collected included."""
    return {process.pid for process in psutil.Process().children(recursive=True)}


def open_files() -> dict[str, str]:
    """Descriptors of this process and what they are."""
    gc.collect()
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[name] = os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            continue  # the listing's own
    return found


class CameraContract:
    """view: the name that the fixture's camera was given. triggered: it sends a frame per trigger() only."""

    view = "front"
    triggered = False
    simulated = True
    leaves_files = False

    def _ask(self, camera: Camera) -> None:
        if self.triggered:
            camera.trigger()

    def test_it_is_a_camera(self, camera: Camera) -> None:
        assert isinstance(camera, Camera)

    def test_construction_touches_nothing(self, camera: Camera) -> None:
        with pytest.raises(CameraLost):
            camera.grab(0.01)
        with pytest.raises(CameraLost):
            camera.trigger()

    def test_frames_are_what_they_say(self, camera: Camera) -> None:
        before_ns = time.monotonic_ns()
        with camera:
            self._ask(camera)
            frame = next_frame(camera)
        assert frame.view == self.view
        assert frame.image.dtype == np.uint8
        assert frame.image.ndim == 2 or frame.image.shape[2] == 3
        assert frame.image.std() > 1, "an empty picture"
        assert frame.grabbed_at.utcoffset() == timedelta(0)
        assert before_ns < frame.grabbed_ns <= time.monotonic_ns()
        assert frame.is_simulated == self.simulated
        assert frame.lost_before >= 0
        assert frame.camera
        with pytest.raises(ValueError, match="read-only"):
            frame.image[0, 0] = 1

    def test_numbers_only_grow_and_a_frame_that_is_kept_never_changes(self, camera: Camera) -> None:
        numbers, kept = [], []
        with camera:
            for turn in range(15):
                self._ask(camera)
                frame = next_frame(camera)
                numbers.append(frame.number)
                if turn < 3:
                    kept.append((frame, frame.image.copy()))
        assert numbers == sorted(set(numbers))
        for frame, copy in kept:
            np.testing.assert_array_equal(frame.image, copy)

    def test_a_trigger_is_answered_or_means_nothing(self, camera: Camera) -> None:
        with camera:
            camera.trigger()
            assert next_frame(camera).view == self.view
            if self.triggered:
                assert camera.grab(0.05) is None

    def test_it_can_be_opened_again(self, camera: Camera) -> None:
        for _ in range(2):
            with camera:
                self._ask(camera)
                next_frame(camera)
        with pytest.raises(CameraLost):
            camera.grab(0.01)

    def test_an_error_of_the_user_is_not_hidden(self, camera: Camera) -> None:
        with pytest.raises(ZeroDivisionError), camera:
            raise ZeroDivisionError

    def test_it_leaves_no_trace(self, camera: Camera) -> None:
        files, processes, shared = open_files(), children(), set(os.listdir("/dev/shm"))
        with camera:
            self._ask(camera)
            next_frame(camera)
        camera.__exit__(None, None, None)  # once more is harmless
        assert children() <= processes
        assert set(os.listdir("/dev/shm")) <= shared
        if not self.leaves_files:
            assert open_files().keys() <= files.keys()
