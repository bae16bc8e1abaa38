"""A real GenICam camera (the producer that the genicam package ships) that is set while it runs, in a process of its own.

It has neither ExposureTime nor Gain, so it stands for every camera that refuses what the station asks for.
"""

from __future__ import annotations

import time

import numpy as np
import pytest

from edge.cameras.supervision import SupervisedCamera
from edge.errors import CameraRefused, DeviceError
from edge.settings.genicam import GenicamSettings
from tests.cameras.making import HASTY, frame_of

pytest.importorskip("harvesters", reason="GenICam support is not installed")
pytest.importorskip("genicam", reason="GenICam support is not installed")

OWN = GenicamSettings(serial="1", producers=("viky",), frame_rate_hz=50, pixel_format="Mono8")


def refusal_of(camera: SupervisedCamera) -> str:
    deadline_s = time.monotonic() + 20
    while time.monotonic() < deadline_s:
        try:
            assert camera.grab(0.2) is None, "a frame of settings that were refused"
        except CameraRefused as error:
            return str(error)
        except DeviceError:
            continue
    raise AssertionError(camera.state)


@pytest.mark.parametrize(("change", "feature"), [({"exposure_us": 5000.0}, "ExposureTime"), ({"gain_db": 3.0}, "Gain")])
def test_what_it_has_no_feature_for_is_refused_and_it_goes_on_when_set_back(change: dict[str, float], feature: str) -> None:
    with SupervisedCamera(OWN, "front", HASTY) as camera:
        before = frame_of(camera)
        camera.renew(OWN.model_copy(update=change))
        assert f"{feature}: the camera has no such feature" in refusal_of(camera)
        back = camera.renew(OWN)
        after = frame_of(camera)
        assert back.result(0) <= after.grabbed_ns, "no frame from before"
        assert (after.image.shape, after.camera) == (before.image.shape, before.camera)
        assert camera.state.why == ""


def test_what_it_takes_is_in_force_from_its_first_frame() -> None:
    with SupervisedCamera(OWN, "front", HASTY) as camera:
        before = frame_of(camera)
        renewed = camera.renew(OWN.model_copy(update={"size_wh": (320, 240)}))
        after = frame_of(camera)
        assert after.image.shape == (240, 320) != before.image.shape
        assert renewed.result(0) <= after.grabbed_ns
        assert after.image.dtype == np.uint8
