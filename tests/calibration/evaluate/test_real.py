"""The sweep on a real view of a machine: a few frames of bsdata, a leftover composed into them."""

import hashlib
from datetime import datetime, timezone
from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.evaluate import Options, read_labelled, sweep
from calibration.report import write_sweep
from edge.cameras.images import read_image
from edge.recipe import Content, RecipeFile, load_recipe, save
from edge.settings.judging import MaskPolygon
from tests.calibration.evaluate.making import engine_of
from tests.calibration.scene import write

DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "bsdata" / "477500_315"
GROOVE = MaskPolygon(name="groove", points=((0.40, 1.0), (0.70, 0.86), (1.0, 0.68), (1.0, 1.0)))
MIDDLE = np.s_[35:-35, 85:-85]
NUDGE = np.array([[1, 0, 12.0], [0, 1, -5.0]])


def middle(image):
    return np.ascontiguousarray(image[MIDDLE])


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    if not DATA.is_dir():
        pytest.skip(f"{DATA} is absent: the shared images are not on this machine")
    variation = pytest.importorskip("export.adapters.variation", reason="the model is written with the onnx package")
    folder = tmp_path_factory.mktemp("real")
    train = sorted((DATA / "train" / "good").iterdir())
    frames = [
        variation.GoodFrame(middle(read_image(path)), path.name, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in train[:10]
    ]
    bundle = variation.build(frames, frames[0].image, size_wh=(240, 98)).write(folder / "bundle", "test")
    fields = {
        "schema": 1, "view": "screw", "bundle": bundle.name, "bundle_hash": bundle.content_hash,
        "reference_sha256": "0" * 64, "created_by": "test", "created_at": datetime.now(timezone.utc), "why": "test",
    }  # fmt: skip
    save(folder / "recipe", Content(RecipeFile.model_validate(fields), bundle, frames[0].image, (GROOVE,)))
    for number, path in enumerate(train[10:16]):
        write(folder / "good" / f"{number}.png", middle(read_image(path)))
    for number, path in enumerate(sorted((DATA / "test" / "good").iterdir())[:8]):
        image, truth = np.array(read_image(path)), np.zeros((460, 1130), np.uint8)
        if number % 2:
            place = (300 + 90 * number, 200)
            cv2.circle(image, place, 28, (40, 60, 190), cv2.FILLED, cv2.LINE_AA)
            cv2.circle(truth, place, 28, 255, cv2.FILLED)
        if number >= 4:
            image, truth = (cv2.warpAffine(each, NUDGE, (1130, 460)) for each in (image, truth))
        kind = "leftover" if number % 2 else "good"
        write(folder / "set" / "test" / kind / f"{number}.png", middle(image))
        if number % 2:
            target = folder / "set" / "ground_truth" / kind / f"{number}_mask.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(target), middle(truth))
    tests = read_labelled(folder / "set")
    result = sweep(
        load_recipe(folder / "recipe"), tests, good=folder / "good", open_engine=engine_of, options=Options(rounds=20)
    )
    return result, folder


def test_every_leftover_is_found_in_the_stations_way(found):
    rows = {row.configuration.code: row for row in found[0].evaluations[0].rows}
    station = rows["PRE+M+R"]
    assert station.image_auroc.value == 1.0
    assert station.method.tally.misses == 0
    assert station.method.tally.undecided == 0
    assert station.pixel_auroc.value > 0.98
    assert station.pro.value > 0.9


def test_registration_helps_where_the_camera_was_nudged(found):
    rows = {row.configuration.code: row for row in found[0].evaluations[0].rows}
    with_it, without = rows["PRE+M+R"], rows["PRE+M+NR"]
    nudged_good = [index for index, shot in enumerate(found[0].evaluations[0].shots) if not shot.bad and shot.name[5] in "46"]
    assert len(nudged_good) == 2
    for index in nudged_good:
        assert without.scores[index] > with_it.scores[index]


def test_the_report_of_real_frames_is_one_small_page(found, tmp_path):
    write_sweep(tmp_path / "report", found[0])
    page = (tmp_path / "report" / "index.html").read_bytes()
    assert len(page) < 3_000_000
    assert b"http" not in page.replace(b"http-equiv", b"")
