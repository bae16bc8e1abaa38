"""Labels as they come from the tools, on the photographs of shared/data."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.labels import LabelSet, read_labels

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"


def _data(name: str) -> Path:
    if not (DATA / name).is_dir():
        pytest.skip(f"{DATA / name} is not on this machine")
    return DATA / name


def _iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


def _paired(view: Path) -> tuple[LabelSet, LabelSet]:
    return read_labels(view / "labelme", view / "test" / "pitting"), read_labels(view)


def test_polygons_and_masks_of_one_set_agree() -> None:
    # The published masks are cv2.fillPoly of the rounded corners: its outline adds up to a pixel all round, which is much
    # on spots of a few pixels. The area rule differs from it nowhere but on that outline.
    ious = []
    for view in sorted(path for path in _data("bsdata").iterdir() if (path / "test" / "pitting").is_dir()):
        if not any((view / "test" / "pitting").iterdir()):
            continue
        outlines, masks = _paired(view)
        assert not outlines.problems
        assert not masks.problems
        truths = {item.path: item.truth for item in masks.bad}
        for item in outlines.items:
            ours, theirs = item.truth, truths[item.path]
            near = np.ones((5, 5), np.uint8)
            assert not (theirs & ~cv2.dilate(ours.astype(np.uint8), near).astype(bool)).any()
            assert not (ours & ~cv2.dilate(theirs.astype(np.uint8), near).astype(bool)).any()
            ious.append(_iou(ours, theirs))
    assert len(ious) == 89
    assert np.mean(ious) == pytest.approx(0.85, abs=0.005)


def test_a_coco_file_that_names_80_images_of_which_2_are_there() -> None:
    folder = _data("gear") / "roboflow_original" / "train"
    labels = read_labels(folder)
    assert (labels.format, len(labels.items), len(labels.problems)) == ("coco", 2, 78)
    assert all(problem.row.startswith("images[") and "is not in" in problem.what for problem in labels.problems)
    for item in labels.items:
        mask = cv2.imread(str(folder / "masks" / f"{item.path.stem}.png"), 0) > 0
        assert item.size_wh == (2448, 2048)
        assert _iou(item.truth, mask) > 0.97


def test_masks_with_soft_edges_are_named_with_their_values() -> None:
    folder = _data("gear") / "Dataset_ROBOFLOW_augmented"
    labels = read_labels(folder / "label", folder / "A")
    assert len(labels.problems) == 4
    assert all("holds the values 0, 1, 2" in problem.what for problem in labels.problems)
    assert not read_labels(folder / "label", folder / "A", mask_threshold=128).problems


@pytest.mark.parametrize(
    ("name", "kind", "good", "bad", "known"),
    [
        ("hazelnut_toy", "mvtec", 6, 17, 17),
        ("dobot_cubes", "good-bad", 71, 36, 0),
        ("piped/PA_BDP01_TL", "good-bad", 48, 48, 48),
        ("piped/PA_GLA01_TL", "good-bad", 48, 48, 48),
    ],
)
def test_folders_as_they_are_published(name, kind, good, bad, known) -> None:
    labels = read_labels(_data(name))
    assert not labels.problems
    assert labels.format == kind
    assert (len(labels.good), len(labels.bad), sum(item.pixels_known for item in labels.bad)) == (good, bad, known)
    assert all(item.truth.any() for item in labels.bad if item.pixels_known)
