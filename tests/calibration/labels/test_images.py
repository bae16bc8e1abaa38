import struct

import cv2
import numpy as np
import pytest

from calibration.labels import read_labels
from calibration.labels.documents import Fault
from calibration.labels.images import ImageFolder, frame_size, turned_by_tag
from edge.errors import ConfigError
from tests.calibration.labels.making import RECT, image, images, via_csv


def _jpeg(path, orientation: int | None, order: str = "<"):
    data = cv2.imencode(".jpg", np.full((30, 40, 3), 90, np.uint8))[1].tobytes()
    if orientation is not None:
        tiff = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, 1)
        tiff += struct.pack(order + "HHIHHI", 0x0112, 3, 1, orientation, 0, 0)
        body = b"Exif\0\0" + tiff
        data = data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:]
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("orientation", "turned"), [(None, False), (1, False), (3, True), (6, True)])
def test_a_tag_that_turns_the_image(tmp_path, orientation, turned, order) -> None:
    assert turned_by_tag(_jpeg(tmp_path / "a.jpg", orientation, order)) is turned


def test_other_files_and_broken_tags_turn_nothing(tmp_path) -> None:
    assert not turned_by_tag(image(tmp_path / "a.png"))
    path = _jpeg(tmp_path / "a.jpg", 6)
    path.write_bytes(path.read_bytes()[:20])
    assert not turned_by_tag(path)


def test_regions_on_an_image_that_tools_show_turned_are_not_believed(tmp_path) -> None:
    _jpeg(tmp_path / "a.jpg", 6)
    _jpeg(tmp_path / "b.jpg", 6)
    rows = [("a.jpg", "{}", 1, 0, RECT, {"label": "chip"}), ("b.jpg", "{}", 0, 0, "{}", "{}")]
    labels = read_labels(via_csv(tmp_path / "via.csv", *rows))
    assert [(item.label, item.pixels_known) for item in labels.items] == [("bad", False), ("good", True)]
    assert any("EXIF tag that turns it" in problem.what for problem in labels.problems)


def test_names_are_found_in_their_own_folder_only(tmp_path) -> None:
    images(tmp_path / "in" / "day1", "a.png")
    image(tmp_path / "b.png")
    folder = ImageFolder(tmp_path / "in")
    assert folder.find("day1/a.png") == folder.find("day1\\a.png") == folder.find("./day1//a.png")
    for name in ("a.png", "../b.png", "day1/../../b.png", str(tmp_path / "b.png"), "", "x" * 2000, "a\n.png", "day1"):
        with pytest.raises(Fault):
            folder.find(name)
    assert folder.not_asked_for() == ()


def test_a_folder_that_is_none(tmp_path) -> None:
    with pytest.raises(ConfigError, match="is no folder"):
        ImageFolder(image(tmp_path / "a.png"))


def test_the_size_of_an_image_is_read_without_decoding(tmp_path) -> None:
    assert frame_size(image(tmp_path / "a.bmp", (31, 17))) == (31, 17)
    with pytest.raises(Fault, match="cannot be read"):
        frame_size(tmp_path / "none.png")


def test_thousands_of_images_are_small_in_memory(tmp_path) -> None:
    names = [f"{number:04d}.png" for number in range(300)]
    images(tmp_path, *names)
    labels = read_labels(via_csv(tmp_path / "via.csv", *((name, "{}", 1, 0, RECT, {}) for name in names)))
    assert len(labels.items) == 300
    assert all(item.regions[0].points.nbytes == 64 for item in labels.items)
    assert labels.items[7].truth is not labels.items[7].truth
