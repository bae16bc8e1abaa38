"""Station configs: everything that is wrong is said at once, one line each, and paths belong to the file that names them."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from edge.config import StationConfig, load_config
from edge.errors import ConfigError
from edge.settings.cameras import FolderSettings
from edge.settings.mqtt import MqttSettings

GOOD: dict[str, Any] = {
    "station": {"site": "s", "area": "a", "line": "l", "station": "b"},
    "state_dir": "state",
    "publisher": {"kind": "memory"},
    "views": {"front": {"recipe": "recipes/front", "camera": {"kind": "folder", "path": "images"}}},
}


def load(folder: Path, data: object) -> StationConfig:
    path = folder / "station.yaml"
    path.write_text(data if isinstance(data, str) else yaml.safe_dump(data))
    return load_config(path)


def problems(folder: Path, data: object) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        load(folder, data)
    assert all("\n" not in problem and str(folder / "station.yaml") in problem for problem in caught.value.problems)
    return caught.value.problems


def test_paths_are_relative_to_the_config(tmp_path: Path) -> None:
    config = load(tmp_path, GOOD | {"publisher": {"kind": "mqtt", "host": "h", "tls": {"ca_file": "ca.pem"}}})
    camera = config.views["front"].camera
    assert isinstance(camera, FolderSettings)
    assert camera.path == tmp_path / "images"
    assert config.state_dir == str(tmp_path / "state")
    assert config.views["front"].recipe == str(tmp_path / "recipes" / "front")
    assert isinstance(config.publisher, MqttSettings)
    assert config.publisher.tls is not None
    assert config.publisher.tls.ca_file == tmp_path / "ca.pem"


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    data = GOOD | {
        "sation": 1,
        "publisher": {"kind": "mqtt", "port": "many"},
        "views": {"front": {"recipe": "r", "camera": {"kind": "folder", "pth": "x"}}, "a/b": {"camera": {"kind": "radar"}}},
    }
    found = "\n".join(problems(tmp_path, data))
    for said in (
        "sation: unknown key: did you mean 'station'?",
        "publisher.mqtt.host: missing",
        "publisher.mqtt.port",
        "views.front.camera.folder.pth: unknown key: did you mean 'path'?",
        "views.front.camera.folder.path: missing",
        "radar",
        "views.a/b",
    ):
        assert said in found


def test_two_views_cannot_share_a_camera(tmp_path: Path) -> None:
    camera = {"kind": "genicam", "serial": "17"}
    views = {name: {"recipe": name, "camera": dict(camera)} for name in ("front", "back")}
    (problem,) = problems(tmp_path, GOOD | {"views": views})
    assert "'back' and 'front' use the same camera (genicam 17)" in problem


def test_a_shared_camera_is_said_also_beside_other_problems(tmp_path: Path) -> None:
    views = {name: {"recipe": name, "camera": {"kind": "genicam", "serial": "17"}} for name in ("front", "back")}
    found = problems(tmp_path, GOOD | {"views": views, "state_dri": "x"})
    assert any("unknown key" in problem for problem in found)
    assert sum("use the same camera" in problem for problem in found) == 1


def test_old_frames_may_not_wait_for_a_new_question(tmp_path: Path) -> None:
    camera = {"kind": "genicam", "serial": "17", "policy": "every"}
    (problem,) = problems(tmp_path, GOOD | {"views": {"front": {"recipe": "r", "camera": camera}}})
    assert "write policy: newest" in problem
    for allowed in ({"trigger": {"mode": "software"}}, {"policy": "newest"}):
        load(tmp_path, GOOD | {"views": {"front": {"recipe": "r", "camera": camera | allowed}}})


def test_a_recipe_that_needs_a_product_needs_one(tmp_path: Path) -> None:
    views = {"front": {"recipe": "r/{product}", "camera": {"kind": "folder", "path": "x"}}}
    (problem,) = problems(tmp_path, GOOD | {"views": views})
    assert "product is missing" in problem
    assert load(tmp_path, GOOD | {"views": views, "product": "p"}).product == "p"


@pytest.mark.parametrize("name", ["", "a/b", "a+b", "a#", "$sys", "a\nb", " a"])
def test_names_must_fit_a_topic(tmp_path: Path, name: str) -> None:
    assert problems(tmp_path, GOOD | {"station": GOOD["station"] | {"site": name}})


@pytest.mark.parametrize("text", ["", "- a", "views: {", "\tviews: 1", "a: &a [*a]", "views: {front: [1]}"])
def test_what_is_no_config_is_refused(tmp_path: Path, text: str) -> None:
    assert problems(tmp_path, text)


def test_a_client_named_like_a_path_keeps_its_roles(tmp_path) -> None:
    text = (
        "station: {site: s, area: a, line: l, station: one}\nstate_dir: state\npublisher: {kind: memory}\n"
        "views: {front: {recipe: r, camera: {kind: folder, path: p, trigger: off}}}\n"
        "commands: {rights: {control: [operator], path: [reader]}, keys_file: keys}\n"
    )
    (tmp_path / "station.yaml").write_text(text)
    config = load_config(tmp_path / "station.yaml")
    assert config.commands.rights == {"control": ("operator",), "path": ("reader",)}
    assert config.commands.keys_file == tmp_path / "keys"
    assert config.views["front"].camera.trigger == "off"
