"""Device memory by pycuda, on the primary context; `pycuda.autoinit` and `make_context` are never used."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import numpy as np
from typing_extensions import Self

from edge.engines.device_memory import RESTART, Backend, HostBuffer, Ownership, free_all
from edge.engines.gpus import EngineUnavailable
from edge.errors import EngineFault

# One retained context per thread and GPU, kept while the thread lives. pycuda 2026.1 pushes a context that is not current
# before it releases it, and for a primary context nothing pops it again (cuda.hpp, context::detach): a release between two
# products would leave the thread on a context that may be destroyed.
_RETAINED = threading.local()


class PycudaMemory:
    """See DeviceMemory."""

    def __init__(self, device: int, driver: Any = None) -> None:
        """device: the GPU's index. driver: a stand-in for `pycuda.driver`, for tests."""
        self._device = device
        self._driver = driver
        self._owner = Ownership()
        self._context: Any = None
        self._stream: Any = None
        self._allocated: list[tuple[str, Callable[[], Any]]] = []

    @property
    def backend(self) -> Backend:
        """`pycuda`."""
        return "pycuda"

    def __enter__(self) -> Self:
        """Retain the primary context and make the stream. EngineUnavailable: no pycuda, no driver, no such GPU."""
        if self._driver is None:
            self._driver = _import_driver()
        self._owner.take()
        try:
            self._context = self._retained()
            with self.current(), self._guarded("making a stream"):
                self._stream = self._driver.Stream()
        except BaseException:
            self._owner.let_go()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Free buffers and stream, and leave the thread's stack of contexts as it was found."""
        errors = (*self._errors(), EngineFault)
        closing: list[tuple[str, Callable[[], Any]]] = [("context", self._close_within)]
        free_all(closing, errors)
        # Where the context cannot be made current, each buffer still knows its own.
        free_all(self._allocated, errors)
        self._stream = self._context = None
        self._owner.let_go()

    def _close_within(self) -> None:
        with self.current():
            free_all(self._allocated, self._errors())
            # The stream is destroyed with its last reference, and has to be while the context is current.
            self._stream = None

    @contextmanager
    def current(self) -> Iterator[None]:
        """Push the primary context, and pop it whatever happens within."""
        self._owner.check()
        with self._guarded("making its context current"):
            self._context.push()
        try:
            yield
        finally:
            with self._guarded("leaving its context"):
                self._driver.Context.pop()

    def alloc_device(self, nbytes: int) -> int:
        """See DeviceMemory."""
        self._owner.check()
        with self._guarded(f"allocating {nbytes / 1e6:.1f} MB on it"):
            block = self._driver.mem_alloc(nbytes)
            self._allocated.append(("device memory", block.free))
            return int(block)

    def alloc_host(self, nbytes: int, *, mapped: bool) -> HostBuffer:
        """See DeviceMemory."""
        self._owner.check()
        flags = self._driver.host_alloc_flags.DEVICEMAP if mapped else 0
        with self._guarded(f"page-locking {nbytes / 1e6:.1f} MB for it"):
            array = self._driver.pagelocked_empty((nbytes,), np.uint8, mem_flags=flags)
            self._allocated.append(("host memory", array.base.free))
            return HostBuffer(array, int(array.base.get_device_pointer()) if mapped else None)

    def h2d(self, device: int, host: HostBuffer) -> None:
        """See DeviceMemory."""
        self._owner.check()
        with self._guarded("copying to it"):
            self._driver.memcpy_htod_async(device, host.array, self._stream)

    def d2h(self, host: HostBuffer, device: int) -> None:
        """See DeviceMemory."""
        self._owner.check()
        with self._guarded("copying from it"):
            self._driver.memcpy_dtoh_async(host.array, device, self._stream)

    @property
    def stream(self) -> int:
        """See DeviceMemory."""
        self._owner.check()
        return int(self._stream.handle)

    def sync(self) -> None:
        """See DeviceMemory."""
        self._owner.check()
        with self._guarded("computing"):
            self._stream.synchronize()

    def _retained(self) -> Any:
        contexts: list[tuple[Any, int, Any]] = _RETAINED.__dict__.setdefault("contexts", [])
        found = [each for driver, device, each in contexts if driver is self._driver and device == self._device]
        if not found:
            try:
                self._driver.init()
                count = self._driver.Device.count()
                if self._device >= count:
                    raise EngineUnavailable(
                        f"there is no GPU {self._device}, {count} found", where="gpu", remedy="correct `device` in the config"
                    )
                found = [self._driver.Device(self._device).retain_primary_context()]
                contexts.append((self._driver, self._device, found[0]))
            except self._errors() as error:
                remedy = "is NVIDIA's driver installed, and is pycuda compiled for its CUDA version?"
                raise EngineUnavailable(f"pycuda cannot use the GPU ({_line(error)})", where="gpu", remedy=remedy) from None
        return found[0]

    @contextmanager
    def _guarded(self, doing: str) -> Iterator[None]:
        try:
            yield
        except self._driver.MemoryError as error:
            remedy = "close other programs on the GPU, or use a smaller model"
            raise EngineFault(f"GPU: {doing} failed ({_line(error)})", where="pycuda", remedy=remedy) from None
        except self._errors() as error:
            raise EngineFault(f"GPU: {doing} failed ({_line(error)})", where="pycuda", remedy=RESTART) from None

    def _errors(self) -> tuple[type[Exception], ...]:
        # boost.python turns pycuda's "out-of-thread context" and its kin into RuntimeError.
        return (self._driver.Error, RuntimeError)


def _import_driver() -> Any:
    try:
        import pycuda.driver
    except ImportError as error:
        raise EngineUnavailable(
            f"pycuda cannot be loaded ({_line(error)})",
            where="engine.memory_backend",
            remedy="install NVIDIA's driver, then pip install pycuda; or write memory_backend: cuda-python",
        ) from None
    return pycuda.driver


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
