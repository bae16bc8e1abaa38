"""What every engine can do."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, runtime_checkable

from typing_extensions import Self

from edge.bundle import Tensors

__all__ = ["SIMULATED", "Engine", "EngineIdentity", "Tensors"]

SIMULATED = "simulated"


@dataclass(frozen=True)
class EngineIdentity:
    """What made the scores: `onnxruntime-1.31.1 cpu float32`. Goes into every result and every threshold card."""

    backend: str
    version: str
    device: str
    precision: str

    @property
    def is_simulated(self) -> bool:
        """True where no model computed the scores: every result must say so."""
        return self.backend == SIMULATED

    def __str__(self) -> str:
        return f"{self.backend}-{self.version} {self.device} {self.precision}"


@runtime_checkable
class Engine(Protocol):
    """Runs one bundle on this machine. One thread uses an engine.

    Construction stores and touches nothing; after `__exit__` it may be entered again. Arrays that it returns are
    read-only and stay valid after the next call.
    """

    @property
    def identity(self) -> EngineIdentity:
        """What computes the scores; complete once entered."""
        ...

    def __enter__(self) -> Self:
        """Load, warm up, and prove the golden vectors. BundleError or EngineFault if the model must not be used."""
        ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Free everything; never raises."""
        ...

    def infer(self, inputs: Tensors) -> Tensors:
        """Outputs by name for inputs by name, as the manifest declares them.

        EngineFault: the engine is not open, an input or an output has not the manifest's name, dtype and shape, or it
        failed. NaN in a map is no fault here: the verdict decides about it.
        """
        ...
