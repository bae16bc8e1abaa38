"""Folder replay."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from edge.cameras.folder import FolderCamera, image_files
from edge.errors import CameraRefused, FrameError
from tests.cameras.making import folder, folder_of, numbered
from tests.contracts.camera import next_frame


def test_natural_order(tmp_path: Path) -> None:
    names = [
        "10.png",
        "2.png",
        "Frame 2.JPG",
        "frame 10.jpg",
        "frame 1.tif",
        "01.bmp",
        "a.txt",
        ".hidden.png",
        "x.tiff",
        "y.jpeg",
    ]
    for name in names:
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    found = [path.name for path in image_files(tmp_path)]
    assert found == ["01.bmp", "2.png", "10.png", "frame 1.tif", "Frame 2.JPG", "frame 10.jpg", "x.tiff", "y.jpeg"]


def test_digits_of_other_scripts_and_equal_values_have_an_order(tmp_path: Path) -> None:
    for name in ("1.png", "01.png", "²4.png", "٣.png"):
        (tmp_path / name).touch()
    assert [path.name for path in image_files(tmp_path)][:2] == ["01.png", "1.png"]


def test_loop_and_once(tmp_path: Path) -> None:
    folder_of(tmp_path, 2)
    with FolderCamera(folder(tmp_path), "front") as camera:
        frames = [next_frame(camera) for _ in range(5)]
    assert [frame.number for frame in frames] == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(frames[4].image, numbered(0))
    with FolderCamera(folder(tmp_path, loop=False), "front") as camera:
        assert [next_frame(camera).number for _ in range(2)] == [0, 1]
        assert camera.grab(0.01) is None


def test_a_fixed_rate_keeps_its_distance(tmp_path: Path) -> None:
    with FolderCamera(folder(folder_of(tmp_path), rate_hz=25), "front") as camera:
        times_ns = [next_frame(camera).grabbed_ns for _ in range(4)]
    assert times_ns[3] - times_ns[0] >= 3 * 0.035e9


def test_sizes_and_depths_other_than_declared_take_their_turn(tmp_path: Path) -> None:
    folder_of(tmp_path, 1)
    folder_of(tmp_path / "more", 3, (32, 32))
    (tmp_path / "more" / "2.png").rename(tmp_path / "7.png")
    with FolderCamera(folder(tmp_path, size_wh=(64, 48)), "front") as camera:
        assert next_frame(camera).number == 0
        with pytest.raises(FrameError, match=r"7\.png: is 32x32, the settings say 64x48"):
            next_frame(camera)
        assert next_frame(camera).number == 2
    with FolderCamera(folder(tmp_path, bit_depth=12), "front") as camera, pytest.raises(FrameError, match="bit_depth"):
        next_frame(camera)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(CameraRefused, match="holds no image"), FolderCamera(folder(tmp_path), "front"):
        pass
    with pytest.raises(CameraRefused, match="cannot be listed"), FolderCamera(folder(tmp_path / "notes.txt"), "front"):
        pass


def test_a_file_that_vanished_is_a_frame_error(tmp_path: Path) -> None:
    with FolderCamera(folder(folder_of(tmp_path, 2)), "front") as camera:
        (tmp_path / "0.png").unlink()
        with pytest.raises(FrameError, match="file not found"):
            next_frame(camera)
        assert next_frame(camera).number == 1


def test_settings_refuse_other_depths(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="bit_depth"):
        folder(tmp_path, bit_depth=14)
