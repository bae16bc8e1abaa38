"""What engines that have to be built offer beside `Engine`: building ahead of time, and staying warm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

__all__ = ["BuildProgress", "Preparable", "quiet"]

BuildProgress = Callable[[str, int, int], None]
"""(phase, steps done, steps in all; 0 of 0 where that is not known). Called in the thread that asked, at least every two
seconds while a process builds; raising `edge.errors.Cancelled` from it ends the build, and nothing half-built stays."""


@runtime_checkable
class Preparable(Protocol):
    """An engine whose opening may take minutes once.

    The station calls `prepare` before the first frame, and before a changeover, in the thread that asked for it: after it
    `__enter__` takes seconds, so that the judge never waits for a build.
    """

    def prepared(self) -> bool:
        """True if entering will build nothing. Any thread; no GPU memory is taken. EngineFault: there is no such GPU."""
        ...

    def prepare(self, progress: BuildProgress) -> None:
        """Have everything built that entering needs. Any thread; the build has a process of its own.

        EngineFault, BundleError: as entering would; and what `progress` raises.
        """
        ...

    def keep_warm(self) -> bool:
        """Compute the last frame again if the GPU was idle for long; True if it did. The engine's own thread, when no frame
        waits; milliseconds. EngineFault: the GPU is lost.
        """
        ...


def quiet(phase: str, done: int, total: int) -> None:
    """A BuildProgress that tells nobody."""
