"""What every engine can do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, runtime_checkable

from numpy.typing import NDArray
from typing_extensions import Self

Tensors = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class EngineIdentity:
    """What made the scores: `onnxruntime-1.31.1 cpu float32`. Goes into every result and every threshold card."""

    backend: str
    version: str
    device: str
    precision: str

    def __str__(self) -> str:
        return f"{self.backend}-{self.version} {self.device} {self.precision}"


@runtime_checkable
class Engine(Protocol):
    """Runs one bundle on this machine. One thread uses an engine."""

    @property
    def identity(self) -> EngineIdentity:
        """Known once entered."""
        ...

    def __enter__(self) -> Self:
        """Load, warm up, and prove the golden vectors. BundleError or EngineFault if the model must not be used."""
        ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Free everything; never raises."""
        ...

    def infer(self, inputs: Tensors) -> Tensors:
        """Outputs by name for inputs by name, as the manifest declares them. EngineFault if it cannot."""
        ...
