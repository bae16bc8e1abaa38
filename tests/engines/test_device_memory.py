"""The six calls, by every implementation, on a GPU made of this process's memory; real packages where they are installed."""

from __future__ import annotations

import importlib.util
import inspect
import sys
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from edge.engines.cuda_python_memory import CudaPythonMemory
from edge.engines.device_memory import DeviceMemory
from edge.engines.gpus import EngineUnavailable
from edge.engines.memory_choice import choose_backend, open_memory
from edge.engines.pycuda_memory import PycudaMemory
from edge.errors import EngineFault
from tests.engines.fake_gpu import FakeGpu
from tests.engines.fake_memory import FULL, LOST, fake_cuda, fake_pycuda, memory_of

PACKAGES = ("numpy", "pycuda", "cuda-python")


@pytest.fixture(params=PACKAGES)
def package(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def gpu() -> Iterator[FakeGpu]:
    gpu = FakeGpu()
    yield gpu
    gpu.faults.clear()
    gpu.assert_nothing_left()


def test_there_and_back(gpu: FakeGpu, package: str) -> None:
    with memory_of(package, gpu) as memory, memory.current():
        host, back, device = memory.alloc_host(64, mapped=False), memory.alloc_host(64, mapped=False), memory.alloc_device(64)
        host.array[:] = np.arange(64)
        memory.h2d(device, host)
        memory.d2h(back, device)
        assert not np.array_equal(back.array, host.array), "copies are queued, not done"
        memory.sync()
        np.testing.assert_array_equal(back.array, np.arange(64))
        assert memory.stream


def test_mapped_memory_is_one_place(gpu: FakeGpu, package: str) -> None:
    with memory_of(package, gpu) as memory, memory.current():
        mapped, plain = memory.alloc_host(32, mapped=True), memory.alloc_host(32, mapped=False)
        assert plain.device is None
        assert mapped.device == mapped.array.ctypes.data
        assert mapped.array.dtype == np.uint8
        assert mapped.array.flags.writeable


def test_everything_is_freed_the_last_first(gpu: FakeGpu, package: str) -> None:
    with memory_of(package, gpu) as memory:
        with memory.current():
            for nbytes in (8, 16, 32):
                memory.alloc_device(nbytes)
                memory.alloc_host(nbytes, mapped=False)
        gpu.calls.clear()
    assert [call for call in gpu.calls if call not in ("push", "pop")] == ["free"] * 6 + ["end stream"]


def test_opened_again_after_it_was_closed(gpu: FakeGpu, package: str) -> None:
    memory = memory_of(package, gpu)
    for _ in range(3):
        with memory, memory.current():
            memory.alloc_device(8)
        gpu.assert_nothing_left()


def test_two_at_once_in_one_thread_are_closed_in_any_order(gpu: FakeGpu, package: str) -> None:
    first, second = memory_of(package, gpu), memory_of(package, gpu)
    first.__enter__()
    second.__enter__()
    with first.current():
        first.alloc_device(8)
    with second.current():
        second.alloc_device(8)
    first.__exit__(None, None, None)
    with second.current():
        second.alloc_device(8)
    second.__exit__(None, None, None)


@pytest.mark.parametrize("call", ["alloc_device", "alloc_host", "h2d", "d2h", "sync", "stream", "current"])
def test_another_thread_and_a_closed_memory_are_refused(gpu: FakeGpu, package: str, call: str) -> None:
    memory = memory_of(package, gpu)
    caught: list[str] = []
    with memory, memory.current():
        host, device = memory.alloc_host(8, mapped=False), memory.alloc_device(8)

        def used() -> None:
            if call == "stream" and package == "numpy":
                raise EngineFault("belongs to another thread, is not open")
            {
                "alloc_device": lambda: memory.alloc_device(8),
                "alloc_host": lambda: memory.alloc_host(8, mapped=False),
                "h2d": lambda: memory.h2d(device, host),
                "d2h": lambda: memory.d2h(host, device),
                "sync": memory.sync,
                "stream": lambda: memory.stream,
                "current": lambda: memory.current().__enter__(),
            }[call]()

        def elsewhere() -> None:
            try:
                used()
            except EngineFault as error:
                caught.append(str(error))

        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    assert "another thread" in caught[0]
    with pytest.raises(EngineFault, match="not open"):
        used()


def test_entered_twice_is_refused(gpu: FakeGpu, package: str) -> None:
    with memory_of(package, gpu) as memory, pytest.raises(EngineFault, match="opened twice"):
        memory.__enter__()


@pytest.mark.parametrize(
    ("call", "full"), [("alloc device", True), ("alloc host", True), ("h2d", False), ("d2h", False), ("sync", False)]
)
def test_each_failure_is_a_fault_with_the_right_remedy(gpu: FakeGpu, package: str, call: str, full: bool) -> None:
    with memory_of(package, gpu) as memory, memory.current():
        host, device = memory.alloc_host(8, mapped=False), memory.alloc_device(8)
        gpu.faults[call] = (0, (FULL if full else LOST)[package])

        def every_call() -> None:
            memory.alloc_device(8)
            memory.alloc_host(8, mapped=False)
            memory.h2d(device, host)
            memory.d2h(host, device)
            memory.sync()

        with pytest.raises(EngineFault) as caught:
            every_call()
        gpu.faults.clear()
        memory.sync()
    if package != "numpy":
        assert ("smaller model" if full else "restart the station") in caught.value.remedy
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("package", ["pycuda", "cuda-python"])
@pytest.mark.parametrize("call", ["free", "push", "pop"])
def test_closing_frees_the_rest_when_one_fails(package: str, call: str) -> None:
    gpu = FakeGpu()
    memory = memory_of(package, gpu).__enter__()
    with memory.current():
        for _ in range(4):
            memory.alloc_device(8)
    gpu.faults[call] = (1 if call == "free" else 0, LOST[package])
    memory.__exit__(None, None, None)
    assert gpu.calls.count("free") == 4
    with pytest.raises(EngineFault, match="not open"):
        memory.sync()


@pytest.mark.parametrize(
    ("package", "call", "kind"),
    [
        *(("pycuda", call, "LogicError") for call in ("init", "count", "retain")),
        ("cuda-python", "count", "cudaErrorInsufficientDriver"),
    ],
)
def test_no_driver_is_unavailable_and_not_a_fault_of_the_model(package: str, call: str, kind: str) -> None:
    gpu = FakeGpu(faults={call: (0, kind)})
    memory = memory_of(package, gpu)
    with pytest.raises(EngineUnavailable, match=r"cannot use the GPU .*is NVIDIA's driver installed"):
        memory.__enter__()
    gpu.faults.clear()
    with memory:
        pass
    gpu.assert_nothing_left()


@pytest.mark.parametrize("package", ["pycuda", "cuda-python"])
def test_a_gpu_that_is_not_there(package: str) -> None:
    with pytest.raises(EngineUnavailable, match="there is no GPU 3, 1 found"):
        memory_of(package, FakeGpu(), device=3).__enter__()


def test_pycuda_retains_the_primary_context_once_per_thread(gpu: FakeGpu) -> None:
    driver = fake_pycuda(gpu)

    def opened() -> None:
        for _ in range(3):
            with PycudaMemory(0, driver) as memory, memory.current():
                memory.alloc_device(8)

    opened()
    assert gpu.calls.count("retain") == 1
    thread = threading.Thread(target=opened)
    thread.start()
    thread.join()
    assert gpu.calls.count("retain") == 2


def test_the_context_is_popped_whatever_happens(gpu: FakeGpu, package: str) -> None:
    with memory_of(package, gpu) as memory:
        with pytest.raises(KeyError), memory.current():
            raise KeyError("mine")
        assert gpu.stack() == []


def test_the_package_is_chosen_by_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    installed: set[str] = set()
    found = importlib.util.find_spec
    ours = ("pycuda", "cuda.bindings")
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: (object() if name in installed else None) if name in ours else found(name)
    )
    with pytest.raises(EngineUnavailable, match=r"neither of the packages pycuda and cuda-python .*pip install pycuda"):
        choose_backend("auto")
    with pytest.raises(EngineUnavailable, match="the package pycuda is not installed"):
        choose_backend("pycuda")
    installed.add("cuda.bindings")
    assert choose_backend("auto") == "cuda-python"
    installed.add("pycuda")
    assert choose_backend("auto") == "pycuda"
    assert choose_backend("cuda-python") == "cuda-python"
    assert isinstance(open_memory("cuda-python", 0), CudaPythonMemory)
    memory: DeviceMemory = open_memory("auto", 0)
    assert isinstance(memory, PycudaMemory)
    assert memory.backend == "pycuda"


@pytest.mark.parametrize(("module", "memory"), [("pycuda.driver", PycudaMemory), ("cuda.bindings.runtime", CudaPythonMemory)])
def test_a_package_that_cannot_be_loaded_is_told(monkeypatch: pytest.MonkeyPatch, module: str, memory: type) -> None:
    package, _, name = module.rpartition(".")
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delattr(f"{package}.{name}", raising=False) if package in sys.modules else None
    with pytest.raises(EngineUnavailable, match=r"cannot be loaded .*pip install"):
        memory(0).__enter__()


class TestRealCudaPython:
    """Signatures, and the answers of a machine without a GPU."""

    @pytest.fixture
    def runtime(self) -> object:
        return pytest.importorskip("cuda.bindings.runtime", reason="cuda-python is not installed")

    def test_the_stand_in_has_its_names_and_argument_counts(self, runtime: object) -> None:
        stand_in = vars(fake_cuda(FakeGpu()))
        for name, fake in stand_in.items():
            real = getattr(runtime, name)
            if inspect.isfunction(fake):
                told = str(real.__doc__).split("(", 1)[1].split(")", 1)[0]
                assert len(inspect.signature(fake).parameters) == len([part for part in told.split(",") if part]), name

    def test_without_a_gpu_it_is_unavailable(self, runtime: object) -> None:
        try:
            with CudaPythonMemory(0):
                pytest.skip("this machine has a GPU: see test_gpu.py")
        except EngineUnavailable as error:
            assert "cudaError" in str(error)
