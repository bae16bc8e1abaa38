"""The camera contract on every camera, in this process and in a process of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.cameras.folder import FolderCamera
from edge.cameras.process import ProcessCamera
from edge.cameras.simulated import SimulatedCamera
from edge.cameras.video import VideoCamera
from edge.settings.genicam import GenicamSettings
from tests.cameras.making import folder, folder_of, simulated, video, video_of
from tests.contracts.camera import CameraContract


class TestSimulated(CameraContract):
    @pytest.fixture
    def camera(self) -> SimulatedCamera:
        return SimulatedCamera(simulated(), self.view)


class TestSimulatedTriggered(CameraContract):
    triggered = True

    @pytest.fixture
    def camera(self) -> SimulatedCamera:
        return SimulatedCamera(simulated(trigger="software"), self.view)


class TestFolder(CameraContract):
    @pytest.fixture
    def camera(self, tmp_path: Path) -> FolderCamera:
        return FolderCamera(folder(folder_of(tmp_path)), self.view)


class TestFolderTriggered(CameraContract):
    triggered = True

    @pytest.fixture
    def camera(self, tmp_path: Path) -> FolderCamera:
        return FolderCamera(folder(folder_of(tmp_path), trigger="software"), self.view)


class TestVideo(CameraContract):
    @pytest.fixture
    def camera(self, tmp_path: Path) -> VideoCamera:
        return VideoCamera(video(video_of(tmp_path / "film.avi"), loop=True), self.view)


class TestSimulatedTriggeredInProcess(CameraContract):
    triggered = True

    @pytest.fixture
    def camera(self) -> ProcessCamera:
        return ProcessCamera(simulated(trigger="software"), self.view)


class TestFolderInProcess(CameraContract):
    @pytest.fixture
    def camera(self, tmp_path: Path) -> ProcessCamera:
        return ProcessCamera(folder(folder_of(tmp_path)), self.view)


class TestGenicamInProcess(CameraContract):
    @pytest.fixture
    def camera(self) -> ProcessCamera:
        pytest.importorskip("harvesters", reason="the extra `genicam` is not installed")
        pytest.importorskip("genicam", reason="the extra `genicam` is not installed")
        return ProcessCamera(GenicamSettings(serial="0", producers=("viky",)), self.view)
