"""References from folders in which something is wrong, and recipes that change while an ideal is made."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.recipe import Parts, create_recipe, left_behind
from calibration.reference import best_frame, median_frame, prepare
from calibration.reference.note import note_path
from edge.audit import Action, entries
from edge.cameras.folder import image_files
from edge.errors import ConfigError, RecipeError
from edge.recipe import Content, load_recipe, save, versions
from edge.settings.registration import RegistrationSettings
from edge.settings.symmetry import SymmetrySettings
from tests.calibration.reference.test_command import CENTRE, RADIUS, SIZE_WH, TEETH, part, recipe, run
from tests.gears import gear
from tests.station_parts import scene, with_noise

__all__ = ["part", "recipe"]
TRACK = RegistrationSettings()
CONFIG = """
station: {site: s, area: a, line: l, station: one}
state_dir: state
publisher: {kind: memory}
views:
  front: {camera: {kind: folder, path: frames}, recipe: recipe}
"""


def frames(folder: Path, count: int = 5) -> Path:
    folder.mkdir()
    for seed in range(count):
        cv2.imwrite(str(folder / f"{seed}.png"), with_noise(np.roll(scene(), seed - 2, 1), seed))
    return folder


def settings() -> SymmetrySettings:
    centre = ((CENTRE[0] + 0.5) / SIZE_WH[0], (CENTRE[1] + 0.5) / SIZE_WH[1])
    return SymmetrySettings(fold=TEETH, centre=centre, radius=0.36, inner_radius=0.2)


def ideal() -> np.ndarray:
    return gear(TEETH, CENTRE, RADIUS, SIZE_WH)


@pytest.mark.parametrize("broken", ["2.png", "0.png", "4.png"])
def test_one_file_that_is_no_picture_does_not_stop_the_others(tmp_path: Path, broken: str) -> None:
    folder = frames(tmp_path / "good")
    (folder / broken).write_bytes(b"no picture")
    chosen = best_frame(image_files(folder), TRACK)
    assert [each.name for each in chosen.refused] == [broken]
    assert len(chosen.used) == 4
    assert chosen.path.name != broken


def test_a_covered_camera_in_the_middle_of_the_list_is_left_out_not_the_others(tmp_path: Path) -> None:
    folder = frames(tmp_path / "good", 7)
    cv2.imwrite(str(folder / "3.png"), scene(9))
    median = median_frame(image_files(folder), TRACK)
    assert [each.name for each in median.refused] == ["3.png"]
    assert len(median.used) == 6


def test_copies_of_one_frame_are_one_frame(tmp_path: Path) -> None:
    folder = frames(tmp_path / "good", 4)
    for number in range(3):
        (folder / f"copy{number}.png").write_bytes((folder / "1.png").read_bytes())
    median = median_frame(image_files(folder), TRACK)
    assert len(median.used) == 4
    assert {each.why for each in median.refused} == {"is the same picture as 1.png"}
    for number in (0, 2, 3):
        (folder / f"{number}.png").unlink()
    with pytest.raises(ConfigError, match="1 frames register, 3 are refused"):
        median_frame(image_files(folder), TRACK)


def test_a_folder_without_one_picture_is_told(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(b"")
    with pytest.raises(ConfigError, match="none of 3 images can be read"):
        best_frame(image_files(tmp_path), TRACK)


@pytest.mark.parametrize("method", ["frame", "median"])
def test_names_of_any_bytes_are_written_down_printable(tmp_path: Path, method: str) -> None:
    folder = frames(tmp_path / "good", 3)
    for number, name in enumerate((b"a\xff.png", b"b\nc.png", b"d\x1b[31m.png")):
        (folder / f"{number}.png").rename(folder / name.decode("utf-8", "surrogateescape"))
    (folder / "e\udcfe.png").write_bytes(b"no picture")
    assert run("--method", method, "--images", folder, "--out", tmp_path / "r.png") == 0
    note = json.loads(note_path(tmp_path / "r.png").read_text())
    assert set(note["refused"]) == {"e\\xfe.png"}
    assert {source["name"] for source in note["sources"]} <= {"a\\xff.png", "b\\nc.png", "d\\x1b[31m.png"}


def test_another_version_that_came_into_force_meanwhile_is_not_undone(recipe: Path) -> None:
    ready = prepare(recipe, ideal(), settings(), who="A. Meier", why="gear 12")
    loaded = load_recipe(recipe)
    save(recipe, Content(loaded.document, loaded.bundle, loaded.reference, loaded.masks, loaded.card))
    count = len(versions(recipe))
    with pytest.raises(RecipeError, match="version 0003 was put in force while 0002 was being changed"):
        ready.put_in_force()
    assert len(versions(recipe)) == count
    assert load_recipe(recipe).symmetry is None


@pytest.mark.parametrize(("who", "why"), [("A. Meier", "  "), (" ", "gear 12")])
def test_who_and_why_must_say_something(recipe: Path, who: str, why: str) -> None:
    with pytest.raises(ConfigError, match="is blank"):
        prepare(recipe, ideal(), settings(), who=who, why=why)


def test_the_audit_log_hears_of_an_ideal_before_it_is_in_force(part: Path, recipe: Path, tmp_path: Path) -> None:
    config = tmp_path / "station.yaml"
    config.write_text(CONFIG)
    options = ("--part", "dark", "--config", config, "--who", "A. Meier", "--why", "gear 12")
    ways = ("--method", "rotational", "--image", part, "--out", tmp_path / "ideal.png", "--recipe", recipe)
    assert run(*ways, *options) == 0
    (entry,) = entries(tmp_path / "state" / "audit")
    assert (entry.action, entry.who, entry.why) == (Action.REFERENCE, "A. Meier", "gear 12")
    assert entry.before["symmetry"] is None
    assert entry.after["symmetry"]["fold"] == TEETH
    assert entry.after["reference"] == load_recipe(recipe).document.reference_sha256


def test_what_cannot_be_audited_does_not_change_the_recipe(
    part: Path, recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "station.yaml").write_text(CONFIG)
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "audit").write_text("in the way")
    count = len(versions(recipe))
    ways = ("--method", "rotational", "--image", part, "--out", tmp_path / "ideal.png", "--recipe", recipe, "--part", "dark")
    assert run(*ways, "--config", tmp_path / "station.yaml") == 3
    assert len(versions(recipe)) == count
    assert capsys.readouterr().err.count("\n") == 1


def test_a_picture_that_cannot_be_written_leaves_the_recipe_as_it_was(part: Path, recipe: Path, tmp_path: Path) -> None:
    """The picture first, the recipe after it: never a recipe in force whose picture the technician does not have."""
    count = len(versions(recipe))
    (tmp_path / "ideal.png.json").mkdir()  # the note cannot take its place
    ways = ("--method", "rotational", "--image", part, "--out", tmp_path / "ideal.png", "--recipe", recipe, "--part", "dark")
    assert run(*ways) == 3
    assert len(versions(recipe)) == count


def test_a_recipe_made_anew_says_what_symmetry_it_loses(recipe: Path, tmp_path: Path) -> None:
    assert left_behind(recipe) == ""
    assert left_behind(tmp_path / "nowhere") == ""
    prepare(recipe, ideal(), settings(), who="A. Meier", why="gear 12").put_in_force()
    assert "12-fold symmetry of version 0003" in left_behind(recipe)


def test_a_recipe_made_anew_keeps_its_known_frames_and_is_audited(recipe: Path, tmp_path: Path) -> None:
    loaded = load_recipe(recipe)
    known = tmp_path / "challenge"
    known.mkdir()
    (known / "note.txt").write_text("bad frames with their verdicts")
    save(recipe, Content(loaded.document, loaded.bundle, loaded.reference, (), loaded.card, known))
    cv2.imwrite(str(tmp_path / "r.png"), ideal())
    heard = []
    parts = Parts(loaded.view, tmp_path / "r.png", loaded.bundle.path, registration=RegistrationSettings(mode="none"))
    version = create_recipe(recipe, parts, who="A. Meier", why="masks", trace=lambda *told: heard.append(told))
    assert (load_recipe(recipe, version).folder / "challenge" / "note.txt").exists()
    ((action, subject, who, why, before, _),) = heard
    assert (action, subject, who, why) == ("recipe", str(recipe), "A. Meier", "masks")
    assert before["version"] == 3
