"""Frame -> judgement: the parts in the right order, on the right grid, and no frame that raises."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.bundle import Crop, contract
from edge.engines.simulated import SimulatedEngine
from edge.errors import FrameError
from edge.heatmap import overlay
from edge.pipeline import ViewPipeline, model_grid, picture_of
from edge.recipe import Content, Recipe, load_recipe, save
from edge.settings.engines import SimulatedEngineSettings, SimulatedFault
from edge.settings.judging import MaskPolygon, ScoreRule
from edge.types import Outcome, ReasonCode
from tests.bundle.samples import declared, write
from tests.recipe.builders import document
from tests.station_parts import MODEL_WH, SIZE_WH, make_recipe, scene, with_leftover, with_noise

CENTRE_XY = (150, 100)  # of the leftover that station_parts draws


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    return make_recipe(tmp_path_factory.mktemp("recipe"))


def pipeline_of(recipe: Recipe, *, camera_hash: str | None = None, **engine: object) -> ViewPipeline:
    opened = SimulatedEngine(recipe.bundle.manifest, SimulatedEngineSettings(**engine))  # type: ignore[arg-type]
    opened.__enter__()
    return ViewPipeline(recipe, opened, camera_hash)


def masked(recipe: Recipe, *masks: MaskPolygon) -> Recipe:
    return replace(recipe, masks=masks)


def test_a_leftover_is_found_where_it_lies_in_reference_and_in_frame_pixels(recipe: Recipe) -> None:
    moved = np.roll(with_leftover(with_noise(scene(), 5)), (4, -6), (0, 1))
    judged = pipeline_of(recipe).judge(moved)
    assert judged.judgement.outcome is Outcome.FAIL
    region = judged.judgement.regions[0]
    assert region.centroid == pytest.approx(CENTRE_XY, abs=4)
    assert region.frame_centroid == pytest.approx((CENTRE_XY[0] - 6, CENTRE_XY[1] + 4), abs=4)
    assert set(judged.stage_ms) == {"align", "warp", "infer", "judge", "decide"}


def test_what_lies_under_a_mask_is_not_judged(recipe: Recipe) -> None:
    x, y = CENTRE_XY[0] / SIZE_WH[0], CENTRE_XY[1] / SIZE_WH[1]
    square = ((x - 0.12, y - 0.16), (x + 0.12, y - 0.16), (x + 0.12, y + 0.16), (x - 0.12, y + 0.16))
    hidden = masked(recipe, MaskPolygon(name="tray", points=square))
    frame = with_leftover(with_noise(scene(), 5))
    pipeline = pipeline_of(hidden)
    # The card was made without the mask, so the verdict is stale; what was measured is what counts here.
    measurement = pipeline.measure(frame, pipeline.align(frame))
    open_pipeline = pipeline_of(recipe)
    seen = open_pipeline.measure(frame, open_pipeline.align(frame))
    assert measurement.score is not None
    assert seen.score is not None
    assert measurement.score < 5 < seen.score
    off = pipeline_of(masked(recipe, MaskPolygon(name="tray", points=square, enabled=False)))
    assert off.measure(frame, off.align(frame)).score == pytest.approx(seen.score)


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (scene()[:90], "240x90, the recipe's reference 240x180"),
        (scene()[..., 0], "the frame is grey, the recipe's reference colour"),
        (scene()[:1, :1], "1x1"),
    ],
)
def test_a_frame_of_another_kind_is_named(recipe: Recipe, frame: np.ndarray, said: str) -> None:
    pipeline = pipeline_of(recipe)
    judged = pipeline.judge(frame)
    assert judged.judgement.reason is not None
    assert judged.judgement.reason.code is ReasonCode.FRAME_INVALID
    assert said in judged.judgement.reason.detail
    with pytest.raises(FrameError):
        pipeline.align(frame)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("raise", ReasonCode.ENGINE_FAULT),
        ("missing_output", ReasonCode.ENGINE_FAULT),
        ("nan", ReasonCode.MAP_INVALID),
        ("infinite", ReasonCode.MAP_INVALID),
        ("wrong_shape", ReasonCode.MAP_INVALID),
        ("wrong_dtype", ReasonCode.MAP_INVALID),
    ],
)
def test_an_engine_that_misbehaves_is_undecided(recipe: Recipe, kind: str, code: ReasonCode) -> None:
    faults = (SimulatedFault(kind=kind, every=1),)  # type: ignore[arg-type]
    judged = pipeline_of(recipe, faults=faults, checked=False).judge(with_noise(scene(), 1))
    assert judged.judgement.outcome is Outcome.UNDECIDED
    assert judged.judgement.reason is not None
    assert judged.judgement.reason.code is code


def test_a_stale_card_gives_a_score_and_no_verdict(recipe: Recipe) -> None:
    assert recipe.card is not None
    moved = replace(recipe, hashes=recipe.hashes.model_copy(update={"masks": "0" * 64}))
    judged = pipeline_of(moved).judge(with_noise(scene(), 1))
    assert judged.judgement.outcome is Outcome.UNDECIDED
    assert judged.judgement.reason is not None
    assert judged.judgement.reason.code is ReasonCode.CARD_STALE
    assert "masks changed" in judged.judgement.reason.detail
    assert judged.judgement.score is not None
    without = pipeline_of(replace(recipe, card=None)).judge(with_noise(scene(), 1))
    assert without.judgement.reason is not None
    assert without.judgement.reason.code is ReasonCode.CARD_MISSING


def test_what_the_frame_does_not_show_is_neither_judged_nor_alarmed(recipe: Recipe) -> None:
    pipeline = pipeline_of(recipe)
    shift = np.array([[1, 0, 9], [0, 1, 0], [0, 0, 1]], float)
    frame = cv2.warpPerspective(with_noise(scene(), 2), shift, SIZE_WH, borderMode=cv2.BORDER_CONSTANT, borderValue=(0, 0, 0))
    alignment = pipeline.align(frame)
    measurement = pipeline.measure(frame, alignment)
    assert measurement.judged[:, :100].all()
    assert not measurement.judged[:, -4:].any()


def test_a_crop_of_the_reference_fills_the_model() -> None:
    field_wh, to_model = model_grid((400, 300), (50, 30), Crop(left=0.25, top=0.1, right=0.75, bottom=0.7))
    assert field_wh == (200, 180)
    for corner, target in (((99.5, 29.5), (-0.5, -0.5)), ((299.5, 209.5), (49.5, 29.5))):
        mapped = to_model @ (*corner, 1)
        assert mapped[:2] / mapped[2] == pytest.approx(target)


def test_a_cropped_bundle_reports_in_reference_pixels(tmp_path: Path) -> None:
    declaration = declared(
        size_wh=MODEL_WH,
        inputs=contract(MODEL_WH, ["image", "reference", "keep"]),
        outputs=contract(MODEL_WH, ["anomaly_map", "image_score"]),
        masking={"pre": True, "post": True},
        crop=Crop(left=0.25, top=0.25, right=1.0, bottom=1.0),
        score=ScoreRule(window=5),
    )
    bundle = write(tmp_path / "bundle", declaration)
    save(tmp_path / "r", Content(document=document(view="front"), bundle=bundle, reference=scene()))
    pipeline = pipeline_of(load_recipe(tmp_path / "r"))
    frame = with_leftover(with_noise(scene(), 5))
    measurement = pipeline.measure(frame, pipeline.align(frame))
    assert measurement.smoothed is not None
    at = np.array(np.unravel_index(int(measurement.smoothed.argmax()), measurement.smoothed.shape))[::-1]
    x, y, w = measurement.anomaly_map.map_to_reference @ (*at, 1)
    assert (x / w, y / w) == pytest.approx(CENTRE_XY, abs=16)
    assert measurement.anomaly_map.image_score is not None


def test_a_field_that_mostly_left_the_frame_is_not_judged(tmp_path: Path) -> None:
    declaration = declared(
        size_wh=MODEL_WH,
        inputs=contract(MODEL_WH, ["image", "reference"]),
        outputs=contract(MODEL_WH, ["anomaly_map"]),
        crop=Crop(left=0.0, top=0.0, right=0.1, bottom=1.0),
        score=ScoreRule(window=5),
    )
    bundle = write(tmp_path / "bundle", declaration)
    save(tmp_path / "r", Content(document=document(view="front"), bundle=bundle, reference=scene()))
    pipeline = pipeline_of(load_recipe(tmp_path / "r"))
    shift = np.array([[1, 0, -11], [0, 1, 0], [0, 0, 1]], float)
    judged = pipeline.judge(cv2.warpPerspective(with_noise(scene(), 2), shift, SIZE_WH, borderMode=cv2.BORDER_REFLECT))
    assert judged.judgement.reason is not None
    assert judged.judgement.reason.code is ReasonCode.NOT_REGISTERED
    assert "visible_field" in judged.judgement.reason.detail


def test_every_outcome_has_a_picture(recipe: Recipe) -> None:
    pipeline = pipeline_of(recipe)
    for frame in (with_noise(scene(), 1), with_leftover(scene()), scene() * 0, scene()[:90]):
        judged = pipeline.judge(frame)
        picture = overlay(picture_of(frame, judged.judgement, judged, "title"))
        assert picture.dtype == np.uint8
        assert picture.shape[2] == 3
    plain = picture_of(scene(), judged.judgement, None)
    assert plain.reference_size_wh == SIZE_WH
