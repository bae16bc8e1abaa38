"""What only a real GPU can show. Run by hand: pytest tests/engines/test_gpu.py; the list is in docs/first-gpu.md."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.bundle import Bundle
from edge.engines.device_memory import DeviceMemory
from edge.engines.gpu_engine import check_gpu, gpu_engine
from edge.engines.gpus import EngineUnavailable, Gpu, gpu_at
from edge.engines.memory_choice import choose_backend, open_memory
from edge.engines.preparing import quiet
from edge.engines.tensorrt import TensorRtEngine
from edge.errors import EngineFault
from edge.settings.engines import GpuSettings, TensorRtRtxSettings, TensorRtSettings
from tests.bundle.samples import random_inputs
from tests.engines.gpu_parts import conv_bundle, mean

FLAVOURS = ("tensorrt", "tensorrt_rtx")


@pytest.fixture
def gpu() -> Gpu:
    try:
        return gpu_at(0)
    except EngineUnavailable as error:
        pytest.skip(f"needs an NVIDIA GPU: {error.message}")


@pytest.fixture(params=["pycuda", "cuda-python"])
def memory(gpu: Gpu, request: pytest.FixtureRequest) -> DeviceMemory:
    try:
        choose_backend(request.param)
    except EngineUnavailable as error:
        pytest.skip(error.message)
    return open_memory(request.param, gpu.index)


@pytest.fixture(params=FLAVOURS)
def settings(gpu: Gpu, request: pytest.FixtureRequest, tmp_path: Path) -> GpuSettings:
    kind: Any = TensorRtSettings if request.param == "tensorrt" else TensorRtRtxSettings
    made: GpuSettings = kind(cache_dir=str(tmp_path / "cache"))
    try:
        check_gpu(made)
    except EngineFault as error:
        pytest.skip(str(error))
    if made.kind == "tensorrt_rtx" and gpu.sm in ("SM87", "SM90", "SM100", "SM103", "SM110"):
        pytest.skip(f"TensorRT for RTX does not run on {gpu.name}")
    return made


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return conv_bundle(tmp_path / "b")


@pytest.fixture
def engine(bundle: Bundle, settings: GpuSettings) -> Iterator[TensorRtEngine]:
    with gpu_engine(bundle, settings) as engine:
        yield engine


class TestMemory:
    def test_bytes_come_back_as_they_went(self, memory: DeviceMemory) -> None:
        sent = np.random.default_rng(1).integers(0, 256, 5_000_000, np.uint8)
        with memory, memory.current():
            host, back = memory.alloc_host(sent.nbytes, mapped=False), memory.alloc_host(sent.nbytes, mapped=False)
            device = memory.alloc_device(sent.nbytes)
            np.copyto(host.array, sent)
            memory.h2d(device, host)
            memory.d2h(back, device)
            memory.sync()
            np.testing.assert_array_equal(back.array, sent)

    def test_mapped_memory_is_copied_from_where_it_lies(self, memory: DeviceMemory) -> None:
        with memory, memory.current():
            mapped, back = memory.alloc_host(4096, mapped=True), memory.alloc_host(4096, mapped=False)
            mapped.array[:] = 7
            assert mapped.device is not None
            memory.d2h(back, mapped.device)
            memory.sync()
            assert (back.array == 7).all()

    def test_too_much_memory_is_a_fault_and_the_rest_goes_on(self, memory: DeviceMemory) -> None:
        with memory, memory.current():
            with pytest.raises(EngineFault, match="failed"):
                memory.alloc_device(1 << 50)
            memory.alloc_device(1024)
            memory.sync()

    def test_opened_a_hundred_times(self, memory: DeviceMemory) -> None:
        for _ in range(100):
            with memory, memory.current():
                memory.alloc_device(1 << 20)

    def test_closed_in_a_thread_that_ends(self, memory: DeviceMemory) -> None:
        def used() -> None:
            with memory, memory.current():
                memory.alloc_host(1 << 20, mapped=False)

        for _ in range(3):
            thread = threading.Thread(target=used)
            thread.start()
            thread.join()


class TestEngine:
    def test_scores_and_half_precision(self, engine: TensorRtEngine, bundle: Bundle) -> None:
        given = random_inputs(bundle.manifest, 4)
        made = engine.infer(given)["anomaly_map"]
        np.testing.assert_allclose(made, mean(given)["anomaly_map"], rtol=5e-3)
        assert engine.plans[0].share.kept == 2

    def test_the_same_frame_has_the_same_scores(self, engine: TensorRtEngine, bundle: Bundle) -> None:
        given = random_inputs(bundle.manifest, 4)
        first = engine.infer(given)["anomaly_map"]
        for _ in range(50):
            np.testing.assert_array_equal(engine.infer(given)["anomaly_map"], first)

    def test_the_second_start_finds_the_first_ones_engine(self, bundle: Bundle, settings: GpuSettings) -> None:
        gpu_engine(bundle, settings).prepare(quiet)
        with gpu_engine(bundle, settings.model_copy(update={"build": "ahead_only"})) as engine:
            assert not engine.plans[0].built_here

    @pytest.mark.parametrize("memory", ["pinned", "mapped"])
    def test_both_kinds_of_memory_give_the_same_scores(self, bundle: Bundle, settings: GpuSettings, memory: str) -> None:
        given = random_inputs(bundle.manifest, 5)
        with gpu_engine(bundle, settings.model_copy(update={"memory": memory})) as engine:
            np.testing.assert_allclose(engine.infer(given)["anomaly_map"], mean(given)["anomaly_map"], rtol=5e-3)

    def test_many_starts_leak_nothing(self, bundle: Bundle, settings: GpuSettings) -> None:
        for _ in range(20):
            with gpu_engine(bundle, settings) as engine:
                engine.infer(random_inputs(bundle.manifest))

    def test_the_warm_keeper_changes_no_score(self, engine: TensorRtEngine, bundle: Bundle) -> None:
        given = random_inputs(bundle.manifest, 6)
        first = engine.infer(given)["anomaly_map"]
        until = time.monotonic() + 3
        while time.monotonic() < until:
            engine.keep_warm()
        np.testing.assert_array_equal(engine.infer(given)["anomaly_map"], first)
