"""`lineclear challenge`: the known frames of every view on the station's own path, its exit status the answer."""

import json
import shutil
from pathlib import Path

import cv2
import pytest

from calibration.__main__ import main as calibrate
from edge.cameras.images import read_image
from tests.cli.running import IMAGES, RECIPE, replayed, station
from tests.schemas import validator

SIGNED = ("--who", "A. Meier", "--why", "first challenge")
FOR = ("--batch", "B1", "--product", "demo")


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example recipe with a good frame and one with something on it."""
    root = tmp_path_factory.mktemp("taught")
    recipe = Path(shutil.copytree(RECIPE, root / "feeder"))
    for name in ("good", "bad"):
        (root / name).mkdir()
    shutil.copy(IMAGES[0], root / "good")
    image = read_image(IMAGES[1]).copy()
    height, width = image.shape[:2]
    cv2.circle(image, (width // 2, height // 2), height // 10, (250, 20, 20), cv2.FILLED)
    cv2.imwrite(str(root / "bad" / "blister.png"), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    assert (
        calibrate(["challenge", "--recipe", str(recipe), "--good", str(root / "good"), "--bad", str(root / "bad"), *SIGNED])
        == 0
    )
    return recipe


def config(folder: Path, recipe: Path, **clearance: object) -> Path:
    return station(folder, views={"feeder": {"recipe": str(recipe), "camera": replayed()}}, clearance=clearance)


def test_a_station_that_tells_good_from_bad(lineclear, tmp_path, taught) -> None:
    answer = lineclear("challenge", config(tmp_path, taught))
    assert (answer.status, answer.err) == (0, "")
    assert answer.out.startswith("feeder: as expected\n")
    assert "must be FAIL, was FAIL" in answer.out
    body = json.loads(lineclear("challenge", config(tmp_path, taught), "--json", "--operator", "Anna").out)
    assert (body["passed"], [view["view"] for view in body["views"]]) == (True, ["feeder"])
    assert len(body["views"][0]["challenge"]["images"]) == 2


def test_a_view_without_known_frames(lineclear, tmp_path) -> None:
    answer = lineclear("challenge", config(tmp_path, RECIPE))
    assert answer.status == 1
    assert "challenge_missing: the recipe needs a known good and a known bad frame" in answer.out
    assert answer.err == "lineclear: challenge: not as expected: feeder\n"


def test_a_clearance_carries_the_challenge_that_came_before_it(lineclear, tmp_path, taught) -> None:
    made = config(tmp_path, taught, challenge={"required": "max_age", "max_age_h": 8})
    alone = json.loads(lineclear("challenge", made, "--json").out)["views"][0]["challenge"]
    answer = lineclear("check", made, *FOR, "--json")
    assert (answer.status, answer.err) == (0, "")
    body = json.loads(answer.out)
    validator("clearance").validate(body)
    assert body["views"][0]["challenge"] == alone


def test_a_clearance_that_must_be_challenged_and_cannot_be(lineclear, tmp_path) -> None:
    answer = lineclear("check", config(tmp_path, RECIPE, challenge={"required": "always"}), *FOR)
    assert answer.status == 2
    assert "challenge_missing" in answer.out


def test_bad_use(lineclear, tmp_path) -> None:
    assert "file not found" in lineclear.refused("challenge", tmp_path / "none.yaml")
    assert "unrecognized arguments" in lineclear.refused("challenge", config(tmp_path, RECIPE), "--force")
