"""A family that gives an image score and no map, all the way: recipe, verdict, picture, archive, calibration, commands.

The simulated engine runs it: its image_score is the highest of the map that it does not give.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from calibration.card_text import describe
from calibration.challenge import add_frames
from calibration.comparison import all_methods, as_json, compare, table
from calibration.evaluate import Options, evaluate, read_labelled, sweep
from calibration.methods import Method
from calibration.preview import candidate_of, preview
from calibration.report import sweep_text, write_sweep
from calibration.thresholds import Signature, measure, take_thresholds
from edge import verdict
from edge.bundle import contract
from edge.commands.band import Wanted, check_card, image_band, pixel_band, with_thresholds
from edge.commands.refusals import Refused
from edge.engines.auto import AutoEngine
from edge.engines.gpus import EngineUnavailable
from edge.engines.simulated import SimulatedEngine
from edge.errors import RecipeError
from edge.heatmap import overlay
from edge.pipeline import ViewPipeline, picture_of
from edge.publishers.payloads import verdict_body
from edge.recipe import CardEngine, Content, Recipe, load_recipe, save
from edge.settings.engines import SimulatedEngineSettings, SimulatedFault
from edge.settings.judging import Limits, MaskPolygon, ScoreRule
from edge.types import AnomalyMap, Origin, Outcome, ReasonCode, Verdict
from tests.bundle.samples import declared, mapless, write
from tests.calibration.evidence import MASK_OVER_LEFTOVER, Line, bad, card_for, good
from tests.recipe.builders import WHEN, document
from tests.schemas import validator
from tests.station_parts import MODEL_WH, scene, with_leftover, with_noise
from tests.verdict.builders import alignment

WHO = Signature(who="A. Technician", why="first thresholds")
BY_SCORE = ScoreRule(kind="graph")


def recipe_of(
    folder: Path, *, masks: tuple[MaskPolygon, ...] = (), names: tuple[str, ...] = ("image", "reference"), **changes: Any
) -> Recipe:
    inputs = contract(MODEL_WH, names)
    bundle = write(folder / "bundle", mapless(size_wh=MODEL_WH, inputs=inputs, **changes))
    save(folder / "front", Content(document(), bundle, scene(), masks))
    return load_recipe(folder / "front")


def engine_of(bundle: Any, **settings: Any) -> SimulatedEngine:
    return SimulatedEngine(bundle.manifest, SimulatedEngineSettings(**settings))


def pipeline_of(recipe: Recipe, **settings: Any) -> ViewPipeline:
    return ViewPipeline(recipe, engine_of(recipe.bundle, **settings).__enter__())


def images(folder: Path, frames: list[Any]) -> Path:
    folder.mkdir(parents=True)
    for number, frame in enumerate(frames):
        assert cv2.imwrite(str(folder / f"{number:02d}.png"), cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    return folder


def with_card(recipe: Recipe, threshold: float = 20.0) -> Recipe:
    """The recipe with a card as `lineclear-calibrate thresholds` would make it for a bundle without a map."""
    made = card_for(recipe, threshold, schema=3, pixel_threshold=None, pixel=None)
    save(recipe.path, Content(recipe.document, recipe.bundle, recipe.reference, recipe.masks, made))
    return load_recipe(recipe.path)


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    return with_card(recipe_of(tmp_path))


@pytest.fixture
def trained(tmp_path: Path) -> tuple[Recipe, Path]:
    """With thresholds from real measurements, and a folder of bad frames."""
    bare = recipe_of(tmp_path)
    take_thresholds(bare.path, images(tmp_path / "good", good(8)), Method(kind="quantile"), WHO, open_engine=engine_of)
    return load_recipe(bare.path), images(tmp_path / "bad", bad(3))


def test_a_good_frame_passes_and_a_leftover_fails_without_saying_where(recipe: Recipe) -> None:
    pipeline = pipeline_of(recipe)
    fine, spoilt = pipeline.judge(good(1)[0]), pipeline.judge(bad(1)[0])
    assert (fine.judgement.outcome, spoilt.judgement.outcome) == (Outcome.PASS, Outcome.FAIL)
    assert spoilt.judgement.regions == ()
    assert spoilt.judgement.pixel_threshold is None
    assert spoilt.measurement is not None
    assert (spoilt.measurement.smoothed, spoilt.measurement.anomaly_map.scores) == (None, None)
    assert spoilt.judgement.score == spoilt.measurement.score
    assert (spoilt.judgement.score or 0) > 20 > (fine.judgement.score or 99)


@pytest.mark.parametrize("kind", ["raise", "nan", "infinite", "wrong_shape", "wrong_dtype", "missing_output"])
@pytest.mark.parametrize("checked", [True, False])
def test_no_fault_of_an_engine_ever_passes(recipe: Recipe, kind: Any, checked: bool) -> None:
    pipeline = pipeline_of(recipe, checked=checked, faults=(SimulatedFault(kind=kind, every=1),))
    judgement = pipeline.judge(good(1)[0]).judgement
    if kind == "wrong_dtype" and not checked:
        return  # a double is as good a number as any
    assert judgement.outcome is Outcome.UNDECIDED
    assert judgement.reason is not None
    assert judgement.reason.code in (ReasonCode.ENGINE_FAULT, ReasonCode.MAP_INVALID)


@pytest.mark.parametrize("score", [None, float("nan"), float("inf"), float("-inf")])
def test_a_score_that_is_no_number_is_undecided(score: float | None) -> None:
    limits = Limits(image_threshold=1.0, pixel_threshold=None)
    made = verdict.judge(
        AnomalyMap(None, np.eye(3), "b", score), alignment(), limits, np.ones((4, 4), bool), BY_SCORE, frame_size_wh=(8, 8)
    )
    assert made.outcome is Outcome.UNDECIDED
    assert made.reason is not None
    assert made.reason.code is ReasonCode.MAP_INVALID


@pytest.mark.parametrize(
    ("rule", "judged", "limit", "code"),
    [
        (ScoreRule(kind="max"), np.ones((4, 4), bool), 1.0, ReasonCode.MAP_INVALID),
        (BY_SCORE, np.zeros((4, 4), bool), 1.0, ReasonCode.MAP_INVALID),
        (BY_SCORE, np.ones(4, bool), 1.0, ReasonCode.MAP_INVALID),
        (BY_SCORE, np.ones((4, 4), np.uint8), 1.0, ReasonCode.MAP_INVALID),
        (BY_SCORE, np.ones((4, 4), bool), float("nan"), ReasonCode.RECIPE_INVALID),
    ],
)
def test_a_score_without_a_map_passes_only_where_everything_else_holds(
    rule: ScoreRule, judged: Any, limit: float, code: ReasonCode
) -> None:
    limits = Limits.model_construct(image_threshold=limit, pixel_threshold=None, min_area_px=0.0)
    map_of = AnomalyMap(None, np.eye(3), "b", 0.5)
    made = verdict.judge(map_of, alignment(), limits, judged, rule, frame_size_wh=(8, 8))
    assert (made.outcome, made.reason and made.reason.code) == (Outcome.UNDECIDED, code)


def test_a_map_is_not_judged_by_a_card_without_a_pixel_threshold() -> None:
    limits = Limits(image_threshold=1.0, pixel_threshold=None)
    quiet = AnomalyMap(np.zeros((4, 4), np.float32), np.eye(3), "b")
    made = verdict.judge(quiet, alignment(), limits, np.ones((4, 4), bool), ScoreRule(kind="max"), frame_size_wh=(8, 8))
    assert made.reason is not None
    assert (made.outcome, made.reason.code) == (Outcome.UNDECIDED, ReasonCode.RECIPE_INVALID)


def test_what_is_shown_published_and_kept(recipe: Recipe) -> None:
    frame = bad(1)[0]
    judged = pipeline_of(recipe).judge(frame)
    picture = overlay(picture_of(frame, judged.judgement, judged, "front"))
    assert picture.shape[1] == 320
    origin = pipeline_of(recipe).name_parts(Origin("front", 1, 1, WHEN))
    body = verdict_body(Verdict("r1", judged.judgement, origin, WHEN, judged.alignment))
    validator("result").validate(json.loads(json.dumps(body)))
    assert (body["pixelThreshold"], body["regions"], body["regionCount"]) == (None, [], 0)


def test_masks_are_refused_where_the_score_would_see_what_they_hide(tmp_path: Path) -> None:
    masked = recipe_of(tmp_path, masks=(MASK_OVER_LEFTOVER,))
    with pytest.raises(RecipeError, match=r"a score of its own.*switch the masks off"):
        pipeline_of(masked)
    off = replace(masked, masks=(MASK_OVER_LEFTOVER.model_copy(update={"enabled": False}),))
    assert pipeline_of(off).judged_area.all()


@pytest.mark.parametrize("how", ["fill", "keep"])
def test_masks_hold_where_the_bundle_says_how(tmp_path: Path, how: str) -> None:
    if how == "fill":
        masked = recipe_of(tmp_path, masks=(MASK_OVER_LEFTOVER,), masking={"post": False, "fill": "reference"})
    else:
        names = ("image", "reference", "keep")
        masked = recipe_of(tmp_path, masks=(MASK_OVER_LEFTOVER,), names=names, masking={"post": False, "pre": True})
    pipeline = pipeline_of(with_card(masked))
    frame = with_noise(scene(), 3)
    elsewhere = frame.copy()
    cv2.circle(elsewhere, (50, 50), 14, (250, 250, 245), -1)
    hidden, seen = pipeline.judge(with_leftover(frame)).judgement, pipeline.judge(elsewhere).judgement
    assert (hidden.outcome, seen.outcome) == (Outcome.PASS, Outcome.FAIL)


def test_fill_shows_the_graph_the_reference_under_masks_only(tmp_path: Path) -> None:
    masked = recipe_of(tmp_path, masks=(MASK_OVER_LEFTOVER,), masking={"post": False, "fill": "reference"})
    shown: list[Any] = []

    class Watched(SimulatedEngine):
        def infer(self, inputs: Any) -> Any:
            shown.append(inputs)
            return super().infer(inputs)

    pipeline = ViewPipeline(masked, Watched(masked.bundle.manifest, SimulatedEngineSettings()).__enter__())
    pipeline.measure(np.full_like(scene(), 255), alignment())
    image, reference = shown[0]["image"][0], shown[0]["reference"][0]
    hidden = ~pipeline.judged_area
    assert hidden.any()
    np.testing.assert_array_equal(image[hidden], reference[hidden])
    assert (image[pipeline.judged_area] == 255).all()


def test_a_recipe_cannot_ask_for_a_rule_that_needs_a_map(tmp_path: Path) -> None:
    bare = recipe_of(tmp_path)
    asking = replace(bare, document=bare.document.model_copy(update={"score": ScoreRule(kind="max")}))
    with pytest.raises(RecipeError, match="has nothing to work on"):
        pipeline_of(asking)


def test_thresholds_are_of_the_score_alone_and_the_card_says_so(trained: tuple[Recipe, Path]) -> None:
    recipe, _ = trained
    card = recipe.card
    assert card is not None
    assert (card.schema_version, card.pixel_threshold, card.pixel) == (3, None, None)
    assert "pixel" not in card.model_dump_json()
    assert "no pixel threshold" in describe(card, recipe.version)
    pipeline = pipeline_of(recipe)
    assert pipeline.blocked is None
    assert pipeline.judge(good(1, seed=40)[0]).judgement.outcome is Outcome.PASS
    assert pipeline.judge(bad(1)[0]).judgement.outcome is Outcome.FAIL


def test_methods_are_compared_without_pixels(trained: tuple[Recipe, Path], tmp_path: Path) -> None:
    recipe, spoilt = trained
    found = measure(recipe.path, tmp_path / "good", open_engine=engine_of, bad_folder=spoilt)
    assert found.good.pixels is None
    rows = compare(found, all_methods(Method(kind="max")))
    assert "no map" in table(rows)
    assert {as_json(row).get("pixel_threshold") for row in rows} == {None}


def test_known_frames_are_tried(trained: tuple[Recipe, Path]) -> None:
    recipe, spoilt = trained
    added = add_frames(recipe.path, {"FAIL": spoilt}, WHO, open_engine=engine_of)
    assert all(tried.as_expected for tried in added.tried)


def test_an_evaluation_has_figures_of_images_only(trained: tuple[Recipe, Path], tmp_path: Path) -> None:
    recipe, _ = trained
    tests = tmp_path / "tests"
    images(tests / "test" / "good", good(4, seed=60))
    images(tests / "test" / "leftover", bad(3, seed=300))
    labelled = read_labelled(tests)
    made = evaluate(recipe, labelled, open_engine=engine_of, options=Options(rounds=0))
    row = made.rows[0]
    assert row.image_auroc.value == 1.0
    assert (row.pixel_auroc.value, row.pro.value, row.ap.value, row.best_iou) == (None, None, None, None)
    assert row.method is not None
    assert row.method.tally is not None
    assert row.method.tally.accuracy == 1.0
    assert any("no figures of pixels" in note for note in made.notes)
    swept = sweep(recipe, labelled, good=tmp_path / "good", open_engine=engine_of, options=Options(rounds=0))
    assert swept.evaluations[0].best_row is not None
    data = write_sweep(tmp_path / "report", swept)
    assert "no figures of pixels" in json.dumps(data)


def test_a_bundle_that_is_refused_for_its_masks_does_not_end_a_sweep(tmp_path: Path) -> None:
    recipe = recipe_of(tmp_path, masks=(MASK_OVER_LEFTOVER,), masking={"post": False, "fill": "reference"})
    unsafe = write(tmp_path / "unsafe", mapless(size_wh=MODEL_WH, inputs=contract(MODEL_WH, ["image", "reference"])))
    images(tmp_path / "good", good(8, seed=20))
    tests = tmp_path / "tests"
    images(tests / "test" / "good", good(3, seed=60))
    images(tests / "test" / "leftover", bad(2, seed=300))
    ticks: list[tuple[int, int]] = []
    swept = sweep(
        recipe,
        read_labelled(tests),
        good=tmp_path / "good",
        open_engine=engine_of,
        bundles=(unsafe, recipe.bundle),
        options=Options(rounds=0),
        progress=lambda done, total, what: ticks.append((done, total)),
    )
    refused, judged = swept.evaluations
    assert (refused.title, refused.rows, refused.best_row) == (unsafe.name, (), None)
    assert "judges by a score of its own, which would see what the recipe masks" in refused.notes[0]
    assert judged.best_row is not None
    assert swept.best == 1
    assert ticks[-1][0] == ticks[-1][1]
    assert sorted(ticks) == ticks
    data = write_sweep(tmp_path / "report", swept)
    assert "Refused: " in json.dumps(data)
    assert "Refused: " in sweep_text(swept)
    for path in (tmp_path / "report").iterdir():
        assert unsafe.name in path.read_text() or path.suffix == ".csv"
    with pytest.raises(RecipeError, match="a score of its own"):
        sweep(recipe, read_labelled(tests), good=tmp_path / "good", open_engine=engine_of, bundles=(unsafe,))


def test_a_card_of_a_map_does_not_hold_for_a_bundle_without_one_and_the_other_way_round(tmp_path: Path) -> None:
    scored = with_card(recipe_of(tmp_path))
    mapped_bundle = write(tmp_path / "mapped", declared(size_wh=MODEL_WH, inputs=contract(MODEL_WH, ["image", "reference"])))
    save(tmp_path / "other", Content(document(), mapped_bundle, scene(), ()))
    bare = load_recipe(tmp_path / "other")
    mapped = replace(bare, card=card_for(bare, 20.0))
    assert pipeline_of(scored).blocked is pipeline_of(mapped).blocked is None
    for recipe, card in ((scored, mapped.card), (mapped, scored.card)):
        pipeline = pipeline_of(replace(recipe, card=card))
        assert pipeline.blocked is not None
        assert pipeline.blocked.reason is not None
        assert pipeline.blocked.reason.code is ReasonCode.CARD_STALE
        for frame in (good(1, seed=40)[0], bad(1)[0]):
            assert pipeline.judge(frame).judgement.outcome is Outcome.UNDECIDED


def test_an_automatic_engine_that_had_to_fall_back_does_not_judge_by_the_gpus_card(tmp_path: Path) -> None:
    recipe = recipe_of(tmp_path)
    gpu = CardEngine(backend="tensorrt", version="10.3.0", device="Orin", precision="float16")
    recipe = replace(recipe, card=card_for(recipe, 20.0, schema=3, pixel_threshold=None, pixel=None, engine=gpu))

    def no_gpu() -> SimulatedEngine:
        raise EngineUnavailable("there is no GPU 0")

    with AutoEngine([("tensorrt", no_gpu), ("simulated", lambda: engine_of(recipe.bundle))]) as engine:
        pipeline = ViewPipeline(recipe, engine)
        judgement = pipeline.judge(good(1, seed=40)[0]).judgement
    assert judgement.outcome is Outcome.UNDECIDED
    assert judgement.reason is not None
    assert judgement.reason.code is ReasonCode.CARD_STALE
    assert "the engine's backend was tensorrt, now simulated" in judgement.reason.detail


def test_the_archive_replays_by_score(recipe: Recipe, tmp_path: Path) -> None:
    line = Line(tmp_path / "archive", recipe)
    line.run([*good(3), *bad(2)])
    assert all("map" not in entry.files for entry in line.reader.find())
    higher = card_for(recipe, 500.0, schema=3, pixel_threshold=None, pixel=None)
    made = preview(line.reader, candidate_of(recipe, higher), open_engine=engine_of, out=tmp_path / "out")
    assert made.transitions == {"FAIL -> PASS": 2}
    assert made.rungs == {"score": 5}


def test_thresholds_are_set_from_outside_by_the_score_alone(recipe: Recipe) -> None:
    card = card_for(recipe, 0.9, schema=3, pixel_threshold=None, pixel=None)
    assert pixel_band(card, card, 1.0) is None
    high = image_band(card, card, 1.0).high
    moved = with_thresholds(card, card, Wanted(high, None, "A", WHEN, "why"), 1.0)
    assert (moved.image_threshold, moved.pixel_threshold, moved.schema_version) == (high, None, 3)
    with pytest.raises(Refused, match="gives no map"):
        with_thresholds(card, card, Wanted(None, 0.5, "A", WHEN, "why"), 1.0)
    check_card(card.model_copy(update={"before": None}), None, 1.0)


@pytest.mark.parametrize(
    "changes", [{"pixel_threshold": None}, {"pixel": None}, {"schema": 3}, {"pixel_threshold": None, "pixel": None}]
)
def test_half_a_card_is_none(recipe: Recipe, changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="schema 3 and has neither"):
        card_for(recipe, 0.9, **changes)
