# ruff: noqa: N801, N815
"""DeviceMemory without any package, and stand-ins for pycuda and cuda-bindings with their real signatures."""

from __future__ import annotations

import enum
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace, TracebackType
from typing import Any

import numpy as np
from typing_extensions import Self

from edge.engines.cuda_python_memory import CudaPythonMemory
from edge.engines.device_memory import Backend, DeviceMemory, HostBuffer, Ownership
from edge.engines.pycuda_memory import PycudaMemory
from edge.errors import EngineFault
from tests.engines.fake_gpu import FakeGpu, GpuFailure


class NumpyMemory:
    """The protocol in numpy alone."""

    backend: Backend = "pycuda"
    stream = 0x5EED

    def __init__(self, gpu: FakeGpu) -> None:
        self._gpu = gpu
        self._owner = Ownership()
        self._addresses: list[int] = []

    def __enter__(self) -> Self:
        self._owner.take()
        try:
            with self.current():
                self._does(self._gpu.make_stream)
        except BaseException:
            self._owner.let_go()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        while self._addresses:
            self._gpu.release(self._addresses.pop())
        self._gpu.end_stream()
        self._owner.let_go()

    @contextmanager
    def current(self) -> Iterator[None]:
        self._owner.check()
        self._does(self._gpu.does, "push")
        self._gpu.stack().append("numpy")
        try:
            yield
        finally:
            self._gpu.stack().pop()

    def alloc_device(self, nbytes: int) -> int:
        return self._allocated("device", nbytes)

    def alloc_host(self, nbytes: int, *, mapped: bool) -> HostBuffer:
        address = self._allocated("mapped" if mapped else "host", nbytes)
        return HostBuffer(self._gpu.array_at(address), address if mapped else None)

    def h2d(self, device: int, host: HostBuffer) -> None:
        self._does(self._gpu.copy, "h2d", device, host.array.ctypes.data, host.array.nbytes)

    def d2h(self, host: HostBuffer, device: int) -> None:
        self._does(self._gpu.copy, "d2h", host.array.ctypes.data, device, host.array.nbytes)

    def sync(self) -> None:
        self._does(self._gpu.sync)

    def _allocated(self, kind: str, nbytes: int) -> int:
        address: int = self._does(self._gpu.allocate, kind, nbytes)
        self._addresses.append(address)
        return address

    def _does(self, call: Callable[..., Any], *arguments: Any) -> Any:
        self._owner.check()
        try:
            return call(*arguments)
        except GpuFailure as error:
            raise EngineFault(str(error), where="numpy", remedy="none") from None


def fake_pycuda(gpu: FakeGpu) -> Any:
    """`pycuda.driver` of 2026.1, from its wrap_cudadrv.cpp: names, signatures, and a stack of contexts per thread."""

    class Error(Exception): ...

    kinds = {name: type(name, (Error,), {}) for name in ("MemoryError", "LogicError", "LaunchError", "RuntimeError")}

    def guarded(call: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return call(*arguments)
        except GpuFailure as error:
            raise kinds.get(error.kind, kinds["LogicError"])(str(error)) from None

    def active() -> Any:
        if not gpu.stack():
            raise kinds["LogicError"](
                "explicit_context_dependent failed: invalid device context - no currently active context?"
            )
        return gpu.stack()[-1]

    class Context:
        def __init__(self) -> None:
            self.thread = threading.get_ident()

        def push(self) -> None:
            guarded(gpu.does, "push")
            if self.thread != threading.get_ident():
                raise RuntimeError("cannot activate out-of-thread context")
            gpu.stack().append(self)

        @staticmethod
        def pop() -> None:
            guarded(gpu.does, "pop")
            gpu.stack().pop()

    class Device:
        def __init__(self, index: int) -> None:
            self.index = index

        @staticmethod
        def count() -> int:
            guarded(gpu.does, "count")
            return gpu.count

        def retain_primary_context(self) -> Context:
            guarded(gpu.does, "retain")
            return Context()

    class Allocation:
        def __init__(self, kind: str, nbytes: int) -> None:
            self.context = active()
            self.address: int = guarded(gpu.allocate, kind, nbytes)

        def __int__(self) -> int:
            return self.address

        def free(self) -> None:
            guarded(gpu.release, self.address)

    class PagelockedHostAllocation(Allocation):
        def __init__(self, kind: str, nbytes: int) -> None:
            super().__init__(kind, nbytes)
            data = (self.address, False)
            self.__array_interface__ = {"shape": (nbytes,), "typestr": "|u1", "data": data, "version": 3}

        def get_device_pointer(self) -> int:
            guarded(gpu.does, "map")
            return self.address

    class Stream:
        def __init__(self, flags: int = 0) -> None:
            active()
            self.handle: int = guarded(gpu.make_stream)
            # C++ leaves no Python frame with a reference to the stream in a traceback.
            self.synchronize = lambda: guarded(gpu.sync)

        def __del__(self) -> None:
            if hasattr(self, "handle"):
                gpu.end_stream()

    def mem_alloc(nbytes: int) -> Allocation:
        return Allocation("device", nbytes)

    def pagelocked_empty(shape: tuple[int, ...], dtype: Any, order: str = "C", mem_flags: int = 0) -> Any:
        nbytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
        return np.asarray(PagelockedHostAllocation("mapped" if mem_flags & 2 else "host", nbytes))

    def memcpy_htod_async(dest: int, src: Any, stream: Stream | None = None) -> None:
        assert stream is not None, "without a stream the copy would not be ordered with the engine"
        del stream
        guarded(gpu.copy, "h2d", int(dest), src.ctypes.data, src.nbytes)

    def memcpy_dtoh_async(dest: Any, src: int, stream: Stream | None = None) -> None:
        assert stream is not None
        del stream
        guarded(gpu.copy, "d2h", dest.ctypes.data, int(src), dest.nbytes)

    return SimpleNamespace(
        Error=Error, **kinds, Context=Context, Device=Device, Stream=Stream, mem_alloc=mem_alloc,
        pagelocked_empty=pagelocked_empty, memcpy_htod_async=memcpy_htod_async, memcpy_dtoh_async=memcpy_dtoh_async,
        host_alloc_flags=SimpleNamespace(PORTABLE=1, DEVICEMAP=2, WRITECOMBINED=4), init=lambda: guarded(gpu.does, "init"),
    )  # fmt: skip


class _CudaError(enum.IntEnum):
    cudaSuccess = 0
    cudaErrorMemoryAllocation = 2
    cudaErrorInsufficientDriver = 35
    cudaErrorNoDevice = 100
    cudaErrorLaunchFailure = 719


def fake_cuda(gpu: FakeGpu) -> Any:
    """`cuda.bindings.runtime` of 13.5: every call gives a tuple that begins with a cudaError_t."""

    def answered(call: Callable[..., Any], *arguments: Any) -> tuple[Any, ...]:
        try:
            value = call(*arguments)
        except GpuFailure as error:
            return _CudaError[error.kind], None
        return (_CudaError.cudaSuccess,) if value is None else (_CudaError.cudaSuccess, value)

    def set_device(device: int) -> None:
        gpu.does("push")
        gpu.selected[threading.get_ident()] = device

    def counted() -> int:
        gpu.does("count")
        return gpu.count

    def mapped(pHost: int, flags: int) -> int:
        gpu.does("map")
        assert gpu.held[pHost][0] == "mapped"
        return pHost

    def copied(dst: int, src: int, count: int, kind: Any, stream: Any) -> None:
        assert stream is not None
        gpu.copy({1: "h2d", 2: "d2h"}[int(kind)], dst, src, count)

    class cudaMemcpyKind(enum.IntEnum):
        cudaMemcpyHostToDevice = 1
        cudaMemcpyDeviceToHost = 2

    return SimpleNamespace(
        cudaError_t=_CudaError, cudaMemcpyKind=cudaMemcpyKind, cudaStreamNonBlocking=1, cudaHostAllocDefault=0,
        cudaHostAllocMapped=2,
        cudaGetLastError=lambda: (_CudaError.cudaSuccess,),
        cudaGetDeviceCount=lambda: answered(counted),
        cudaSetDevice=lambda device: answered(set_device, device),
        cudaStreamCreateWithFlags=lambda flags: answered(gpu.make_stream),
        cudaStreamDestroy=lambda stream: answered(gpu.end_stream),
        cudaStreamSynchronize=lambda stream: answered(gpu.sync),
        cudaMalloc=lambda size: answered(gpu.allocate, "device", size),
        cudaFree=lambda devPtr: answered(gpu.release, devPtr),
        cudaHostAlloc=lambda size, flags: answered(gpu.allocate, "mapped" if flags & 2 else "host", size),
        cudaFreeHost=lambda ptr: answered(gpu.release, ptr),
        cudaHostGetDevicePointer=lambda pHost, flags: answered(mapped, pHost, flags),
        cudaMemcpyAsync=lambda dst, src, count, kind, stream: answered(copied, dst, src, count, kind, stream),
    )  # fmt: skip


def memory_of(kind: str, gpu: FakeGpu, device: int = 0) -> DeviceMemory:
    """numpy, pycuda or cuda-python, on the fake GPU."""
    gpu.lost_kind = LOST[kind]
    if kind == "pycuda":
        return PycudaMemory(device, fake_pycuda(gpu))
    if kind == "cuda-python":
        return CudaPythonMemory(device, fake_cuda(gpu))
    return NumpyMemory(gpu)


# What each package calls the faults: out of memory, and a GPU that is lost.
FULL = {"numpy": "full", "pycuda": "MemoryError", "cuda-python": "cudaErrorMemoryAllocation"}
LOST = {"numpy": "lost", "pycuda": "LaunchError", "cuda-python": "cudaErrorLaunchFailure"}
