"""What a GPU engine needs before it can open: TensorRT, the GPU, a plan per graph, and what was compiled for this GPU."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge.bundle import Bundle
from edge.engines.cache import COMPILED, EngineCache, default_cache_dir
from edge.engines.device_memory import DeviceMemory
from edge.engines.gpus import Gpu
from edge.engines.preparing import BuildProgress
from edge.engines.trt_api import Flavour, TrtApi
from edge.engines.trt_builder import BuildOptions
from edge.engines.trt_plans import Plan, PlanOrder, PlanSource, order_of
from edge.errors import EngineFault
from edge.settings.engines import GpuSettings, TensorRtSettings

__all__ = ["GpuParts", "Machine", "Supply", "build_options", "cache_of"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class GpuParts:
    """What an engine is made of; `edge.parts` gives the real ones, tests give stand-ins."""

    load: Callable[[Flavour], TrtApi]
    gpu: Callable[[int], Gpu]
    memory: Callable[[str, int], DeviceMemory]
    plans: Callable[[EngineCache, float], PlanSource]
    clock: Callable[[], float] = time.monotonic


@dataclass(frozen=True, eq=False)
class Machine:
    """TensorRT and GPU as they are found."""

    api: TrtApi
    gpu: Gpu


class Supply:
    """For one bundle with one station's settings; holds nothing open."""

    def __init__(self, bundle: Bundle, settings: GpuSettings, parts: GpuParts) -> None:
        self._bundle = bundle
        self._settings = settings
        self._parts = parts
        self._cache = cache_of(settings)

    def machine(self) -> Machine:
        """EngineUnavailable: the package, the driver or the GPU is not there."""
        return Machine(self._parts.load(self._settings.kind), self._parts.gpu(self._settings.device))

    def is_complete(self) -> bool:
        """True if every plan is in the cache. EngineUnavailable as `machine`."""
        machine, source = self.machine(), self._source()
        return all(source.find(order) is not None for order in self._orders(machine))

    def plans(self, machine: Machine, progress: BuildProgress) -> tuple[Plan, ...]:
        """One per graph, found or built. EngineFault: not there and not to be built, or it cannot be built."""
        source, orders = self._source(), self._orders(machine)
        if self._settings.build == "on_start":
            return tuple(source.get(order, progress) for order in orders)
        found = [(order.graph, source.find(order)) for order in orders]
        missing = [graph for graph, plan in found if plan is None]
        if missing:
            raise EngineFault(
                f"no engine for {machine.gpu} in {self._cache.folder} (graph {', '.join(missing)})",
                where=f"bundle {self._bundle.name}",
                remedy="build it ahead with `lineclear-export engine BUNDLE`, or write `build: on_start`",
            )
        return tuple(plan for _, plan in found if plan is not None)

    def compiled(self, plan: Plan, gpu: Gpu) -> bytes:
        """RTX: what an earlier start compiled of this plan for this GPU; empty if none did."""
        found = self._cache.read(_compiled_name(plan, gpu), COMPILED, {"plan": plan.key.name, "gpu": str(gpu)})
        return b"" if found is None else found[1]

    def keep_compiled(self, plan: Plan, gpu: Gpu, compiled: bytes) -> None:
        """For the next start; a disk that is full costs that start some seconds, and this one nothing."""
        if not compiled or compiled == self.compiled(plan, gpu):
            return
        try:
            self._cache.write(_compiled_name(plan, gpu), COMPILED, {"plan": plan.key.name, "gpu": str(gpu)}, compiled)
        except EngineFault as error:
            log.warning("engine_not_kept why=%s", error)

    def _orders(self, machine: Machine) -> list[PlanOrder]:
        options, settings = build_options(self._settings, machine.gpu.sm), self._settings
        return [
            order_of(
                self._bundle,
                graph.name,
                machine.api.flavour,
                machine.api.version,
                options,
                gpu=machine.gpu,
                device=settings.device,
                memory_backend=settings.memory_backend,
            )
            for graph in self._bundle.graphs
        ]

    def _source(self) -> PlanSource:
        return self._parts.plans(self._cache, self._settings.build_timeout_s)


def build_options(settings: GpuSettings, target: str) -> BuildOptions:
    """What these settings ask of a build. target: `SM89`, used for RTX alone."""
    if isinstance(settings, TensorRtSettings):
        return BuildOptions(
            settings.precision, "", settings.workspace_mb, settings.version_compatible, settings.hardware_compatible
        )
    return BuildOptions(settings.precision, target)


def cache_of(settings: GpuSettings) -> EngineCache:
    """The cache that these settings name."""
    folder = default_cache_dir() if settings.cache_dir is None else Path(settings.cache_dir)
    return EngineCache(folder, settings.cache_mb << 20)


def _compiled_name(plan: Plan, gpu: Gpu) -> str:
    return f"{plan.key.name}-{hashlib.sha256(str(gpu).encode()).hexdigest()[:12]}"
