"""TensorRT as a module that is handed in: which it is, of which version, and what it says while it works."""

from __future__ import annotations

import importlib
import logging
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from edge.engines.gpus import EngineUnavailable
from edge.engines.wording import said
from edge.errors import EngineFault

__all__ = ["Flavour", "TrtApi", "TrtLog", "load_trt", "wrap_trt"]

log = logging.getLogger(__name__)

Flavour = Literal["tensorrt", "tensorrt_rtx"]
_REMEDY = {
    "tensorrt": "on a Jetson make the venv with --system-site-packages and JetPack's Python; elsewhere pip install tensorrt",
    "tensorrt_rtx": "pip install tensorrt-rtx",
}
_OLDEST, _NEWEST_MAJOR = (8, 6), 11
# TensorRT for RTX begins its layer table so, the classic one otherwise; both only with detailed profiling verbosity.
_TABLE_STARTS = ("Layers:", "Engine Layer Information:")
_KEPT_COMPLAINTS = 8


class TrtLog(Protocol):
    """What TensorRT said since the last `clear`. One per process and module: the first one registered is the only one heard."""

    layer_table: str

    def clear(self) -> None:
        """Forget."""
        ...

    def complaint(self) -> str:
        """The errors, one line, newest last; "it does not say why" if there were none."""
        ...


@dataclass(frozen=True, eq=False)
class TrtApi:
    """The module `tensorrt` or `tensorrt_rtx` (or a stand-in), with its log."""

    module: Any
    flavour: Flavour
    version: str
    log: TrtLog

    @property
    def major(self) -> int:
        """8, 10, 11; TensorRT for RTX has numbers of its own."""
        return int(self.version.split(".")[0])

    @property
    def weakly_typed(self) -> bool:
        """True for TensorRT 8: the builder chooses precisions, and has to be told which it must keep."""
        return self.flavour == "tensorrt" and self.major == 8

    def made(self, make: Callable[[], Any], doing: str, where: str, remedy: str) -> Any:
        """What `make` gives; EngineFault with what TensorRT says where that is None, or an exception of its bindings."""
        try:
            thing = make()
        except (TypeError, RuntimeError) as error:
            # pybind11 says so, of all ways, where a constructor gives nullptr: no driver, no memory.
            raise self.fault(f"cannot {doing}: {said(error)}", where, remedy) from None
        if thing is None:
            raise self.fault(f"cannot {doing}", where, remedy)
        return thing

    def fault(self, what: str, where: str, remedy: str) -> EngineFault:
        """`tensorrt 10.3.0 WHAT (what it says)`."""
        return EngineFault(f"{self.flavour} {self.version} {what} ({self.log.complaint()})", where=where, remedy=remedy)


_loaded: dict[Flavour, TrtApi] = {}


def load_trt(flavour: Flavour) -> TrtApi:
    """The installed module. EngineUnavailable: not installed, or it cannot be loaded; says what to do."""
    if flavour not in _loaded:
        try:
            module = importlib.import_module(flavour)
        except (ImportError, OSError, RuntimeError) as error:
            why = "is not installed" if isinstance(error, ModuleNotFoundError) else f"cannot be loaded ({said(error)})"
            raise EngineUnavailable(
                f"the package {flavour.replace('_', '-')} {why}", where="engine.kind", remedy=_REMEDY[flavour]
            ) from None
        _loaded[flavour] = wrap_trt(module, flavour)
    return _loaded[flavour]


def wrap_trt(module: Any, flavour: Flavour) -> TrtApi:
    """A TrtApi for this module. EngineFault: a version whose API is not known here."""
    version = str(module.__version__)
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    known = flavour == "tensorrt_rtx" or _OLDEST <= numbers < (_NEWEST_MAJOR + 1,)
    if not known or len(numbers) < 2 or numbers[0] == 9:
        raise EngineFault(
            f"{flavour} {version} is not a version that this station knows",
            where="engine.kind",
            remedy="install TensorRT 8.6, 10.x or 11.x (JetPack 6 has 10.3)",
        )
    return TrtApi(module, flavour, version, _logger_class(module)())


def _logger_class(trt: Any) -> Any:
    severity = trt.ILogger.Severity if hasattr(trt.ILogger, "Severity") else trt.ILogger
    errors, warning = (severity.INTERNAL_ERROR, severity.ERROR), severity.WARNING

    class _Logger(trt.ILogger):  # type: ignore[misc]
        """Called from C++, from any thread: it must not raise."""

        def __init__(self) -> None:
            # pybind11 wants its own constructor, not super().
            trt.ILogger.__init__(self)
            self.layer_table = ""
            self._complaints: deque[str] = deque(maxlen=_KEPT_COMPLAINTS)

        def log(self, severity: Any, message: str) -> None:
            if severity in errors:
                self._complaints.append(said(message))
                log.error("tensorrt_says text=%s", said(message))
            elif severity == warning:
                log.info("tensorrt_warns text=%s", said(message))
            elif message.startswith(_TABLE_STARTS):
                self.layer_table = message

        def clear(self) -> None:
            self.layer_table = ""
            self._complaints.clear()

        def complaint(self) -> str:
            # The same error often comes once per layer of the library.
            return "; ".join(dict.fromkeys(self._complaints)) or "it does not say why"

    return _Logger
