from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.bundle import Bundle, Manifest
from edge.engines.base import Engine
from edge.engines.golden import ParityFailed
from edge.engines.preparing import Preparable, quiet
from edge.engines.tensorrt import TensorRtEngine
from edge.errors import BundleError, Cancelled, EngineFault
from tests.bundle.samples import random_inputs
from tests.contracts.engine import EngineContract
from tests.engines import graphs
from tests.engines import programs as made
from tests.engines.fake_memory import FULL, LOST
from tests.engines.gpu_parts import BLACK, MACHINES, Rig, conv_bundle, mean, whole_bundle


@pytest.mark.parametrize("machine", MACHINES)
class TestContract(EngineContract):
    @pytest.fixture
    def rig(self, tmp_path: Path, machine: str) -> Any:
        rig = Rig(tmp_path / "cache", **MACHINES[machine])  # type: ignore[arg-type]
        yield rig
        rig.gpu.assert_nothing_left()

    @pytest.fixture
    def bundle(self, tmp_path: Path) -> Bundle:
        return whole_bundle(tmp_path / "b")

    @pytest.fixture
    def manifest(self, bundle: Bundle) -> Manifest:
        return bundle.manifest

    @pytest.fixture
    def engine(self, bundle: Bundle, rig: Rig) -> Engine:
        return rig.engine(bundle)

    @pytest.fixture
    def broken(self, tmp_path: Path, rig: Rig) -> tuple[Engine, dict[str, Any]]:
        black = graphs.fails_when_black()
        return rig.engine(conv_bundle(tmp_path / "broken", half=black, model=black)), BLACK


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return conv_bundle(tmp_path / "b")


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path / "cache")


def test_it_names_itself_and_what_became_of_half_precision(bundle: Bundle, rig: Rig) -> None:
    engine = rig.engine(bundle)
    assert isinstance(engine, Preparable)
    assert engine.golden is None
    with engine:
        assert str(engine.identity) == "tensorrt-10.3.0 Fake RTX float16"
        assert engine.golden is not None
        assert 0 < engine.golden.ratio <= 1
        (plan,) = engine.plans
        assert (plan.share.promised, plan.share.kept, plan.share.lost) == (2, 2, 0)
        assert plan.built_here
        assert plan.data == b"", "TensorRT has its own copy"


def test_float32_is_the_other_graph(bundle: Bundle, rig: Rig) -> None:
    given = random_inputs(bundle.manifest, 9)
    with rig.engine(bundle, precision="float32") as engine:
        np.testing.assert_allclose(engine.infer(given)["anomaly_map"], mean(given)["anomaly_map"], rtol=1e-5)
        assert engine.plans[0].share.promised == 0


@pytest.mark.parametrize(
    ("memory", "integrated", "copies"), [("auto", True, 0), ("mapped", False, 0), ("auto", False, 3), ("pinned", True, 3)]
)
@pytest.mark.parametrize("package", ["numpy", "pycuda", "cuda-python"])
def test_memory_that_the_gpu_shares_is_not_copied(
    bundle: Bundle, tmp_path: Path, memory: str, integrated: bool, copies: int, package: str
) -> None:
    rig = Rig(tmp_path / "cache", memory=package, integrated=integrated)
    with rig.engine(bundle, memory=memory) as engine:
        rig.gpu.calls.clear()
        engine.infer(random_inputs(bundle.manifest))
        assert sum(call in ("h2d", "d2h") for call in rig.gpu.calls) == copies
        kinds = {kind for kind, _ in rig.gpu.held.values()}
        assert kinds == ({"mapped"} if copies == 0 else {"host", "device"})
    rig.gpu.assert_nothing_left()


def test_buffers_are_made_once_and_used_again(bundle: Bundle, rig: Rig) -> None:
    with rig.engine(bundle) as engine:
        held = set(rig.gpu.held)
        rig.gpu.calls.clear()
        for seed in range(3):
            engine.infer(random_inputs(bundle.manifest, seed))
        assert set(rig.gpu.held) == held
        assert not [call for call in rig.gpu.calls if call.startswith("alloc") or call == "free"]


@pytest.mark.parametrize("package", ["numpy", "pycuda", "cuda-python"])
def test_what_is_made_first_is_destroyed_last(bundle: Bundle, tmp_path: Path, package: str) -> None:
    rig = Rig(tmp_path / "cache", memory=package)
    with rig.engine(bundle):
        rig.gpu.calls.clear()
    calls = [call for call in rig.gpu.calls if call not in ("push", "pop")]
    assert calls == ["context destroyed", "engine destroyed", "runtime destroyed", *["free"] * 4, "end stream"]
    rig.gpu.assert_nothing_left()


def test_the_second_start_builds_nothing(bundle: Bundle, rig: Rig) -> None:
    with rig.engine(bundle):
        pass
    assert rig.engine(bundle).prepared()
    with rig.engine(bundle, build="ahead_only") as engine:
        assert not engine.plans[0].built_here
        assert engine.plans[0].share.kept == 2
    assert rig.built == ["model"]


def test_prepare_builds_in_any_thread_and_tells_how_far_it_is(bundle: Bundle, rig: Rig) -> None:
    engine, told = rig.engine(bundle), []
    assert not engine.prepared()
    thread = threading.Thread(target=engine.prepare, args=(lambda *step: told.append(step),))
    thread.start()
    thread.join()
    assert engine.prepared()
    assert told[0] == ("parsing", 0, 0)
    assert ("Building engine", 3, 3) in told
    rig.gpu.assert_nothing_left()
    with engine:
        assert rig.built == ["model"]


def test_cancelling_a_build_leaves_nothing(bundle: Bundle, rig: Rig) -> None:
    def stop(phase: str, done: int, total: int) -> None:
        if done == 2:
            raise Cancelled("stopped by hand")

    engine = rig.engine(bundle)
    with pytest.raises(Cancelled, match="by hand"):
        engine.prepare(stop)
    assert not [path for path in rig.cache.iterdir() if path.suffix != ".lock"]
    rig.gpu.assert_nothing_left()
    with engine:
        pass


def test_ahead_only_refuses_and_says_what_to_do(bundle: Bundle, rig: Rig) -> None:
    with pytest.raises(EngineFault, match=r"no engine for Fake RTX .*lineclear-export engine BUNDLE"):
        rig.engine(bundle, build="ahead_only").__enter__()
    rig.gpu.assert_nothing_left()


@pytest.mark.parametrize(
    "change",
    [{"version": "10.13.3.9"}, {"driver": "590.1 cuda 13.1"}, {"version": "11.4.0.106"}],
    ids=lambda change: str(change),
)
def test_another_machine_builds_its_own(bundle: Bundle, rig: Rig, change: dict[str, Any]) -> None:
    rig.engine(bundle).prepare(quiet)
    other = Rig(rig.cache, **change)
    assert not other.engine(bundle).prepared()
    with other.engine(bundle) as engine:
        assert engine.plans[0].built_here
    assert rig.engine(bundle).prepared()


@pytest.mark.parametrize("change", [{"precision": "float32"}, {"workspace_mb": 64}, {"version_compatible": True}])
def test_other_options_are_another_plan(bundle: Bundle, rig: Rig, change: dict[str, Any]) -> None:
    rig.engine(bundle).prepare(quiet)
    assert not rig.engine(bundle, **change).prepared()
    with rig.engine(bundle, **change):
        assert len(rig.built) == 2


def test_a_plan_that_lies_about_its_scores_is_not_used(tmp_path: Path, rig: Rig) -> None:
    bundle = conv_bundle(tmp_path / "b", half=graphs.mean_map(half=True, scale=1.5))
    with pytest.raises(EngineFault, match=r"golden vector .* anomaly_map is off by"):
        rig.engine(bundle).__enter__()
    rig.gpu.assert_nothing_left()


def test_a_plan_of_another_graph_is_not_used(tmp_path: Path, rig: Rig) -> None:
    bundle = conv_bundle(tmp_path / "b", half=graphs.full_contract())
    with pytest.raises(BundleError, match="graph's inputs are"):
        rig.engine(bundle).__enter__()
    rig.gpu.assert_nothing_left()


class TestFaults:
    """Whatever fails: an EngineFault, nothing leaked, and closing never raises."""

    @pytest.mark.parametrize("package", ["numpy", "pycuda", "cuda-python"])
    @pytest.mark.parametrize(
        ("call", "working"),
        [
            ("make stream", 0),
            *((call, n) for call in ("alloc host", "alloc device", "h2d", "d2h", "sync", "push") for n in (0, 1)),
        ],
    )
    def test_every_cuda_call(self, bundle: Bundle, tmp_path: Path, package: str, call: str, working: int) -> None:
        rig = Rig(tmp_path / "cache", memory=package)
        rig.engine(bundle).prepare(quiet)
        full = call.startswith("alloc")
        rig.gpu.faults[call] = (working, (FULL if full else LOST)[package])
        with pytest.raises(EngineFault) as caught:
            rig.engine(bundle).__enter__()
        assert ("smaller model" if full else "") in caught.value.remedy or package == "numpy"
        rig.gpu.faults.clear()
        rig.gpu.assert_nothing_left()

    @pytest.mark.parametrize(
        ("package", "call"),
        # pycuda ends a stream in a destructor, which cannot raise.
        [("cuda-python", "end stream"), *((p, c) for p in ("pycuda", "cuda-python") for c in ("free", "push", "pop"))],
    )
    def test_closing_never_raises(self, bundle: Bundle, tmp_path: Path, package: str, call: str) -> None:
        rig = Rig(tmp_path / "cache", memory=package)
        engine = rig.engine(bundle).__enter__()
        rig.gpu.faults[call] = (0, LOST[package])
        engine.__exit__(None, None, None)
        with pytest.raises(EngineFault, match="not open"):
            engine.infer(random_inputs(bundle.manifest))

    @pytest.mark.parametrize("what", ["runtime", "engine", "context", "address", "execute"])
    @pytest.mark.parametrize("version", ["8.6.1", "10.3.0", "11.4.0.106", "1.7.1.116"])
    def test_every_refusal_of_tensorrt(self, bundle: Bundle, tmp_path: Path, version: str, what: str) -> None:
        rig = Rig(tmp_path / "cache", version=version)
        rig.engine(bundle).prepare(quiet)
        rig.api.module.fail.add(what)
        with pytest.raises(EngineFault, match=f"{rig.api.flavour} {version}"):
            rig.engine(bundle).__enter__()
        rig.gpu.assert_nothing_left()
        rig.api.module.fail.clear()
        with rig.engine(bundle):
            pass

    def test_a_fault_says_what_tensorrt_says(self, bundle: Bundle, rig: Rig) -> None:
        rig.api.module.fail.add("build")
        with pytest.raises(EngineFault, match="could not find any implementation"):
            rig.engine(bundle).prepare(quiet)

    def test_one_bad_frame_is_a_fault_and_the_next_is_judged(self, bundle: Bundle, rig: Rig) -> None:
        with rig.engine(bundle) as engine:
            good = engine.infer(random_inputs(bundle.manifest))
            rig.api.module.fail.add("execute")
            with pytest.raises(EngineFault, match="enqueue failed"):
                engine.infer(random_inputs(bundle.manifest))
            rig.api.module.fail.clear()
            np.testing.assert_array_equal(engine.infer(random_inputs(bundle.manifest))["anomaly_map"], good["anomaly_map"])

    def test_a_lost_gpu_is_not_asked_again(self, bundle: Bundle, rig: Rig) -> None:
        engine = rig.engine(bundle)
        with engine:
            rig.gpu.faults["sync"] = (0, "lost")
            with pytest.raises(EngineFault, match="sync failed"):
                engine.infer(random_inputs(bundle.manifest))
            rig.gpu.faults.clear()
            rig.gpu.calls.clear()
            with pytest.raises(EngineFault, match=r"the GPU is lost .*restart the station"):
                engine.infer(random_inputs(bundle.manifest))
            assert rig.gpu.calls == []
        with engine:
            engine.infer(random_inputs(bundle.manifest))

    def test_another_thread_is_refused_and_does_no_harm(self, bundle: Bundle, rig: Rig) -> None:
        caught: list[Exception] = []

        def elsewhere(engine: TensorRtEngine) -> None:
            try:
                engine.infer(random_inputs(bundle.manifest))
            except EngineFault as error:
                caught.append(error)

        with rig.engine(bundle) as engine:
            thread = threading.Thread(target=elsewhere, args=(engine,))
            thread.start()
            thread.join()
            assert "belongs to another thread" in str(caught[0])
            engine.infer(random_inputs(bundle.manifest))

    def test_entered_twice_is_a_fault_and_the_first_goes_on(self, bundle: Bundle, rig: Rig) -> None:
        with rig.engine(bundle) as engine:
            with pytest.raises(EngineFault, match="open already"):
                engine.__enter__()
            engine.infer(random_inputs(bundle.manifest))
        rig.gpu.assert_nothing_left()

    def test_two_engines_share_a_gpu_and_a_thread(self, bundle: Bundle, rig: Rig) -> None:
        engines = [rig.engine(bundle), rig.engine(bundle)]
        with engines[0], engines[1]:
            for engine in engines:
                engine.infer(random_inputs(bundle.manifest))
        rig.gpu.assert_nothing_left()


@pytest.mark.parametrize("machine", ["desktop", "jetson", "rtx"])
class TestDoneNothing:
    """A GPU that says that all is well and computes nothing: the last frame's scores are still in the buffers."""

    @pytest.fixture
    def rig(self, tmp_path: Path, machine: str) -> Any:
        version = "1.7.1.116" if machine == "rtx" else "10.3.0"
        rig = Rig(tmp_path / "cache", version=version, integrated=machine == "jetson")
        yield rig
        rig.gpu.assert_nothing_left()

    def test_the_last_frames_scores_are_not_passed_off_as_this_ones(self, rig: Rig, tmp_path: Path) -> None:
        bundle = whole_bundle(tmp_path / "b")
        with rig.engine(bundle) as engine:
            good = engine.infer(random_inputs(bundle.manifest))
            kept = {name: array.copy() for name, array in good.items()}
            rig.api.module.fail.add("do nothing")
            nothing = engine.infer(random_inputs(bundle.manifest, 1))
            for name, array in nothing.items():
                assert np.isnan(array).all(), name
                np.testing.assert_array_equal(good[name], kept[name])

    def test_it_is_not_proven(self, rig: Rig, tmp_path: Path) -> None:
        rig.api.module.fail.add("do nothing")
        with pytest.raises(ParityFailed, match="golden vector 0"), rig.engine(whole_bundle(tmp_path / "b")):
            pass

    def test_nor_does_a_program_go_on_with_it(self, rig: Rig, tmp_path: Path) -> None:
        bundle = made.loop_bundle(tmp_path / "b")
        with rig.engine(bundle, precision="float32") as engine:
            rig.api.module.fail.add("do nothing")
            with pytest.raises(EngineFault, match=r"step 1 of 4 .*gave NaN"):
                engine.infer(random_inputs(bundle.manifest))
