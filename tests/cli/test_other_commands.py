"""`lineclear-export` and `lineclear-calibrate` in a stranger's hands. What they compute is tested with their packages."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

import calibration.__main__
from tests.cli.running import CONFIGS, IMAGES, RECIPE, Answer, process

BUNDLE = next((RECIPE / "bundles").iterdir())
SIGNED = ("--who", "a", "--why", "b")


@pytest.fixture
def export_main():
    return pytest.importorskip("export.__main__", reason="needs the onnx extra").main


@pytest.fixture
def run(capsys):
    def answer(main, *arguments) -> Answer:
        capsys.readouterr()
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as end:
            status = int(end.code or 0)
        said = capsys.readouterr()
        return Answer(status, said.out, said.err)

    return answer


@pytest.fixture
def places(tmp_path) -> Path:
    """one: a folder with one good frame; texts: without any; bad.png: no image; deep.png: 16 bits."""
    (tmp_path / "one").mkdir()
    shutil.copy(IMAGES[0], tmp_path / "one")
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("x")
    (tmp_path / "bad.png").write_text("no image")
    cv2.imwrite(str(tmp_path / "deep.png"), np.full((160, 240), 40_000, np.uint16))
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--images", "one"), "give at least 5"),
        (("--images", "texts"), "texts: holds no image"),
        (("--images", "none"), "none: cannot be listed"),
        (("--images", "bad.png"), "bad.png: cannot be listed"),
        (("--images", "one", "--reference", "deep.png"), "deep.png: has 16 bits where 8 are expected"),
        (("--images", "one", "--masks", "bad.png"), "bad.png: "),
        (("--images", "one", "--size", "1x1"), "--size: '1x1'"),
        (("--images", "one", "--size", "9" * 5000), "--size"),
        (("--images", "one", "--window", "4"), "--window: 4"),
        (("--images", "one", "--max-megapixels", "nan"), "--max-megapixels: nan"),
        ((), "--images"),
    ],
)
def test_export_refuses_in_one_line(run, export_main, places, monkeypatch, arguments, said: str) -> None:
    monkeypatch.chdir(places)
    answer = run(export_main, "variation", *arguments, "--out", "bundle")
    assert (answer.status, answer.out) == (3, "")
    (problem,) = answer.problems
    assert problem.startswith("lineclear-export")
    assert said in problem
    assert not (places / "bundle").exists()


@pytest.mark.parametrize("out", ["/proc/bundle", "bad.png/bundle"])
def test_export_into_a_place_that_cannot_be_written(run, export_main, places, monkeypatch, out: str) -> None:
    monkeypatch.chdir(places)
    image = cv2.imread(str(IMAGES[0]))
    for number in range(5):
        noise = np.random.default_rng(number).normal(0, 2, image.shape)
        cv2.imwrite(str(places / "one" / f"n{number}.png"), np.clip(image + noise, 0, 255).astype(np.uint8))
    answer = run(export_main, "variation", "--images", "one", "--out", out, "--quiet")
    assert (answer.status, answer.out) == (3, "")
    assert f"{out}: cannot be written" in answer.problems[-1]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"--view": "a/b"}, "'a/b' cannot be a topic level"),
        ({"--view": ""}, "view: "),
        ({"--reference": "none.png"}, "none.png: file not found"),
        ({"--reference": "bad.png"}, "bad.png: is no png"),
        ({"--bundle": "none"}, "none: no such bundle"),
        ({"--bundle": "bad.png"}, "bad.png: is no readable zip"),
        ({"--bundle": "texts"}, "texts"),
        ({"--masks": "none.yaml"}, "none.yaml: file not found"),
        ({"--out": "/proc/recipe"}, "/proc/recipe: cannot be written"),
        ({"--out": "bad.png"}, "bad.png: is there already and is no recipe"),
        ({"--min-area": "nan"}, "min_area_px"),
        ({"--min-area": "-5"}, "min_area_px"),
        ({"--registration": "magic"}, "--registration"),
    ],
)
def test_recipe_refuses_in_one_line(run, places, monkeypatch, changes: dict[str, str], said: str) -> None:
    monkeypatch.chdir(places)
    reference = next((RECIPE / "versions").glob("*/reference.png"))
    given = {"--view": "v", "--reference": str(reference), "--bundle": str(BUNDLE), "--out": "recipe", **changes}
    answer = run(calibration.__main__.main, "recipe", *[part for pair in given.items() for part in pair])
    assert (answer.status, answer.out) == (3, "")
    (problem,) = answer.problems
    assert problem.startswith("lineclear-calibrate")
    assert said in problem
    assert not (places / "recipe").exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"--images": "texts"}, "texts: holds no image"),
        ({"--images": "none"}, "none: cannot be listed"),
        ({"--images": "one"}, "at least 5"),
        ({"--who": ""}, "who: "),
        ({"--why": ""}, "why: "),
        ({"--method": "guess"}, "--method"),
        ({"--threads": "0"}, "threads: "),
        ({"--recipe": "texts"}, "texts: is no recipe"),
        ({"--method": "quantile", "--quantile": "2"}, "quantile: "),
        ({"--method": "sigma", "--sigma": "nan"}, "sigma: "),
    ],
)
def test_thresholds_refuse_in_one_line_and_change_nothing(run, places, monkeypatch, changes: dict[str, str], said: str) -> None:
    monkeypatch.chdir(places)
    recipe = Path(shutil.copytree(RECIPE, places / "recipe"))
    before = (recipe / "current").read_text()
    given = {"--recipe": "recipe", "--images": str(CONFIGS / "replay"), "--method": "max", "--who": "a", "--why": "b"}
    answer = run(calibration.__main__.main, "thresholds", *[part for pair in {**given, **changes}.items() for part in pair])
    assert (answer.status, answer.out) == (3, "")
    assert said in answer.problems[-1]
    assert (recipe / "current").read_text() == before


@pytest.mark.parametrize("version", ["0", "-1", "77", "9" * 30, "x"])
def test_rollback_to_what_is_not_there(run, places, version: str) -> None:
    recipe = shutil.copytree(RECIPE, places / "recipe")
    answer = run(calibration.__main__.main, "rollback", "--recipe", recipe, "--version", version, *SIGNED)
    assert (answer.status, answer.out, len(answer.problems)) == (3, "", 1)


def test_names_that_are_no_utf8_are_one_line(places) -> None:
    answer = process("variation", "--images", b"n\xff\xfe", "--out", b"o\xff", package="export", cwd=places)
    assert (answer.status, len(answer.problems)) == (3, 1)
    answer = process(
        "thresholds", "--recipe", b"r\xff", "--images", b"i\xff", "--method", "max", *SIGNED, package="calibration"
    )
    assert (answer.status, len(answer.problems)) == (3, 1)
