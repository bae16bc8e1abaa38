"""Lines without hardware: outputs that are bytes of a file, and a trigger line that is pulled by hand."""

from __future__ import annotations

import contextlib
import mmap
import os
import queue
import struct
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from typing_extensions import Self

from edge.errors import DeviceError
from edge.io.base import Edge, Wire

LINES = 64
_COUNTERS = LINES
_SIZE = LINES + 8 * LINES


@dataclass(frozen=True)
class Seen:
    """One line as the file has it. energised_count: how often it was switched on since the file was made."""

    energised: bool
    energised_count: int


def look(path: Path) -> tuple[Seen, ...]:
    """All 64 lines of a simulated chip, as a meter at its terminals would show them."""
    data = path.read_bytes()
    counts = struct.unpack_from(f"<{LINES}q", data, _COUNTERS)
    return tuple(Seen(bool(level), count) for level, count in zip(data[:LINES], counts, strict=True))


class SimulatedOutputs:
    """Byte N of the file is 1 while line N is energised. Like a pin that keeps its level, it stays so when the process dies.

    After the 64 bytes stand 64 int64: how often each line was energised, counted before it is, so that no test can miss one.
    """

    def __init__(self, path: str, wires: Sequence[Wire]) -> None:
        self._path = Path(path)
        self._wires = {wire.name: int(wire.line) for wire in wires}
        self._map: mmap.mmap | None = None

    def __enter__(self) -> Self:
        """Make the file where it is absent; all lines off."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                os.ftruncate(descriptor, _SIZE)
                self._map = mmap.mmap(descriptor, _SIZE)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise DeviceError(
                f"cannot be made ({error.strerror})", where=str(self._path), remedy="write another path"
            ) from None
        self.set(dict.fromkeys(self._wires, False))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """All lines off."""
        if self._map is not None:
            with contextlib.suppress(DeviceError):
                self.set(dict.fromkeys(self._wires, False))
            self._map.close()
            self._map = None

    def set(self, levels: Mapping[str, bool]) -> None:
        """Store the levels; DeviceError once the file was deleted, as if the board was unplugged."""
        page = self._map
        if page is None or not self._path.exists():
            raise DeviceError("the simulated chip is gone", where=str(self._path), remedy="its file was deleted")
        for name, level in levels.items():
            line = self._wires[name]
            if level and not page[line]:
                at = _COUNTERS + 8 * line
                struct.pack_into("<q", page, at, struct.unpack_from("<q", page, at)[0] + 1)
            page[line] = int(level)


class SimulatedEdges:
    """A trigger line that is pulled by hand. Any thread may pull."""

    def __init__(self) -> None:
        self._edges: queue.SimpleQueue[Edge | None] = queue.SimpleQueue()
        self._number = 0
        self.is_there = True
        self.opened = 0

    def __enter__(self) -> Self:
        """Edges count from 1 again."""
        if not self.is_there:
            raise DeviceError("no such chip", where="simulated", remedy="plug it in")
        self._drain()
        self.opened += 1
        self._number = 0
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """What was not read is gone."""
        self._drain()

    def _drain(self) -> None:
        while not self._edges.empty():
            self._edges.get()

    def pull(self, *, lost_before: int = 0, age_s: float = 0.0) -> None:
        """One edge. lost_before: edges that the kernel counted and could not keep. age_s: how long ago it was."""
        self._number += 1 + lost_before
        self._edges.put(Edge(time.monotonic_ns() - int(age_s * 1e9), self._number))

    def unplug(self) -> None:
        """The chip is gone until `is_there` is True again."""
        self.is_there = False
        self._edges.put(None)

    def wait(self, timeout_s: float) -> tuple[Edge, ...]:
        """The edges that were pulled; DeviceError while the chip is gone."""
        found: list[Edge] = []
        try:
            edge = self._edges.get(timeout=timeout_s)
            while edge is not None:
                found.append(edge)
                edge = self._edges.get_nowait()
        except queue.Empty:
            return tuple(found)
        if found:
            self._edges.put(None)
            return tuple(found)
        raise DeviceError("the chip does not answer", where="simulated", remedy="plug it in")
