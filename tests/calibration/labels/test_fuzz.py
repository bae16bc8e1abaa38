"""Ten thousand damaged label files: an error that names what to do, or masks; nothing else ever comes out."""

import copy
import json
import random
import warnings
from pathlib import Path

import numpy as np
import pytest

from calibration.labels import read_labels
from edge.errors import LineclearError
from tests.calibration.labels import making

FILES = 10_000
NASTY = [None, True, -1, 0, 0.5, 1e308, -1e308, float("nan"), float("inf"), 10**30, "", "x", "../../etc/passwd", "\x00"]
NASTY += ["\ud800", "a.png", "/a.png", "C:\\a.png", [], {}, [[]], [None], {"": 0}, "undefined", "{", "\u2028", "9" * 400]


def _leaves(node, found):
    for key in list(node) if isinstance(node, dict) else range(len(node)):
        found.append((node, key))
        if isinstance(node[key], (dict, list)):
            _leaves(node[key], found)
    return found


def _damaged_document(rng: random.Random, document) -> bytes:
    damaged = json.loads(json.dumps(document))
    for _ in range(rng.randint(1, 4)):
        leaves = _leaves(damaged, [])
        if not leaves:
            break
        node, key = rng.choice(leaves)
        way = rng.random()
        if way < 0.6:
            node[key] = copy.deepcopy(rng.choice(NASTY))
        elif way < 0.75:
            del node[key]
        elif way < 0.9:
            other, name = rng.choice(leaves)
            try:
                node[key] = copy.deepcopy(other[name])
            except (KeyError, IndexError):  # deleted before
                continue
        else:
            for _ in range(rng.choice((3, 40))):
                node[key] = [node[key]]
    text = json.dumps(damaged)
    if rng.random() < 0.01:
        text = text.replace("[", "[" * 50_000, 1)
    return text.encode()


def _damaged_bytes(rng: random.Random, data: bytes) -> bytes:
    damaged = bytearray(data)
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(damaged) + 1)
        way = rng.randrange(5)
        if way == 0 and at < len(damaged):
            damaged[at] = rng.randrange(256)
        elif way == 1:
            damaged[at:at] = bytes(rng.choice(b'"{}[],:\\\n\r\t -#0\xff\x00') for _ in range(rng.randint(1, 4)))
        elif way == 2:
            del damaged[at : at + rng.randint(1, 20)]
        elif way == 3:
            other = rng.randrange(len(damaged) + 1)
            damaged[at:at] = damaged[other : other + rng.randint(1, 60)]
        elif rng.random() < 0.2:
            del damaged[at:]
    return bytes(damaged)


def _check(source: Path, folder: Path | None) -> str:
    try:
        labels = read_labels(source, folder)
    except LineclearError as error:
        assert str(error)
        return "error"
    for item in labels.items:
        assert item.path.is_relative_to(source.parent if folder is None else folder)
        truth = item.truth
        assert (truth is None) == (not item.pixels_known)
        if truth is not None:
            assert truth.dtype == np.bool_
            assert truth.shape == (item.size_wh[1], item.size_wh[0])
            assert truth.any() == (item.label == "bad")
    for problem in labels.problems:
        assert problem.what
        assert problem.remedy
    return "problems" if labels.problems else "masks"


@pytest.mark.slow
def test_ten_thousand_damaged_files_give_an_error_or_masks(tmp_path: Path) -> None:
    rng = random.Random(4)
    photos = making.images(tmp_path / "photos", "a.png", "b.png")
    rows = [("a.png", {}, 6, at, shape, {"Label": 'a "b", c'}) for at, shape in enumerate(making.SHAPES)]
    table = making.via_csv(tmp_path / "via.csv", *rows, ("b.png", {}, 0, 0, "{}", "{}")).read_bytes()
    documents = [making.via_document(), making.coco_document(), making.labelme_document()]
    documents.append({"_via_settings": {}, "_via_img_metadata": making.via_document(), "_via_attributes": {}})
    ends = {"error": 0, "problems": 0, "masks": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for number in range(FILES):
            kind = number % 10
            source = tmp_path / ("labels.csv" if kind < 3 else "labels.json")
            if kind < 3:
                source.write_bytes(_damaged_bytes(rng, table))
            elif kind < 8:
                source.write_bytes(_damaged_document(rng, documents[number % len(documents)]))
            else:
                source.write_bytes(_damaged_bytes(rng, json.dumps(documents[number % len(documents)]).encode()))
            ends[_check(source, photos)] += 1
    assert sum(ends.values()) == FILES
    assert min(ends.values()) > 100, ends  # the damage is neither so small nor so great that nothing is tested


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
def test_damaged_mask_pictures_give_a_problem_or_masks(tmp_path: Path, suffix: str) -> None:
    rng = random.Random(5)
    making.images(tmp_path / "set" / "test" / "chip", "a.png")
    picture = making.mask(tmp_path / "set" / "ground_truth" / "chip" / f"a_mask{suffix}")
    whole = picture.read_bytes()
    ends = set()
    for _ in range(150):
        picture.write_bytes(_damaged_bytes(rng, whole))
        ends.add(_check_folder(tmp_path / "set"))
    assert "problems" in ends


def _check_folder(source: Path) -> str:
    labels = read_labels(source)
    for item in labels.items:
        assert item.truth is None or item.truth.shape == (30, 40)
    return "problems" if labels.problems else "masks"
