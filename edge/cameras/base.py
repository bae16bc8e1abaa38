"""What every camera can do."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, runtime_checkable

from typing_extensions import Self

from edge.types import Frame


@runtime_checkable
class Camera(Protocol):
    """One camera of one view.

    Construction stores settings and touches nothing; `__enter__` opens the device and starts it; `__exit__` leaves no
    trace (no process, no shared memory, no open handle), also after an error. One thread uses a camera.
    """

    def __enter__(self) -> Self:
        """Open and start. CameraLost: not there (may come back). CameraRefused: a person must mend the config."""
        ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop and close; never raises."""
        ...

    def grab(self, timeout_s: float) -> Frame | None:
        """The next frame, or None if no trigger came within timeout_s (> 0). Raises CameraLost."""
        ...

    def trigger(self) -> None:
        """Ask for one frame (software trigger); a no-op for cameras that run freely. Raises CameraLost."""
        ...
