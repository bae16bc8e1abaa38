"""Which engines this machine can compare: the bundle's two files on ONNX Runtime, and what a GPU makes of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edge.bundle import Bundle, open_bundle
from edge.bundle.files import MANIFEST
from edge.engines.base import Engine
from edge.engines.gpus import EngineUnavailable
from edge.errors import ConfigError
from edge.parts import check_engine, make_engine
from edge.settings.engines import EngineSettings, GpuSettings, OnnxRuntimeSettings, TensorRtRtxSettings, TensorRtSettings
from export.parity import Side

__all__ = ["Makers", "Plan", "against", "plan_of"]

Wanted = Literal["onnxruntime", "tensorrt", "tensorrt_rtx", "none"]


@dataclass(frozen=True)
class Makers:
    """How engines are made and looked for; tests give stand-ins for a GPU."""

    make: Callable[[EngineSettings, Bundle], Engine] = make_engine
    check: Callable[[EngineSettings], None] = check_engine
    threads: int = 2


@dataclass(frozen=True, eq=False)
class Plan:
    """base: the float32 file on ONNX Runtime. others: what is compared with it; each pair has its own base where two bundles
    are compared. missing: what cannot be run here, and why.
    """

    base: Side
    others: tuple[tuple[Side, Side], ...] = ()
    missing: tuple[str, ...] = ()


def plan_of(bundle: Bundle, wanted: Wanted | None, gpu: GpuSettings | None, makers: Makers) -> Plan:
    """wanted: None takes whatever GPU engine the machine can run. gpu: its settings, of a station's config or of options."""
    base = _onnx(bundle, "float32", makers)
    if wanted == "none":
        return Plan(base)
    others = [(base, _onnx(bundle, "float16", makers))] if _has_half(bundle) else []
    if wanted == "onnxruntime":
        return Plan(base, tuple(others))
    kinds = [gpu or (TensorRtRtxSettings() if wanted == "tensorrt_rtx" else TensorRtSettings())]
    if wanted is None and gpu is None:
        kinds.append(TensorRtRtxSettings())
    reasons = []
    for settings in kinds:
        fitting = settings if _has_half(bundle) else settings.model_copy(update={"precision": "float32"})
        try:
            makers.check(fitting)
        except EngineUnavailable as error:
            reasons.append(f"{fitting.kind}: {error.message}")
            continue
        others.append((base, _built(bundle, fitting, makers)))
        return Plan(base, tuple(others))
    return Plan(base, tuple(others), tuple(reasons))


def against(bundle: Bundle, path: Path, wanted: Wanted | None, gpu: GpuSettings | None, makers: Makers) -> Plan:
    """Two builds of one bundle: `path` is another bundle (each precision against the same of this one), or the folder of an
    engine cache (its engines against those of the settings' own cache). ConfigError: neither, or a bundle of another contract.
    """
    base = _onnx(bundle, "float32", makers)
    if (path / MANIFEST).is_file() or path.suffix == ".zip":
        other = open_bundle(path)
        ours, theirs = bundle.manifest, other.manifest
        if (ours.inputs, ours.outputs, ours.score) != (theirs.inputs, theirs.outputs, theirs.score):
            message = f"{other.name} takes or gives something else than {bundle.name}"
            raise ConfigError(message, where=str(path), remedy="compare bundles of one size, contract and score rule")
        pairs = [(base, _onnx(other, "float32", makers))]
        if _has_half(bundle) and _has_half(other):
            pairs.append((_onnx(bundle, "float16", makers), _onnx(other, "float16", makers)))
        return Plan(base, tuple(pairs))
    if not any(path.glob("*.plan")):
        raise ConfigError("is neither a bundle nor an engine cache", where=str(path), remedy="name one of them for --against")
    first = gpu or (TensorRtRtxSettings() if wanted == "tensorrt_rtx" else TensorRtSettings())
    second = first.model_copy(update={"cache_dir": str(path), "build": "ahead_only"})
    try:
        makers.check(first)
    except EngineUnavailable as error:
        return Plan(base, missing=(f"{first.kind}: {error.message}",))
    return Plan(base, ((_built(bundle, first, makers), _built(bundle, second, makers)),))


def _has_half(bundle: Bundle) -> bool:
    return any(name.endswith(".fp16.onnx") for name in bundle.manifest.files)


def _onnx(bundle: Bundle, precision: Literal["float32", "float16"], makers: Makers) -> Side:
    settings = OnnxRuntimeSettings(threads=makers.threads, precision=precision)
    return Side(f"onnxruntime {precision}", precision, bundle, lambda: makers.make(settings, bundle))


def _built(bundle: Bundle, settings: GpuSettings, makers: Makers) -> Side:
    return Side(f"{settings.kind} {settings.precision}", settings.precision, bundle, lambda: makers.make(settings, bundle))
