"""Real lines, through the kernel's GPIO character device (libgpiod 2, package gpiod)."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import ModuleType, TracebackType
from typing import Any

from typing_extensions import Self

from edge.errors import ConfigError, DeviceError
from edge.io.base import Edge, Wire

CONSUMER = "lineclear"
_EDGES = {"rising": "RISING", "falling": "FALLING", "both": "BOTH"}


class GpiodOutputs:
    """Lines of one chip, requested together: they change together, and no other program can drive them meanwhile.

    path: of the chip, such as /dev/gpiochip0.
    """

    def __init__(self, path: str, wires: Sequence[Wire]) -> None:
        self._path = path
        self._wires = {wire.name: wire for wire in wires}
        self._request: Any = None

    def __enter__(self) -> Self:
        """Take the lines; the kernel drives them inactive from the first moment on."""
        line = _library(self._path).line

        def settings(wire: Wire) -> dict[str, Any]:
            return {
                "direction": line.Direction.OUTPUT,
                "output_value": line.Value.INACTIVE,
                "active_low": wire.active_low,
                "drive": line.Drive[wire.drive.upper()],
                "bias": line.Bias[wire.bias.upper()],
            }

        self._request = _request(self._path, {wire.line: settings(wire) for wire in self._wires.values()})
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """All inactive, then let go. What the pins do after that is the driver's and the board's: see docs/io.md."""
        if self._request is not None:
            with contextlib.suppress(DeviceError):
                self.set(dict.fromkeys(self._wires, False))
            with contextlib.suppress(OSError):
                self._request.release()
            self._request = None

    def set(self, levels: Mapping[str, bool]) -> None:
        """In one call to the kernel."""
        value = _library(self._path).line.Value
        values = {self._wires[name].line: value.ACTIVE if level else value.INACTIVE for name, level in levels.items()}
        try:
            self._request.set_values(values)
        except OSError as error:
            raise _lost(self._path, error) from None


class GpiodEdges:
    """Edges of one line, with the kernel's own time of each. debounce_ms 0: every edge counts."""

    def __init__(
        self,
        path: str,
        line: int | str,
        edge: str = "rising",
        *,
        active_low: bool = False,
        bias: str = "as_is",
        debounce_ms: float = 0.0,
        events: int = 256,
    ) -> None:
        self._path, self._line, self._edge = path, line, edge
        self._active_low, self._bias = active_low, bias
        self._debounce_ms, self._events = debounce_ms, events
        self._request: Any = None

    def __enter__(self) -> Self:
        """Take the line; edges count from now on."""
        line = _library(self._path).line
        settings = {
            "direction": line.Direction.INPUT,
            "edge_detection": line.Edge[_EDGES[self._edge]],
            "active_low": self._active_low,
            "bias": line.Bias[self._bias.upper()],
            "debounce_period": timedelta(milliseconds=self._debounce_ms),
            "event_clock": line.Clock.MONOTONIC,
        }
        self._request = _request(self._path, {self._line: settings}, self._events)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Let the line go."""
        if self._request is not None:
            with contextlib.suppress(OSError):
                self._request.release()
            self._request = None

    def wait(self, timeout_s: float) -> tuple[Edge, ...]:
        """Edges that came; other threads run meanwhile."""
        try:
            if not self._request.wait_edge_events(timeout_s):
                return ()
            return tuple(Edge(event.timestamp_ns, event.line_seqno) for event in self._request.read_edge_events())
        except OSError as error:
            raise _lost(self._path, error) from None


def require_gpiod(key: str) -> None:
    """ConfigError for a config whose `key` needs the package, where it is not installed."""
    if importlib.util.find_spec("gpiod") is None:
        raise ConfigError("GPIO needs the package gpiod", where=key, remedy="pip install 'lineclear[gpio]'")


def _library(path: str) -> ModuleType:
    try:
        import gpiod
        import gpiod.line
    except ImportError as error:
        raise DeviceError(
            f"GPIO needs the package gpiod ({error})", where=path, remedy="pip install 'lineclear[gpio]'"
        ) from None
    return gpiod  # type: ignore[no-any-return]


def _request(path: str, lines: Mapping[int | str, dict[str, Any]], events: int | None = None) -> Any:
    gpiod = _library(path)
    named = ", ".join(map(str, lines))
    try:
        config = {line: gpiod.LineSettings(**settings) for line, settings in lines.items()}
        return gpiod.request_lines(path, config=config, consumer=CONSUMER, event_buffer_size=events)
    except PermissionError:
        remedy = "add the station's user to the group that owns it (often gpio), then start the station again"
        raise DeviceError("must not be opened", where=path, remedy=remedy) from None
    except FileNotFoundError as error:
        remedy = "`gpiodetect` and `gpioinfo` list chips and lines; correct chip or line"
        raise DeviceError(f"no such chip, or no line {named} on it ({error})", where=path, remedy=remedy) from None
    except (OSError, ValueError) as error:
        remedy = "`gpioinfo` says who uses a line; it must be free, and the chip must know its settings"
        raise DeviceError(f"line {named} cannot be taken ({error})", where=path, remedy=remedy) from None


def _lost(path: str, error: OSError) -> DeviceError:
    return DeviceError(f"the chip does not answer ({error.strerror})", where=path, remedy="look at its cable or board")
