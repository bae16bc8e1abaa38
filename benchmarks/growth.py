"""Does a process grow? Memory, descriptors, threads and shared memory once a second, and the trend of them."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import psutil
from numpy.typing import NDArray

FIELDS = ("rss_kb", "descriptors", "threads", "memfds", "memfd_kb")
TINY_KB_PER_MIN, BLOCK_S = 20.0, 30.0


class Samples:
    """FIELDS of every process once a second, in an array that is as large at the start as at the end.

    processes: the id of each, or a function that gives it where the process may be another one later, None while there is
    none; NaN is sampled then.
    """

    def __init__(self, processes: Mapping[str, int | Callable[[], int | None]], seconds: float) -> None:
        self._processes = dict(processes)
        self._values = np.full((int(seconds) + 10, len(processes), len(FIELDS)), np.nan)
        self._times = np.full(len(self._values), -1.0)
        self._count = 0

    def take(self, at_s: float) -> None:
        """One sample of every process."""
        if self._count < len(self._times):
            for column, process in enumerate(self._processes.values()):
                pid = process() if callable(process) else process
                with suppress(psutil.Error, FileNotFoundError, ProcessLookupError):
                    if pid is not None:
                        self._values[self._count, column] = sample(psutil.Process(pid))
            self._times[self._count] = at_s
            self._count += 1

    @property
    def times(self) -> NDArray[np.float64]:
        """Seconds since the start."""
        return self._times[: self._count]

    def of(self, name: str, what: str) -> NDArray[np.float64]:
        """One field of one process over time."""
        return np.asarray(self._values[: self._count, list(self._processes).index(name), FIELDS.index(what)])

    @property
    def names(self) -> list[str]:
        """The processes."""
        return list(self._processes)


def sample(process: psutil.Process) -> tuple[float, float, float, float, float]:
    """FIELDS of one process now; anonymous shared memory (memfd) is counted by its mappings."""
    with process.oneshot():
        rss, descriptors, threads = process.memory_info().rss / 1024, process.num_fds(), process.num_threads()
    count = size = 0
    with open(f"/proc/{process.pid}/maps", encoding="utf-8", errors="replace") as maps:
        for line in maps:
            if "/memfd:lineclear" in line or "/dev/shm/" in line:
                start, end = (int(word, 16) for word in line.split(" ", 1)[0].split("-"))
                count, size = count + 1, size + (end - start) // 1024
    return rss, float(descriptors), float(threads), float(count), float(size)


def leftovers() -> dict[str, int]:
    """What this process holds now, to compare before with after."""
    gc.collect()
    me = psutil.Process()
    _, descriptors, threads, memfds, _ = sample(me)
    python = {thread.name for thread in threading.enumerate()}
    return {
        "processes": len(me.children(recursive=True)), "threads": int(threads), "python_threads": len(python),
        "descriptors": int(descriptors), "memfds": int(memfds),
    }  # fmt: skip


@dataclass(frozen=True)
class Trend:
    """Growth in kB per minute: the median slope (Theil 1950, Sen 1968) with Sen's 95 % interval."""

    slope: float
    low: float
    high: float

    @property
    def is_flat(self) -> bool:
        """True if the interval reaches zero, or growth is too small to matter."""
        return self.low <= 0 or self.slope < TINY_KB_PER_MIN

    def __str__(self) -> str:
        return f"{self.slope:.1f} ({self.low:.1f}..{self.high:.1f})"


def trend(times_s: NDArray[np.float64], kb: NDArray[np.float64]) -> Trend:
    """Over medians of blocks of half a minute, so that neighbours say little of each other; NaN is left out."""
    times_s, kb = times_s[~np.isnan(kb)], kb[~np.isnan(kb)]
    blocks = max(4, round((times_s[-1] - times_s[0]) / BLOCK_S))
    minutes = np.array([np.median(part) for part in np.array_split(times_s, blocks)]) / 60
    level = np.array([np.median(part) for part in np.array_split(kb, blocks)])
    one, other = np.triu_indices(blocks, 1)
    slopes = np.sort((level[other] - level[one]) / (minutes[other] - minutes[one]))
    width = 1.96 * np.sqrt(blocks * (blocks - 1) * (2 * blocks + 5) / 18)
    low, high = (int(np.clip(round((len(slopes) + sign * width) / 2), 0, len(slopes) - 1)) for sign in (-1, 1))
    return Trend(float(np.median(slopes)), float(slopes[low]), float(slopes[high]))


def halves(times_s: NDArray[np.float64], kb: NDArray[np.float64]) -> tuple[Trend, Trend]:
    """The trend of the first and of the second half: a leak grows in both, memory taken once under load and kept in one."""
    middle = len(times_s) // 2
    return trend(times_s[:middle], kb[:middle]), trend(times_s[middle:], kb[middle:])
