"""A symmetric part on the station's own path: against its own median and the stored ideal, and never passed by a fault."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge.bundle import Bundle, contract
from edge.engines.onnxruntime import OnnxRuntimeEngine
from edge.engines.simulated import SimulatedEngine
from edge.errors import RecipeError
from edge.pipeline import Judged, ViewPipeline
from edge.recipe import CardEngine, Content, Recipe, hash_of, load_recipe, save, stale
from edge.settings.engines import OnnxRuntimeSettings, SimulatedEngineSettings
from edge.settings.symmetry import SymmetrySettings
from edge.symmetry import rotational_median
from edge.types import ImageU8, Outcome, ReasonCode
from export.adapters.comparison import write_comparison
from export.adapters.comparison_model import ComparisonSettings
from tests.bundle.samples import declared, write
from tests.gears import RING, gear, rgb
from tests.recipe.builders import card, document

SIZE_WH, CENTRE, RADIUS, TEETH = (220, 200), (108.4, 101.7), 76.0, 12
ENGINE = CardEngine(backend="onnxruntime", version="1", device="cpu", precision="float32")
NOBODY: tuple[int, ...] = ()


def shot(
    turned: float = 0.0, broken: tuple[int, ...] = NOBODY, seed: int = 1, off: tuple[float, float] = (0, 0), teeth: int = TEETH
) -> ImageU8:
    centre = (CENTRE[0] + off[0], CENTRE[1] + off[1])
    return gear(teeth, centre, RADIUS, SIZE_WH, turned=turned, broken=broken, seed=seed)


def symmetric(**changes: Any) -> SymmetrySettings:
    centre = ((CENTRE[0] + 0.5) / SIZE_WH[0], (CENTRE[1] + 0.5) / SIZE_WH[1])
    fields = {"fold": TEETH, "centre": centre, "radius": 1.05 * RADIUS / 220, "inner_radius": RING * RADIUS / 220}
    return SymmetrySettings.model_validate({**fields, "search": 0.1, **changes})


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_comparison(tmp_path_factory.mktemp("bundle") / "b", SIZE_WH, ComparisonSettings(), "tests")


@pytest.fixture(scope="module")
def engine(bundle: Bundle) -> Iterator[OnnxRuntimeEngine]:
    with OnnxRuntimeEngine(bundle, OnnxRuntimeSettings(threads=1)) as opened:
        yield opened


def made(
    bundle: Bundle, folder: Path, settings: SymmetrySettings | None, mode: str = "none", gates: dict[str, float] | None = None
) -> Recipe:
    """A recipe with the perfect gear as the ideal."""
    path = folder / "recipe"
    fields = document(registration={"mode": mode, "gates": gates or {}}, symmetry=settings, min_area_px=0)
    save(path, Content(fields, bundle, gear(TEETH, CENTRE, RADIUS, SIZE_WH, noise=0)))
    return load_recipe(path)


def carded(recipe: Recipe, engine: OnnxRuntimeEngine, **shots: Any) -> Recipe:
    """With thresholds half as much again as what good frames score."""
    pipeline = ViewPipeline(recipe, engine)
    scores = []
    for seed in range(4):
        image = shot(seed=seed + 10, **{name: value * (seed - 1.5) for name, value in shots.items()})
        score = pipeline.measure(image, pipeline.align(image)).score
        assert score is not None
        scores.append(score)
    limit = 1.5 * max(scores)
    rule = recipe.score_rule
    sealed = card(recipe.hashes, engine=ENGINE, image_threshold=limit, pixel_threshold=limit, score_rule=rule)
    return replace(recipe, card=sealed)


@pytest.fixture(scope="module")
def fixed(bundle: Bundle, engine: OnnxRuntimeEngine, tmp_path_factory: pytest.TempPathFactory) -> ViewPipeline:
    return ViewPipeline(carded(made(bundle, tmp_path_factory.mktemp("fixed"), symmetric()), engine), engine)


@pytest.fixture(scope="module", params=["frame", "median"])
def free(
    request: pytest.FixtureRequest, bundle: Bundle, engine: OnnxRuntimeEngine, tmp_path_factory: pytest.TempPathFactory
) -> ViewPipeline:
    settings = symmetric(pose="free", locate="dark", ideal=request.param)
    return ViewPipeline(carded(made(bundle, tmp_path_factory.mktemp("free"), settings), engine, turned=0.15), engine)


def why(judged: Judged) -> str:
    return f"{judged.judgement.outcome} {judged.judgement.reason} {judged.judgement.score}/{judged.judgement.threshold}"


def test_a_good_part_passes_and_a_broken_tooth_fails_where_it_is(fixed: ViewPipeline) -> None:
    good = fixed.judge(shot(seed=40))
    assert good.judgement.outcome is Outcome.PASS, why(good)
    assert "reference" in good.stage_ms
    bad = fixed.judge(shot(broken=(3,), seed=41))
    assert bad.judgement.outcome is Outcome.FAIL, why(bad)
    place = (CENTRE[0], CENTRE[1] + 0.93 * RADIUS)  # the third of twelve points down
    assert bad.judgement.regions[0].centroid == pytest.approx(place, abs=8)


@pytest.mark.parametrize("turned", [0.0, 0.11, -0.2, 1.0, 3.0])
@pytest.mark.parametrize("off", [(0.0, 0.0), (8.0, -6.0)])
def test_a_free_part_is_judged_at_any_angle(free: ViewPipeline, turned: float, off: tuple[float, float]) -> None:
    good = free.judge(shot(turned, seed=50, off=off))
    assert good.judgement.outcome is Outcome.PASS, why(good)
    bad = free.judge(shot(turned, (5,), seed=51, off=off))
    assert bad.judgement.outcome is Outcome.FAIL, why(bad)
    angle = turned + 5 * 2 * np.pi / TEETH
    tip = CENTRE[0] + off[0] + 0.93 * RADIUS * np.cos(angle), CENTRE[1] + off[1] + 0.93 * RADIUS * np.sin(angle)
    assert bad.judgement.regions[0].frame_centroid == pytest.approx(tip, abs=9)


@pytest.mark.parametrize("whole", [0, 1, 2, 4, 6])
def test_where_most_teeth_are_broken_the_part_does_not_pass(free: ViewPipeline, fixed: ViewPipeline, whole: int) -> None:
    broken = tuple(range(TEETH - whole))
    for pipeline in (free, fixed):
        judged = pipeline.judge(shot(0.0, broken, seed=60))
        assert judged.judgement.outcome is not Outcome.PASS, why(judged)


@pytest.mark.parametrize("ideal", ["frame", "median"])
def test_all_teeth_damaged_alike_fail_by_the_stored_ideal_alone(
    bundle: Bundle, engine: OnnxRuntimeEngine, tmp_path: Path, ideal: str
) -> None:
    """What its own median cannot show, since every turn agrees; with every gate open, so that the map must tell."""
    settings = symmetric(ideal=ideal, min_symmetry=0.0, min_likeness=-1.0)
    recipe = made(bundle, tmp_path, settings, gates={"min_similarity": -1.0})
    pipeline = ViewPipeline(carded(recipe, engine), engine)
    broken = shot(0.0, tuple(range(TEETH)), seed=70)
    judged = pipeline.judge(broken)
    assert judged.judgement.outcome is Outcome.FAIL, why(judged)
    assert judged.judgement.score is not None
    assert judged.judgement.threshold is not None
    assert judged.judgement.score > 2 * judged.judgement.threshold
    itself = rotational_median(broken, CENTRE, 1.05 * RADIUS, TEETH)
    alone = engine.infer(
        {"image": rgb(broken)[None], "reference": rgb(itself)[None], "keep": np.ones((1, *broken.shape), np.uint8)}
    )
    assert cv2.blur(alone["anomaly_map"][0], (3, 3)).max() < judged.judgement.score / 2


def test_the_worst_of_both_is_never_less_than_the_stored_ideal_alone(
    bundle: Bundle, engine: OnnxRuntimeEngine, tmp_path: Path
) -> None:
    plain = ViewPipeline(made(bundle, tmp_path / "plain", None), engine)
    both = ViewPipeline(made(bundle, tmp_path / "both", symmetric()), engine)
    for broken in (NOBODY, (1,), (1, 2, 3, 4, 5, 6, 7)):
        image = shot(0.0, broken, seed=80)
        alone, worst = (each.measure(image, each.align(image)).anomaly_map.scores for each in (plain, both))
        assert (worst >= alone).all()
        if broken:
            assert worst.max() > 0


@pytest.mark.parametrize("level", [0, 80, 225, 255])
def test_a_picture_of_nothing_is_undecided(free: ViewPipeline, fixed: ViewPipeline, level: int) -> None:
    for pipeline in (free, fixed):
        judged = pipeline.judge(np.full(SIZE_WH[::-1], level, np.uint8))
        assert judged.judgement.outcome is Outcome.UNDECIDED, why(judged)
        assert judged.judgement.reason is not None
        assert judged.judgement.reason.code is ReasonCode.NOT_REGISTERED


@pytest.mark.parametrize("teeth", [7, 11, 13])
def test_another_part_is_never_passed(free: ViewPipeline, fixed: ViewPipeline, teeth: int) -> None:
    for pipeline in (free, fixed):
        judged = pipeline.judge(shot(seed=90, teeth=teeth))
        assert judged.judgement.outcome is not Outcome.PASS, why(judged)


def test_noise_and_a_part_that_is_not_there_are_never_passed(free: ViewPipeline) -> None:
    random = np.random.default_rng(1)
    for image in (random.integers(0, 255, SIZE_WH[::-1], np.uint8), shot(off=(90, 0)), np.roll(shot(), 110, 1)):
        judged = free.judge(image)
        assert judged.judgement.outcome is not Outcome.PASS, why(judged)


class Meddling:
    """The real engine, whose second answer to every frame is spoilt."""

    def __init__(self, engine: OnnxRuntimeEngine, spoil: Any) -> None:
        self._engine, self._spoil, self._calls = engine, spoil, 0

    @property
    def identity(self) -> Any:
        return self._engine.identity

    def infer(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        self._calls += 1
        outputs = self._engine.infer(inputs)
        return self._spoil(dict(outputs)) if self._calls % 2 == 0 else outputs


def _nan(outputs: dict[str, Any]) -> dict[str, Any]:
    scores = outputs["anomaly_map"].copy()
    scores[0, 100, 108] = np.nan
    return {"anomaly_map": scores}


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (_nan, ReasonCode.MAP_INVALID),
        (lambda outputs: {"anomaly_map": outputs["anomaly_map"][:, 1:]}, ReasonCode.ENGINE_FAULT),
        (lambda outputs: {"anomaly_map": outputs["anomaly_map"].astype(np.float64)}, ReasonCode.ENGINE_FAULT),
        (lambda outputs: {**outputs, "image_score": np.zeros(1, np.float32)}, ReasonCode.ENGINE_FAULT),
        (lambda _: {}, ReasonCode.ENGINE_FAULT),
    ],
)
def test_a_fault_of_one_answer_does_not_hide_behind_the_other(
    fixed: ViewPipeline, engine: OnnxRuntimeEngine, spoil: Any, code: ReasonCode
) -> None:
    judged = ViewPipeline(fixed.recipe, Meddling(engine, spoil)).judge(shot(seed=40))  # type: ignore[arg-type]
    assert judged.judgement.outcome is Outcome.UNDECIDED
    assert judged.judgement.reason is not None
    assert judged.judgement.reason.code is code


@pytest.mark.parametrize(("changes", "said"), [({"fold": 11}, "no 11-fold part"), ({"radius": 0.9}, "not whole")])
def test_a_recipe_whose_reference_does_not_show_the_part_is_refused(
    bundle: Bundle, engine: OnnxRuntimeEngine, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(RecipeError, match=said):
        ViewPipeline(made(bundle, tmp_path, symmetric(**changes)), engine)


def test_a_bundle_that_takes_no_reference_is_refused(tmp_path: Path) -> None:
    single = write(tmp_path / "single", declared(size_wh=SIZE_WH, inputs=contract(SIZE_WH, ["image"])))
    engine = SimulatedEngine(single.manifest, SimulatedEngineSettings())
    with engine, pytest.raises(RecipeError, match=r"takes none: choose a bundle of a family that compares"):
        ViewPipeline(made(single, tmp_path, symmetric()), engine)


def test_the_card_covers_the_symmetry_and_an_old_card_stays_fresh(bundle: Bundle, tmp_path: Path) -> None:
    without = made(bundle, tmp_path / "without", None)
    registration = {
        "settings": without.registration.model_dump(mode="json"),
        "reference_to_model": without.document.reference_to_model,
    }
    assert without.hashes.registration == hash_of(registration)  # as it was before there was any symmetry
    first, second = (made(bundle, tmp_path / str(fold), symmetric(fold=fold)) for fold in (12, 6))
    assert len({without.hashes.registration, first.hashes.registration, second.hashes.registration}) == 3
    held = card(first.hashes)
    assert stale(held, first) == ()
    assert stale(held, second)
    assert stale(held, without)


@contextmanager
def _tracking(bundle: Bundle, engine: OnnxRuntimeEngine, folder: Path) -> Iterator[ViewPipeline]:
    yield ViewPipeline(carded(made(bundle, folder, symmetric(pose="free", locate="dark"), "track"), engine, turned=0.1), engine)


def test_the_registration_refines_a_free_pose(bundle: Bundle, engine: OnnxRuntimeEngine, tmp_path: Path) -> None:
    with _tracking(bundle, engine, tmp_path) as pipeline:
        judged = pipeline.judge(shot(2.0, seed=95, off=(5, 4)))
        assert judged.alignment is not None
        assert judged.alignment.trusted, [str(gate) for gate in judged.alignment.broken]
        assert judged.alignment.inliers > 12
        assert judged.judgement.outcome is Outcome.PASS, why(judged)
        assert pipeline.judge(shot(2.0, (0,), seed=96)).judgement.outcome is Outcome.FAIL
