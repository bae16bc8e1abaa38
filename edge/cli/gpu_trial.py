"""One bundle on one GPU: built, proven and timed, with every kind of memory that the machine offers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from edge.bundle import Bundle, Tensors
from edge.cli.gpu_machine import Found, GpuTools
from edge.engines.base import Engine
from edge.engines.golden import ParityFailed
from edge.engines.preparing import BuildProgress, Preparable, quiet
from edge.engines.trt_plans import Plan
from edge.errors import BundleError, EngineFault
from edge.settings.engines import EngineSettings, GpuSettings, OnnxRuntimeSettings, TensorRtRtxSettings, TensorRtSettings

__all__ = ["Pace", "reference_of", "trials_of"]

Document = dict[str, Any]


@dataclass(frozen=True)
class Pace:
    """How long is measured. runs: at most so many, and for at most run_s; idle_s: how long the GPU is left alone."""

    runs: int = 200
    run_s: float = 10.0
    idle_s: float = 3.0
    clock: Callable[[], float] = time.perf_counter
    sleep: Callable[[float], None] = time.sleep


def trials_of(
    bundle: Bundle, given: GpuSettings | None, found: Found, tools: GpuTools, pace: Pace, progress: BuildProgress = quiet
) -> Iterator[Document]:
    """One document per engine kind, package and kind of memory; what fails is one that says why (`problem`)."""
    half = any(name.endswith(".fp16.onnx") for name in bundle.manifest.files)
    for flavour, backend, memory in product(found.flavours, found.backends, ("pinned", "mapped")):
        kind = TensorRtRtxSettings if flavour == "tensorrt_rtx" else TensorRtSettings
        settings: GpuSettings = given if given is not None and given.kind == flavour else kind()
        update = {"memory": memory, "memory_backend": backend, "precision": settings.precision if half else "float32"}
        yield {
            "engine": flavour,
            "memory": memory,
            "memory_backend": backend,
            **_tried(bundle, settings.model_copy(update=update), tools, pace, progress),
        }


def reference_of(bundle: Bundle, tools: GpuTools, pace: Pace) -> Document:
    """The same bundle on this machine's CPU: what a GPU is measured against."""
    return {"engine": "onnxruntime", **_tried(bundle, OnnxRuntimeSettings(), tools, pace, quiet)}


def _tried(bundle: Bundle, settings: EngineSettings, tools: GpuTools, pace: Pace, progress: BuildProgress) -> Document:
    made: Document = {"precision": getattr(settings, "precision", "")}
    try:
        engine = tools.make(settings, bundle)
        began = pace.clock()
        if isinstance(engine, Preparable):
            engine.prepare(progress)
        made["prepare_s"] = round(pace.clock() - began, 3)
        began = pace.clock()
        with engine:
            made |= {"open_s": round(pace.clock() - began, 3), "identity": str(engine.identity), **_proof(engine)}
            made |= _times(engine, bundle.golden()[0][0], pace)
    except ParityFailed as error:
        made |= {"problem": str(error), "parity": "failed"}
    except (EngineFault, BundleError) as error:
        made["problem"] = str(error)
    return made


def _proof(engine: Engine) -> Document:
    """How far it is from the golden vectors, over their limit; what became of half precision."""
    report = getattr(engine, "golden", None)
    plans: tuple[Plan, ...] = getattr(engine, "plans", ())
    return {
        "parity": "proven" if report is not None else "not proven",
        "golden_over_limit": None if report is None else report.ratio,
        "builds": [
            {"key": plan.key.name, "build_s": round(plan.build_s, 2), "built_here": plan.built_here, "half": str(plan.share)}
            for plan in plans
        ],
    }


def _times(engine: Engine, given: Tensors, pace: Pace) -> Document:
    """Milliseconds of `infer`, host to host. first: right after opening. after_idle: the first one once the GPU had nothing
    to do for idle_s; kept_warm: the same, while the engine's warm keeper was at work.
    """
    first = _ms(engine, given, pace)
    took: list[float] = []
    began = pace.clock()
    while len(took) < pace.runs and (not took or pace.clock() - began < pace.run_s):
        took.append(_ms(engine, given, pace))
    times = {f"p{level}": round(float(np.percentile(took, level)), 3) for level in (50, 95, 99)}
    pace.sleep(pace.idle_s)
    made: Document = {"runs": len(took), "ms": {"first": first, **times, "after_idle": _ms(engine, given, pace)}}
    if isinstance(engine, Preparable):
        until = pace.clock() + pace.idle_s
        while pace.clock() < until:
            engine.keep_warm()
            pace.sleep(0.05)
        made["ms"]["kept_warm"] = _ms(engine, given, pace)
    return made


def _ms(engine: Engine, given: Tensors, pace: Pace) -> float:
    began = pace.clock()
    engine.infer(given)
    return round((pace.clock() - began) * 1e3, 3)
