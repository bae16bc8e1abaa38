from dataclasses import replace

import numpy as np
import pytest

from calibration.evaluate.configurations import EIGHT, STATION, Configuration
from calibration.evaluate.looking import Viewer, tracking
from edge.engines.simulated import SimulatedEngine
from edge.pipeline import ViewPipeline
from edge.recipe import load_recipe
from edge.settings.engines import SimulatedEngineSettings, SimulatedFault
from edge.settings.registration import Gates, RegistrationSettings
from tests.calibration.evaluate.making import engine_of, frame, with_masks
from tests.calibration.scene import SIZE_WH

BY_CODE = {each.code: each for each in EIGHT}
STILL, _ = frame(300, leftover=(330, 200))
MOVED, _ = frame(301, leftover=(330, 200), shift=(9.0, -6.0))
ON_BELT, _ = frame(302, belt=True)


class Counting:
    """An engine that counts, and keeps what it was fed."""

    def __init__(self, engine):
        self._engine = engine
        self.fed = []

    @property
    def identity(self):
        return self._engine.identity

    def __enter__(self):
        self._engine.__enter__()
        return self

    def __exit__(self, *error):
        self._engine.__exit__(*error)

    def infer(self, inputs):
        self.fed.append({name: np.array(value) for name, value in inputs.items()})
        return self._engine.infer(inputs)


@pytest.fixture(scope="module")
def engine(masked):
    with Counting(engine_of(masked.bundle)) as opened:
        yield opened


@pytest.fixture
def counting(engine):
    engine.fed.clear()
    return engine


def look(recipe, engine, image, *codes):
    wanted = [BY_CODE[code] for code in codes] or list(EIGHT)
    found = Viewer(recipe, engine, wanted).look(image)
    return {configuration.code: look for configuration, look in found.items()}


@pytest.mark.parametrize("image", [STILL, MOVED, ON_BELT])
def test_the_stations_way_gives_the_stations_score(masked, counting, image):
    station = ViewPipeline(masked, counting).judge(image)
    mine = look(masked, counting, image, "PRE+M+R")["PRE+M+R"]
    assert mine.score == station.measurement.score
    np.testing.assert_array_equal(mine.smoothed, station.measurement.smoothed)
    np.testing.assert_array_equal(mine.judged, station.measurement.judged)
    np.testing.assert_array_equal(mine.frame_to_reference, station.alignment.frame_to_reference)


def test_six_are_measured_by_five_inferences(masked, counting):
    found = look(masked, counting, STILL)
    assert set(found) == {"PO+M+R", "PO+M+NR", "PRE+M+R", "PRE+M+NR", "PRE+NM+R", "PRE+NM+NR"}
    assert len(counting.fed) == 5


def test_a_recipe_without_masks_takes_two_inferences(built, counting):
    found = look(load_recipe(built / "recipe"), counting, STILL)
    assert set(found) == {"PRE+NM+R", "PRE+NM+NR"}
    assert len(counting.fed) == 2


def test_only_what_is_wanted_is_inferred(masked, counting):
    assert set(look(masked, counting, STILL, "PRE+M+R")) == {"PRE+M+R"}
    assert len(counting.fed) == 1


def test_before_the_map_the_model_is_told_of_the_mask_and_after_it_is_not(masked, counting):
    look(masked, counting, STILL, "PRE+M+NR")
    (before,) = counting.fed
    counting.fed.clear()
    look(masked, counting, STILL, "PO+M+NR")
    (after,) = counting.fed
    belt = np.s_[0, :40, :50]
    assert not before["keep"][belt].any()
    assert after["keep"].all()
    np.testing.assert_array_equal(before["image"], after["image"])


def test_before_a_masked_thing_reaches_no_pixel_and_after_it_bleeds_into_the_smoothing(masked, counting):
    image, _ = frame(310, belt=True)
    at = masked.masks[0].points[1][0] * SIZE_WH[0]
    image = image.copy()
    image[:100, int(at) - 14 : int(at) - 1] = (250, 20, 250)  # under the mask, up to its edge
    found = look(masked, counting, image, "PRE+M+NR", "PO+M+NR")
    clean = look(masked, counting, frame(310, belt=True)[0], "PRE+M+NR", "PO+M+NR")
    assert found["PRE+M+NR"].score == pytest.approx(clean["PRE+M+NR"].score, abs=0.2)
    assert found["PO+M+NR"].score > clean["PO+M+NR"].score + 1


def test_after_is_the_map_without_masks_where_it_is_judged(masked, counting):
    found = look(masked, counting, ON_BELT, "PO+M+NR", "PRE+NM+NR", "PRE+M+NR")
    after, plain = found["PO+M+NR"], found["PRE+NM+NR"]
    np.testing.assert_array_equal(after.smoothed[after.judged], plain.smoothed[after.judged])
    assert not after.smoothed[~after.judged].any()
    np.testing.assert_array_equal(after.judged, found["PRE+M+NR"].judged)
    assert after.score < plain.score


def test_without_masks_the_thing_on_the_belt_is_seen(masked, counting):
    found = look(masked, counting, ON_BELT)
    assert found["PRE+NM+R"].score > 10 * found["PRE+M+R"].score
    assert found["PRE+NM+NR"].score > 10 * found["PRE+M+NR"].score


def test_without_registration_the_frame_is_taken_as_it_is(masked, counting):
    found = look(masked, counting, MOVED)
    np.testing.assert_array_equal(found["PRE+M+NR"].frame_to_reference, np.eye(3))
    moved = found["PRE+M+R"].frame_to_reference
    assert moved[0, 2] == pytest.approx(-9, abs=1.3)  # the reference itself was nudged by up to a pixel
    assert moved[1, 2] == pytest.approx(6, abs=1.3)


def test_a_frame_that_does_not_register_is_undecided_and_without_registration_it_is_not(masked, counting):
    strange = np.random.default_rng(0).integers(0, 255, (*SIZE_WH[::-1], 3), np.uint8)
    found = look(masked, counting, strange)
    for code in ("PO+M+R", "PRE+M+R", "PRE+NM+R"):
        assert found[code].score is None
        assert found[code].smoothed is None
        assert "similarity" in found[code].refusal
    assert found["PRE+M+NR"].score > 1


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((100, 100, 3), np.uint8), "100x100"),
        (np.zeros(SIZE_WH[::-1], np.uint8), "grey"),
    ],
)
def test_a_frame_of_another_kind_is_undecided_in_every_configuration(masked, counting, image, words):
    found = look(masked, counting, image)
    assert all(each.score is None for each in found.values())
    assert words in found["PRE+M+R"].refusal
    assert "reference" in found["PRE+M+NR"].refusal
    assert not counting.fed


def simulated(recipe, **fault):
    settings = SimulatedEngineSettings(map="difference", checked=False, faults=(SimulatedFault(**fault),))
    return SimulatedEngine(recipe.bundle.manifest, settings, reference=recipe.bundle.reference())


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("nan", "NaN or infinite"),
        ("infinite", "NaN or infinite"),
        ("wrong_shape", "the map is"),
        ("wrong_dtype", "not float32"),
        ("missing_output", "gave no anomaly_map"),
        ("raise", "simulated"),
    ],
)
def test_a_map_that_cannot_be_judged_is_undecided_everywhere(masked, kind, words):
    with simulated(masked, kind=kind, every=1) as engine:
        found = look(masked, engine, STILL)
    assert all(each.score is None for each in found.values())
    assert any(words in each.refusal for each in found.values()), {each.refusal for each in found.values()}


def test_masks_over_everything_leave_nothing_to_judge(built, tmp_path, counting):
    import shutil

    from edge.settings.judging import MaskPolygon

    whole = MaskPolygon(name="all", points=((0, 0), (1, 0), (1, 1), (0, 1)))
    recipe = with_masks(shutil.copytree(built / "recipe", tmp_path / "front"), (whole,))
    found = look(recipe, counting, STILL)
    assert "nothing is left to judge" in found["PO+M+NR"].refusal
    assert "nothing is left to judge" in found["PRE+M+NR"].refusal
    assert found["PRE+NM+NR"].score is not None


def test_a_disabled_mask_is_none(masked, counting):
    recipe = replace(masked, masks=tuple(mask.model_copy(update={"enabled": False}) for mask in masked.masks))
    viewer = Viewer(recipe, counting, EIGHT)
    assert not viewer.has_masks
    assert viewer.wanted == (Configuration("pre", False, True), Configuration("pre", False, False))


def test_a_recipe_that_registers_by_none_is_tracked_where_registration_is_asked_for(masked):
    loose = RegistrationSettings(mode="none", points=300, gates=Gates(min_similarity=-1))
    recipe = replace(masked, document=masked.document.model_copy(update={"registration": loose}))
    tracked = tracking(recipe)
    assert tracked.registration == RegistrationSettings(mode="track", points=300)
    assert recipe.registration.mode == "none"
    assert tracking(masked) is masked


def test_the_recipe_given_is_not_touched(masked, counting):
    before = (masked.masks, masked.card, masked.document)
    Viewer(masked, counting, EIGHT).look(STILL)
    assert (masked.masks, masked.card, masked.document) == before
    assert STATION in EIGHT
