import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.labels import read_labels
from calibration.labels.documents import Fault
from calibration.labels.rle import decode, uncompressed
from edge.errors import ConfigError
from tests.calibration.labels import making
from tests.calibration.labels.making import box_truth, coco_document, images, write_json

theirs = pytest.importorskip("pycocotools.mask", reason="pycocotools is the reference for run lengths")


@pytest.fixture
def photos(tmp_path):
    return images(tmp_path, "a.png", "b.png")


def _read(tmp_path, document):
    return read_labels(write_json(tmp_path / "coco.json", document))


def _one(tmp_path, annotation):
    document = coco_document()
    document["annotations"] = [{"id": 1, "image_id": 1, "category_id": 3, **annotation}]
    return _read(tmp_path, document)


def _texts(labels) -> str:
    return "\n".join(map(str, labels.problems))


def test_polygons_run_lengths_and_boxes(tmp_path, photos) -> None:
    labels = _read(tmp_path, coco_document())
    assert not labels.problems
    assert labels.format == "coco"
    bad, good = labels.items
    assert (bad.kind, len(bad.regions), good.label) == ("chip", 4, "good")
    assert np.array_equal(bad.truth[20:24, 30:35], np.ones((4, 5), np.bool_))
    assert bad.truth[5:11, 4].all()


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 70), st.integers(1, 70), st.floats(0, 1))
def test_run_lengths_are_those_of_pycocotools(seed, width, height, share) -> None:
    mask = np.random.default_rng(seed).random((height, width)) < share
    coded = theirs.encode(np.asfortranarray(mask.astype(np.uint8)))
    compressed = {"size": [height, width], "counts": coded["counts"].decode()}
    assert np.array_equal(decode(compressed, (width, height)), mask)
    runs = uncompressed(compressed["counts"])
    assert np.array_equal(decode({"size": [height, width], "counts": runs}, None), mask)
    again = theirs.frPyObjects({"size": [height, width], "counts": runs}, height, width)
    assert again["counts"] == coded["counts"]


def test_run_lengths_of_a_large_frame() -> None:
    mask = np.zeros((2048, 2448), np.bool_)
    mask[3:2000, 1000:2400] = True
    mask[::3, ::7] ^= True
    coded = theirs.encode(np.asfortranarray(mask.astype(np.uint8)))
    assert np.array_equal(decode({"size": [2048, 2448], "counts": coded["counts"].decode()}, (2448, 2048)), mask)


@pytest.mark.parametrize(
    ("segmentation", "what"),
    [
        ({"size": [30, 40], "counts": [3, 4]}, "do not add up to 1200 pixels"),
        ({"size": [30, 40], "counts": [-3, 1203]}, "do not add up"),
        ({"size": [30, 40], "counts": [1200, 10**30]}, "do not add up"),
        ({"size": [30, 40], "counts": [3, "a"]}, "no whole number"),
        ({"size": [30, 40], "counts": None}, "the counts of its RLE are None"),
        ({"size": [30, 40], "counts": "\u00ff"}, "is damaged"),
        ({"size": [30, 40], "counts": "oooooooooooooooo"}, "is damaged"),
        ({"size": [30, 40], "counts": "o"}, "is cut off"),
        ({"size": [30, 40], "counts": [1200]}, "its mask is empty"),
        ({"size": [40, 30], "counts": [1200]}, "its RLE is 30x40 on an image of 40x30"),
        ({"size": 3, "counts": []}, "the size of its RLE"),
        ({}, "the size of its RLE"),
        ([[1, 2, 3, 4, 5]], "5 numbers, an odd count"),
        ([[1, 2, 3, 4]], "2 different points, not 3"),
        ([["a", 2, 3, 4, 5, 6]], "x is 'a'"),
        ([3, [4]], "a part of its segmentation is 3"),
        ("text", "its segmentation is 'text'"),
    ],
)
def test_a_segmentation_that_makes_no_sense_is_listed(tmp_path, photos, segmentation, what) -> None:
    labels = _one(tmp_path, {"segmentation": segmentation, "bbox": [4, 4, 9, 9]})
    assert what in _texts(labels)
    assert "annotations[0]" in _texts(labels)
    assert [(item.label, item.pixels_known) for item in labels.items] == [("bad", False), ("good", True)]


def test_a_run_length_without_a_declared_image_size_is_bounded() -> None:
    with pytest.raises(Fault, match="at most 200 megapixels"):
        decode({"size": [100_000, 100_000], "counts": [10**10]}, None)


@pytest.mark.parametrize("empty", [None, []])
def test_a_box_stands_in_for_an_absent_outline(tmp_path, photos, empty) -> None:
    labels = _one(tmp_path, {"segmentation": empty, "bbox": [4, 5, 8, 6]})
    assert np.array_equal(labels.items[0].truth, box_truth(4, 5, 12, 11))


def test_a_box_of_a_pixel_is_the_first_pixel(tmp_path, photos) -> None:
    labels = _one(tmp_path, {"bbox": [0, 0, 1, 1]})
    assert np.argwhere(labels.items[0].truth).tolist() == [[0, 0]]


@pytest.mark.parametrize("box", [None, [1, 2, 3], [1, 2, 0, 3], [1, 2, 3, "x"]])
def test_no_outline_and_no_box(tmp_path, photos, box) -> None:
    labels = _one(tmp_path, {"bbox": box})
    assert labels.problems
    assert not labels.items[0].pixels_known


def test_a_flat_list_is_one_polygon(tmp_path, photos) -> None:
    nested = _one(tmp_path, {"segmentation": [[5, 5, 20, 8, 10, 20]]}).items[0].truth
    assert np.array_equal(_one(tmp_path, {"segmentation": [5, 5, 20, 8, 10, 20]}).items[0].truth, nested)


def test_every_part_of_an_outline_counts(tmp_path, photos) -> None:
    parts = [[2, 2, 8, 2, 8, 8, 2, 8], [20, 20, 25, 20, 25, 25, 20, 25]]
    truth = _one(tmp_path, {"segmentation": parts}).items[0].truth
    assert np.array_equal(truth, box_truth(2, 2, 8, 8) | box_truth(20, 20, 25, 25))


def test_annotations_and_images_that_do_not_belong_together(tmp_path, photos) -> None:
    document = coco_document()
    document["annotations"][0]["image_id"] = 77
    document["annotations"][1]["image_id"] = [1]
    document["annotations"].append("no annotation")
    document["images"] += [{"id": 1, "file_name": "c.png"}, {"id": None, "file_name": "d.png"}, {"id": 9, "file_name": ""}, 3]
    labels = _read(tmp_path, document)
    texts = _texts(labels)
    for line in (
        "annotations[0]: is for image_id 77, which is not in images",
        "annotations[1]: image_id is list",
        "annotations[4]: the annotation is 'no annotation'",
        "images[2]: has the id 1 of images[0]",
        "images[3]: id is None",
        "images[4]: file_name is ''",
        "images[5]: the image is 3",
    ):
        assert line in texts
    assert len(labels.items) == 2


def test_an_image_of_another_size_is_not_used(tmp_path, photos) -> None:
    document = coco_document()
    document["images"][0].update(width=80, height=60)
    document["annotations"] = [{"image_id": 1, "bbox": [3, 3, 5, 5]}]
    labels = _read(tmp_path, document)
    assert [item.path.name for item in labels.items] == ["b.png"]
    assert "was labelled at 80x60, but" in _texts(labels)


@pytest.mark.parametrize("size", [(0, 30), (-4, 30), (10**6, 10**6), (None, 30), ("x", 3), (1e308, 1), (3.5, 2)])
def test_absurd_sizes_are_refused_before_anything_is_allocated(tmp_path, photos, size) -> None:
    document = coco_document()
    document["images"][0].update(width=size[0], height=size[1])
    labels = _read(tmp_path, document)
    assert "images[0]" in _texts(labels)
    assert [item.path.name for item in labels.items] == ["b.png"]


def test_the_image_size_may_be_left_out(tmp_path, photos) -> None:
    document = coco_document()
    for item in document["images"]:
        del item["width"], item["height"]
    assert not _read(tmp_path, document).problems


@pytest.mark.parametrize("change", [{"images": 3}, {"annotations": {}}, {"categories": [3]}, {"categories": [{"id": []}]}])
def test_a_file_that_is_no_coco_file(tmp_path, photos, change) -> None:
    with pytest.raises(ConfigError, match=r"coco\.json"):
        _read(tmp_path, {**coco_document(), **change})


def test_a_category_without_a_name(tmp_path, photos) -> None:
    document = coco_document()
    document["categories"] = [{"id": 3, "name": None}]
    assert _read(tmp_path, document).items[0].kind == "anomaly"


def test_a_label_file_may_lie_elsewhere(tmp_path, photos) -> None:
    (tmp_path / "elsewhere").mkdir()
    path = write_json(tmp_path / "elsewhere" / "coco.json", making.coco_document())
    assert len(read_labels(path, tmp_path).items) == 2
    assert len(read_labels(path).problems) == 2
