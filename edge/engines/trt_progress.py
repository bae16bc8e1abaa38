"""How far a build is, from TensorRT's own monitor where it has one (10 and later, RTX)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from edge.engines.preparing import BuildProgress
from edge.errors import LineclearError

__all__ = ["Watched", "watch"]


class Watched:
    """stopped_by: what the callback raised; TensorRT's C++ cannot carry it."""

    def __init__(self) -> None:
        self.stopped_by: LineclearError | None = None


@contextmanager
def watch(trt: Any, config: Any, progress: BuildProgress) -> Iterator[Watched]:
    """Tell `progress` while a build of this config runs, and end the build when it raises."""
    watched = Watched()
    progress("building", 0, 0)
    if not hasattr(trt, "IProgressMonitor"):
        yield watched
        return
    config.progress_monitor = _monitor(trt, progress, watched)
    try:
        yield watched
    finally:
        config.progress_monitor = None


def _monitor(trt: Any, progress: BuildProgress, watched: Watched) -> Any:
    totals: dict[str, int] = {}

    class _Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:  # noqa: ARG002
            totals[phase_name] = num_steps
            self._tell(phase_name, 0)

        def step_complete(self, phase_name: str, step: int) -> bool:
            self._tell(phase_name, step + 1)
            return watched.stopped_by is None

        def phase_finish(self, phase_name: str) -> None:
            totals.pop(phase_name, None)

        def _tell(self, phase: str, done: int) -> None:
            if watched.stopped_by is None:
                try:
                    progress(phase, done, totals.get(phase, 0))
                except LineclearError as error:
                    watched.stopped_by = error

    return _Monitor()
