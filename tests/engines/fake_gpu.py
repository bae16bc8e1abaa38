"""A GPU made of this process's memory: what is queued in its stream happens at the next sync, and what is leaked is seen."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


class GpuFailure(Exception):
    """One call failed; `kind` as CUDA has it. The stand-ins for the packages raise or return it in their own way."""

    def __init__(self, call: str, kind: str) -> None:
        super().__init__(f"{call} failed: {kind}")
        self.kind = kind


@dataclass
class FakeGpu:
    """faults: call -> (how many calls still work, kind). calls: every one that was made, in order."""

    name: str = "Fake RTX"
    count: int = 1
    faults: dict[str, tuple[int, str]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    held: dict[int, tuple[str, NDArray[np.uint8]]] = field(default_factory=dict)
    queue: list[Callable[[], None]] = field(default_factory=list)
    streams: int = 0
    current: dict[int, list[Any]] = field(default_factory=dict)
    selected: dict[int, int] = field(default_factory=dict)
    copied: int = 0
    lost_kind: str = "lost"

    def does(self, call: str) -> None:
        """Note a call; GpuFailure if it is one that fails."""
        self.calls.append(call)
        working, kind = self.faults.get(call, (1, ""))
        if kind and working <= 0:
            raise GpuFailure(call, kind)
        if kind:
            self.faults[call] = (working - 1, kind)

    def stack(self) -> list[Any]:
        return self.current.setdefault(threading.get_ident(), [])

    def require_current(self) -> None:
        if not self.stack() and threading.get_ident() not in self.selected:
            raise AssertionError("no context is current in this thread: TensorRT would take the wrong GPU, or crash")

    def allocate(self, kind: str, nbytes: int) -> int:
        self.does(f"alloc {kind}")
        array = np.full(nbytes, 0xA5, np.uint8)
        self.held[array.ctypes.data] = (kind, array)
        return int(array.ctypes.data)

    def array_at(self, address: int) -> NDArray[np.uint8]:
        return self.held[address][1]

    def release(self, address: int) -> None:
        self.does("free")
        assert address in self.held, "freed twice, or never allocated"
        assert not self.queue, "freed while the stream may still use it"
        del self.held[address]

    def make_stream(self) -> int:
        self.does("make stream")
        self.streams += 1
        return 0x5EED

    def end_stream(self) -> None:
        self.does("end stream")
        self.streams -= 1

    def copy(self, call: str, target: int, source: int, nbytes: int) -> None:
        self.does(call)
        self.copied += nbytes
        self.queue.append(lambda: ctypes.memmove(target, source, nbytes) and None)

    def sync(self) -> None:
        try:
            self.does("sync")
        except GpuFailure:
            # A GPU that is lost does nothing any more.
            self.queue.clear()
            raise
        while self.queue:
            try:
                self.queue.pop(0)()
            except Exception as error:
                self.queue.clear()
                raise GpuFailure("sync", self.lost_kind) from error

    def assert_nothing_left(self) -> None:
        assert not self.held, f"{len(self.held)} buffers leaked"
        assert self.streams == 0
        assert not any(self.current.values()), "a context was left on a thread's stack: pycuda aborts at exit"
