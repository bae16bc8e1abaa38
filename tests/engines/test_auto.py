from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edge.bundle import Bundle, Manifest
from edge.engines.auto import AutoEngine
from edge.engines.base import Engine
from edge.engines.gpus import EngineUnavailable
from edge.engines.onnxruntime import OnnxRuntimeEngine
from edge.engines.preparing import Preparable, quiet
from edge.errors import Cancelled, EngineFault
from edge.parts import check_engine, make_engine
from edge.settings.engines import AutoSettings, OnnxRuntimeSettings, TensorRtRtxSettings, TensorRtSettings
from tests.bundle.samples import random_inputs
from tests.contracts.engine import EngineContract
from tests.engines import graphs
from tests.engines.gpu_parts import Rig, conv_bundle, whole_bundle

CPU = OnnxRuntimeSettings(threads=1)


def unavailable() -> Engine:
    raise EngineUnavailable("there is no GPU 0", where="gpu", remedy="look at the cables")


def auto(rig: Rig | None, bundle: Bundle, **changes: Any) -> AutoEngine:
    first = unavailable if rig is None else lambda: rig.engine(bundle, **changes)
    return AutoEngine([("tensorrt", first), ("onnxruntime", lambda: OnnxRuntimeEngine(bundle, CPU))])


class TestContract(EngineContract):
    @pytest.fixture
    def bundle(self, tmp_path: Path) -> Bundle:
        return whole_bundle(tmp_path / "b")

    @pytest.fixture
    def manifest(self, bundle: Bundle) -> Manifest:
        return bundle.manifest

    @pytest.fixture
    def engine(self, bundle: Bundle) -> Engine:
        return auto(None, bundle)

    @pytest.fixture
    def broken(self, tmp_path: Path) -> tuple[Engine, dict[str, Any]]:
        black = graphs.fails_when_black()
        bundle = conv_bundle(tmp_path / "broken", half=black, model=black)
        return auto(None, bundle), {"image": random_inputs(bundle.manifest)["image"] * 0}


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return conv_bundle(tmp_path / "b")


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path / "cache")


def test_a_bundle_without_a_half_precision_twin_needs_nothing_prepared(tmp_path: Path, rig: Rig) -> None:
    bundle = whole_bundle(tmp_path / "single", twin=False)
    engine = auto(rig, bundle)
    assert engine.prepared()
    engine.prepare(quiet)
    with engine:
        assert engine.identity.backend == "onnxruntime"
        assert "no float16 model" in engine.fallbacks[0]


def test_the_gpu_is_taken_where_it_opens(bundle: Bundle, rig: Rig) -> None:
    with auto(rig, bundle) as engine:
        assert str(engine.identity) == "tensorrt-10.3.0 Fake RTX float16"
        assert engine.fallbacks == ()
        rig.seconds += 10
        assert engine.keep_warm()


@pytest.mark.parametrize("what", ["no gpu", "build", "lose half", "context", "scores"])
def test_what_it_falls_back_to_and_why_is_told(tmp_path: Path, rig: Rig, what: str, caplog: pytest.LogCaptureFixture) -> None:
    wrong = graphs.mean_map(half=True, scale=1.5) if what == "scores" else None
    bundle = conv_bundle(tmp_path / "b", half=wrong)
    rig.api.module.fail.add(what)
    with auto(None if what == "no gpu" else rig, bundle) as engine:
        assert engine.identity.backend == "onnxruntime"
        assert not engine.keep_warm()
        (why,) = engine.fallbacks
        assert why.startswith("tensorrt: ")
        assert isinstance(engine.chosen, OnnxRuntimeEngine)
        engine.infer(random_inputs(bundle.manifest))
    assert "engine_fallback from=tensorrt" in caplog.text
    rig.gpu.assert_nothing_left()


def test_it_chooses_at_the_start_and_a_fault_later_stays_a_fault(bundle: Bundle, rig: Rig) -> None:
    with auto(rig, bundle) as engine:
        rig.api.module.fail.add("execute")
        with pytest.raises(EngineFault, match="enqueue failed"):
            engine.infer(random_inputs(bundle.manifest))
        assert engine.identity.backend == "tensorrt"


def test_none_that_opens_is_a_fault_with_every_reason(bundle: Bundle, rig: Rig) -> None:
    rig.api.module.fail.add("build")
    engine = AutoEngine([("tensorrt", lambda: rig.engine(bundle)), ("tensorrt_rtx", unavailable)])
    assert engine.identity.backend == "auto"
    with pytest.raises(EngineFault, match=r"tensorrt: .*could not find.*tensorrt_rtx: .*no GPU 0.*no engine opens"):
        engine.__enter__()
    engine.__exit__(None, None, None)


def test_preparing_builds_for_the_one_that_will_be_chosen(bundle: Bundle, rig: Rig) -> None:
    engine = auto(rig, bundle)
    assert isinstance(engine, Preparable)
    assert not engine.prepared()
    engine.prepare(quiet)
    assert engine.prepared()
    assert rig.built == ["model"]
    assert auto(None, bundle).prepared(), "nothing is built for a CPU"
    auto(None, bundle).prepare(quiet)
    assert AutoEngine([("tensorrt", unavailable)]).prepared(), "entering builds nothing: it says why"


def test_preparing_goes_on_after_a_failure_but_not_after_a_cancellation(bundle: Bundle, rig: Rig) -> None:
    rig.api.module.fail.add("build")
    auto(rig, bundle).prepare(quiet)
    assert rig.built == ["model"]

    def stop(phase: str, done: int, total: int) -> None:
        raise Cancelled("by hand")

    with pytest.raises(Cancelled):
        auto(rig, bundle).prepare(stop)


class TestParts:
    @pytest.mark.parametrize("settings", [TensorRtSettings(), TensorRtRtxSettings(), AutoSettings(), CPU])
    def test_making_an_engine_touches_nothing(self, bundle: Bundle, settings: Any) -> None:
        engine = make_engine(settings, bundle)
        assert isinstance(engine, Engine)
        assert isinstance(engine, Preparable) == (settings is not CPU)

    def test_a_configured_gpu_that_is_not_there_refuses_with_what_to_do(self, tmp_path: Path, bundle: Bundle) -> None:
        missing = TensorRtRtxSettings(device=63, cache_dir=str(tmp_path / "c"))
        with pytest.raises(EngineUnavailable, match=r": install |: pip install |: correct `device`"):
            check_engine(missing)
        engine = make_engine(missing, bundle)
        with pytest.raises(EngineUnavailable):
            engine.__enter__()
        check_engine(CPU)
        check_engine(AutoSettings())

    def test_auto_on_this_machine_opens_something(self, tmp_path: Path, bundle: Bundle) -> None:
        with make_engine(AutoSettings(order=("tensorrt", "onnxruntime"), onnxruntime=CPU), bundle) as engine:
            assert engine.identity.backend in ("tensorrt", "onnxruntime")
