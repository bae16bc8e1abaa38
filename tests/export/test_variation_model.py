from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.types import ImageU8, MapF32, MaskBool
from export.adapters.variation_graph import write_graph
from export.adapters.variation_model import LowPass, VariationModel, VariationSettings, anomaly_map, learn
from export.graph import half_share
from export.proof import run_once
from tests.export.scenes import frames, scene, with_object

PLAIN_OPERATORS = {
    "Abs", "Add", "Cast", "Clip", "Div", "Identity", "Log", "MatMul", "Max", "Mul", "ReduceSum", "Relu", "Reshape", "Sqrt",
    "Sub", "Transpose",
}  # fmt: skip


@cache
def _model(count: int = 12, **changed: float) -> VariationModel:
    images = frames(count, scene())
    seen = np.ones(images[0].shape[:2], bool)
    return learn(images, [seen] * count, VariationSettings().model_copy(update=changed))


@cache
def _fresh() -> ImageU8:
    return frames(1, scene(), seed=77)[0]


def _score(image: ImageU8, model: VariationModel | None = None) -> float:
    window = (model or _model()).settings.window_px((image.shape[1], image.shape[0]))
    return float(cv2.blur(anomaly_map(image, model or _model()), (window, window)).max())


def _run(graph: bytes, image: ImageU8, keep: MaskBool | None = None) -> MapF32:
    kept = np.ones(image.shape[:2], np.uint8) if keep is None else keep.astype(np.uint8)
    scores: MapF32 = run_once(graph, {"image": image[None], "keep": kept[None]})["anomaly_map"][0]
    return scores


@pytest.mark.parametrize("passes", [0, 1, 2])
@pytest.mark.parametrize("tolerance", [0.0, 0.5, 1.0, 2.5])
def test_float32_graph_is_the_numpy_model(passes: int, tolerance: float) -> None:
    model = _model(light_passes=passes, tolerance_px=tolerance)
    graph = write_graph(model, "float32")
    for image in (_fresh(), with_object(_fresh()), np.zeros_like(_fresh()), np.full_like(_fresh(), 255), 255 - _fresh()):
        found = _run(graph, image)
        assert np.allclose(found, anomaly_map(image, model), rtol=1e-3, atol=1e-3)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_float32_graph_is_the_numpy_model_on_any_image(seed: int) -> None:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, _fresh().shape, np.uint8)
    keep = rng.random(image.shape[:2]) < rng.random()
    found = _run(_graph("float32"), image, keep)
    assert np.isfinite(found).all()
    assert np.allclose(found, anomaly_map(image, _model(), keep), rtol=1e-3, atol=1e-3)
    assert not found[~keep].any()


@cache
def _graph(precision: str) -> bytes:
    return write_graph(_model(), precision)  # type: ignore[arg-type]


@pytest.mark.parametrize("image", [_fresh(), with_object(_fresh()), 255 - _fresh(), np.zeros_like(_fresh())])
def test_float16_graph_is_close(image: ImageU8) -> None:
    full, half = (_run(_graph(precision), image) for precision in ("float32", "float16"))
    assert np.allclose(full, half, rtol=1e-2, atol=2e-2)
    assert abs(full.max() - half.max()) <= 0.005 * full.max() + 0.01


def test_graphs_use_plain_operators_and_half_where_declared() -> None:
    assert half_share(_graph("float32")) == 0
    assert half_share(_graph("float16")) > 0.1
    for precision in ("float32", "float16"):
        model = onnx.load_from_string(_graph(precision))
        assert {node.op_type for node in model.graph.node} <= PLAIN_OPERATORS
        assert len(_graph("float16")) < len(_graph("float32"))


@pytest.mark.parametrize("gain", [0.8, 0.9, 1.1, 1.2])
def test_a_change_of_the_light_is_no_anomaly_and_an_object_is(gain: float) -> None:
    lit = np.clip(_fresh() * gain, 0, 255).astype(np.uint8)
    assert _score(lit) < 2 * _score(_fresh())
    assert _score(with_object(lit)) > 4 * _score(lit)


def test_a_lighting_ramp_is_no_anomaly() -> None:
    ramp = np.linspace(0.8, 1.15, _fresh().shape[1])[None, :, None]
    tilted = np.clip(_fresh() * ramp, 0, 255).astype(np.uint8)
    assert _score(tilted) < 2 * _score(_fresh())
    assert _score(tilted) < 0.7 * _score(tilted, _model(light_passes=0))


@pytest.mark.parametrize("colour", [(20, 20, 20), (235, 235, 235), (150, 90, 60), (90, 120, 150)])
def test_objects_of_every_kind_stand_out_where_they_are(colour: tuple[int, int, int]) -> None:
    scores = anomaly_map(with_object(_fresh(), colour), _model())
    assert scores[73:85, 124:142].mean() > 5 * np.median(scores)
    assert _score(with_object(_fresh(), colour)) > 3 * _score(_fresh())


def test_an_object_barely_moves_the_light_estimate_around_it() -> None:
    clean, dirty = anomaly_map(_fresh(), _model()), anomaly_map(with_object(_fresh()), _model())
    away = np.ones(clean.shape, bool)
    away[60:98, 110:156] = False
    assert np.abs(dirty - clean)[away].mean() < 0.2


def test_what_is_masked_says_nothing_of_the_light() -> None:
    keep = np.ones(_fresh().shape[:2], bool)
    keep[:, 100:140] = False
    moved = _fresh().copy()
    moved[:, 100:140] = 255
    away = np.abs(anomaly_map(moved, _model(), keep) - anomaly_map(_fresh(), _model(), keep))
    assert away.max() < 1e-3
    assert np.abs(anomaly_map(moved, _model()) - anomaly_map(_fresh(), _model()))[keep].max() > 0.3


@pytest.mark.parametrize("shift", [(0.5, 0.0), (0.0, -0.5), (0.7, 0.7)])
def test_a_small_misregistration_is_tolerated(shift: tuple[float, float]) -> None:
    matrix = np.array([[1, 0, shift[0]], [0, 1, shift[1]]])
    moved = cv2.warpAffine(_fresh(), matrix, _fresh().shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
    strict = _model(tolerance_px=0.0)
    assert _score(moved) / _score(_fresh()) < 1.5
    assert _score(moved) < _score(moved, strict)


def test_one_good_frame_with_an_object_does_not_become_ideal() -> None:
    images = frames(12, scene())
    images[4] = with_object(images[4])
    model = learn(images, [np.ones(images[0].shape[:2], bool)] * 12, VariationSettings())
    assert _score(with_object(_fresh()), model) > 0.8 * _score(with_object(_fresh()))


def test_pixels_that_a_frame_does_not_show_do_not_count() -> None:
    images = frames(9, scene())
    seen = [np.ones(images[0].shape[:2], bool) for _ in images]
    for image, mask in zip(images[:6], seen[:6], strict=True):
        image[:, :20] = 0
        mask[:, :20] = False
    model = learn(images, seen, VariationSettings())
    assert np.isfinite(model.weight).all()
    assert anomaly_map(_fresh(), model)[:, :15].mean() < 0.5
    for mask in seen:
        mask[:, :20] = False
    blind = learn(images, seen, VariationSettings())
    assert np.isfinite(blind.centre).all()
    assert np.isfinite(blind.weight).all()


def test_learning_is_deterministic() -> None:
    images = frames(6, scene())
    seen = [np.ones(images[0].shape[:2], bool)] * 6
    first, second = (write_graph(learn(images, seen, VariationSettings()), "float32") for _ in range(2))
    assert first == second


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 90), st.integers(2, 90), st.floats(0.5, 40), st.floats(-200, 200))
def test_low_pass_keeps_constants_and_stays_between_extremes(width: int, height: int, sigma: float, level: float) -> None:
    low_pass = LowPass.of((width, height), sigma)
    flat = np.full((3, height, width), level, np.float32)
    assert np.allclose(low_pass.up(low_pass.down(flat)), level, rtol=1e-4, atol=1e-3)
    noise = np.random.default_rng(0).uniform(-1, 1, (3, height, width)).astype(np.float32)
    assert np.abs(low_pass.up(low_pass.down(noise))).max() <= 1 + 1e-5


def test_window_is_odd_and_grows_with_the_model() -> None:
    windows = [VariationSettings().window_px((side, side // 2)) for side in range(16, 2000, 7)]
    assert all(window % 2 == 1 and window >= 3 for window in windows)
    assert windows == sorted(windows)
    assert VariationSettings().window_px((480, 196)) == 15
