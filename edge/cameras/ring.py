"""Frames in shared memory: the camera's process writes, the station reads in place.

The memory is an anonymous file (memfd): it has no name in /dev/shm, so nothing is left when a process is killed, and the
64 MB that containers give /dev/shm are no limit. A slot has one byte of state in the first page. Only the writer takes a
free slot and only the holder of its record frees it, so no lock is needed: a record is a message, and the kernel hands a
message to one reader. The station's reference count is the lease: when the last array on a slot is gone, it is free.
"""

from __future__ import annotations

import mmap
import os
import weakref
from typing import Any

import numpy as np

from edge.errors import CameraRefused
from edge.types import ImageU8

PAGE = mmap.PAGESIZE
_FREE, _TAKEN = 0, 1


def _rounded(count: int) -> int:
    return max(1, -(-count // PAGE)) * PAGE


def _check_memory(size: int, name: str) -> None:
    # An anonymous file has no limit of its own: reserving too much would bring the out-of-memory killer, on anyone.
    with open("/proc/meminfo", encoding="ascii") as file:
        left = next((int(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable:")), 0)
    if size > left // 2:
        what = f"its frames need {size >> 20} MB of shared memory, and {left >> 20} MB are left"
        raise CameraRefused(what, where=f"camera of {name}", remedy="take fewer slots, smaller frames or more memory")


class RingWriter:
    """The camera's side. Frames of any shape up to slot_bytes. CameraRefused if there is not memory enough."""

    def __init__(self, name: str, slots: int, frame_bytes: int) -> None:
        self.slots = slots
        self.slot_bytes = _rounded(frame_bytes)
        size = PAGE + slots * self.slot_bytes
        _check_memory(size, name)
        self.fd = os.memfd_create(f"lineclear-{name}", os.MFD_CLOEXEC)
        # Reserved now, so that memory that runs out is an error here and not SIGBUS in the middle of a frame.
        os.posix_fallocate(self.fd, 0, size)
        self._memory = mmap.mmap(self.fd, size)
        self._states = np.frombuffer(self._memory, np.uint8, slots)
        self._next = 0

    def free_slot(self) -> int | None:
        """A slot that nobody reads, or None."""
        for step in range(self.slots):
            slot = (self._next + step) % self.slots
            if self._states[slot] == _FREE:
                self._next = slot + 1
                return slot
        return None

    def place(self, slot: int, shape: tuple[int, ...]) -> ImageU8:
        """The memory of a free slot as a writable array, for a camera that decodes straight into it."""
        count = int(np.prod(shape))
        return np.frombuffer(self._memory, np.uint8, count, PAGE + slot * self.slot_bytes).reshape(shape)

    def write(self, slot: int, image: ImageU8) -> None:
        """Copy a frame into a free slot and take it."""
        np.copyto(self.place(slot, image.shape), image)
        self.take(slot)

    def take(self, slot: int) -> None:
        """The slot belongs to the record that is sent next, until its last reader is gone."""
        self._states[slot] = _TAKEN

    def release(self, slot: int) -> None:
        """Free a slot whose record was taken back."""
        self._states[slot] = _FREE

    def close(self) -> None:
        """Close the descriptor; the memory goes with the last array on it."""
        os.close(self.fd)


class RingReader:
    """The station's side; takes over `fd`."""

    def __init__(self, fd: int, slots: int, slot_bytes: int) -> None:
        self._slot_bytes = slot_bytes
        try:
            populate: int = getattr(mmap, "MAP_POPULATE", 0)
            self._states = np.frombuffer(mmap.mmap(fd, PAGE), np.uint8, slots)
            self._memory = mmap.mmap(fd, PAGE + slots * slot_bytes, mmap.MAP_SHARED | populate, mmap.PROT_READ)
        finally:
            os.close(fd)

    def lease(self, slot: int, shape: tuple[int, ...]) -> ImageU8:
        """The frame in this slot, read-only and in place; the slot is free again when the last view of it is gone."""
        count = int(np.prod(shape))
        base = np.frombuffer(self._memory, np.uint8, count, PAGE + slot * self._slot_bytes)
        weakref.finalize(base, _free, self._states, slot).atexit = False
        # numpy keeps `base` alive for every view: frombuffer arrays do not own their data, so views do not skip them.
        return base.reshape(shape)

    def release(self, slot: int) -> None:
        """Free a slot that was not leased."""
        _free(self._states, slot)


def _free(states: Any, slot: int) -> None:
    # Runs wherever the last reference dies, in any thread: one byte store, nothing to lock, nothing that can block.
    states[slot] = _FREE
