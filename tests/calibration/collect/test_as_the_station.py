"""What is collected is what the station would judge: the same registration, the same area, the same gates."""

import os
import resource
import subprocess
import sys
from contextlib import contextmanager

import cv2
import numpy as np
import pytest

from calibration.collect import FolderSource, collect
from calibration.collect.album import Album
from calibration.collect.aligning import as_the_station_does, judged_on_reference
from calibration.commands import collect as command
from calibration.reference import install
from edge.bundle import contract
from edge.errors import ConfigError
from edge.pipeline import ViewPipeline
from edge.recipe import Content, load_recipe, save
from edge.settings.judging import MaskPolygon
from edge.settings.symmetry import SymmetrySettings
from tests.bundle.samples import declared
from tests.bundle.samples import write as write_bundle
from tests.calibration.collect.test_album import fields, start
from tests.calibration.collect.test_collecting import run, wanted
from tests.calibration.evidence import MASK_OVER_LEFTOVER, engine_of, good, new_version, recipe_at
from tests.calibration.scene import shot, write, write_shots
from tests.gears import gear, rgb
from tests.recipe.builders import document

SIZE_WH, CENTRE, RADIUS, TEETH = (220, 200), (108.0, 101.0), 76.0, 12


def part(turned=0.0, seed=0, off=(0, 0), broken=()):
    centre = (CENTRE[0] + off[0], CENTRE[1] + off[1])
    return rgb(gear(TEETH, centre, RADIUS, SIZE_WH, turned=turned, seed=seed, broken=broken))


@pytest.fixture
def turning(tmp_path):
    """A recipe of a gear that may lie anyhow."""
    declaration = declared(size_wh=SIZE_WH, family="comparison", inputs=contract(SIZE_WH, ["image", "reference"]))
    bundle = write_bundle(tmp_path / "bundle", declaration)
    save(tmp_path / "gear", Content(document(registration={"mode": "none"}), bundle, part()))
    centre = ((CENTRE[0] + 0.5) / SIZE_WH[0], (CENTRE[1] + 0.5) / SIZE_WH[1])
    free = {"pose": "free", "locate": "dark", "search": 0.1}
    settings = SymmetrySettings(fold=TEETH, centre=centre, radius=0.36, inner_radius=0.2, **free)
    install(tmp_path / "gear", part(), settings, who="A. Meier", why="it turns")
    return load_recipe(tmp_path / "gear")


def test_the_alignment_is_the_stations_to_the_last_gate(tmp_path):
    recipe = new_version(recipe_at(tmp_path), masks=(MASK_OVER_LEFTOVER,))
    images = [*good(2), np.ascontiguousarray(np.roll(good(1)[0], 3, 1)), np.ascontiguousarray(good(1)[0][::-1])]
    align = as_the_station_does(recipe)
    with engine_of(recipe.bundle) as engine:
        pipeline = ViewPipeline(recipe, engine)
        for image in images:
            ours, theirs = align(image), pipeline.judge(image).alignment
            assert ours.trusted == theirs.trusted
            assert np.array_equal(ours.frame_to_reference, theirs.frame_to_reference)
            assert ours.gates == theirs.gates


def test_a_part_that_lies_anyhow_is_collected_as_the_station_finds_it(turning, tmp_path):
    for number in range(4):
        image = part(turned=0.21 * number, seed=number, off=(2 * number - 3, 3 - number))
        write(tmp_path / "frames" / f"{number}.png", image)
    write(tmp_path / "frames" / "9.png", np.full_like(part(), 225))
    collected = collect(FolderSource(tmp_path / "frames"), tmp_path / "out", wanted(view=turning.view, recipe=turning))
    registered = [refusal.name for refusal in collected.refused if refusal.check != "registration"]
    with engine_of(turning.bundle) as engine:
        pipeline = ViewPipeline(turning, engine)
        trusted = [pipeline.align(part(0.21 * n, n, (2 * n - 3, 3 - n))).trusted for n in range(4)]
    assert trusted == [True] * 4
    assert len(collected.frames) + len(registered) == 4
    assert [refusal.name for refusal in collected.refused if refusal.check == "registration"] == ["9.png"]


def test_only_the_part_itself_is_looked_at_where_it_turns(turning):
    judged = judged_on_reference(turning)
    assert judged[101, 108 + 50]
    assert not judged[5, 5]


def test_masks_are_not_looked_at(tmp_path):
    recipe = new_version(recipe_at(tmp_path), masks=(MaskPolygon(name="left", points=((0, 0), (0.5, 0), (0.5, 1), (0, 1))),))
    judged = judged_on_reference(recipe)
    assert not judged[:, : judged.shape[1] // 2 - 1].any()
    assert judged[:, judged.shape[1] // 2 + 1 :].all()


def test_none_good_is_not_done(tmp_path, capsys):
    recipe = recipe_at(tmp_path)
    folder = write_shots(tmp_path / "frames", range(3), seed=9)
    status = run("--images", folder, "--recipe", recipe.path, "--out", tmp_path / "out")
    said = capsys.readouterr().out
    assert status == 1
    assert "is a good frame" in said
    assert "next:" not in said
    assert command.describe(collect(FolderSource(folder), tmp_path / "out", wanted(recipe=recipe))).count("refused") == 4


@pytest.mark.parametrize("stranger", ["current", "notes.txt", "versions/0001/card.json"])
def test_nothing_is_put_into_a_folder_that_is_something_elses(tmp_path, stranger):
    """A recipe, say: not one picture, and not the lock either."""
    (tmp_path / "out" / stranger).parent.mkdir(parents=True)
    (tmp_path / "out" / stranger).write_text("1")
    folder = write_shots(tmp_path / "frames", range(2))
    before = sorted(path.name for path in (tmp_path / "out").rglob("*"))
    with pytest.raises(ConfigError, match="holds what was not collected"):
        collect(FolderSource(folder), tmp_path / "out", wanted())
    assert sorted(path.name for path in (tmp_path / "out").rglob("*")) == before


@contextmanager
def disk_that_takes(size):
    """No file may grow beyond this: what a full disk does, in this process, and over when it ends."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_neither_half_a_picture_nor_half_a_document(tmp_path):
    with Album(tmp_path / "out", start()) as album:
        album.add(shot(1), fields())
        for size in (5_000, 300):  # too small for the picture; and, for a tiny picture, for the document
            with disk_that_takes(size), pytest.raises(ConfigError, match="cannot be written"):
                album.add(shot(2) if size > 300 else np.zeros((2, 2), np.uint8), fields())
            assert sorted(os.listdir(tmp_path / "out")) == [".collecting", "0001.png", "collected.json"]
        assert [frame.file for frame in album.frames] == ["0001.png"]
        album.add(shot(2), fields())
    with Album(tmp_path / "out", start()) as again:
        assert len(list(again.images())) == 2


def test_the_process_killed_while_it_stores_leaves_a_whole_folder(tmp_path):
    """Killed with SIGKILL as soon as three frames are there; the next run finishes."""
    folder = write_shots(tmp_path / "frames", range(30, 42))
    arguments = ["collect", "--images", folder, "--view", "front", "--out", tmp_path / "out"]
    program = [sys.executable, "-m", "calibration", *map(str, arguments)]
    running = subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while running.poll() is None and not (tmp_path / "out" / "0003.png").exists():
        pass
    running.kill()
    running.wait()
    collected = collect(FolderSource(folder), tmp_path / "out", wanted())
    assert len(collected.frames) == 12
    assert len({frame.sha256 for frame in collected.frames}) == 12
    assert sorted(path.name for path in (tmp_path / "out").glob("*.png")) == [frame.file for frame in collected.frames]
    assert cv2.imread(str(tmp_path / "out" / "0012.png")) is not None
