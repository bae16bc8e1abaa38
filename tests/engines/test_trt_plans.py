"""Plans of whole bundles: programs and tiles on the GPU, builds that were interrupted, timings that are shared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edge.bundle import Bundle, Manifest
from edge.engines.base import Engine
from edge.engines.cache import PLAN, TIMING, EngineCache
from edge.engines.preparing import quiet
from edge.engines.sealed import write_sealed
from edge.errors import Cancelled, EngineFault
from tests.bundle.samples import random_inputs
from tests.contracts.engine import EngineContract
from tests.engines import programs as made
from tests.engines.fake_gpu import FakeGpu
from tests.engines.gpu_parts import Rig, conv_bundle


@pytest.fixture
def rig(tmp_path: Path) -> Any:
    rig = Rig(tmp_path / "cache")
    yield rig
    rig.gpu.assert_nothing_left()


class _OnTheGpu(EngineContract):
    @pytest.fixture
    def bundle(self, tmp_path: Path) -> Bundle:
        raise NotImplementedError

    @pytest.fixture
    def manifest(self, bundle: Bundle) -> Manifest:
        return bundle.manifest

    @pytest.fixture
    def engine(self, bundle: Bundle, rig: Rig) -> Engine:
        return rig.engine(bundle, precision="float32")

    @pytest.fixture
    def broken(self, bundle: Bundle, rig: Rig) -> tuple[Engine, dict[str, Any]]:
        engine = rig.engine(bundle, precision="float32")
        with engine:
            pass
        return _Failing(engine, rig), random_inputs(bundle.manifest)


class _Failing:
    """Opens, and TensorRT refuses the first frame after the proof."""

    def __init__(self, engine: Any, rig: Rig) -> None:
        self._engine, self._rig = engine, rig

    def __enter__(self) -> Any:
        self._engine.__enter__()
        self._rig.api.module.fail.add("execute")
        return self

    def __exit__(self, *caught: Any) -> None:
        self._engine.__exit__(*caught)

    def infer(self, inputs: Any) -> Any:
        return self._engine.infer(inputs)


def test_timings_that_cannot_be_kept_cost_the_next_build_and_not_this_one(
    tmp_path: Path, rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = EngineCache.write

    def full(self: EngineCache, name: str, kind: str, *rest: Any, **more: Any) -> None:
        if kind == TIMING:
            raise EngineFault("the engine cache cannot be written (No space left on device)")
        real(self, name, kind, *rest, **more)

    monkeypatch.setattr(EngineCache, "write", full)
    bundle = conv_bundle(tmp_path / "b")
    rig.engine(bundle).prepare(quiet)
    assert rig.engine(bundle).prepared()
    assert "engine_timings_not_kept" in caplog.text


def test_a_cache_smaller_than_a_bundle_does_not_build_it_again_and_again(tmp_path: Path, rig: Rig) -> None:
    bundle = made.loop_bundle(tmp_path / "b")
    for _ in range(2):
        engine = rig.engine(bundle, precision="float32")
        engine._supply._cache.limit_bytes = 1
        engine.prepare(quiet)
        assert engine.prepared()
        with engine:
            pass
    assert rig.built == ["step", "model"]


class TestLoop(_OnTheGpu):
    @pytest.fixture
    def bundle(self, tmp_path: Path) -> Bundle:
        return made.loop_bundle(tmp_path / "b")


class TestTiles(_OnTheGpu):
    @pytest.fixture
    def bundle(self, tmp_path: Path) -> Bundle:
        return made.tiled_bundle(tmp_path / "b")


def test_a_loops_graphs_share_one_gpu_and_one_stream(tmp_path: Path, rig: Rig) -> None:
    with rig.engine(made.loop_bundle(tmp_path / "b"), precision="float32") as engine:
        assert rig.built == ["step", "model"]
        assert rig.gpu.streams == 1
        assert len(engine.plans) == 2
        rig.seconds += 10
        assert engine.keep_warm()


def test_a_build_that_was_interrupted_goes_on_with_the_next_graph(tmp_path: Path, rig: Rig) -> None:
    bundle = made.loop_bundle(tmp_path / "b")

    def killed_in_the_second(phase: str, done: int, total: int) -> None:
        if rig.built == ["step", "model"]:
            raise Cancelled("the power went")

    with pytest.raises(Cancelled):
        rig.engine(bundle, precision="float32").prepare(killed_in_the_second)
    assert not rig.engine(bundle, precision="float32").prepared()
    rig.engine(bundle, precision="float32").prepare(quiet)
    assert rig.built == ["step", "model", "model"]


def test_what_one_bundle_was_timed_with_helps_the_next(tmp_path: Path, rig: Rig) -> None:
    rig.engine(conv_bundle(tmp_path / "one")).prepare(quiet)
    rig.engine(made.loop_bundle(tmp_path / "two"), precision="float32").prepare(quiet)
    assert rig.timings == [b"", b"timings 10.3.0", b"timings 10.3.0"]
    assert sorted(path.suffix for path in rig.cache.iterdir()) == [".lock"] * 3 + [".plan"] * 3 + [".timing"]


def test_a_hardware_compatible_plan_is_found_on_another_gpu(tmp_path: Path, rig: Rig) -> None:
    bundle = conv_bundle(tmp_path / "b")
    rig.engine(bundle, hardware_compatible=True).prepare(quiet)
    other = Rig(rig.cache, driver="600.1 cuda 14.0", gpu=FakeGpu(name="Another GPU"))
    assert other.engine(bundle, hardware_compatible=True).prepared()
    assert not other.engine(bundle).prepared()
    other.engine(bundle).prepare(quiet)
    assert other.timings == [b""], "timings of another GPU choose the wrong tactics"


def test_a_version_compatible_plan_is_found_by_the_next_release(tmp_path: Path, rig: Rig) -> None:
    bundle = conv_bundle(tmp_path / "b")
    rig.engine(bundle, version_compatible=True).prepare(quiet)
    later = Rig(rig.cache, version="10.13.3.9")
    assert later.engine(bundle, version_compatible=True).prepared()
    assert not later.engine(bundle).prepared()
    assert not Rig(rig.cache, version="11.4.0.106").engine(bundle, version_compatible=True).prepared()


def test_a_damaged_plan_is_built_again(tmp_path: Path, rig: Rig) -> None:
    bundle = conv_bundle(tmp_path / "b")
    rig.engine(bundle).prepare(quiet)
    (path,) = rig.cache.glob("*.plan")
    path.write_bytes(path.read_bytes()[:-10])
    with rig.engine(bundle) as engine:
        assert engine.plans[0].built_here
    assert rig.built == ["model", "model"]


def test_a_plan_of_the_right_name_that_was_not_made_for_it_is_not_run(tmp_path: Path, rig: Rig) -> None:
    bundle = conv_bundle(tmp_path / "b")
    rig.engine(bundle).prepare(quiet)
    (path,) = rig.cache.glob("*.plan")
    (entry,) = (entry for entry in EngineCache(rig.cache, 1).entries() if entry.path == path)
    header = {**json.loads(json.dumps(entry.header))}
    header["key"]["gpu"] = "another"
    write_sealed(path, header, b"another's plan")
    assert not rig.engine(bundle).prepared()
    header["key"]["gpu"] = rig.gpu.name
    write_sealed(path, {**header, "share": {"promised": 1}}, b"of another version of lineclear")
    assert not rig.engine(bundle).prepared()


def test_the_cache_says_what_is_in_it(tmp_path: Path, rig: Rig) -> None:
    bundle = conv_bundle(tmp_path / "b")
    rig.engine(bundle).prepare(quiet)
    (entry,) = [each for each in EngineCache(rig.cache, 1).entries() if each.path.suffix == PLAN]
    key = entry.header["key"]
    assert (key["backend"], key["version"], key["gpu"], key["driver"]) == ("tensorrt", "10.3.0", rig.gpu.name, rig.driver)
    assert key["onnx_sha256"] == bundle.manifest.files["model.fp16.onnx"]
    assert entry.header["share"]["kept"] == 2
    assert entry.header["where"] == f"bundle {bundle.name}, graph model"
    assert ["builder", "1"] in key["options"]


def test_a_cache_that_cannot_be_written_is_a_fault(tmp_path: Path, rig: Rig) -> None:
    rig.cache.write_text("a file where the folder should be")
    with pytest.raises(EngineFault, match=r"the engine cache cannot be made .*set `engine.cache_dir`"):
        rig.engine(conv_bundle(tmp_path / "b")).__enter__()
