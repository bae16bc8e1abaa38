"""The child's counters in one shared page: readable at any time, also when the child hangs or nobody reads its messages."""

from __future__ import annotations

import mmap
import os
from dataclasses import dataclass

import numpy as np

_FIELDS = ("heartbeat_ns", "last_frame_ns", "frames", "lost", "incomplete", "skipped", "damaged", "gap_ns")


@dataclass(frozen=True)
class Counters:
    """What one life of a camera process has seen.

    frames: handed to the ring. lost: counted by the camera, or dropped because every slot was in use. incomplete: arrived
    damaged and thrown away by the camera. skipped: replaced by a fresher frame before anyone took them (policy newest).
    damaged: arrived but could not be judged (FrameError). heartbeat_ns, last_frame_ns: host monotonic, 0 for never. gap_ns:
    the longest time between two frames of late, 0 before the second frame.
    """

    heartbeat_ns: int = 0
    last_frame_ns: int = 0
    frames: int = 0
    lost: int = 0
    incomplete: int = 0
    skipped: int = 0
    damaged: int = 0
    gap_ns: int = 0


class StatusPage:
    """One page of int64; a single writer, and every value is one aligned 8-byte store."""

    def __init__(self, fd: int) -> None:
        self._values = np.frombuffer(mmap.mmap(fd, mmap.PAGESIZE), np.int64, len(_FIELDS))

    @staticmethod
    def make(name: str) -> int:
        """A descriptor of an anonymous page of zeros."""
        fd = os.memfd_create(f"lineclear-{name}-status", os.MFD_CLOEXEC)
        os.posix_fallocate(fd, 0, mmap.PAGESIZE)
        return fd

    def read(self) -> Counters:
        """All values now."""
        return Counters(*(int(value) for value in self._values))

    def set(self, field: str, value: int) -> None:
        """Store one value."""
        self._values[_FIELDS.index(field)] = value

    def add(self, field: str, count: int = 1) -> None:
        """Count up."""
        self._values[_FIELDS.index(field)] += count
