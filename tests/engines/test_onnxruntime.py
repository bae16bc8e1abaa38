from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from edge.bundle import Bundle, Limits, Manifest, Tolerance, contract
from edge.engines.base import Engine
from edge.engines.onnxruntime import OnnxRuntimeEngine
from edge.errors import BundleError, EngineFault
from edge.settings.engines import OnnxRuntimeSettings
from tests.bundle.samples import SIZE_WH, declared, random_inputs, write
from tests.contracts.engine import EngineContract
from tests.engines import graphs

ONE = OnnxRuntimeSettings(threads=1)
HALF = OnnxRuntimeSettings(threads=1, precision="float16")
BLACK = {"image": np.zeros((1, graphs.HEIGHT, graphs.WIDTH, 3), np.uint8)}


def mean(inputs: dict[str, Any], scale: float = 1.0) -> dict[str, Any]:
    return {"anomaly_map": inputs["image"].astype(np.float32).mean(axis=3) * np.float32(scale)}


def bundle_of(out: Path, model: bytes, **changes: Any) -> Bundle:
    declaration = changes.pop("declaration", declared())
    inputs = [random_inputs(declaration, seed) for seed in (0, 1)]
    outputs = changes.pop("golden_outputs", [mean(given) for given in inputs])
    return write(out, declaration, model=model, golden_inputs=inputs, golden_outputs=outputs, **changes)


class TestContract(EngineContract):
    @pytest.fixture
    def manifest(self, bundle: Bundle) -> Manifest:
        return bundle.manifest

    @pytest.fixture
    def bundle(self, tmp_path: Path) -> Bundle:
        declaration = declared(
            inputs=contract(SIZE_WH, ["image", "reference", "keep"]),
            outputs=contract(SIZE_WH, ["anomaly_map", "image_score"]),
            masking={"pre": True},
        )
        outputs = []
        for given in (random_inputs(declaration, seed) for seed in (0, 1)):
            distance = np.abs(given["image"].astype(np.float32) - given["reference"]).mean(axis=3) * given["keep"]
            outputs.append({"anomaly_map": distance.astype(np.float32), "image_score": distance.max(axis=(1, 2))})
        return bundle_of(tmp_path / "b", graphs.full_contract(), declaration=declaration, golden_outputs=outputs)

    @pytest.fixture
    def engine(self, bundle: Bundle) -> Engine:
        return OnnxRuntimeEngine(bundle, ONE)

    @pytest.fixture
    def broken(self, tmp_path: Path) -> tuple[Engine, dict[str, Any]]:
        return OnnxRuntimeEngine(bundle_of(tmp_path / "broken", graphs.fails_when_black()), ONE), BLACK


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return bundle_of(tmp_path / "b", graphs.mean_map(), model_fp16=graphs.mean_map(half=True))


def test_scores_are_raw_and_exact(bundle: Bundle) -> None:
    inputs = random_inputs(bundle.manifest, 9)
    with OnnxRuntimeEngine(bundle, ONE) as engine:
        made = engine.infer(inputs)["anomaly_map"]
    np.testing.assert_allclose(made, mean(inputs)["anomaly_map"], rtol=1e-6)


@pytest.mark.parametrize("threads", [1, 2])
def test_identity_and_golden_report(bundle: Bundle, threads: int) -> None:
    engine = OnnxRuntimeEngine(bundle, OnnxRuntimeSettings(threads=threads))
    assert engine.golden is None
    with engine:
        assert str(engine.identity) == f"onnxruntime-{onnxruntime.__version__} cpu float32"
        assert not engine.identity.is_simulated
        assert engine.golden is not None
        assert 0 <= engine.golden.ratio <= 1
        assert engine.golden.error <= engine.golden.limit


def test_half_precision_twin_runs_within_its_own_limits(bundle: Bundle) -> None:
    with OnnxRuntimeEngine(bundle, HALF) as engine:
        assert engine.identity.precision == "float16"
        assert engine.infer(random_inputs(bundle.manifest))["anomaly_map"].dtype == np.float32


def test_half_precision_is_refused_where_the_bundle_has_none(tmp_path: Path) -> None:
    engine = OnnxRuntimeEngine(bundle_of(tmp_path / "b", graphs.mean_map()), HALF)
    with pytest.raises(BundleError, match="no float16 model"):
        engine.__enter__()


def test_construction_touches_nothing(bundle: Bundle) -> None:
    bundle.model_path().unlink()
    engine = OnnxRuntimeEngine(bundle, ONE)
    with pytest.raises(BundleError, match=r"model\.onnx: cannot be read"):
        engine.__enter__()


def test_model_swapped_after_opening_never_loads(bundle: Bundle) -> None:
    bundle.model_path().write_bytes(graphs.mean_map(scale=0.0))
    with pytest.raises(BundleError, match="is damaged or was replaced"), OnnxRuntimeEngine(bundle, ONE):
        pass


@pytest.mark.parametrize(
    ("model", "named"),
    [
        (graphs.mean_map(image=("picture", TensorProto.UINT8, [1, 24, 32, 3])), "`picture: uint8"),
        (graphs.mean_map(image=("image", TensorProto.FLOAT, [1, 24, 32, 3])), "`image: float32"),
        (graphs.mean_map(image=("image", TensorProto.UINT8, ["batch", 24, 32, 3])), "`image: uint8 [batch, 24, 32, 3]`"),
        (graphs.mean_map(image=("image", TensorProto.UINT8, [1, None, None, 3])), "`image: uint8 [1, ?, ?, 3]`"),
        (graphs.mean_map(image=("image", TensorProto.UINT8, [1, 32, 24, 3]), output=(*graphs.MAP[:2], [1, 32, 24])), "[1, 32"),
        (graphs.mean_map(output=("map", TensorProto.FLOAT, [1, 24, 32])), "outputs are `map"),
        (graphs.full_contract(), "`keep: uint8"),
        (
            graphs.mean_map(
                output=("anomaly_map", TensorProto.DOUBLE, [1, 24, 32]),
                last=[helper.make_node("Cast", ["mean"], ["anomaly_map"], to=TensorProto.DOUBLE)],
            ),
            "`anomaly_map: float64",
        ),
    ],
)
def test_onnx_with_other_inputs_or_outputs_is_refused(tmp_path: Path, model: bytes, named: str) -> None:
    with (
        pytest.raises(BundleError, match="the manifest's are") as caught,
        OnnxRuntimeEngine(bundle_of(tmp_path / "b", model), ONE),
    ):
        pass
    assert named in str(caught.value)


UNKNOWN_OPERATOR = [helper.make_node("NoSuchOperator", ["mean"], ["anomaly_map"])]


@pytest.mark.parametrize(
    "model",
    [
        b"no protobuf",
        b"\0" * 1000,
        graphs.mean_map()[:-40],
        graphs.mean_map(last=UNKNOWN_OPERATOR),
        graphs.external_weights("weights.bin"),
        graphs.external_weights("/etc/hostname"),
        graphs.external_weights("../../../../../../etc/hostname"),
    ],
)
def test_model_that_cannot_be_loaded_is_refused_quietly(
    tmp_path: Path, model: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(BundleError, match="cannot load the float32 model") as caught:
        OnnxRuntimeEngine(bundle_of(tmp_path / "b", model), ONE).__enter__()
    assert str(caught.value).isprintable()
    assert capfd.readouterr() == ("", "")


def test_wrong_scores_are_found_at_start(tmp_path: Path) -> None:
    bundle = bundle_of(tmp_path / "b", graphs.mean_map(scale=1.001), licence="x")
    engine = OnnxRuntimeEngine(bundle, ONE)
    with pytest.raises(EngineFault, match=r"golden vector [01]: anomaly_map is off by 0\.\d+, the limit is 0\.0\d+") as caught:
        engine.__enter__()
    assert caught.value.where == f"bundle {bundle.name}"
    with pytest.raises(EngineFault, match="not open"):
        engine.infer(BLACK)


@pytest.mark.parametrize(("scales", "worst"), [((1.0, 1.1), 1), ((1.1, 1.0), 0), ((1.1, 1.2), 1), ((1.2, 1.1), 0)])
def test_worst_golden_vector_is_named(tmp_path: Path, scales: tuple[float, float], worst: int) -> None:
    golden = [mean(random_inputs(declared(), seed), scale) for seed, scale in enumerate(scales)]
    engine = OnnxRuntimeEngine(bundle_of(tmp_path / "b", graphs.mean_map(), golden_outputs=golden), ONE)
    with pytest.raises(EngineFault, match=f"golden vector {worst}: anomaly_map is off by"):
        engine.__enter__()


def test_limits_are_the_manifests(tmp_path: Path) -> None:
    loose = declared(limits=Limits(float32=Tolerance(rtol=0.01, atol=0)))
    with OnnxRuntimeEngine(bundle_of(tmp_path / "b", graphs.mean_map(scale=1.001), declaration=loose), ONE) as engine:
        assert engine.golden is not None
        assert engine.golden.ratio == pytest.approx(0.1, rel=0.01)


def test_exact_zero_meets_a_limit_of_zero(tmp_path: Path) -> None:
    exact = declared(limits=Limits(float32=Tolerance(rtol=0, atol=0)))
    zero = [{"anomaly_map": np.zeros((1, 24, 32), np.float32)}] * 2
    with OnnxRuntimeEngine(
        bundle_of(tmp_path / "b", graphs.mean_map(scale=0.0), declaration=exact, golden_outputs=zero), ONE
    ) as engine:
        assert engine.golden is not None
        assert engine.golden.ratio == 0
    tiny = graphs.mean_map(scale=1e-30)
    with (
        pytest.raises(EngineFault, match="the limit is 0 "),
        OnnxRuntimeEngine(bundle_of(tmp_path / "c", tiny, declaration=exact, golden_outputs=zero), ONE),
    ):
        pass


def test_nan_in_a_golden_run_is_never_within_limits(tmp_path: Path) -> None:
    golden = [{"anomaly_map": np.ones((1, 24, 32), np.float32)}] * 2
    zero_by_zero = graphs.mean_map(scale=0.0, last=[helper.make_node("Div", ["mean", "mean"], ["anomaly_map"])])
    with pytest.raises(EngineFault, match="off by inf"):
        OnnxRuntimeEngine(bundle_of(tmp_path / "b", zero_by_zero, golden_outputs=golden), ONE).__enter__()


def test_nan_of_a_frame_is_passed_on_to_the_verdict(tmp_path: Path) -> None:
    golden = [{"anomaly_map": np.ones((1, 24, 32), np.float32)}] * 2
    with OnnxRuntimeEngine(bundle_of(tmp_path / "b", graphs.nan_where_black(), golden_outputs=golden), ONE) as engine:
        assert np.isnan(engine.infer(BLACK)["anomaly_map"]).all()


def test_map_of_another_shape_is_a_fault(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    bundle = bundle_of(tmp_path / "b", graphs.other_shape_when_black())
    with OnnxRuntimeEngine(bundle, ONE) as engine:
        with pytest.raises(EngineFault, match=r"output anomaly_map is float32 \[1, 0, 32\], the manifest's is"):
            engine.infer(BLACK)
        assert engine.infer(random_inputs(bundle.manifest))["anomaly_map"].shape == (1, 24, 32)
    assert capfd.readouterr() == ("", "")


def test_failure_at_run_time_is_quiet_and_the_next_frame_is_judged(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    bundle = bundle_of(tmp_path / "b", graphs.fails_when_black())
    with OnnxRuntimeEngine(bundle, ONE) as engine:
        with pytest.raises(EngineFault, match="ONNX Runtime failed"):
            engine.infer(BLACK)
        assert engine.infer(random_inputs(bundle.manifest))
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_no_more_threads_than_declared_and_none_left_behind(bundle: Bundle, threads: int) -> None:
    def running() -> int:
        return len(list(Path("/proc/self/task").iterdir()))

    before = running()
    with OnnxRuntimeEngine(bundle, OnnxRuntimeSettings(threads=threads)) as engine:
        engine.infer(random_inputs(bundle.manifest))
        # The calling thread is one of them.
        assert running() == before + threads - 1
    del engine
    assert running() == before


def test_idle_threads_do_not_spin(bundle: Bundle) -> None:
    engine = OnnxRuntimeEngine(bundle, OnnxRuntimeSettings(threads=2))
    options = engine._options()
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    assert options.intra_op_num_threads == 2
    assert options.inter_op_num_threads == 1
    assert options.execution_mode == onnxruntime.ExecutionMode.ORT_SEQUENTIAL


def test_opened_in_one_thread_used_in_another(bundle: Bundle) -> None:
    made: list[Any] = []
    inputs = random_inputs(bundle.manifest)
    with OnnxRuntimeEngine(bundle, ONE) as engine:
        worker = threading.Thread(target=lambda: made.append(engine.infer(inputs)["anomaly_map"]))
        worker.start()
        worker.join(30)
    np.testing.assert_allclose(made[0], mean(inputs)["anomaly_map"], rtol=1e-6)
