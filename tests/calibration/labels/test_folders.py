import shutil

import cv2
import numpy as np
import pytest

from calibration.labels import read_labels
from edge.errors import Cancelled, ConfigError
from tests.calibration.labels.making import SIZE, box_truth, image, images, mask

BOX = box_truth(4, 5, 12, 11)


@pytest.fixture
def mvtec(tmp_path):
    """Two good, two chips and a hair, with masks; a training image that nobody asks for."""
    root = tmp_path / "set"
    image(root / "train" / "good" / "000.png")
    images(root / "test" / "good", "0.png", "1.png")
    images(root / "test" / "chip", "0.png", "1.png")
    image(root / "test" / "hair" / "0.jpg")
    mask(root / "ground_truth" / "chip" / "0_mask.png")
    mask(root / "ground_truth" / "chip" / "1.bmp")
    mask(root / "ground_truth" / "hair" / "0_mask.png")
    return root


def _texts(labels) -> str:
    return "\n".join(map(str, labels.problems))


def test_mvtec(mvtec) -> None:
    labels = read_labels(mvtec)
    assert not labels.problems
    assert labels.format == "mvtec"
    assert [item.kind for item in labels.items] == ["chip", "chip", "good", "good", "hair"]
    assert all(np.array_equal(item.truth, BOX) for item in labels.bad)
    assert not any(item.truth.any() for item in labels.good)


def test_a_bad_image_without_a_mask_is_listed(mvtec) -> None:
    (mvtec / "ground_truth" / "chip" / "1.bmp").unlink()
    labels = read_labels(mvtec)
    assert "1.png: has no mask: used as a bad image whose pixels are not known" in _texts(labels)
    assert [item.pixels_known for item in labels.bad] == [True, False, True]


def test_a_kind_without_masks_is_listed_once(mvtec) -> None:
    shutil.rmtree(mvtec / "ground_truth" / "chip")
    labels = read_labels(mvtec)
    assert "there is no ground_truth/chip" in _texts(labels)
    assert len(labels.problems) == 1


def test_no_masks_at_all_is_no_problem(mvtec) -> None:
    shutil.rmtree(mvtec / "ground_truth")
    labels = read_labels(mvtec)
    assert not labels.problems
    assert [item.truth for item in labels.bad] == [None] * 3


@pytest.mark.parametrize("name", ["GroundThruth", "GroundTruth", "Ground Truth"])
def test_the_truth_by_other_spellings(mvtec, name) -> None:
    (mvtec / "ground_truth").rename(mvtec / name)
    assert not read_labels(mvtec).problems


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (lambda path: mask(path, value=7), "holds the values 0, 7"),
        (lambda path: mask(path, value=0), "marks no pixel of a bad image"),
        (lambda path: mask(path, size_wh=(41, 30)), "the mask is 41x30, but its image is 40x30"),
        (lambda path: path.write_bytes(path.read_bytes()[:40]), "is cut off"),
        (lambda path: path.write_bytes(b""), "is empty"),
    ],
)
def test_a_mask_that_cannot_be_used_is_listed(mvtec, spoil, what) -> None:
    path = mvtec / "ground_truth" / "chip" / "0_mask.png"
    spoil(path)
    labels = read_labels(mvtec)
    assert what in _texts(labels)
    assert str(path) in _texts(labels)
    assert [item.pixels_known for item in labels.bad] == [False, True, True]


def test_masks_and_images_that_do_not_meet(mvtec) -> None:
    mask(mvtec / "ground_truth" / "chip" / "9_mask.png")
    mask(mvtec / "ground_truth" / "chip" / "0.png")
    mask(mvtec / "ground_truth" / "dent" / "0_mask.png")
    image(mvtec / "test" / "stray.png")
    image(mvtec / "test" / "chip" / "1.jpg")
    texts = _texts(read_labels(mvtec))
    assert "9_mask.png: is a mask without an image" in texts
    assert "0.png: has 2 masks: 0.png, 0_mask.png" in texts
    assert "there is no test/dent" in texts
    assert "stray.png: lies outside of the labelled folders" in texts
    assert texts.count("has the name of another image") == 2


def test_a_good_image_whose_mask_marks_something_is_not_used(mvtec) -> None:
    mask(mvtec / "ground_truth" / "good" / "0_mask.png")
    mask(mvtec / "ground_truth" / "good" / "1_mask.png", value=0)
    labels = read_labels(mvtec)
    assert [item.path.name for item in labels.good] == ["1.png"]
    assert "lies among the good images, but its mask 0_mask.png marks pixels" in _texts(labels)


def test_an_image_that_is_damaged_is_not_used(mvtec) -> None:
    (mvtec / "test" / "good" / "0.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (mvtec / "test" / "hair" / "0.jpg").write_bytes(b"")
    labels = read_labels(mvtec)
    assert len(labels.items) == 3
    assert "is cut off" in _texts(labels)
    assert "is empty" in _texts(labels)


@pytest.mark.parametrize(("good", "bad"), [("good", "bad"), ("normal", "abnormal"), ("OK", "NOK"), ("NoDefects", "Defects")])
def test_good_and_bad_folders(tmp_path, good, bad) -> None:
    images(tmp_path / good, "0.png", "1.png")
    images(tmp_path / bad, "2.png")
    labels = read_labels(tmp_path)
    assert not labels.problems
    assert labels.format == "good-bad"
    assert [(item.label, item.kind, item.pixels_known) for item in labels.good] == [("good", "good", True)] * 2
    assert [(item.label, item.kind, item.truth) for item in labels.bad] == [("bad", bad.casefold(), None)]


@pytest.mark.parametrize("inside", [True, False])
def test_good_and_bad_folders_with_masks(tmp_path, inside) -> None:
    images(tmp_path / "NoDefects", "X_S_ND_01.bmp")
    images(tmp_path / "Defects", "X_S_D_01.bmp", "X_S_D_02.bmp")
    truth = (tmp_path / "Defects" if inside else tmp_path) / "GroundThruth"
    mask(truth / "X_S_GT_01.bmp")
    labels = read_labels(tmp_path)
    assert np.array_equal(labels.bad[0].truth, BOX)
    assert not labels.bad[1].pixels_known
    assert "X_S_D_02.bmp: has no mask" in _texts(labels)


def test_folders_inside_are_named(tmp_path) -> None:
    images(tmp_path / "good", "0.png")
    images(tmp_path / "bad" / "chips", "1.png")
    image(tmp_path / "stray.png")
    texts = _texts(read_labels(tmp_path))
    assert "chips: is not read" in texts
    assert "stray.png: lies outside" in texts


def test_a_folder_of_masks_beside_one_of_images(tmp_path) -> None:
    photos = images(tmp_path / "photos", "0.png", "1.png", "2.png", "3.png")
    mask(tmp_path / "labels" / "0.png")
    mask(tmp_path / "labels" / "1_mask.png", value=0)
    mask(tmp_path / "labels" / "2.png", value=9)
    mask(tmp_path / "labels" / "7.png")
    labels = read_labels(tmp_path / "labels", photos)
    assert labels.format == "masks"
    assert [(item.path.name, item.label) for item in labels.items] == [("0.png", "bad"), ("1.png", "good")]
    texts = _texts(labels)
    assert f"{photos / '2.png'}: mask 2.png: holds the values 0, 9" in texts
    assert f"{photos / '3.png'}: has no label" in texts
    assert "7.png: is a mask without an image" in texts


def test_soft_masks_need_a_declared_threshold(tmp_path) -> None:
    photos = images(tmp_path / "photos", "0.png")
    path = mask(tmp_path / "labels" / "0.png", value=250)
    soft = cv2.imread(str(path), 0)
    soft[20, 20] = 3
    cv2.imwrite(str(path), soft)
    assert not read_labels(tmp_path / "labels", photos).items
    labels = read_labels(tmp_path / "labels", photos, mask_threshold=128)
    assert np.array_equal(labels.items[0].truth, BOX)
    with pytest.raises(ConfigError, match="from 1 to 65535"):
        read_labels(tmp_path / "labels", photos, mask_threshold=0)


def test_sources_that_are_no_labels(tmp_path, mvtec) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.txt").write_text("x")
    for arguments, what in (
        ((tmp_path / "none",), "no such file or folder"),
        ((tmp_path / "empty",), "holds no labels"),
        ((tmp_path / "file.txt",), "is no label file"),
        ((tmp_path / "file.txt", None, "mvtec"), "is a file, not a folder"),
        ((mvtec, tmp_path), "leave --images out"),
        ((tmp_path / "empty", tmp_path / "empty", "masks"), "with --images"),
        ((tmp_path / "empty", mvtec, "masks"), "holds no masks"),
        ((tmp_path / "empty", None, "good-bad"), "has no folder of good or bad images"),
        ((tmp_path / "empty", None, "mvtec"), "has no folder test"),
        ((tmp_path / "empty", None, "labelme"), "holds no label file"),
        ((tmp_path / "file.txt", tmp_path / "none", "via"), "is no folder"),
    ):
        with pytest.raises(ConfigError, match=what):
            read_labels(*arguments)


def test_several_label_files_must_be_told_apart(tmp_path) -> None:
    (tmp_path / "a.csv").write_text("filename\n")
    (tmp_path / "b.json").write_text("{}")
    with pytest.raises(ConfigError, match="holds 2 label files"):
        read_labels(tmp_path)


def test_folders_without_an_image_hold_no_label(tmp_path) -> None:
    (tmp_path / "good").mkdir()
    with pytest.raises(ConfigError, match="holds no label"):
        read_labels(tmp_path)


def test_progress_counts_and_cancels(mvtec) -> None:
    seen = []
    read_labels(mvtec, progress=lambda done, total, what="": seen.append((done, total)))
    assert seen == [(number, 5) for number in range(1, 6)]

    def stop(done: int, total: int, what: str = "") -> None:
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        read_labels(mvtec, progress=stop)


def test_the_images_stay_where_they_are(mvtec) -> None:
    items = read_labels(mvtec).items
    assert all(item.path.is_file() and item.size_wh == SIZE for item in items)
