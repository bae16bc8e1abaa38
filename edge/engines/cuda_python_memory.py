"""Device memory by NVIDIA's cuda-python (cuda-bindings), through the runtime API, which uses the primary context."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import TracebackType
from typing import Any

import numpy as np
from typing_extensions import Self

from edge.engines.device_memory import RESTART, Backend, HostBuffer, Ownership, free_all
from edge.engines.gpus import EngineUnavailable
from edge.errors import EngineFault

_OUT_OF_MEMORY = "cudaErrorMemoryAllocation"


class CudaPythonMemory:
    """See DeviceMemory."""

    def __init__(self, device: int, runtime: Any = None) -> None:
        """device: the GPU's index. runtime: a stand-in for `cuda.bindings.runtime`, for tests."""
        self._device = device
        self._runtime = runtime
        self._owner = Ownership()
        self._stream: Any = None
        self._allocated: list[tuple[str, Callable[[], Any]]] = []

    @property
    def backend(self) -> Backend:
        """`cuda-python`."""
        return "cuda-python"

    def __enter__(self) -> Self:
        """Select the GPU and make the stream. EngineUnavailable: no package, no driver, no such GPU."""
        if self._runtime is None:
            self._runtime = _import_runtime()
        self._owner.take()
        try:
            self._find()
            with self.current():
                flags = self._runtime.cudaStreamNonBlocking
                self._stream = self._call("making a stream", self._runtime.cudaStreamCreateWithFlags, flags)
        except BaseException:
            self._owner.let_go()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Free buffers and stream."""
        if self._stream is not None:
            destroy = partial(self._call, "destroying a stream", self._runtime.cudaStreamDestroy, self._stream)
            self._allocated.insert(0, ("stream", destroy))
        closing: list[tuple[str, Callable[[], Any]]] = [("context", self._close_within)]
        free_all(closing, (EngineFault,))
        # Where the GPU cannot be selected, addresses are still its own.
        free_all(self._allocated, (EngineFault,))
        self._stream = None
        self._owner.let_go()

    def _close_within(self) -> None:
        with self.current():
            free_all(self._allocated, (EngineFault,))

    @contextmanager
    def current(self) -> Iterator[None]:
        """Select the GPU for this thread: another engine of it may use another one."""
        self._owner.check()
        self._call("selecting it", self._runtime.cudaSetDevice, self._device)
        yield

    def alloc_device(self, nbytes: int) -> int:
        """See DeviceMemory."""
        self._owner.check()
        address = int(self._call(f"allocating {nbytes / 1e6:.1f} MB on it", self._runtime.cudaMalloc, nbytes))
        self._allocated.append(("device memory", partial(self._call, "freeing", self._runtime.cudaFree, address)))
        return address

    def alloc_host(self, nbytes: int, *, mapped: bool) -> HostBuffer:
        """See DeviceMemory."""
        self._owner.check()
        flags = self._runtime.cudaHostAllocMapped if mapped else self._runtime.cudaHostAllocDefault
        address = int(self._call(f"page-locking {nbytes / 1e6:.1f} MB for it", self._runtime.cudaHostAlloc, nbytes, flags))
        self._allocated.append(("host memory", partial(self._call, "freeing", self._runtime.cudaFreeHost, address)))
        array = np.ctypeslib.as_array((ctypes.c_uint8 * nbytes).from_address(address))
        if not mapped:
            return HostBuffer(array)
        return HostBuffer(array, int(self._call("mapping memory", self._runtime.cudaHostGetDevicePointer, address, 0)))

    def h2d(self, device: int, host: HostBuffer) -> None:
        """See DeviceMemory."""
        self._copy("copying to it", device, host.array.ctypes.data, host.array.nbytes, "cudaMemcpyHostToDevice")

    def d2h(self, host: HostBuffer, device: int) -> None:
        """See DeviceMemory."""
        self._copy("copying from it", host.array.ctypes.data, device, host.array.nbytes, "cudaMemcpyDeviceToHost")

    @property
    def stream(self) -> int:
        """See DeviceMemory."""
        self._owner.check()
        return int(self._stream)

    def sync(self) -> None:
        """See DeviceMemory."""
        self._owner.check()
        self._call("computing", self._runtime.cudaStreamSynchronize, self._stream)

    def _copy(self, doing: str, target: int, source: int, nbytes: int, kind: str) -> None:
        self._owner.check()
        which = getattr(self._runtime.cudaMemcpyKind, kind)
        self._call(doing, self._runtime.cudaMemcpyAsync, target, source, nbytes, which, self._stream)

    def _find(self) -> None:
        try:
            count = self._call("counting", self._runtime.cudaGetDeviceCount)
        except EngineFault as error:
            remedy = "is NVIDIA's driver installed, and is cuda-python of its CUDA version (12.x or 13.x)?"
            raise EngineUnavailable(f"cuda-python cannot use the GPU ({error.message})", where="gpu", remedy=remedy) from None
        if self._device >= count:
            raise EngineUnavailable(
                f"there is no GPU {self._device}, {count} found", where="gpu", remedy="correct `device` in the config"
            )

    def _call(self, doing: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """The one value that the call gives, None where it gives none. EngineFault for every code but success."""
        code, *values = function(*arguments)
        if code == self._runtime.cudaError_t.cudaSuccess:
            return values[0] if values else None
        # An error that was only reported must not be found again by the next call.
        self._runtime.cudaGetLastError()
        full = code.name == _OUT_OF_MEMORY
        remedy = "close other programs on the GPU, or use a smaller model" if full else RESTART
        raise EngineFault(f"GPU: {doing} failed ({code.name})", where="cuda-python", remedy=remedy)


def _import_runtime() -> Any:
    try:
        from cuda.bindings import runtime
    except ImportError as error:
        raise EngineUnavailable(
            f"cuda-python cannot be loaded ({' '.join(str(error).split())[:300]})",
            where="engine.memory_backend",
            remedy="pip install cuda-python of the driver's CUDA version: cuda-python==12.* on JetPack 6, 13.* on JetPack 7",
        ) from None
    return runtime
