"""The memory of a GPU in six calls, whatever package makes them.

One thread owns a DeviceMemory: the one that entered it. The GPU's primary context is used, which TensorRT's own runtime
uses too, and it is current only inside `current()`: nothing stays on the thread's stack of contexts between two frames.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Self

from edge.errors import EngineFault

__all__ = ["Backend", "DeviceMemory", "HostBuffer", "Ownership", "free_all", "released"]

log = logging.getLogger(__name__)

Backend = Literal["pycuda", "cuda-python"]
RESTART = "restart the station; if it happens again, restart the machine and look at `nvidia-smi` and `dmesg`"


@dataclass(frozen=True, eq=False)
class HostBuffer:
    """Page-locked memory of this process, as bytes. device: where the GPU sees it, None unless it is mapped."""

    array: NDArray[np.uint8]
    device: int | None = None


class DeviceMemory(Protocol):
    """Six calls, between `__enter__` and `__exit__`, inside `current()`, all from one thread.

    Everything that was allocated is freed by `__exit__`, the last first, then the stream; it never raises. Every failure of
    the GPU, its driver or the package is an EngineFault.
    """

    @property
    def backend(self) -> Backend:
        """The package that makes the calls."""
        ...

    def __enter__(self) -> Self:
        """Take the GPU and make the stream. EngineUnavailable: no package, no driver, no such GPU."""
        ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Free everything; never raises."""
        ...

    def current(self) -> AbstractContextManager[None]:
        """The GPU's primary context is this thread's within: for these calls, and for TensorRT's."""
        ...

    def alloc_device(self, nbytes: int) -> int:
        """The address of so much memory on the GPU."""
        ...

    def alloc_host(self, nbytes: int, *, mapped: bool) -> HostBuffer:
        """Page-locked memory here; mapped: the GPU reads and writes it too."""
        ...

    def h2d(self, device: int, host: HostBuffer) -> None:
        """Copy the whole buffer to the GPU, in the stream: it returns before it is done."""
        ...

    def d2h(self, host: HostBuffer, device: int) -> None:
        """Fill the whole buffer from the GPU, in the stream."""
        ...

    @property
    def stream(self) -> int:
        """The handle of the one stream."""
        ...

    def sync(self) -> None:
        """Wait for everything in the stream. Here the GPU's own faults come to light."""
        ...


class Ownership:
    """Who may call: the thread that took it, and only until it let go."""

    def __init__(self) -> None:
        self._thread: int | None = None

    def take(self) -> None:
        """Make the calling thread its owner. EngineFault if it is owned."""
        if self._thread is not None:
            raise EngineFault("the GPU's memory is opened twice", where="gpu", remedy=RESTART)
        self._thread = threading.get_ident()

    def check(self) -> None:
        """EngineFault unless this thread owns it."""
        if self._thread != threading.get_ident():
            problem = "is not open" if self._thread is None else "belongs to another thread"
            raise EngineFault(f"the GPU's memory {problem}", where="gpu", remedy="this is a fault of lineclear: report it")

    def let_go(self) -> None:
        """Nobody owns it."""
        self._thread = None


@contextmanager
def released(name: str, errors: tuple[type[Exception], ...]) -> Iterator[None]:
    """For what is freed while something is closed: a failure is written down, and the rest is freed all the same."""
    try:
        yield
    except errors as error:
        log.error("gpu_not_released what=%s why=%s", name, " ".join(str(error).split()))


def free_all(items: list[tuple[str, Callable[[], Any]]], errors: tuple[type[Exception], ...]) -> None:
    """Free what was allocated, the last first, each guarded; the list is empty afterwards."""
    while items:
        name, free = items.pop()
        with released(name, errors):
            free()
