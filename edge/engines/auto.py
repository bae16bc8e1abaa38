"""The first engine that opens on this machine; which one it was, and why not the others, is told and never hidden."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from types import TracebackType

from typing_extensions import Self

from edge.engines.base import Engine, EngineIdentity, Tensors
from edge.engines.preparing import BuildProgress, Preparable
from edge.errors import BundleError, EngineFault

__all__ = ["AutoEngine"]

log = logging.getLogger(__name__)


class AutoEngine:
    """An Engine and `Preparable`. It chooses when it is opened, and only then: a fault while it judges stays a fault."""

    def __init__(self, candidates: Sequence[tuple[str, Callable[[], Engine]]]) -> None:
        """candidates: (kind, how to make it), the preferred one first. Making one may raise EngineFault too."""
        self._candidates = tuple(candidates)
        self._engine: Engine | None = None
        self._fallbacks: tuple[str, ...] = ()

    @property
    def identity(self) -> EngineIdentity:
        """The chosen engine's; before it was opened, `auto` of nothing."""
        return EngineIdentity("auto", "0", "not-chosen", "none") if self._engine is None else self._engine.identity

    @property
    def fallbacks(self) -> tuple[str, ...]:
        """For each engine that was preferred and did not open: `kind: why`."""
        return self._fallbacks

    @property
    def chosen(self) -> Engine | None:
        """The engine that runs, None before one was opened."""
        return self._engine

    def prepared(self) -> bool:
        """See Preparable: of the first candidate whose GPU is there, or that needs none."""
        for _, make in self._candidates:
            try:
                engine = _preparable(make())
                return engine is None or engine.prepared()
            except (EngineFault, BundleError):
                continue
        return True

    def prepare(self, progress: BuildProgress) -> None:
        """See Preparable: builds for the first candidate that can be; the rest are not needed then."""
        for kind, make in self._candidates:
            try:
                engine = _preparable(make())
                if engine is not None:
                    engine.prepare(progress)
                return
            except (EngineFault, BundleError) as error:
                log.warning("engine_not_prepared kind=%s why=%s", kind, error)

    def keep_warm(self) -> bool:
        """See Preparable."""
        engine = _preparable(self._engine)
        return engine is not None and engine.keep_warm()

    def __enter__(self) -> Self:
        """Open the first that opens. EngineFault with every reason if none does."""
        reasons: list[str] = []
        for kind, make in self._candidates:
            try:
                engine = make()
                engine.__enter__()
            except (EngineFault, BundleError) as error:
                reasons.append(f"{kind}: {error}")
                log.warning("engine_fallback from=%s why=%s", kind, error)
                continue
            self._engine, self._fallbacks = engine, tuple(reasons)
            return self
        raise EngineFault("no engine opens on this machine", where="; ".join(reasons), remedy="mend the first of these")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the chosen engine."""
        if self._engine is not None:
            self._engine.__exit__(kind, error, trace)

    def infer(self, inputs: Tensors) -> Tensors:
        """As the chosen engine."""
        if self._engine is None:
            raise EngineFault("the engine is not open", where="engine.kind: auto", remedy="restart the station")
        return self._engine.infer(inputs)


def _preparable(engine: object) -> Preparable | None:
    return engine if isinstance(engine, Preparable) else None
