"""A bundle's engines, built ahead of time: for a station that may not build, and to see on any machine what a GPU will get."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.bundle import Bundle
from edge.engines.cache import PLAN, EngineCache
from edge.engines.gpus import EngineUnavailable, Gpu, gpu_at
from edge.engines.preparing import BuildProgress
from edge.engines.trt_api import Flavour, load_trt
from edge.engines.trt_child import ChildPlans
from edge.engines.trt_plans import Plan, PlanSource, order_of
from edge.engines.trt_supply import build_options, cache_of
from edge.errors import ConfigError
from edge.settings.engines import GpuSettings, TensorRtRtxSettings

__all__ = ["BuiltAhead", "build_ahead", "choose_flavour", "targets_of"]

MakeSource = Callable[[EngineCache, float], PlanSource]


@dataclass(frozen=True, eq=False)
class BuiltAhead:
    """One graph for one target. path: where the cache has it."""

    graph: str
    target: str
    precision: str
    plan: Plan
    path: Path

    def __str__(self) -> str:
        size, seconds = f"{len(self.plan.data) / 1e6:.2f} MB", f"{self.plan.build_s:.1f} s"
        done = "built" if self.plan.built_here else "there already"
        return "  ".join(
            (f"{self.graph} {self.target} {self.precision}", size, f"{seconds}, {done}", str(self.plan.share), str(self.path))
        )


def choose_flavour(wanted: str | None) -> Flavour:
    """The TensorRT to build with: the one named, else the classic one if it is installed, else the one for RTX.

    EngineUnavailable: not installed, or neither is.
    """
    if wanted is not None:
        return load_trt("tensorrt_rtx" if wanted == "tensorrt_rtx" else "tensorrt").flavour
    try:
        return load_trt("tensorrt").flavour
    except EngineUnavailable:
        return load_trt("tensorrt_rtx").flavour


def targets_of(text: str | None, flavour: Flavour, find_gpu: Callable[[], Gpu]) -> tuple[str, ...]:
    """`SM86,SM89` as names; without a text the capability of the GPU that is here.

    ConfigError: not such a list, a list for the classic TensorRT (it builds for the GPU at hand), or neither list nor GPU.
    """
    if text is None:
        try:
            return (find_gpu().sm,)
        except EngineUnavailable as error:
            if flavour == "tensorrt":
                raise
            remedy = "name the GPU: SM75 RTX 20, SM86 RTX 30 and A-series, SM89 RTX 40 and Ada, SM120 RTX 50"
            raise ConfigError(f"there is no GPU here ({error.message})", where="--compute-capability", remedy=remedy) from None
    if flavour == "tensorrt":
        raise ConfigError(
            "TensorRT builds for the GPU that it runs on",
            where="--compute-capability",
            remedy="run this on the station, or add --hardware-compatible",
        )
    names = tuple(dict.fromkeys(part.strip().upper() for part in text.split(",")))
    odd = [name for name in names if not re.fullmatch(r"SM\d{2,3}", name)]
    if odd:
        raise ConfigError(
            f"{odd[0][:20]!r} is no compute capability", where="--compute-capability", remedy="write SM89, or SM86,SM89"
        )
    return names


def build_ahead(
    bundle: Bundle,
    settings: GpuSettings,
    targets: Sequence[str],
    progress: Callable[[str], BuildProgress],
    gpu: Callable[[int], Gpu] = gpu_at,
    plans: MakeSource = ChildPlans,
) -> list[BuiltAhead]:
    """Find or build every graph of the bundle for every target, into the settings' cache, where a station finds it.

    progress: makes what is told of one graph's build. EngineFault, BundleError: it cannot be built; what was built before
    it stays.
    """
    api, cache = load_trt(settings.kind), cache_of(settings)
    source = plans(cache, settings.build_timeout_s)
    found = None if isinstance(settings, TensorRtRtxSettings) else gpu(settings.device)
    made = []
    for target in targets:
        options = build_options(settings, target)
        for graph in bundle.graphs:
            order = order_of(
                bundle,
                graph.name,
                api.flavour,
                api.version,
                options,
                gpu=found,
                device=settings.device,
                memory_backend=settings.memory_backend,
            )
            plan = source.get(order, progress(f"{graph.name} {target}"))
            path = cache.folder / (order.key.name + PLAN)
            made.append(BuiltAhead(graph.name, target, settings.precision, plan, path))
    return made
