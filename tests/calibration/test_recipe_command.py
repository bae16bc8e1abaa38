import numpy as np
import pytest

from calibration.__main__ import main
from edge.cameras.images import read_image
from edge.recipe import load_recipe, versions
from tests.calibration.scene import part, shot, write


def run(built, out, *more: str, view: str = "front", reference=None) -> int:
    reference = reference or built / "train" / "000.png"
    arguments = ["--view", view, "--reference", str(reference), "--bundle", str(built / "bundle"), "--out", str(out)]
    return main(["recipe", *arguments, *more])


def failed(capsys, code: int) -> str:
    captured = capsys.readouterr()
    assert code == 3
    assert captured.err.count("\n") == 1
    return captured.err


def test_a_recipe_is_made_of_its_parts(built, tmp_path, capsys):
    masks = tmp_path / "masks.yaml"
    masks.write_text("schema: 1\nmasks: [{name: hose, points: [[0, 0], [0.2, 0], [0.2, 0.2]]}]\n")
    assert run(built, tmp_path / "r", "--masks", str(masks), "--product", "aspirin", "--who", "A", "--why", "w") == 0
    assert "version 0001 of the recipe for view front" in capsys.readouterr().out
    recipe = load_recipe(tmp_path / "r", view="front")
    assert (recipe.product, recipe.document.created_by, recipe.document.why) == ("aspirin", "A", "w")
    assert np.array_equal(recipe.reference, read_image(built / "train" / "000.png"))
    assert [mask.name for mask in recipe.masks] == ["hose"]
    assert np.array_equal(recipe.reference_to_model, np.eye(3))
    assert recipe.card is None


def test_another_image_of_the_pose_is_registered_to_the_bundles(built, tmp_path):
    moved = np.roll(shot(50, nudge_px=0), (2, 3), (0, 1))
    assert run(built, tmp_path / "r", reference=write(tmp_path / "moved.png", moved)) == 0
    first = shot(0)
    truth = _shift_between(first, moved)
    matrix = load_recipe(tmp_path / "r").reference_to_model
    centre = matrix @ (240, 160, 1)
    assert centre[:2] / centre[2] - (240, 160) == pytest.approx(truth, abs=0.4)


def _shift_between(first, moved) -> tuple[float, float]:
    """By search over the noise-free scene: where `moved`'s pixels lie in `first`."""
    import cv2

    def position(image):
        (dx, dy), _ = cv2.phaseCorrelate(part().mean(axis=2), image.astype(np.float64).mean(axis=2))
        return np.array([dx, dy])

    return tuple(position(first) - position(moved))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (shot(3, seed=9), "does not show the pose that bundle"),
        (np.full((320, 480, 3), 80, np.uint8), "not even this image registers to itself"),
        (shot(3)[:100, :200], "is 200x100, but bundle .* was built on 480x320"),
    ],
)
def test_a_reference_of_another_pose_or_of_nothing_is_refused(built, tmp_path, capsys, image, message):
    code = run(built, tmp_path / "r", reference=write(tmp_path / "bad.png", image))
    assert pytest.importorskip("re").search(message, failed(capsys, code))
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--masks", "missing.yaml"], "missing.yaml: file not found"),
        (["--product", "a/b"], "product"),
        (["--min-area", "-1"], "min_area_px"),
        (["--bundle", "nowhere"], "no such bundle"),
        (["--reference", "nowhere.png"], "file not found"),
    ],
)
def test_bad_parts_are_one_line_and_nothing_is_written(built, tmp_path, capsys, more, message):
    assert message in failed(capsys, run(built, tmp_path / "r", *more))
    assert not (tmp_path / "r").exists()


def test_every_broken_mask_is_a_line(built, tmp_path, capsys):
    masks = tmp_path / "masks.yaml"
    masks.write_text("schema: 1\nmasks: [{name: a, points: [[0, 0]]}, {name: b}]\n")
    assert run(built, tmp_path / "r", "--masks", str(masks)) == 3
    lines = capsys.readouterr().err.splitlines()
    assert ["masks.0" in lines[0], "masks.1" in lines[1], len(lines)] == [True, True, 2]


def test_over_a_recipe_of_another_view_is_refused_and_over_its_own_is_a_version(built, recipe, capsys):
    assert "is the recipe of view 'front'" in failed(capsys, run(built, recipe, view="left"))
    assert run(built, recipe) == 0
    assert versions(recipe) == (1, 2)


def test_rollback_is_a_command(built, recipe, capsys):
    assert run(built, recipe, "--min-area", "99") == 0
    assert main(["rollback", "--recipe", str(recipe), "--version", "1", "--who", "B", "--why", "w"]) == 0
    assert load_recipe(recipe).min_area_px == 16
    assert (load_recipe(recipe).version, load_recipe(recipe).document.restored_from) == (3, 1)
    capsys.readouterr()
    code = main(["rollback", "--recipe", str(recipe), "--version", "8", "--who", "B", "--why", "w"])
    assert "has no version 8" in failed(capsys, code)


@pytest.mark.parametrize("command", [[], ["recipe"], ["thresholds", "--method", "mode"], ["rollback", "--version", "x"]])
def test_bad_use_is_one_line_and_exit_3(command, capsys):
    with pytest.raises(SystemExit) as caught:
        main(command)
    failed(capsys, caught.value.code)


@pytest.mark.parametrize("command", [["--help"], ["recipe", "--help"], ["thresholds", "--help"], ["rollback", "--help"]])
def test_help_reads_like_a_manual_page(command, capsys):
    with pytest.raises(SystemExit) as caught:
        main(command)
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert "exit status:" in text
    assert "examples:" in text
