"""Programs on ONNX Runtime: loops, tiles, families without a map; and what goes wrong half-way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.bundle import Bundle, DenoisingLoop, Manifest, Tensors, Tiling, contract, graphs
from edge.engines.base import Engine
from edge.engines.onnxruntime import OnnxRuntimeEngine
from edge.engines.programs import GraphRunner, ProgramRunner
from edge.engines.tiles import Join, cut
from edge.errors import BundleError, Cancelled, EngineFault
from edge.settings.engines import OnnxRuntimeSettings
from tests.bundle.samples import declared, random_inputs
from tests.contracts.engine import EngineContract
from tests.engines import programs as made

ONE = OnnxRuntimeSettings(threads=1)
FILES = {"model.onnx": "0" * 64}


class _Program(EngineContract):
    @pytest.fixture
    def bundle(self, tmp_path: Path) -> Bundle:
        raise NotImplementedError

    @pytest.fixture
    def manifest(self, bundle: Bundle) -> Manifest:
        return bundle.manifest

    @pytest.fixture
    def engine(self, bundle: Bundle) -> Engine:
        return OnnxRuntimeEngine(bundle, ONE)

    @pytest.fixture
    def broken(self, bundle: Bundle) -> tuple[Engine, dict[str, Any]]:
        return _Failing(bundle, ONE), random_inputs(bundle.manifest, 5)


class _Failing(OnnxRuntimeEngine):
    """Opens, and fails at the first frame after its proof."""

    def infer(self, inputs: Tensors) -> Tensors:
        if self.golden is not None:
            raise EngineFault("failed after its proof")
        return super().infer(inputs)


class TestLoop(_Program):
    @pytest.fixture
    def bundle(self, tmp_path: Path) -> Bundle:
        return made.loop_bundle(tmp_path / "b")


class TestTiles(_Program):
    @pytest.fixture
    def bundle(self, tmp_path: Path) -> Bundle:
        return made.tiled_bundle(tmp_path / "b")


class TestMapless(_Program):
    @pytest.fixture
    def bundle(self, tmp_path: Path) -> Bundle:
        return made.mapless_bundle(tmp_path / "b")


def manifest_of(declaration: Any) -> Manifest:
    return Manifest.of(declaration, FILES)


def test_a_loop_gives_what_the_papers_code_gives(tmp_path: Path) -> None:
    bundle = made.loop_bundle(tmp_path / "b")
    inputs = random_inputs(bundle.manifest, 9)
    with OnnxRuntimeEngine(bundle, ONE) as engine:
        outputs = engine.infer(inputs)
    for name, expected in made.looped(inputs).items():
        np.testing.assert_allclose(outputs[name], expected, rtol=1e-5, atol=1e-5)


def test_a_loop_in_tiles_runs_whole_in_every_tile(tmp_path: Path) -> None:
    tiling = Tiling(size=12, overlap=0)
    declaration = made.looping((24, 12), tiling)

    def golden(inputs: Tensors) -> dict[str, Any]:
        halves = [made.looped({"image": inputs["image"][:, :, part]}) for part in (slice(0, 12), slice(12, 24))]
        return {
            "anomaly_map": np.concatenate([half["anomaly_map"] for half in halves], axis=2),
            "image_score": np.maximum(*(half["image_score"] for half in halves)),
        }

    bundle = made.bundle_with(
        tmp_path / "b", declaration, golden, model=made.head_graph((12, 12)), step=made.step_graph((12, 12))
    )
    with OnnxRuntimeEngine(bundle, ONE) as engine:
        assert engine.golden is not None
        assert engine.golden.ratio < 1


def test_a_loop_with_another_weight_is_caught_by_the_golden_vectors(tmp_path: Path) -> None:
    program = made.loop_for((20, 12)).model_copy(update={"weight": 2.5})
    with (
        pytest.raises(EngineFault, match="golden vector"),
        OnnxRuntimeEngine(made.loop_bundle(tmp_path / "b", program=program), ONE),
    ):
        pass


def test_another_noise_is_refused(tmp_path: Path) -> None:
    program = made.loop_for((20, 12))
    forged = program.model_copy(update={"noise": program.noise.model_copy(update={"sha256": "0" * 64})})
    with (
        pytest.raises(EngineFault, match="another noise"),
        OnnxRuntimeEngine(made.loop_bundle(tmp_path / "b", program=forged), ONE),
    ):
        pass


def test_a_step_that_is_no_step_is_refused_by_its_name(tmp_path: Path) -> None:
    declaration = made.looping((20, 12))
    models = {"model": made.head_graph((20, 12)), "step": made.identity_graph((20, 12))}
    with (
        pytest.raises(BundleError, match="the step graph's inputs are `image"),
        OnnxRuntimeEngine(made.bundle_with(tmp_path / "b", declaration, made.looped, **models), ONE),
    ):
        pass


def test_a_step_of_another_size_than_the_tile_is_refused(tmp_path: Path) -> None:
    declaration = made.looping((24, 24), Tiling(size=12, overlap=0))
    models = {"model": made.head_graph((12, 12)), "step": made.step_graph((24, 24))}
    with (
        pytest.raises(BundleError, match=r"the manifest's are `coef.*xt: float32 \[1, 3, 12, 12\]"),
        OnnxRuntimeEngine(
            made.bundle_with(
                tmp_path / "b",
                declaration,
                lambda given: {"anomaly_map": np.zeros((1, 24, 24), np.float32), "image_score": np.zeros(1, np.float32)},
                **models,
            ),
            ONE,
        ),
    ):
        pass


def test_nan_in_a_step_is_a_fault_that_says_where(tmp_path: Path) -> None:
    declaration = made.looping((20, 12))
    models = {"model": made.head_graph((20, 12)), "step": made.step_graph((20, 12), breaks_at=10)}
    with (
        pytest.raises(EngineFault, match=r"graph step, step 3 of 4 \(t = 10\): gave NaN"),
        OnnxRuntimeEngine(made.bundle_with(tmp_path / "b", declaration, made.looped, **models), ONE),
    ):
        pass


class Calls:
    """A runner of numpy: what it is asked, and an answer or a fault."""

    def __init__(self, answer: Any) -> None:
        self.asked: list[Tensors] = []
        self._answer = answer

    def call(self, inputs: Tensors) -> Tensors:
        self.asked.append(inputs)
        return dict(self._answer(inputs))


def identity(inputs: Tensors) -> dict[str, Any]:
    return {"anomaly_map": inputs["image"][..., 1].astype(np.float32)}


def tiled(size_wh: tuple[int, int], tiling: Tiling, names: tuple[str, ...] = ("anomaly_map",), **changes: Any) -> Manifest:
    return manifest_of(declared(size_wh=size_wh, tiling=tiling, outputs=contract(size_wh, names), **changes))


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_tiles_of_an_identity_give_the_image_back_to_the_last_bit(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 20))
    tiling = Tiling(size=size, overlap=data.draw(st.integers(0, size - 1)))
    size_wh = data.draw(st.integers(size, 50)), data.draw(st.integers(size, 50))
    scores = np.random.default_rng(1).normal(0, 1e3, (1, *size_wh[::-1])).astype(np.float32)
    tiles = [{"anomaly_map": part["scores"]} for part in cut({"scores": scores}, tiling, size_wh)]
    joined = Join(tiling, size_wh).joined(tiles)["anomaly_map"]
    assert joined.dtype == np.float32
    np.testing.assert_array_equal(joined, scores)


def test_there_are_no_seams_between_tiles_that_disagree() -> None:
    tiling, size_wh = Tiling(size=16, overlap=8), (24, 16)
    maps = [{"anomaly_map": np.full((1, 16, 16), level, np.float32)} for level in (0.0, 9.0)]
    row = Join(tiling, size_wh).joined(maps)["anomaly_map"][0, 8]
    assert (row[:8] == 0).all()
    assert (row[16:] == 9).all()
    np.testing.assert_allclose(np.diff(row[7:17]), 1.0, atol=1e-5)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_no_number_in_one_tile_is_none_in_the_whole(bad: float) -> None:
    tiling, size_wh = Tiling(size=16, overlap=8), (24, 16)
    maps = [{"anomaly_map": np.zeros((1, 16, 16), np.float32), "image_score": np.ones(1, np.float32)} for _ in range(2)]
    maps[0]["anomaly_map"][0, 3, 12] = bad
    maps[1]["image_score"] = np.array([bad], np.float32)
    joined = Join(tiling, size_wh).joined(list(maps))
    assert not np.isfinite(joined["anomaly_map"][0, 3, 12])
    assert np.isfinite(joined["anomaly_map"]).sum() == joined["anomaly_map"].size - 1
    assert not np.isfinite(joined["image_score"][0])


def test_every_input_is_cut_alike_and_the_score_is_the_highest() -> None:
    manifest = manifest_of(
        declared(
            size_wh=(26, 17),
            tiling=Tiling(size=12, overlap=3),
            inputs=contract((26, 17), ["image", "reference", "keep"]),
            outputs=contract((26, 17), ["anomaly_map", "image_score"]),
            masking={"pre": True},
        )
    )

    def compared(inputs: Tensors) -> dict[str, Any]:
        distance = np.abs(inputs["image"].astype(np.float32) - inputs["reference"]).mean(axis=3) * inputs["keep"]
        return {"anomaly_map": distance.astype(np.float32), "image_score": distance.max(axis=(1, 2)).astype(np.float32)}

    runner = Calls(compared)
    inputs = random_inputs(manifest, 4)
    outputs = ProgramRunner(manifest, {"model": runner}).infer(inputs)
    np.testing.assert_allclose(outputs["anomaly_map"], compared(inputs)["anomaly_map"], rtol=1e-6)
    assert outputs["image_score"] == compared(inputs)["image_score"]
    assert {array.shape[1:3] for asked in runner.asked for array in asked.values()} == {(12, 12)}
    assert all(array.flags.c_contiguous for asked in runner.asked for array in asked.values())


def test_a_fault_in_a_tile_says_which() -> None:
    manifest = tiled((24, 12), Tiling(size=12, overlap=0))

    def fails(inputs: Tensors) -> dict[str, Any]:
        if len(runner.asked) == 2:
            raise EngineFault("the device is gone", where="gpu", remedy="restart")
        return identity(inputs)

    runner = Calls(fails)
    with pytest.raises(EngineFault, match=r"graph model, tile 2 of 2: the device is gone: restart"):
        ProgramRunner(manifest, {"model": runner}).infer(random_inputs(manifest))


@pytest.mark.parametrize(
    "answer",
    [
        lambda inputs: {},
        lambda inputs: {"anomaly_map": np.zeros((1, 3, 3), np.float32)},
        lambda inputs: {"anomaly_map": np.zeros((1, 12, 12))},
        lambda inputs: {**identity(inputs), "image_score": np.zeros(1, np.float32)},
    ],
)
def test_a_tile_that_is_no_tile_is_a_fault(answer: Any) -> None:
    manifest = tiled((24, 12), Tiling(size=12, overlap=0))
    with pytest.raises(EngineFault, match="tile 1 of 2: output"):
        ProgramRunner(manifest, {"model": Calls(answer)}).infer(random_inputs(manifest))


def test_progress_counts_every_call_and_can_end_the_inference(tmp_path: Path) -> None:
    bundle = made.loop_bundle(tmp_path / "b")
    told: list[tuple[int, int, str]] = []
    limit = 10_000

    def call_done(done: int, total: int, what: str) -> None:
        told.append((done, total, what))
        if len(told) >= limit:
            raise Cancelled("enough")

    with OnnxRuntimeEngine(bundle, ONE, progress=call_done) as engine:
        told.clear()
        engine.infer(random_inputs(bundle.manifest))
        assert [done for done, _, _ in told] == [1, 2, 3, 4, 5]
        assert told[2] == (3, 5, "step, step 3 of 4 (t = 10)")
        limit = len(told) + 2
        with pytest.raises(Cancelled):
            engine.infer(random_inputs(bundle.manifest))
        limit = 10_000
        assert engine.infer(random_inputs(bundle.manifest))


def test_a_runner_for_each_graph_is_needed() -> None:
    declaration = made.looping((20, 12))
    runner: GraphRunner = Calls(identity)
    with pytest.raises(KeyError, match="step"):
        ProgramRunner(manifest_of(declaration), {"model": runner})
    assert isinstance(declaration.program, DenoisingLoop)
    assert [graph.name for graph in graphs(declaration)] == ["step", "model"]
