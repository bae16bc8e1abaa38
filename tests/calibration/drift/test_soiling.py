"""The figures of docs/drift.md: the soiling of bsdata view 477500_315 is found in its order of time and not once shuffled."""

import shutil

import numpy as np
import pytest

from calibration.__main__ import main as calibrate
from calibration.drift import DriftSettings, Readings, Span, from_folder, judge_drift
from calibration.methods import Method
from calibration.thresholds import Signature, take_thresholds
from edge.parts import make_engine
from edge.recipe import load_recipe
from edge.settings.engines import OnnxRuntimeSettings
from tests.calibration.collect.spoiling import view_frames

TRAINED, CARD = 15, 13
SHUFFLES = 50


def engine_of(bundle):
    return make_engine(OnnxRuntimeSettings(threads=1), bundle)


@pytest.fixture(scope="module")
def soiled(tmp_path_factory):
    """(card of the 13 frames after the 15 that built the model, readings of all 42 frames after those, in time)."""
    export = pytest.importorskip("export.__main__", reason="the variation model is written with the onnx package")
    frames = view_frames("477500_315")
    root = tmp_path_factory.mktemp("soiled")
    for number, path in enumerate(frames):
        parts = ["train"] if number < TRAINED else ["rest", "card"] if number < TRAINED + CARD else ["rest"]
        for part in parts:
            (root / part).mkdir(exist_ok=True)
            shutil.copy(path, root / part / path.name)
    assert export.main(["variation", "--images", str(root / "train"), "--out", str(root / "bundle"), "--quiet"]) == 0
    given = ["--view", "front", "--reference", str(root / "train" / frames[0].name), "--bundle", str(root / "bundle")]
    assert calibrate(["recipe", *given, "--out", str(root / "recipe")]) == 0
    signature = Signature(who="A", why="w")
    take_thresholds(root / "recipe", root / "card", Method(kind="quantile"), signature, open_engine=engine_of)
    recipe = load_recipe(root / "recipe")
    with engine_of(recipe.bundle) as engine:
        return recipe.card, from_folder(recipe, engine, root / "rest", Span(), "01_%y%m%d%H%M%S")


def card_of(card, items):
    scores = tuple(sorted(item.score for item in items))
    return card.model_copy(update={"scores": scores, "frames": len(scores)})


@pytest.mark.slow
def test_in_the_order_of_time_the_soiling_is_drift_and_the_part_creeps(soiled):
    card, readings = soiled
    report = judge_drift(Readings(readings.items[CARD:]), card, "front", DriftSettings())
    found = {finding.code: finding.evidence for finding in report.findings}
    assert report.status == "act"
    assert "2020-09-07" in found["recalibrate"]
    assert "shift_x creeps by +13" in found["camera_moved"]
    assert report.latest["sharpness"] > 1.2


@pytest.mark.slow
def test_shuffled_the_same_frames_are_no_drift(soiled):
    """Exchangeable by construction: what is found now is a false alarm, and alpha is 1 %."""
    card, readings = soiled
    settings = DriftSettings(permutations=500)
    alarms = {"recalibrate": 0, "camera_moved": 0, "look_at_rejects": 0, "light_changed": 0, "clean_lens": 0}
    for seed in range(SHUFFLES):
        order = np.random.default_rng(seed).permutation(len(readings.items))
        items = [readings.items[index] for index in order]
        untimed = tuple(type(item)(**{**item.__dict__, "at": None}) for item in items[CARD:])
        report = judge_drift(Readings(untimed, per_group=10), card_of(card, items[:CARD]), "front", settings)
        for finding in report.findings:
            alarms[finding.code] += 1
    assert alarms["recalibrate"] + alarms["look_at_rejects"] <= 2, alarms
    assert alarms["camera_moved"] <= 2, alarms
