import base64

import cv2
import numpy as np
import pytest

from calibration.labels import read_labels
from edge.errors import ConfigError
from tests.calibration.labels.making import box_truth, image, images, labelme_document, write_json


@pytest.fixture
def photos(tmp_path):
    return images(tmp_path, "a.png")


def _one(tmp_path, shape, **more):
    document = {**labelme_document(), **more}
    document["shapes"] = [{"label": "chip", **shape}]
    return read_labels(write_json(tmp_path / "a.json", document))


def _texts(labels) -> str:
    return "\n".join(map(str, labels.problems))


def test_every_shape(tmp_path, photos) -> None:
    labels = read_labels(write_json(tmp_path / "a.json", labelme_document()))
    assert not labels.problems
    assert labels.format == "labelme"
    (item,) = labels.items
    assert (item.label, item.kind, len(item.regions)) == ("bad", "chip", 7)
    assert item.truth[3:9, 30:34].all()
    assert item.truth[15, 17:23].all()
    assert item.truth[3, 2:12].all()
    assert item.truth[24:26, 10:13].tolist() == [[False, True, True], [True, True, False]]


def test_corners_of_a_rectangle_in_any_order(tmp_path, photos) -> None:
    for points in ([[12, 4], [5, 10]], [[5, 10], [12, 4]], [[5, 4], [12, 4], [12, 10], [5, 10]]):
        labels = _one(tmp_path, {"points": points, "shape_type": "rectangle"})
        assert np.array_equal(labels.items[0].truth, box_truth(5, 4, 12, 10))


def test_no_shape_type_is_a_polygon_as_in_old_files(tmp_path, photos) -> None:
    labels = _one(tmp_path, {"points": [[5, 5], [20, 5], [20, 20], [5, 20]]})
    assert np.array_equal(labels.items[0].truth, box_truth(5, 5, 20, 20))


def test_a_file_without_shapes_is_a_good_image(tmp_path, photos) -> None:
    document = {**labelme_document(), "shapes": []}
    labels = read_labels(write_json(tmp_path / "a.json", document))
    assert [item.label for item in labels.items] == ["good"]


@pytest.mark.parametrize(
    ("flags", "label"), [({"bad": True}, "bad"), ({"NOK": True, "x": False}, "bad"), ({"ok": True}, "good")]
)
def test_flags_may_say_it(tmp_path, photos, flags, label) -> None:
    document = {**labelme_document(), "shapes": [], "flags": flags}
    assert [item.label for item in read_labels(write_json(tmp_path / "a.json", document)).items] == [label]


def test_a_mask_may_be_as_wide_as_its_box_or_a_pixel_wider(tmp_path, photos) -> None:
    data = cv2.imencode(".png", np.full((3, 4), 255, np.uint8))[1].tobytes()
    for far in ((13, 22), (14, 23)):
        shape = {"points": [[10, 20], list(far)], "shape_type": "mask", "mask": base64.b64encode(data).decode()}
        assert np.array_equal(_one(tmp_path, shape).items[0].truth, box_truth(10, 20, 14, 23))


@pytest.mark.parametrize(
    ("shape", "what"),
    [
        ({"points": [[10, 20], [30, 29]], "shape_type": "mask", "mask": "iVBORw0KGgo="}, "is cut off"),
        ({"points": [[10, 20], [30, 29]], "shape_type": "mask", "mask": "%%%"}, "no base64"),
        ({"points": [[10, 20], [30, 29]], "shape_type": "mask", "mask": None}, "its mask is None"),
        ({"points": [[10, 20]], "shape_type": "circle"}, "1 different points, not 2"),
        ({"points": [[10, 20], [10, 20]], "shape_type": "rectangle"}, "1 different points, not 2"),
        ({"points": [[10, 20], [10, 24]], "shape_type": "rectangle"}, "width is 0"),
        ({"points": [[10, 20], [14, 24], [3, 3]], "shape_type": "circle"}, "its shape is 'circle' with 3 points"),
        ({"points": [[1, 2], [4, 4]], "shape_type": "brush"}, "its shape is 'brush'"),
        ({"points": [[1, 2], [4]], "shape_type": "polygon"}, "no pairs of numbers"),
        ({"points": 3, "shape_type": "polygon"}, "points is 3"),
        ({"points": [[1, 2], [4, None], [3, 9]]}, "y is None"),
    ],
)
def test_a_shape_that_makes_no_sense_is_listed(tmp_path, photos, shape, what) -> None:
    labels = _one(tmp_path, shape)
    assert what in _texts(labels)
    assert "a.json: shapes[0]" in _texts(labels)
    assert (labels.items[0].label, labels.items[0].truth) == ("bad", None)


def test_a_mask_that_does_not_fit_its_box_is_listed(tmp_path, photos) -> None:
    document = labelme_document()
    document["shapes"] = document["shapes"][-1:]
    document["shapes"][0]["points"] = [[10, 10], [20, 20]]
    labels = read_labels(write_json(tmp_path / "a.json", document))
    assert "the mask is 3x2, but its box is 10x10" in _texts(labels)


@pytest.mark.parametrize("name", ["..\\photos\\a.png", "../other/a.png", "/home/x/a.png", "C:\\x\\a.png"])
def test_the_path_of_the_image_counts_by_its_last_part_only(tmp_path, name) -> None:
    photos = images(tmp_path / "photos", "a.png")
    image(tmp_path / "other" / "a.png", (10, 10))
    labels = read_labels(write_json(tmp_path / "a.json", labelme_document(name)), photos)
    assert [item.path for item in labels.items] == [photos / "a.png"]


@pytest.mark.parametrize("name", ["", "..", "a/..", "\ud800.png", "z.png"])
def test_a_name_that_leads_nowhere(tmp_path, photos, name) -> None:
    path = write_json(tmp_path / "a.json", labelme_document(name))
    try:
        labels = read_labels(path)
    except ConfigError:
        assert name == ""
        return
    assert not labels.items
    assert len(labels.problems) == 2


def test_a_folder_of_files(tmp_path) -> None:
    photos = images(tmp_path / "photos", "a.png", "b.png", "c.png")
    folder = tmp_path / "labels"
    folder.mkdir()
    write_json(folder / "a.json", labelme_document("a.png"))
    write_json(folder / "b.json", {**labelme_document("b.png"), "shapes": []})
    (folder / "broken.json").write_text("{")
    write_json(folder / "other.json", {"no": "shapes"})
    labels = read_labels(folder, photos)
    assert [(item.path.name, item.label) for item in labels.items] == [("a.png", "bad"), ("b.png", "good")]
    texts = _texts(labels)
    assert f"{folder / 'broken.json'}: no valid JSON" in texts
    assert f"{folder / 'other.json'}: has no shapes" in texts
    assert f"{photos / 'c.png'}: has no label" in texts


def test_an_image_of_another_size_is_not_used(tmp_path) -> None:
    images(tmp_path, "a.png", size_wh=(80, 60))
    labels = read_labels(write_json(tmp_path / "a.json", labelme_document()))
    assert not labels.items
    assert "was labelled at 40x30" in _texts(labels)


def test_an_image_that_is_cut_off_is_not_used(tmp_path, photos) -> None:
    data = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(data[: len(data) // 2])
    labels = read_labels(write_json(tmp_path / "a.json", labelme_document()))
    assert not labels.items
    assert "is cut off" in _texts(labels)


@pytest.mark.parametrize(
    "change", [{"shapes": 3}, {"imagePath": None}, {"imageWidth": "x"}, {"imageHeight": 10**9}, {"flags": [1]}]
)
def test_a_file_that_is_no_labelme_file(tmp_path, photos, change) -> None:
    with pytest.raises(ConfigError, match=r"a\.json"):
        read_labels(write_json(tmp_path / "a.json", {**labelme_document(), **change}))
