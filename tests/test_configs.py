"""The examples in configs/ work as they stand, on a fresh clone."""

import hashlib
import json
from pathlib import Path

import pytest
import yaml

from edge.config import load_config
from edge.settings.genicam import GenicamSettings
from tests.cli.running import CONFIGS, Command, simulated, station
from tests.schemas import validator

EXAMPLES = ("one-gige-camera", "three-views-triggered", "replay", "simulated", "io-example")
MAX_BINARY_BYTES = 1_500_000
LEFTOVER = {"kind": "leaflet", "x": 0.5, "y": 0.5, "size": 0.2}


@pytest.fixture
def lineclear(capsys) -> Command:
    return Command(capsys)


def test_there_is_an_example_per_use() -> None:
    kinds = {
        name: [(view["camera"]["kind"], view.get("trigger", {}).get("kind", "on_request")) for view in data["views"].values()]
        for name, data in ((name, yaml.safe_load((CONFIGS / f"{name}.yaml").read_text())) for name in EXAMPLES)
    }
    assert [camera for camera, _ in kinds["one-gige-camera"]] == ["genicam"]
    assert {trigger for _, trigger in kinds["three-views-triggered"]} == {"hardware", "on_request", "continuous"}
    assert kinds["replay"][0][0] == "folder"
    assert kinds["simulated"][0][0] == "simulated"


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_explains_itself(name: str) -> None:
    lines = (CONFIGS / f"{name}.yaml").read_text().splitlines()
    assert lines[0].startswith("# ")
    assert sum("#" in line for line in lines) >= 6


def test_everything_in_configs_is_accepted(lineclear) -> None:
    paths = [*sorted(CONFIGS.glob("*.yaml")), *sorted((CONFIGS / "recipes").iterdir())]
    assert {f"{name}.yaml" for name in EXAMPLES} <= {path.name for path in paths}
    answer = lineclear("validate", *paths)
    assert (answer.status, answer.err) == (0, "")
    assert [line.split(": ")[:2] for line in answer.out.splitlines()] == [[str(path), "ok"] for path in paths]


def test_what_an_example_names_must_be_there(lineclear, tmp_path) -> None:
    text = (CONFIGS / "three-views-triggered.yaml").read_text()
    (tmp_path / "copy.yaml").write_text(text)
    answer = lineclear("validate", tmp_path / "copy.yaml")
    assert answer.status == 3
    assert [line.split(": ")[2] for line in answer.problems] == [f"views.{v}.recipe" for v in ("feeder", "nest", "outfeed")]


def test_the_cameras_own_words_reach_the_camera() -> None:
    """A trigger's source is a line of the camera, not a path, though a video's source is one."""
    camera = load_config(CONFIGS / "three-views-triggered.yaml").views["feeder"].camera
    assert isinstance(camera, GenicamSettings)
    assert (camera.trigger.source, camera.trigger.activation, camera.pixel_format) == ("Line1", "RisingEdge", "Mono8")


@pytest.mark.parametrize("name", ["simulated", "replay"])
def test_a_check_without_any_hardware_is_clear(lineclear, tmp_path, name: str) -> None:
    config = _with_own_state(name, tmp_path)
    answer = lineclear("check", config, "--batch", "B1", "--product", "demo", "--json")
    assert (answer.status, answer.err) == (0, "")
    body = json.loads(answer.out)
    validator("clearance").validate(body)
    assert (body["outcome"], body["batch"], body["product"]) == ("CLEAR", "B1", "demo")


def test_a_leftover_in_the_example_is_not_clear(lineclear, tmp_path) -> None:
    camera = simulated(start={"leftovers": [LEFTOVER]})
    config = station(tmp_path, views={"feeder": {"recipe": str(CONFIGS / "recipes" / "feeder"), "camera": camera}})
    answer = lineclear("check", config, "--batch", "B1", "--product", "demo")
    assert (answer.status, answer.err) == (1, "lineclear: NOT_CLEAR: feeder FAIL\n")
    assert answer.out.startswith("NOT_CLEAR  batch B1  product demo  #1\n  feeder: FAIL\n")


def test_the_examples_are_small() -> None:
    """git keeps a file that stands there twice once."""
    files = [path for folder in ("recipes", "replay") for path in (CONFIGS / folder).rglob("*") if path.is_file()]
    sizes = {hashlib.sha256(path.read_bytes()).hexdigest(): path.stat().st_size for path in files}
    assert 0 < sum(sizes.values()) <= MAX_BINARY_BYTES


def _with_own_state(name: str, folder: Path) -> Path:
    """The example, as it stands but for the folder that it writes to."""
    data = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text())
    view = data["views"]["feeder"]
    view["recipe"] = str(CONFIGS / view["recipe"])
    if "path" in view["camera"]:
        view["camera"]["path"] = str(CONFIGS / view["camera"]["path"])
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(data))
    return path
