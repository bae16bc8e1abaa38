"""`lineclear-calibrate reference`, from its options to the files and the recipe."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.commands import reference
from calibration.reference import install
from edge.bundle import contract
from edge.cameras.images import read_image
from edge.cli.terminal import Parser, run_command
from edge.errors import RecipeError
from edge.recipe import Content, load_recipe, save, stale, versions
from edge.settings.judging import MaskPolygon
from edge.settings.symmetry import SymmetrySettings
from tests.bundle.samples import declared, write
from tests.gears import RING, gear, rgb
from tests.recipe.builders import card, document
from tests.station_parts import scene, with_noise

SIZE_WH, CENTRE, RADIUS, TEETH = (220, 200), (108.0, 101.0), 76.0, 12


def run(*options: object) -> int:
    parser = Parser(prog="reference", description=reference.DESCRIPTION)
    reference.add_arguments(parser)
    return run_command("lineclear-calibrate", lambda: reference.run(parser.parse_args([str(option) for option in options])))


@pytest.fixture
def part(tmp_path: Path) -> Path:
    path = tmp_path / "part.png"
    cv2.imwrite(str(path), gear(TEETH, CENTRE, RADIUS, SIZE_WH, broken=(3,)))
    return path


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """Of a two-image bundle, with a card, on a plain reference."""
    declaration = declared(size_wh=SIZE_WH, family="comparison", inputs=contract(SIZE_WH, ["image", "reference"]))
    bundle = write(tmp_path / "bundle", declaration)
    content = Content(document(registration={"mode": "none"}), bundle, gear(TEETH, CENTRE, RADIUS, SIZE_WH))
    path = tmp_path / "recipe"
    save(path, content)
    held = card(load_recipe(path).hashes)
    save(path, Content(content.document, bundle, content.reference, card=held))
    return path


def test_an_ideal_is_written_with_its_note(part: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "ideal.png"
    options = ("--centre", "110,99", "--radius", 79, "--inner-radius", RING * RADIUS)
    assert run("--method", "rotational", "--image", part, "--out", out, *options) == 0
    said = capsys.readouterr().out
    assert "rotational of part.png" in said
    assert "n 12" in said
    note = json.loads((tmp_path / "ideal.png.json").read_text())
    assert note["figures"]["n_was_found"] == 1
    assert note["symmetry"]["fold"] == TEETH
    assert read_image(out).shape == (200, 220)


def test_json_is_the_note_on_one_line(part: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        run("--method", "rotational", "--image", part, "--out", tmp_path / "i.png", "--part", "dark", "--n", 12, "--json") == 0
    )
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert json.loads(said) == json.loads((tmp_path / "i.png.json").read_text())


@pytest.mark.parametrize("method", ["frame", "median"])
def test_frames_become_a_reference(tmp_path: Path, method: str, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "good"
    folder.mkdir()
    for seed in range(5):
        cv2.imwrite(str(folder / f"{seed}.png"), with_noise(np.roll(scene(), seed - 2, 1), seed))
    cv2.imwrite(str(folder / "other.png"), scene(7))
    assert run("--method", method, "--images", folder, "--out", tmp_path / "r.png") == 0
    said = capsys.readouterr().out
    assert said.startswith("refused other.png: does not register")
    assert f"{method} of" in said
    note = json.loads((tmp_path / "r.png.json").read_text())
    assert set(note["refused"]) == {"other.png"}
    assert len(note["sources"]) == (1 if method == "frame" else 5)


def test_an_ideal_is_put_in_force_and_the_thresholds_are_stale(part: Path, recipe: Path, tmp_path: Path) -> None:
    before = load_recipe(recipe)
    assert before.card is not None
    options = ("--part", "dark", "--pose", "free", "--search", 0.1, "--who", "A. Meier", "--why", "gear 12")
    out = tmp_path / "ideal.png"
    assert run("--method", "rotational", "--image", part, "--out", out, "--recipe", recipe, *options) == 0
    after = load_recipe(recipe)
    assert after.version == before.version + 1
    assert after.symmetry is not None
    assert (after.symmetry.fold, after.symmetry.pose, after.symmetry.locate) == (TEETH, "free", "dark")
    assert np.array_equal(after.reference, read_image(out))
    assert (after.document.created_by, after.document.why) == ("A. Meier", "gear 12")
    assert after.card is not None
    changed = " ".join(stale(after.card, after))
    assert "reference image changed" in changed
    assert "registration settings changed" in changed
    assert stale(before.card, before) == ()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--method", "frame", "--image", "PART"), "method frame is made from --images DIR"),
        (("--method", "rotational", "--images", "."), "method rotational is made from --image FILE"),
        (("--method", "frame", "--images", ".", "--recipe", "x"), "--recipe: is for --method rotational"),
        (("--method", "rotational", "--image", "PART"), "nothing of where the part is"),
        (("--method", "rotational", "--image", "PART", "--n", 1), "--n: 1 is not possible"),
        (("--method", "rotational", "--image", "PART", "--centre", "a"), "--centre: 'a' is no place"),
        (("--method", "rotational", "--image", "PART", "--centre", "nan,1"), "--centre: 'nan,1' is no place"),
        (("--method", "rotational", "--image", "PART", "--centre", "1,2", "--radius", 2), "--radius: 2 is not possible"),
        (("--method", "rotational", "--image", "PART", "--radius", "inf"), "--radius: inf is not possible"),
        (("--method", "rotational", "--image", "PART", "--part", "dark", "--pose", "free", "--search", 5), "search"),
    ],
)
def test_bad_use_is_one_line_and_writes_nothing(
    part: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[object, ...], said: str
) -> None:
    given = [part if option == "PART" else option for option in options]
    assert run(*given, "--out", tmp_path / "x.png") == 3
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not list(tmp_path.glob("x.*"))


def _settings() -> SymmetrySettings:
    centre = ((CENTRE[0] + 0.5) / 220, (CENTRE[1] + 0.5) / 200)
    return SymmetrySettings(fold=TEETH, centre=centre, radius=0.36, inner_radius=0.2)


def test_masks_that_would_lie_elsewhere_are_not_taken_along(recipe: Path) -> None:
    mask = MaskPolygon(name="clamp", points=((0.1, 0.1), (0.3, 0.1), (0.3, 0.3)))
    loaded = load_recipe(recipe)
    save(recipe, Content(loaded.document, loaded.bundle, rgb(loaded.reference), (mask,)))
    elsewhere = np.roll(rgb(gear(TEETH, CENTRE, RADIUS, SIZE_WH, seed=3)), 0, 1)
    count = len(versions(recipe))
    with pytest.raises(RecipeError, match="masks were drawn on a reference that lies elsewhere"):
        install(
            recipe, np.ascontiguousarray(gear(TEETH, CENTRE, RADIUS, SIZE_WH, turned=0.1)), _settings_free(), who="A", why="b"
        )
    assert len(versions(recipe)) == count
    assert install(recipe, elsewhere, _settings(), who="A", why="b") == count + 1
    assert load_recipe(recipe).masks == (mask,)


def _settings_free() -> SymmetrySettings:
    return _settings().model_copy(update={"pose": "free"})


def test_a_recipe_that_cannot_use_it_stays_as_it_is(recipe: Path) -> None:
    count = len(versions(recipe))
    with pytest.raises(RecipeError, match="no 11-fold part"):
        install(recipe, gear(TEETH, CENTRE, RADIUS, SIZE_WH), _settings().model_copy(update={"fold": 11}), who="A", why="b")
    assert len(versions(recipe)) == count
