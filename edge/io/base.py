"""Lines as the rest of the package sees them: some that are driven, and one whose edges are heard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, runtime_checkable

from typing_extensions import Self


@dataclass(frozen=True)
class Wire:
    """One output as the guard is told to hold it. line: number or name on the chip."""

    name: str
    line: int | str
    active_low: bool = False
    drive: str = "push_pull"
    bias: str = "as_is"

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Wire:
        """From the guard's orders."""
        return cls(data["name"], data["line"], data["active_low"], data["drive"], data["bias"])


@dataclass(frozen=True)
class Edge:
    """One edge of a trigger's line. at_ns: when the kernel saw it, host monotonic. number: the kernel's count on this line
    since it was opened, from 1: a gap is an edge that nobody could read.
    """

    at_ns: int
    number: int


@runtime_checkable
class OutputLines(Protocol):
    """Lines that this process drives. Opening takes them and puts them all to not energised."""

    def __enter__(self) -> Self:
        """Take the lines. DeviceError: no such chip or line, somebody else has it, not allowed."""
        ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Put them all to not energised and let them go; never raises."""
        ...

    def set(self, levels: Mapping[str, bool]) -> None:
        """Energise (True) or not these lines, by name, all at once. DeviceError: the chip is gone."""
        ...


@runtime_checkable
class EdgeLines(Protocol):
    """One line whose edges are heard."""

    def __enter__(self) -> Self:
        """Take the line. DeviceError: no such chip or line, somebody else has it, not allowed."""
        ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Let it go; never raises."""
        ...

    def wait(self, timeout_s: float) -> tuple[Edge, ...]:
        """The edges that came, oldest first; none after timeout_s. DeviceError: the chip is gone."""
        ...
