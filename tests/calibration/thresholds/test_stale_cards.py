import json
import shutil

import pytest

from calibration.stale_cards import find_stale, recipes_of, recipes_under
from edge.config import load_config
from edge.engines.base import EngineIdentity
from edge.errors import Cancelled, ConfigError, EngineFault
from edge.recipe import load_recipe, save
from edge.settings.cameras import hash_of_camera
from tests.calibration.thresholds.running import run
from tests.recipe.builders import bundle, card, content, document, reference, with_card

CONFIG = """\
station: {{site: works, area: filling, line: l1, station: s1}}
state_dir: state
publisher: {{kind: memory}}
{product}
views:
  front:
    camera: {{kind: folder, path: shots, loop: {loop}}}
    recipe: {recipe}
"""


HERE = EngineIdentity("onnxruntime", "1.31.1", "cpu", "float32")


class Running:
    """An engine that is only asked who it is."""

    def __init__(self, identity=HERE, fault: str = "") -> None:
        self.identity, self.fault, self.opened = identity, fault, 0

    def __enter__(self):
        if self.fault:
            raise EngineFault(self.fault)
        self.opened += 1
        return self

    def __exit__(self, *_):
        return None

    def infer(self, inputs):
        raise AssertionError("nothing is inferred")


@pytest.fixture
def house(tmp_path):
    """recipes/a/front holds, recipes/b/front has other masks, recipes/c/front no card, recipes/d/front is damaged."""
    made, root = bundle(tmp_path), tmp_path / "recipes"
    with_card(root / "a" / "front", made)
    with_card(root / "b" / "front", made)
    save(root / "b" / "front", content(made, masks=(), reference=reference(4), card=load_recipe(root / "b" / "front").card))
    save(root / "c" / "front", content(made))
    shutil.copytree(root / "a" / "front", root / "d" / "front")
    (root / "d" / "front" / "versions" / "0002" / "reference.png").unlink()
    return root


def config(folder, recipe="recipes/a/front", loop="true", product=""):
    (folder / "station.yaml").write_text(CONFIG.format(recipe=recipe, loop=loop, product=product))
    return load_config(folder / "station.yaml")


def test_recipes_are_found_in_folders_and_not_in_themselves(house):
    assert [path.parent.name for path in recipes_under(house)] == ["a", "b", "c", "d"]
    assert recipes_under(house / "a" / "front") == (house / "a" / "front",)
    with pytest.raises(ConfigError, match="is no folder"):
        recipes_under(house / "nowhere")


def test_each_is_named_with_what_changed(house):
    held, masked, bare, damaged = find_stale([house])
    assert (held.what, held.view, held.version) == ((), "front", 2)
    assert masked.what == (
        "the reference image changed since the thresholds were taken",
        "the masks changed since the thresholds were taken",
    )
    assert bare.what == ("it has no threshold card",)
    assert damaged.what[0].startswith("it cannot be used: ")
    assert "reference.png" in damaged.what[0]


def test_no_recipe_at_all_is_no_good_news(tmp_path):
    with pytest.raises(ConfigError, match="there is no recipe there"):
        find_stale([tmp_path])


def test_a_camera_that_is_set_otherwise_is_named(house, tmp_path):
    path = house / "a" / "front"
    then = hash_of_camera(config(tmp_path).views["front"].camera)
    save(path, content(load_recipe(path).bundle, card=card(load_recipe(path).hashes.model_copy(update={"camera": then}))))
    assert find_stale([], config(tmp_path))[0].what == ()
    changed = config(tmp_path, loop="false")
    assert find_stale([], changed)[0].what == ("the camera settings changed since the thresholds were taken",)
    assert find_stale([path])[0].what == ()


def test_the_engine_of_the_station_is_opened_once_per_bundle(house, tmp_path):
    engine = Running()
    found = find_stale([house], config(tmp_path), lambda _: engine)
    assert (found[0].what, engine.opened) == ((), 1)
    other = Running(EngineIdentity("tensorrt", "10.3", "orin", "float32"))
    assert find_stale([], config(tmp_path), lambda _: other)[0].what == (
        "the engine's backend was onnxruntime, now tensorrt",
        "the engine's device was cpu, now orin",
    )
    gone = Running(fault="no GPU")
    assert find_stale([], config(tmp_path), lambda _: gone)[0].what == ("its engine cannot be opened: no GPU",)


def test_the_recipes_of_every_product_are_looked_at(house, tmp_path):
    named = config(tmp_path, recipe='"recipes/{product}/front"', product="product: a")
    assert [path.parent.name for path in recipes_of(named)] == ["a", "b", "c", "d"]
    assert len(find_stale([house / "b"], named)) == 4


def test_a_recipe_of_another_view_cannot_be_used(tmp_path):
    made = bundle(tmp_path)
    with_card(tmp_path / "recipes" / "left", made, document=document(view="left"))
    (found,) = find_stale([], config(tmp_path, recipe="recipes/left"))
    assert "is the recipe of view 'left'" in found.what[0]


def test_it_can_be_stopped(house):
    def progress(done, total, what):
        assert total == 4
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        find_stale([house], progress=progress)


def test_the_command_says_it_and_its_status_too(house, tmp_path, capsys):
    assert run("card", "stale", house / "a") == 0
    assert capsys.readouterr().out == f"{house / 'a' / 'front'} version 0002: holds\n"
    assert run("card", "stale", house, "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert [len(each["stale"]) for each in found] == [0, 2, 1, 1]
    config(tmp_path)
    assert run("card", "stale", "--config", tmp_path / "station.yaml") == 1
    assert "its engine cannot be opened" in capsys.readouterr().out
