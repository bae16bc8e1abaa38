"""The camera contract on the simulator, and on any camera that the person at the keyboard has.

LINECLEAR_TEST_CTI=/path/of/producer.cti LINECLEAR_TEST_SERIAL=40012345 pytest tests/cameras/test_genicam_contract.py
proves a vendor's producer: free running, and with a software trigger.
"""

import os

import pytest

from edge.cameras.genicam import GenicamCamera
from edge.settings.genicam import GenicamSettings
from tests.contracts.camera import CameraContract

pytest.importorskip("harvesters", reason="GenICam support is not installed")
pytest.importorskip("genicam", reason="GenICam support is not installed")


class TestGenicam(CameraContract):
    @pytest.fixture
    def camera(self) -> GenicamCamera:
        return GenicamCamera(GenicamSettings(serial="1", producers=("viky",), frame_rate_hz=100), self.view)


class TestGenicamMonoOldestFirst(CameraContract):
    @pytest.fixture
    def camera(self) -> GenicamCamera:
        settings = GenicamSettings(serial="2", producers=("viky",), frame_rate_hz=100, pixel_format="Mono8", policy="every")
        return GenicamCamera(settings, self.view)


PRODUCER, SERIAL = os.environ.get("LINECLEAR_TEST_CTI"), os.environ.get("LINECLEAR_TEST_SERIAL")

if PRODUCER and SERIAL:

    class TestOwnCamera(CameraContract):
        simulated = False
        mode = "off"

        @pytest.fixture
        def camera(self) -> GenicamCamera:
            return GenicamCamera(GenicamSettings(serial=SERIAL, producers=(PRODUCER,), trigger={"mode": self.mode}), self.view)

    class TestOwnCameraTriggered(TestOwnCamera):
        triggered = True
        mode = "software"
