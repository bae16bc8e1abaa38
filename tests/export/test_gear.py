"""docs/gear.md, command by command, with lengths halved."""

import re
import shlex
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from calibration.__main__ import main as calibrate
from edge.__main__ import main as station
from edge.recipe import load_recipe
from export.__main__ import main as export
from tests.export.test_bit import save_as_upstream
from tests.export.test_bit_nets import small_net

ROOT = Path(__file__).parents[2]
PHOTOGRAPHS = ROOT.parent / "shared" / "data" / "gear" / "roboflow_original" / "train"
PROGRAMS = {"lineclear-export": export, "lineclear-calibrate": calibrate, "lineclear": station}
AXIS = (1170 / 2, 1133 / 2)


def commands():
    blocks = re.findall(r"```\n(.*?)```", (ROOT / "docs" / "gear.md").read_text(), re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [[_halved(word) for word in shlex.split(line)] for line in lines]


def _halved(word):
    if not re.fullmatch(r"\d{3,}(,\d{3,})*", word):
        return word
    return ",".join(str(int(number) // 2) for number in word.split(","))


def _frame(photograph, turn, shift, seed):
    """The same gear put down again: turned, moved, in a noise of its own."""
    height, width = photograph.shape[:2]
    matrix = cv2.getRotationMatrix2D(AXIS, turn, 1.0)
    matrix[:, 2] += shift
    moved = cv2.warpAffine(photograph, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.clip(moved + np.random.default_rng(seed).normal(0, 1.5, moved.shape), 0, 255).astype(np.uint8)


@pytest.fixture
def workshop(tmp_path, monkeypatch):
    if not PHOTOGRAPHS.is_dir():
        pytest.skip(f"{PHOTOGRAPHS} is absent")
    torch.set_num_threads(1)
    broken, good = (
        cv2.resize(cv2.imread(str(path)), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        for path in sorted(PHOTOGRAPHS.glob("*.jpg"))
    )
    save_as_upstream(small_net(), tmp_path / "best_ckpt.pt")
    (tmp_path / "good").mkdir()
    for index in range(5):
        cv2.imwrite(str(tmp_path / "good" / f"{index:03d}.png"), _frame(good, 37 * index, (3 * index, -2 * index), index))
    cv2.imwrite(str(tmp_path / "gear.png"), good)
    cv2.imwrite(str(tmp_path / "broken.png"), broken)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_only_lengths_are_halved():
    assert [_halved(word) for word in ("1223,1023", "512", "16", "good/000.png", "0.30322")] == [
        "611,511", "256", "16", "good/000.png", "0.30322",
    ]  # fmt: skip
    assert [words[0] for words in commands()].count("lineclear-export") == 2


@pytest.mark.slow
def test_the_walk_through(workshop, capsys):
    said = []
    for program, *words in commands():
        status = PROGRAMS[program](words)
        out, err = capsys.readouterr()
        said.append(out)
        # Five frames are few, and one of the two that are judged is broken: both are said by the exit status.
        few_or_failed = program == "lineclear" or "thresholds" in words
        assert status in ((0, 1) if few_or_failed else (0,)), (words, out, err)
    x, y = (int(re.search(rf"centre_{axis}_px (\d+)", said[0])[1]) for axis in "xy")
    assert (x, y) == pytest.approx(AXIS, abs=2)
    recipe = load_recipe(workshop / "recipes" / "gear")
    assert recipe.symmetry.fold == 16
    assert recipe.min_area_px == 150
    assert recipe.card is not None
    assert recipe.bundle.manifest.tiling.size == 256
    assert "good/000.png" in said[-1]
    assert re.search(r"^PASS .*good/000\.png", said[-1], re.MULTILINE)
    assert {path.name for path in (workshop / "overlays").iterdir()} == {"000.png", "broken.png"}
