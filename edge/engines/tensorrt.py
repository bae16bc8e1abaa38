"""TensorRT, classic or for RTX: a bundle's graphs as plans on one GPU, owned by one thread."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from types import TracebackType

from typing_extensions import Self

from edge.bundle import Bundle
from edge.engines.base import EngineIdentity, Tensors
from edge.engines.golden import GoldenReport, prove
from edge.engines.preparing import BuildProgress, quiet
from edge.engines.programs import CallDone, ProgramRunner
from edge.engines.trt_plans import Plan
from edge.engines.trt_session import GpuSession
from edge.engines.trt_supply import GpuParts, Supply
from edge.errors import EngineFault
from edge.settings.engines import GpuSettings, TensorRtSettings

__all__ = ["EnginePace", "TensorRtEngine"]

log = logging.getLogger(__name__)

IDLE_S = 1.0
"""A GPU that did nothing for so long has lowered its clocks."""


@dataclass(frozen=True)
class EnginePace:
    """How long the last inference took, and the last one after a pause of the line (None: there was none), kept warm or not,
    and how long that pause was.
    """

    last_ms: float = 0.0
    first_after_idle_ms: float | None = None
    idle_s: float = 0.0


class TensorRtEngine:
    """Runs one bundle on one GPU, and is `Preparable`. The thread that enters it is the one that infers and leaves.

    progress: told after each graph call of an inference; what it raises ends the inference.
    """

    def __init__(self, bundle: Bundle, settings: GpuSettings, parts: GpuParts, *, progress: CallDone | None = None) -> None:
        self._bundle = bundle
        self._settings = settings
        self._parts = parts
        self._progress = progress
        self._supply = Supply(bundle, settings, parts)
        self._identity = EngineIdentity(settings.kind, "not-loaded", f"gpu-{settings.device}", settings.precision)
        self._session: GpuSession | None = None
        self._program: ProgramRunner | None = None
        self._golden: GoldenReport | None = None
        self._plans: tuple[Plan, ...] = ()
        self._pace = EnginePace()
        self._used_at = self._answered_at = 0.0

    @property
    def identity(self) -> EngineIdentity:
        """`tensorrt-10.3.0 Orin float16`; version and GPU are known once it was opened."""
        return self._identity

    @property
    def golden(self) -> GoldenReport | None:
        """How close the golden check was at the last start; None before it."""
        return self._golden

    @property
    def plans(self) -> tuple[Plan, ...]:
        """The plans that were opened last, one per graph: half-layer share, build time, key; without their data."""
        return self._plans

    @property
    def pace(self) -> EnginePace:
        """How fast it answers."""
        return self._pace

    def prepared(self) -> bool:
        """See Preparable."""
        return self._supply.is_complete()

    def prepare(self, progress: BuildProgress) -> None:
        """See Preparable."""
        self._supply.plans(self._supply.machine(), progress)

    def keep_warm(self) -> bool:
        """See Preparable."""
        after_s = self._settings.warm_keeper_s
        if self._session is None or not after_s or self._parts.clock() - self._used_at < after_s:
            return False
        self._session.repeat()
        self._used_at = self._parts.clock()
        return True

    def __enter__(self) -> Self:
        """Find or build the plans, load them, warm up, prove the golden vectors.

        EngineUnavailable: no GPU, no driver, no package. EngineFault: no plan and none may be built, a plan that cannot be
        run, other scores. BundleError: the files are not the manifest's.
        """
        settings = self._settings
        if self._session is not None:
            raise EngineFault("the engine is open already", where=f"bundle {self._bundle.name}", remedy="restart the station")
        machine = self._supply.machine()
        self._plans = self._supply.plans(machine, quiet)
        self._identity = EngineIdentity(settings.kind, machine.api.version, machine.gpu.name, settings.precision)
        mapped = machine.gpu.integrated if settings.memory == "auto" else settings.memory == "mapped"
        memory = self._parts.memory(settings.memory_backend, settings.device)
        session = GpuSession(machine.api, memory, self._bundle, mapped=mapped)
        compiles = settings.kind == "tensorrt_rtx"
        compiled = [self._supply.compiled(plan, machine.gpu) if compiles else b"" for plan in self._plans]
        host_code = isinstance(settings, TensorRtSettings) and settings.version_compatible
        session.open([plan.data for plan in self._plans], compiled, host_code=host_code)
        # A Jetson has no memory to spare for a second copy of what TensorRT has loaded.
        self._plans = tuple(replace(plan, data=b"") for plan in self._plans)
        self._session, self._pace = session, EnginePace()
        try:
            self._program = ProgramRunner(self._bundle.manifest, session.runners, self._progress)
            self._golden = prove(self._infer, self._bundle, settings.precision)
            if compiles:
                for plan, data in zip(self._plans, session.compiled(), strict=True):
                    self._supply.keep_compiled(plan, machine.gpu, data)
        except BaseException:
            self._close()
            raise
        self._used_at = self._answered_at = self._parts.clock()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Contexts, engines, buffers, the stream, in this order; never raises."""
        self._close()

    def infer(self, inputs: Tensors) -> Tensors:
        """Outputs by name, read-only. EngineFault: not open, another thread, inputs that are not the manifest's, the GPU."""
        started = self._parts.clock()
        idle_s = started - self._answered_at
        outputs = self._infer(inputs)
        self._used_at = self._answered_at = self._parts.clock()
        took_ms = (self._used_at - started) * 1e3
        if idle_s >= IDLE_S:
            log.debug("engine_after_idle idle_s=%.1f ms=%.2f before_ms=%.2f", idle_s, took_ms, self._pace.last_ms)
            self._pace = EnginePace(took_ms, took_ms, idle_s)
        else:
            self._pace = EnginePace(took_ms, self._pace.first_after_idle_ms, self._pace.idle_s)
        return outputs

    def _infer(self, inputs: Tensors) -> Tensors:
        if self._session is None or self._program is None:
            raise EngineFault("the engine is not open", where=f"bundle {self._bundle.name}", remedy="restart the station")
        return self._session.run(self._program.infer, inputs)

    def _close(self) -> None:
        session, self._session, self._program = self._session, None, None
        if session is not None:
            session.close()
