"""The comparison of two images: what it finds, what it forgives, and the graph that is the definition."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.bundle import open_bundle
from edge.engines.onnxruntime import OnnxRuntimeEngine
from edge.settings.engines import OnnxRuntimeSettings
from edge.types import ImageU8, MapF32, MaskBool
from export.__main__ import build_parser, main
from export.adapters.comparison import golden_inputs, write_comparison
from export.adapters.comparison_graph import write_graph
from export.adapters.comparison_model import ComparisonSettings, Grid, anomaly_map
from export.graph import half_share
from export.proof import run_once

SIZE_WH = (101, 77)  # no whole number of cells
PLAIN_OPERATORS = {
    "Abs", "Add", "AveragePool", "Cast", "Concat", "Div", "Identity", "Log", "MatMul", "Max", "MaxPool", "Min", "Mul", "Neg",
    "Pad", "ReduceSum", "Relu", "Reshape", "Resize", "Slice", "Softmax", "Sqrt", "Sub", "Transpose", "Unsqueeze",
}  # fmt: skip


@cache
def _board(size_wh: tuple[int, int] = SIZE_WH) -> ImageU8:
    """Tracks with slanted edges, bright on dark, softened as a lens would."""
    image = np.full((size_wh[1], size_wh[0], 3), 40, np.uint8)
    for place in range(12, max(size_wh), 24):
        cv2.line(image, (place, 0), (place + 9, size_wh[1]), (210, 190, 120), 7, cv2.LINE_AA)
        cv2.line(image, (0, place), (size_wh[0], place - 5), (210, 190, 120), 5, cv2.LINE_AA)
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 0.7), np.uint8)


def _moved(image: ImageU8, x: float, y: float) -> ImageU8:
    matrix = np.array([[1, 0, x], [0, 1, y]], np.float64)
    size_wh = (image.shape[1], image.shape[0])
    return np.asarray(
        cv2.warpAffine(image, matrix, size_wh, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101), np.uint8
    )


def _with_spot(image: ImageU8, at: tuple[int, int] = (50, 40), side: int = 5) -> ImageU8:
    spoilt = image.copy()
    x, y = at
    spoilt[y - side // 2 : y + side // 2 + 1, x - side // 2 : x + side // 2 + 1] = 255 - spoilt[y, x]
    return spoilt


def _run(graph: bytes, image: ImageU8, reference: ImageU8, keep: MaskBool | None = None) -> MapF32:
    kept = np.ones(image.shape[:2], np.uint8) if keep is None else keep.astype(np.uint8)
    feed = {"image": image[None], "reference": reference[None], "keep": kept[None]}
    scores: MapF32 = run_once(graph, feed)["anomaly_map"][0]
    return scores


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"search_px": 0},
        {"search_px": 1, "tolerance_px": 0},
        {"search_px": 2, "cell_px": 5, "patch_cells": 3, "tolerance_px": 2, "softness": 0.3},
        {"light_passes": 0, "patch_cells": 1},
        {"light_passes": 1, "light_clip": (5.0, 2.0, 1.0), "weights": (0.5, 3.0, 1.0), "dark_offset": 16.0},
    ],
)
def test_the_graph_is_the_numpy_definition(changes: dict[str, object]) -> None:
    chosen = ComparisonSettings.model_validate(changes)
    graph = write_graph(SIZE_WH, chosen, "float32")
    reference = _board()
    keep = np.ones(reference.shape[:2], bool)
    keep[:30, 20:60] = False
    for image in (reference, _with_spot(_moved(reference, 1.6, -2.2)), np.zeros_like(reference), 255 - reference):
        for kept in (None, keep, np.zeros_like(keep)):
            found, expected = _run(graph, image, reference, kept), anomaly_map(image, reference, chosen, kept)
            assert np.allclose(found, expected, rtol=1e-5, atol=1e-5 * 280)  # planes reach 280 grey levels


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_graph_is_the_definition_on_any_pair(seed: int) -> None:
    image, reference = np.random.default_rng(seed).integers(0, 256, (2, SIZE_WH[1], SIZE_WH[0], 3), np.uint8)
    found = _run(_graphs()["float32"], image, reference)
    assert np.allclose(found, anomaly_map(image, reference, ComparisonSettings()), rtol=1e-4, atol=1e-2)


@cache
def _graphs() -> dict[str, bytes]:
    chosen = ComparisonSettings()
    return {"float32": write_graph(SIZE_WH, chosen, "float32"), "float16": write_graph(SIZE_WH, chosen, "float16")}


def test_float16_is_float32_within_the_manifests_limits() -> None:
    for given_inputs in golden_inputs(SIZE_WH):
        whole, half = (run_once(_graphs()[kind], given_inputs)["anomaly_map"] for kind in ("float32", "float16"))
        assert np.abs(whole - half).max() < 0.2
        assert whole.max() > 5
    assert half_share(_graphs()["float16"]) > 0.25
    assert half_share(_graphs()["float32"]) == 0


def test_only_operators_that_every_engine_knows() -> None:
    for graph in _graphs().values():
        assert {node.op_type for node in onnx.load_from_string(graph).graph.node} <= PLAIN_OPERATORS


def test_the_same_picture_differs_by_next_to_nothing() -> None:
    """Not by nothing: shifts that fit nearly as well are mixed in."""
    assert anomaly_map(_board(), _board(), ComparisonSettings()).max() < 5
    assert anomaly_map(_board(), _board(), ComparisonSettings(search_px=0)).max() == 0


@pytest.mark.parametrize("shift", [(1.0, 0.0), (-2.0, 3.0), (2.5, -1.5), (0.4, 0.4)])
def test_a_shift_within_the_search_costs_little_and_a_spot_on_it_is_found(shift: tuple[float, float]) -> None:
    shifted = _moved(_board(), *shift)
    inner = (slice(8, -8), slice(8, -8))
    rule = ComparisonSettings()
    plain = cv2.blur(anomaly_map(shifted, _board(), ComparisonSettings(search_px=0, tolerance_px=0)), (5, 5))[inner].max()
    forgiven = cv2.blur(anomaly_map(shifted, _board(), rule), (5, 5))[inner].max()
    spot = cv2.blur(anomaly_map(_with_spot(shifted), _board(), rule), (5, 5))
    assert forgiven < plain / 2
    assert spot[inner].max() > max(50.0, 2 * forgiven)
    assert np.unravel_index(int(spot.argmax()), spot.shape) == pytest.approx((40, 50), abs=3)


def test_pieces_that_moved_differently_are_forgiven_piece_by_piece() -> None:
    left, right = _moved(_board((240, 160)), 2, 0), _moved(_board((240, 160)), -2, 1)
    torn = left.copy()
    torn[:, 120:] = right[:, 120:]
    scores = cv2.blur(anomaly_map(torn, _board((240, 160)), ComparisonSettings()), (5, 5))
    away = np.r_[10:80, 160:230]  # the seam itself is a difference
    assert scores[10:-10, away].max() < 40


@pytest.mark.parametrize("make", [_with_spot, lambda image: image])
def test_light_that_changes_slowly_is_no_difference(make: object) -> None:
    light = np.linspace(0.85, 1.15, SIZE_WH[0])[None, :, None]
    lit = np.asarray(np.clip(make(_board()) * light, 0, 255), np.uint8)  # type: ignore[operator]
    blind = anomaly_map(lit, _board(), ComparisonSettings(light_passes=0, search_px=0))
    seen = anomaly_map(lit, _board(), ComparisonSettings(search_px=0))
    elsewhere = np.ones(SIZE_WH[::-1], bool)
    elsewhere[30:50, 40:60] = False
    assert seen[elsewhere].mean() < blind[elsewhere].mean() / 2
    if make is _with_spot:
        assert seen[~elsewhere].max() > 80


def test_what_is_missing_counts_as_much_as_what_is_there() -> None:
    both = [
        anomaly_map(*pair, ComparisonSettings())
        for pair in ((_with_spot(_board()), _board()), (_board(), _with_spot(_board())))
    ]
    assert both[0].max() == pytest.approx(both[1].max(), rel=0.2)


def test_a_line_that_is_no_wider_than_the_tolerance_is_not_seen_and_the_help_says_so() -> None:
    line = _board().copy()
    line[:, 60] = _board()[:, 61]
    assert anomaly_map(line, _board(), ComparisonSettings()).max() < 30
    assert "narrower than about twice --tolerance" in _help()


def test_what_is_masked_neither_votes_nor_counts() -> None:
    keep = np.ones(SIZE_WH[::-1], bool)
    keep[20:60, 30:70] = False
    image = _moved(_board(), 1, 1)
    spoilt = image.copy()
    spoilt[20:60, 30:70] = np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8)
    clean, hidden = (anomaly_map(each, _board(), ComparisonSettings(), keep) for each in (image, spoilt))
    assert (hidden[~keep] == 0).all()
    inner = keep.copy()
    inner[17:63, 27:73] = False  # beyond the tolerance of what is masked
    assert np.allclose(clean[inner], hidden[inner], atol=1e-2)


def test_a_grid_covers_the_whole_picture() -> None:
    grid = Grid(SIZE_WH, 8)
    assert grid.cells_wh == (13, 10)
    assert grid.padded_wh == (104, 80)
    assert grid.missing_wh == (3, 3)


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="patch_cells must be odd"):
        ComparisonSettings(patch_cells=4)
    with pytest.raises(ValueError, match="less than or equal to 8"):
        ComparisonSettings(search_px=9)
    assert ComparisonSettings().window_px((640, 640)) == 5
    assert ComparisonSettings().window_px((100, 100)) == 3


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_the_bundle_proves_itself_on_the_stations_engine(tmp_path: Path, precision: str) -> None:
    bundle = write_comparison(tmp_path / "b", SIZE_WH, ComparisonSettings(), "tests")
    assert bundle.reference() is None  # tied to no pose
    assert bundle.manifest.training.images == 0
    with OnnxRuntimeEngine(bundle, OnnxRuntimeSettings(threads=1, precision=precision)) as engine:  # type: ignore[arg-type]
        assert engine.golden is not None
    again = write_comparison(tmp_path / "c", SIZE_WH, ComparisonSettings(), "tests")
    assert again.manifest.files == bundle.manifest.files


def _help() -> str:
    return " ".join(build_parser()._subparsers._group_actions[0].choices["comparison"].format_help().split())  # type: ignore[union-attr,index,call-overload]


def test_the_command_writes_a_bundle_with_its_options_in_the_manifest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "b.zip"
    options = ["--search", "2", "--tolerance", "0", "--patch", "25", "--window", "7", "--no-light"]
    assert main(["comparison", "--size", "96x64", "--out", str(out), *options]) == 0
    manifest = open_bundle(out).manifest
    assert capsys.readouterr().out.startswith(manifest.name)
    assert manifest.family == "comparison"
    assert [spec.name for spec in manifest.inputs] == ["image", "reference", "keep"]
    found = {key: manifest.parameters[key] for key in ("search_px", "tolerance_px", "patch_cells", "light_passes")}
    assert found == {"search_px": 2, "tolerance_px": 0, "patch_cells": 3, "light_passes": 0}
    assert manifest.score.window == 7


def test_the_help_tells_the_defaults_that_hold() -> None:
    default = ComparisonSettings()
    for text in (f"(default {default.search_px}; 0: none)", f"be off (default {default.tolerance_px})"):
        assert text in _help()
    assert f"(default {default.cell_px * default.patch_cells})" in _help()
    assert default.window == 1 / 128


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--size", "10x10"], "--size: '10x10' is no usable size"),
        (["--size", "big"], "--size: 'big' is no usable size"),
        (["--size", "64x64", "--search", "99"], "search_px"),
        (["--size", "64x64", "--window", "4"], "--window: 4 is not possible"),
        (["--size", "64x64", "--patch", "2000"], "--patch: 2000 is not possible"),
    ],
)
def test_bad_options_are_one_line_and_write_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    assert main(["comparison", "--out", str(tmp_path / "b"), *options]) == 3
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not (tmp_path / "b").exists()
