"""Plans for graphs: found in the cache, else built once, whoever asks, and kept."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from edge.bundle import Bundle, GraphName
from edge.engines.cache import PLAN, TIMING, CacheKey, EngineCache, timings_name
from edge.engines.gpus import Gpu
from edge.engines.preparing import BuildProgress
from edge.engines.trt_api import Flavour
from edge.engines.trt_builder import BuildOptions, Built
from edge.engines.trt_layers import HalfShare
from edge.errors import EngineFault

__all__ = ["Plan", "PlanOrder", "PlanSource", "Plans", "order_of"]

log = logging.getLogger(__name__)

# Part of every key: a builder that is changed here makes other plans of the same file.
_BUILDER_REVISION = "1"


@dataclass(frozen=True)
class PlanOrder:
    """One graph to be had as a plan. device: the GPU's index; memory_backend: what opens it for a build; timings: where the
    cache has those of this machine.
    """

    graph: GraphName
    flavour: Flavour
    onnx_path: Path
    options: BuildOptions
    key: CacheKey
    device: int
    memory_backend: str
    timings: str
    where: str


@dataclass(frozen=True, eq=False)
class Plan:
    """A verified plan. built_here: it was built for this call, and not found."""

    data: bytes
    share: HalfShare
    build_s: float
    key: CacheKey
    built_here: bool = False


class PlanSource(Protocol):
    """Where an engine has its plans from."""

    def find(self, order: PlanOrder) -> Plan | None:
        """The plan, if it is there already."""
        ...

    def get(self, order: PlanOrder, progress: BuildProgress) -> Plan:
        """The plan, built if need be: seconds to many minutes. EngineFault, or what `progress` raises."""
        ...


BuildPlan = Callable[[PlanOrder, bytes, BuildProgress], Built]
"""(order, timings of earlier builds on this machine, progress)"""


class Plans:
    """Builds in this process; `edge.engines.trt_child` does so in one of its own."""

    def __init__(self, cache: EngineCache, build: BuildPlan) -> None:
        self._cache = cache
        self._build = build

    def find(self, order: PlanOrder) -> Plan | None:
        """See PlanSource."""
        return find_plan(self._cache, order)

    def get(self, order: PlanOrder, progress: BuildProgress) -> Plan:
        """See PlanSource. Another process that builds the same plan is waited for."""
        found = self.find(order)
        if found is not None:
            return found
        with self._cache.locked(order.key.name, lambda: progress("waiting for another process that builds it", 0, 0)):
            found = self.find(order)
            if found is not None:
                return found
            return self._built(order, progress)

    def _built(self, order: PlanOrder, progress: BuildProgress) -> Plan:
        machine = {"machine": order.timings}
        kept = self._cache.read(order.timings, TIMING, machine)
        log.info("engine_build_started graph=%s backend=%s onnx=%s", order.graph, order.flavour, order.onnx_path)
        started = time.monotonic()
        built = self._build(order, b"" if kept is None else kept[1], progress)
        seconds = time.monotonic() - started
        header = {"key": _as_json(order.key), "share": asdict(built.share), "build_s": round(seconds, 3), "where": order.where}
        header |= {"graph": order.graph, "built_at": time.time()}
        self._cache.write(order.key.name, PLAN, header, built.plan, group=order.where.partition(",")[0])
        if built.timing:
            try:
                self._cache.write(order.timings, TIMING, machine, built.timing)
            except EngineFault as error:
                # The next build takes longer; this one is kept.
                log.warning("engine_timings_not_kept why=%s", error)
        log.info("engine_built graph=%s seconds=%.1f mb=%.1f half=%s", order.graph, seconds, len(built.plan) / 1e6, built.share)
        return Plan(built.plan, built.share, seconds, order.key, built_here=True)


def find_plan(cache: EngineCache, order: PlanOrder) -> Plan | None:
    """What the cache has of this order; a file whose header is not this key's is removed."""
    found = cache.read(order.key.name, PLAN, {"key": _as_json(order.key)})
    if found is None:
        return None
    header, data = found
    try:
        return Plan(data, HalfShare(**header["share"]), float(header["build_s"]), order.key)
    except (KeyError, TypeError, ValueError):
        return None


def order_of(
    bundle: Bundle,
    graph: GraphName,
    flavour: Flavour,
    version: str,
    options: BuildOptions,
    *,
    gpu: Gpu | None,
    device: int = 0,
    memory_backend: str = "auto",
) -> PlanOrder:
    """The order for one graph of a bundle. gpu: None for a plan that is built ahead of any (RTX). BundleError: no such file."""
    path = bundle.model_path(options.precision, graph)
    name, driver = ("", "") if gpu is None else (gpu.name, gpu.driver)
    portable = flavour == "tensorrt_rtx" or options.hardware_compatible
    if options.hardware_compatible:
        capability = "AMPERE_PLUS"
    else:
        capability = gpu.sm if gpu is not None and not portable else options.target
    key = CacheKey(
        onnx_sha256=bundle.manifest.files[path.name],
        backend=flavour,
        version=version.partition(".")[0] if options.version_compatible else version,
        gpu="" if portable else name,
        compute_capability=capability,
        driver="" if portable else driver,
        options=(("builder", _BUILDER_REVISION), *((name, str(value)) for name, value in sorted(asdict(options).items()))),
    )
    timings = timings_name(flavour, version, name, driver)
    return PlanOrder(
        graph, flavour, path, options, key, device, memory_backend, timings, f"bundle {bundle.name}, graph {graph}"
    )


def _as_json(key: CacheKey) -> dict[str, Any]:
    """As JSON gives it back: lists, no tuples."""
    return {**asdict(key), "options": [list(pair) for pair in key.options]}
