"""From a photograph of one part to verdicts: export, reference, recipe, thresholds, judging, all with the real parts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.commands import reference
from calibration.frames import measure_folder
from calibration.recipe import Parts, create_recipe
from edge.bundle import open_bundle
from edge.cameras.images import read_image
from edge.cli.terminal import Parser
from edge.engines.onnxruntime import OnnxRuntimeEngine
from edge.pipeline import ViewPipeline
from edge.recipe import CardEngine, Recipe, load_recipe
from edge.settings.engines import OnnxRuntimeSettings
from edge.settings.registration import RegistrationSettings
from edge.types import ImageU8, Outcome, ReasonCode
from export.__main__ import main as export
from tests.gears import gear, rgb
from tests.recipe.builders import card

SIZE_WH, CENTRE, RADIUS, TEETH = (240, 200), (118.6, 99.2), 74.0, 9
ENGINE = CardEngine(backend="onnxruntime", version="1", device="cpu", precision="float32")


def shot(seed: int, turned: float = 0.0, broken: tuple[int, ...] = (), off: tuple[float, float] = (0, 0)) -> ImageU8:
    return rgb(gear(TEETH, (CENTRE[0] + off[0], CENTRE[1] + off[1]), RADIUS, SIZE_WH, turned=turned, broken=broken, seed=seed))


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe made as docs/comparison.md says, from a photograph with a broken tooth, and a folder of good frames."""
    folder = tmp_path_factory.mktemp("line")
    cv2.imwrite(str(folder / "gear.png"), shot(1, broken=(2,)))
    assert export(["comparison", "--size", "240x200", "--out", str(folder / "bundle")]) == 0
    parts = Parts("gear", folder / "gear.png", folder / "bundle", registration=RegistrationSettings(mode="none"))
    create_recipe(folder / "recipe", parts, who="A. Meier", why="first")
    parser = Parser()
    reference.add_arguments(parser)
    options = ["--method", "rotational", "--part", "dark", "--pose", "free", "--search", "0.1", "--who", "A. Meier"]
    places = ["--image", str(folder / "gear.png"), "--out", str(folder / "ideal.png"), "--recipe", str(folder / "recipe")]
    assert reference.run(parser.parse_args([*options, *places])) == 0
    (folder / "good").mkdir()
    for seed in range(6):
        image = shot(20 + seed, turned=0.3 * seed, off=(seed - 3, 3 - seed))
        cv2.imwrite(str(folder / "good" / f"{seed}.png"), image)
    cv2.imwrite(str(folder / "good" / "empty.png"), np.full_like(shot(0), 225))
    return folder


@pytest.fixture(scope="module")
def recipe(line: Path) -> Recipe:
    """With thresholds half as much again as the highest of the good frames'."""
    loaded = load_recipe(line / "recipe")
    with OnnxRuntimeEngine(loaded.bundle, OnnxRuntimeSettings(threads=1)) as engine:
        measured = measure_folder(loaded, engine, line / "good")
    assert len(measured.scores) == 6
    assert "part_found" in measured.refused["empty.png"]
    limit = 1.5 * max(measured.scores)
    rule = loaded.score_rule
    return replace(
        loaded,
        card=card(loaded.hashes, view="gear", engine=ENGINE, image_threshold=limit, pixel_threshold=limit, score_rule=rule),
    )


def judged(recipe: Recipe, *images: ImageU8) -> list[Outcome]:
    with OnnxRuntimeEngine(recipe.bundle, OnnxRuntimeSettings(threads=1)) as engine:
        pipeline = ViewPipeline(recipe, engine)
        assert pipeline.blocked is None
        return [pipeline.judge(image).judgement.outcome for image in images]


def test_the_ideal_was_mended_and_is_the_recipes_reference(line: Path, recipe: Recipe) -> None:
    assert recipe.version == 2
    assert np.array_equal(recipe.reference, read_image(line / "ideal.png"))
    whole = rgb(gear(TEETH, CENTRE, RADIUS, SIZE_WH, noise=0))
    damage = np.abs(shot(1, broken=(2,)).astype(int) - whole) > 100
    assert damage.sum() > 100
    assert np.mean(np.abs(recipe.reference.astype(int) - whole)[damage] > 45) < 0.1
    assert open_bundle(line / "bundle").name == recipe.document.bundle


def test_good_parts_pass_and_broken_ones_do_not(recipe: Recipe) -> None:
    good = [shot(40 + seed, turned=0.41 * seed, off=(2 - seed, seed)) for seed in range(4)]
    assert judged(recipe, *good) == [Outcome.PASS] * 4
    bad = [shot(50 + seed, turned=0.41 * seed, broken=(seed,)) for seed in range(4)]
    assert judged(recipe, *bad) == [Outcome.FAIL] * 4


@pytest.mark.parametrize("count", [2, 4, 5, 7, 8, 9])
def test_however_many_teeth_are_broken_it_does_not_pass(recipe: Recipe, count: int) -> None:
    random = np.random.default_rng(count)
    frames = [
        shot(60, turned=float(random.uniform(-3, 3)), broken=tuple(random.permutation(TEETH)[:count].tolist()))
        for _ in range(3)
    ]
    assert Outcome.PASS not in judged(recipe, *frames)


def test_nothing_that_is_put_on_a_part_makes_it_pass(recipe: Recipe) -> None:
    """Patches of any grey that differs from what they cover, anywhere on the teeth."""
    random = np.random.default_rng(5)
    frames = []
    for seed in range(8):
        image = shot(70 + seed, turned=float(random.uniform(-3, 3)))
        angle = random.uniform(-np.pi, np.pi)
        x, y = (round(place) for place in (CENTRE[0] + 60 * np.cos(angle), CENTRE[1] + 60 * np.sin(angle)))
        image[y - 6 : y + 7, x - 6 : x + 7] = (230, 20, 160)
        frames.append(image)
    assert Outcome.PASS not in judged(recipe, *frames)


def test_beside_a_free_part_nothing_is_judged_and_beside_a_fixed_one_it_is(recipe: Recipe) -> None:
    assert recipe.symmetry is not None
    littered = shot(80)
    littered[4:16, 4:16] = 20
    clean = shot(80)
    assert judged(recipe, clean, littered) == [Outcome.PASS, Outcome.PASS]
    update = {"symmetry": recipe.symmetry.model_copy(update={"pose": "fixed", "locate": "place"})}
    fixed = replace(recipe, document=recipe.document.model_copy(update=update))
    assert judged(fixed, clean, littered) == [Outcome.PASS, Outcome.FAIL]


def test_a_fixed_part_that_is_turned_does_not_pass(recipe: Recipe) -> None:
    assert recipe.symmetry is not None
    update = {"symmetry": recipe.symmetry.model_copy(update={"pose": "fixed", "locate": "place"})}
    fixed = replace(recipe, document=recipe.document.model_copy(update=update))
    half_a_tooth = np.pi / TEETH
    assert Outcome.PASS not in judged(
        fixed, shot(90, turned=half_a_tooth), shot(91, turned=half_a_tooth / 2), shot(92, off=(9, 0))
    )


def test_thresholds_that_were_taken_with_other_symmetry_are_stale(line: Path, recipe: Recipe) -> None:
    assert recipe.card is not None
    parser = Parser()
    reference.add_arguments(parser)
    options = ["--method", "rotational", "--part", "dark", "--n", "3", "--image", str(line / "gear.png")]
    assert reference.run(parser.parse_args([*options, "--out", str(line / "other.png"), "--recipe", str(line / "recipe")])) == 0
    changed = replace(load_recipe(line / "recipe"), card=recipe.card)
    with OnnxRuntimeEngine(changed.bundle, OnnxRuntimeSettings(threads=1)) as engine:
        verdict = ViewPipeline(changed, engine).judge(shot(95)).judgement
    assert verdict.outcome is Outcome.UNDECIDED
    assert verdict.reason is not None
    assert verdict.reason.code is ReasonCode.CARD_STALE
    assert "registration settings changed" in verdict.reason.detail
