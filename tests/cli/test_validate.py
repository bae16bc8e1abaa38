"""`lineclear validate`: everything that is wrong, at once, one line each, and nothing sound is refused."""

import shutil
import zipfile
from pathlib import Path

import pytest
import yaml

from edge.bundle import contract
from edge.recipe import Content, save
from tests.bundle import samples
from tests.calibration.evidence import MASK_OVER_LEFTOVER
from tests.cli.running import CONFIGS, IMAGES, RECIPE, replayed, simulated, station
from tests.engines import graphs
from tests.recipe import builders
from tests.station_parts import MODEL_WH, scene

BUNDLE = next((RECIPE / "bundles").iterdir())


def test_a_bundle_is_run_against_its_golden_vectors(lineclear, tmp_path) -> None:
    packed = samples.zipped(BUNDLE, tmp_path / "bundle.zip")
    answer = lineclear("validate", BUNDLE, packed, RECIPE)
    assert (answer.status, answer.err) == (0, "")
    folder, zipped, recipe = answer.out.splitlines()
    for line in (folder, zipped):
        assert "golden vectors reproduced by onnxruntime" in line
        assert "float16" in line
    assert "recipe for view 'feeder', version 2" in recipe


def test_everything_wrong_with_a_config_is_said_at_once(lineclear, tmp_path) -> None:
    config = station(
        tmp_path,
        colour="red",
        engine={"kind": "onnxruntime", "threads": "many"},
        publisher={"kind": "mqtt", "host": "h", "tls": {"ca_file": "none.pem"}},
        views={
            "feeder": {"recipe": "none", "camera": {"kind": "genicam", "serial": "17", "producers": ["none.cti"]}},
            "nest": {"recipe": str(RECIPE), "camera": {"kind": "genicam", "serial": "17"}},
            "outfeed": {"recipe": str(CONFIGS / "recipes" / "outfeed"), "camera": {"kind": "folder", "path": "nowhere"}},
            "film": {"recipe": str(tmp_path), "camera": {"kind": "video", "source": "none.mp4"}},
        },
    )
    answer = lineclear("validate", config)
    assert (answer.status, answer.out) == (3, "")
    assert all(line.startswith(f"lineclear: {config}: ") for line in answer.problems)
    said = answer.err
    for problem in (
        "colour: unknown key",
        "engine.onnxruntime.threads",
        "'feeder' and 'nest' use the same camera (genicam 17)",
        "views.feeder.camera.producers.0: ",
        "views.feeder.recipe: ",
        "views.nest.recipe: ",
        "is the recipe of view 'feeder': name the recipe of 'nest'",
        f"views.outfeed.camera.path: {tmp_path}/nowhere: cannot be listed (No such file or directory)",
        f"views.film.camera.source: {tmp_path}/none.mp4: not found",
        "views.film.recipe: ",
    ):
        assert said.count(problem) == 1, problem
    assert len(answer.problems) == 9


def test_files_of_a_sound_broker_section_must_be_there(lineclear, tmp_path) -> None:
    tls = {"ca_file": "none.pem", "cert_file": "c.pem", "key_file": "."}
    config = station(tmp_path, publisher={"kind": "mqtt", "host": "h", "tls": tls, "credentials_file": "secret"})
    answer = lineclear("validate", config)
    assert answer.status == 3
    keys = [line.split(": ")[2] for line in answer.problems]
    assert keys == [f"publisher.{key}" for key in ("credentials_file", "tls.ca_file", "tls.cert_file", "tls.key_file")]
    assert "is no file" in answer.problems[-1]


def test_a_folder_without_images_is_a_problem(lineclear, tmp_path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("x")
    camera = replayed(path="texts")
    config = station(tmp_path, views={"feeder": {"recipe": str(RECIPE), "camera": camera}})
    assert "views.feeder.camera.path" in (said := lineclear.refused("validate", config))
    assert "holds no image" in said


def test_a_recipe_of_another_product_is_a_problem(lineclear, tmp_path) -> None:
    recipe = Path(shutil.copytree(RECIPE, tmp_path / "aspirin"))
    for document in recipe.glob("versions/*/recipe.yaml"):
        document.write_text(yaml.safe_dump(yaml.safe_load(document.read_text()) | {"product": "aspirin"}))
    views = {"feeder": {"recipe": "{product}", "camera": simulated()}}
    assert lineclear("validate", station(tmp_path, product="aspirin", views=views)).status == 0
    views["feeder"]["recipe"] = "aspirin"
    said = lineclear.refused("validate", station(tmp_path, product="ibuprofen", views=views))
    assert "is for product 'aspirin', the station's is 'ibuprofen'" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty or not a mapping"),
        ("station:\n\tsite: s\n", "line 2: a tab in the indentation"),
        ("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", "aliases"),
        ("[" * 100_000, ""),
        ("a: 1\na: 2\n", "written twice"),
        ("a: [1, 2\n", "line"),
        ("x: " + "y" * 1_100_000, "too large"),
        ("- a\n- b\n", "is empty or not a mapping"),
        ("\0", ""),
        ("!!python/object/apply:os.system [ls]", "line 1"),
    ],
)
def test_what_is_no_config_is_one_line(lineclear, tmp_path, text: str, said: str) -> None:
    path = tmp_path / "station.yaml"
    path.write_text(text)
    problem = lineclear.refused("validate", path)
    assert f"{path}: " in problem
    assert said in problem
    assert len(problem) < len(str(path)) + 300


@pytest.mark.parametrize("place", ["none", "image", "/dev/null", "/dev/zero", "folder"])
def test_other_paths_are_one_line(lineclear, tmp_path, place: str) -> None:
    path = {"image": IMAGES[0], "folder": tmp_path}.get(place, tmp_path / place)
    assert str(path) in lineclear.refused("validate", path)


def test_a_broken_polygon_is_named(lineclear, tmp_path) -> None:
    masks = tmp_path / "masks.yaml"
    masks.write_text("masks:\n  - {name: wheel, points: [[0, 0], [0.5, 0.5], [1, 1]]}\n")
    assert "polygon 'wheel' has no area" in lineclear.refused("validate", masks)
    masks.write_text("masks:\n  - {name: wheel, points: [[0, 0], [0.5, 1.5], [1, 0]]}\n")
    assert "masks.0.points.1.1" in lineclear.refused("validate", masks)


def test_bad_bundles_are_refused(lineclear, tmp_path) -> None:
    slip = samples.zipped(BUNDLE, tmp_path / "slip.zip", extra={"../evil.txt": b"x"})
    assert "evil.txt" in lineclear.refused("validate", slip)
    assert not (tmp_path.parent / "evil.txt").exists()
    (tmp_path / "text.zip").write_text("hello")
    assert "is no readable zip" in lineclear.refused("validate", tmp_path / "text.zip")
    with zipfile.ZipFile(tmp_path / "empty.zip", "w"):
        pass
    assert "empty.zip" in lineclear.refused("validate", tmp_path / "empty.zip")


def test_a_graph_with_other_inputs_than_the_manifest_says_is_refused(lineclear, tmp_path) -> None:
    samples.write(tmp_path / "other", model=graphs.full_contract())
    said = lineclear.refused("validate", tmp_path / "other")
    assert "reference" in said
    samples.write(tmp_path / "none", model=b"no onnx at all")
    assert lineclear.refused("validate", tmp_path / "none")


def test_one_bad_path_does_not_hide_the_others(lineclear, tmp_path) -> None:
    answer = lineclear("validate", CONFIGS / "replay.yaml", tmp_path / "none.yaml", RECIPE)
    assert answer.status == 3
    assert len(answer.out.splitlines()) == 2
    assert len(answer.problems) == 1


def unheeded(folder: Path) -> Path:
    """A recipe whose bundle judges by a score of its own, which would see what its mask hides."""
    inputs = contract(MODEL_WH, ["image", "reference"])
    bundle = samples.write(folder / "bundle", samples.mapless(size_wh=MODEL_WH, inputs=inputs))
    made = Content(builders.document(), bundle, scene(), (MASK_OVER_LEFTOVER,))
    save(folder / "front", made)
    return folder / "front"


def test_masks_that_a_score_would_not_heed_are_said_before_the_station_refuses_them(lineclear, tmp_path) -> None:
    recipe = unheeded(tmp_path)
    words = "judges by a score of its own, which would see what the recipe masks"
    assert words in lineclear.refused("validate", recipe)
    views = {"front": {"recipe": str(recipe), "camera": simulated()}}
    said = lineclear.refused("validate", station(tmp_path, views=views))
    assert "views.front.recipe: " in said
    assert words in said
