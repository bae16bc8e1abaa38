"""What the collected frames know of themselves is held against what a card is made of."""

import json
import shutil

import pytest

from calibration.card_text import describe
from calibration.collect import FolderSource, Wanted, collect, read_album
from calibration.methods import Method
from calibration.provenance import camera_of, collected_in, stored_sha256
from calibration.thresholds import Signature, take_thresholds
from edge.errors import ConfigError
from edge.parts import make_engine
from edge.recipe import load_recipe, stale
from edge.settings.engines import OnnxRuntimeSettings
from tests.calibration.scene import shot, write, write_shots
from tests.calibration.thresholds.running import run

CAMERA, OTHER = "a" * 64, "b" * 64
SIGNATURE = Signature(who="A. Meier", why="new lamp")


def engine_of(bundle):
    return make_engine(OnnxRuntimeSettings(threads=1), bundle)


def collected(folder, numbers, camera=CAMERA, view="front"):
    """Frames as `collect` stores them from a camera with these settings."""
    source = FolderSource(write_shots(folder.parent / f"{folder.name}-shots", numbers))
    source.camera_settings_hash = camera
    collect(source, folder, Wanted(view=view, who="A. Meier"))
    return folder


@pytest.fixture(scope="module")
def album(tmp_path_factory):
    return collected(tmp_path_factory.mktemp("album") / "front", range(20, 27))


def take(recipe, folder, camera=None):
    signed = {"open_engine": engine_of, "camera_settings_hash": camera}
    return take_thresholds(recipe, folder, Method(kind="max"), SIGNATURE, **signed)


def test_a_plain_folder_knows_nothing_and_is_taken_as_it_is(built):
    assert collected_in(built / "good") is None
    assert stored_sha256(built / "good") == {}
    assert camera_of(built / "good", "front", None) is None
    assert camera_of(built / "good", "front", OTHER) == OTHER


def test_frames_of_other_camera_settings_make_no_card_that_passes_for_fresh(recipe, album):
    before = load_recipe(recipe).version
    with pytest.raises(ConfigError, match="taken with other camera settings than those of the config"):
        take(recipe, album, OTHER)
    assert load_recipe(recipe).version == before


def test_a_card_holds_for_the_settings_that_its_frames_were_taken_with(recipe, album):
    assert take(recipe, album, CAMERA).card.hashes.camera == CAMERA
    card = take(recipe, album).card  # without a config too: the frames know it
    assert card.hashes.camera == CAMERA
    loaded = load_recipe(recipe)
    assert stale(card, loaded, None, CAMERA) == ()
    assert stale(card, loaded, None, OTHER) == ("the camera settings changed since the thresholds were taken",)


def test_a_card_that_knows_no_camera_says_so(recipe, built, album):
    unknown = take(recipe, built / "good").card
    assert "not tied to camera settings" in describe(unknown, 2)
    assert "not tied to camera settings" not in describe(take(recipe, album).card, 3)


def test_frames_of_another_view_are_refused(recipe, tmp_path):
    folder = collected(tmp_path / "back", range(30, 36), view="back")
    with pytest.raises(ConfigError, match="was collected for view 'back', the recipe is of 'front'"):
        take(recipe, folder)


def test_frames_of_several_camera_settings_are_no_sample(tmp_path):
    folder = collected(tmp_path / "front", range(30, 33))
    collected(folder, range(40, 43), camera=OTHER)
    assert len(read_album(folder).frames) == 6
    with pytest.raises(ConfigError, match="2 different camera settings"):
        camera_of(folder, "front", CAMERA)


def test_frames_from_a_folder_beside_a_cameras_are_of_unknown_settings(tmp_path):
    folder = collected(tmp_path / "front", range(30, 33), camera=None)
    assert camera_of(folder, "front", None) is None
    collected(folder, range(40, 43))
    assert camera_of(folder, "front", None) == CAMERA


def test_a_frame_that_was_changed_since_it_was_collected_takes_no_part(recipe, album, tmp_path):
    folder = tmp_path / "album"
    shutil.copytree(album, folder)
    write(folder / "0003.png", shot(77, leftover=(240, 160)))
    card = take(recipe, folder).card
    assert card.refused == {"0003.png": "was changed since it was collected"}
    assert card.frames == 6


def test_a_damaged_document_stops_the_work_before_anything_is_measured(recipe, album, tmp_path, capsys):
    folder = tmp_path / "album"
    shutil.copytree(album, folder)
    (folder / "collected.json").write_text(json.dumps({"schema": 1}))
    arguments = ("--recipe", recipe, "--images", folder, "--method", "max", "--who", "A", "--why", "b")
    assert run("thresholds", *arguments) == 3
    assert "collected.json" in capsys.readouterr().err
    assert load_recipe(recipe).card is None


def test_names_of_any_bytes_come_out_on_one_line_each(recipe, built, tmp_path, capsys):
    folder = tmp_path / "frames"
    shutil.copytree(built / "good", folder)
    (folder / "two\nlines.png").write_bytes(b"")
    (folder / b"no\xff utf8.png".decode("utf-8", "surrogateescape")).write_bytes(b"x")
    arguments = ("--recipe", recipe, "--images", folder)
    assert run("thresholds", *arguments, "--method", "max", "--who", "A", "--why", "b") == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in said[:2]] == ["refused no\\xff utf8.png", "refused two\\nlines.png"]
    assert run("thresholds", *arguments, "--compare") == 0
    assert sum(line.startswith("refused ") for line in capsys.readouterr().out.splitlines()) == 2
    assert load_recipe(recipe).card.refused.keys() == {"two\\nlines.png", "no\\xff utf8.png"}
