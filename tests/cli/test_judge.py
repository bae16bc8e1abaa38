"""`lineclear judge`: whatever an image file holds is an outcome; whatever else is wrong is one line and 3."""

import json
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.cli.running import IMAGES, RECIPE, process

KEYS = ["image", "outcome", "reason", "detail", "score", "threshold", "pixel_threshold", "regions", "alignment", "stage_ms"]


@pytest.fixture
def bad_images(tmp_path) -> dict[str, str]:
    """File name -> what its detail must say; the files lie in tmp_path / bad."""
    folder = tmp_path / "bad"
    folder.mkdir()
    image = cv2.imread(str(IMAGES[0]))
    whole = cv2.imencode(".jpg", image)[1].tobytes()
    cv2.imwrite(str(folder / "1-pixel.png"), image[:1, :1])
    cv2.imwrite(str(folder / "2-small.png"), image[:50, :50])
    cv2.imwrite(str(folder / "3-deep.png"), image.astype(np.uint16) * 256)
    cv2.imwrite(str(folder / "4-grey.png"), image[..., 0])
    (folder / "5-cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "6-empty.png").touch()
    (folder / "7-text.png").write_text("hello")
    (folder / "8-damaged.png").write_bytes(IMAGES[0].read_bytes()[:-200])
    return {
        "1-pixel.png": "the frame is 1x1, the recipe's reference 240x160",
        "2-small.png": "the frame is 50x50",
        "3-deep.png": "has 16 bits where 8 are expected",
        "4-grey.png": "the frame is grey, the recipe's reference colour",
        "5-cut.jpg": "5-cut.jpg",
        "6-empty.png": "is empty",
        "7-text.png": "is no png, jpeg, bmp or tiff image",
        "8-damaged.png": "8-damaged.png",
    }


def test_a_bad_image_is_undecided_and_the_next_one_follows(lineclear, tmp_path, bad_images) -> None:
    answer = lineclear("judge", "--recipe", RECIPE, "--json", tmp_path / "bad", IMAGES[0])
    assert (answer.status, answer.err) == (0, "")
    documents = [json.loads(line, parse_constant=_refuse) for line in answer.out.splitlines()]
    assert [list(document) for document in documents] == [KEYS] * 9
    for (name, said), document in zip(bad_images.items(), documents[:-1], strict=True):
        assert (Path(document["image"]).name, document["outcome"], document["reason"]) == (name, "UNDECIDED", "frame_invalid")
        assert said in document["detail"]
        assert document["score"] is None
        assert document["regions"] == []
    last = documents[-1]
    assert (last["outcome"], last["reason"], last["detail"]) == ("PASS", None, None)
    assert 0 < last["score"] < last["threshold"]
    assert last["alignment"]["trusted"]
    assert {"align", "warp", "infer", "judge"} <= last["stage_ms"].keys()


def _refuse(text: str) -> None:
    raise AssertionError(f"{text} is no JSON")


def test_what_cannot_be_registered_is_undecided(lineclear, tmp_path) -> None:
    image = cv2.imread(str(IMAGES[0]))
    cv2.imwrite(str(tmp_path / "black.png"), image * 0)
    cv2.imwrite(str(tmp_path / "turned.png"), np.ascontiguousarray(image[::-1, ::-1]))
    answer = lineclear("judge", "--recipe", RECIPE, tmp_path)
    assert answer.status == 0
    assert [line.split()[0] for line in answer.out.splitlines()] == ["UNDECIDED", "UNDECIDED"]
    assert answer.out.count("not_registered") == 2


def test_a_leftover_fails_and_has_regions(lineclear, tmp_path) -> None:
    image = cv2.imread(str(IMAGES[0]))
    cv2.circle(image, (120, 80), 9, (240, 240, 240), -1)
    cv2.imwrite(str(tmp_path / "left.png"), image)
    (line,) = lineclear("judge", "--recipe", RECIPE, "--json", tmp_path / "left.png").out.splitlines()
    document = json.loads(line)
    assert document["outcome"] == "FAIL"
    assert document["score"] > document["threshold"]
    assert min(abs(r["frameCentroid"][0] - 120) + abs(r["frameCentroid"][1] - 80) for r in document["regions"]) < 5


def test_overlays_have_the_images_names_and_never_replace_an_image(lineclear, tmp_path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        shutil.copy(IMAGES[0], tmp_path / folder / "1.png")
    assert lineclear("judge", "--recipe", RECIPE, "--out", tmp_path / "out", tmp_path / "a", tmp_path / "b").status == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["1-2.png", "1.png"]
    before = (tmp_path / "a" / "1.png").read_bytes()
    said = lineclear.refused("judge", "--recipe", RECIPE, "--out", tmp_path / "a", tmp_path / "a" / "1.png")
    assert "would overwrite an image" in said
    assert (tmp_path / "a" / "1.png").read_bytes() == before


@pytest.mark.parametrize("threads", ["0", "-1", "257", "2.5", "", "9" * 4400, "٣"])
def test_odd_numbers_of_threads_are_refused(lineclear, threads: str) -> None:
    if threads == "٣":  # an Arabic three is a number
        assert lineclear("judge", "--recipe", RECIPE, "--threads", threads, IMAGES[0]).status == 0
        return
    said = lineclear.refused("judge", "--recipe", RECIPE, "--threads", threads, IMAGES[0])
    assert "--threads" in said
    assert "1 to 256" in said
    assert len(said) < 200


def test_paths_that_lead_nowhere_are_all_reported(lineclear, tmp_path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("x")
    answer = lineclear("judge", "--recipe", RECIPE, tmp_path / "texts", tmp_path / "none.png", "/dev/null", IMAGES[0])
    assert (answer.status, answer.out) == (3, "")
    folder, absent, device = answer.problems
    assert "texts: no image in this folder: expected files ending in .png" in folder
    assert "none.png: no such file or folder" in absent
    assert "/dev/null: is no file" in device


@pytest.mark.parametrize("where", ["no-such", "image", "texts"])
def test_what_is_no_recipe_is_refused(lineclear, tmp_path, where: str) -> None:
    path = {"no-such": tmp_path / "no-such", "image": IMAGES[0], "texts": tmp_path}[where]
    said = lineclear.refused("judge", "--recipe", path, IMAGES[0])
    assert f"{path}: is no recipe" in said
    assert "lineclear-calibrate recipe" in said


def test_a_half_written_or_changed_recipe_is_refused(lineclear, tmp_path) -> None:
    recipe = Path(shutil.copytree(RECIPE, tmp_path / "feeder"))
    version = sorted((recipe / "versions").iterdir())[-1]
    document = (version / "recipe.yaml").read_text()
    for damage, said in (
        (lambda: (version / "recipe.yaml").write_text(document[: len(document) // 2]), "recipe.yaml"),
        (lambda: (version / "reference.png").unlink(), "reference.png"),
        (lambda: (version / "reference.png").write_bytes(IMAGES[0].read_bytes()), "reference.png: is not the image"),
        (lambda: (version / "card.json").write_text("{"), "card.json"),
        (lambda: next((recipe / "bundles").glob("*/model.onnx")).write_bytes(b"x"), "model.onnx"),
        (lambda: (recipe / "current").write_text("0099\n"), "has no version 99"),
        (lambda: (recipe / "current").write_text("../0001"), "must name a version"),
    ):
        damage()
        assert said in lineclear.refused("judge", "--recipe", recipe, IMAGES[0])
        shutil.rmtree(recipe)
        shutil.copytree(RECIPE, recipe)


def test_without_thresholds_everything_is_undecided(lineclear, tmp_path) -> None:
    recipe = Path(shutil.copytree(RECIPE, tmp_path / "feeder"))
    (recipe / "current").write_text("0001\n")
    answer = lineclear("judge", "--recipe", recipe, IMAGES[0])
    assert answer.status == 0
    assert answer.out.startswith("UNDECIDED")
    assert "card_missing" in answer.out


@pytest.mark.parametrize("out", ["/proc/overlays", "taken"])
def test_an_output_that_cannot_be_written_is_said_before_the_work(lineclear, tmp_path, out: str) -> None:
    (tmp_path / "taken").write_text("a file")
    place = tmp_path / out
    assert f"{place}: cannot be written" in lineclear.refused("judge", "--recipe", RECIPE, "--out", place, IMAGES[0])


def test_names_that_are_no_utf8_or_hold_line_breaks_stay_on_one_line(tmp_path) -> None:
    name = os.fsencode(tmp_path) + b"/n\xff\nx.png"
    shutil.copy(os.fsencode(IMAGES[0]), name)
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0"}
    answer = process("judge", "--recipe", RECIPE, "--json", name, "--out", tmp_path / "out", env=environment)
    (line,) = answer.out.splitlines()
    assert json.loads(line)["image"].endswith("/n\\xff\\nx.png")
    assert (answer.status, answer.err) == (0, "")
    assert len(list((tmp_path / "out").iterdir())) == 1
    table = process("judge", "--recipe", RECIPE, name, env=environment)
    assert len(table.out.splitlines()) == 1


def test_odd_input_gives_the_same_answer_in_any_order(lineclear, tmp_path, bad_images) -> None:
    """What came before an image must not change its outcome: each is judged for itself."""
    alone = json.loads(lineclear("judge", "--recipe", RECIPE, "--json", IMAGES[1]).out)
    after = lineclear("judge", "--recipe", RECIPE, "--json", tmp_path / "bad", IMAGES[0], IMAGES[1]).out.splitlines()[-1]
    assert json.loads(after)["outcome"] == alone["outcome"]
    assert json.loads(after)["score"] == pytest.approx(alone["score"], rel=0.05)
