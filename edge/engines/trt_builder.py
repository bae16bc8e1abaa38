"""ONNX to a TensorRT plan: one path, with branches only where the versions differ (shared/knowledge, platform 1.3).

TensorRT 8.6 chooses precisions by flags and has to be bound layer by layer; from 10 on, and for RTX, the network is
strongly typed: what the ONNX file says is what is built.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import Any

from edge.engines.onnx_file import Unreadable, names_other_files
from edge.engines.preparing import BuildProgress
from edge.engines.trt_api import TrtApi
from edge.engines.trt_layers import (
    HalfShare,
    check_share,
    layers_of_json,
    layers_of_table,
    promised_layers,
    share_of,
)
from edge.engines.trt_progress import watch
from edge.engines.wording import said
from edge.errors import BundleError, EngineFault
from edge.settings.engines import Precision

__all__ = ["BuildOptions", "Built", "build_plan"]

_REMEDY = "look at the log; try another TensorRT version, or set `precision: float32`"
# Layers that compute nothing: TensorRT 8 refuses a precision for some of them, and needs it for none.
_UNTYPED_LAYERS = ("CONSTANT", "SHAPE", "CAST", "ASSERTION", "CONDITION")


@dataclass(frozen=True)
class BuildOptions:
    """What makes one plan different from another of the same ONNX file.

    target: for RTX, the compute capability to build for, as `SM89`; elsewhere the GPU at hand is the target.
    """

    precision: Precision = "float16"
    target: str = ""
    workspace_mb: int | None = None
    version_compatible: bool = False
    hardware_compatible: bool = False


@dataclass(frozen=True, eq=False)
class Built:
    """A plan, how long it took, what became of float16, and what the next build may start from (empty for RTX)."""

    plan: bytes
    seconds: float
    share: HalfShare
    timing: bytes = b""


def build_plan(
    api: TrtApi, onnx: bytes, options: BuildOptions, progress: BuildProgress, *, timing: bytes = b"", where: str = "engine"
) -> Built:
    """Parse, build, and prove that the float16 of the ONNX file is in the plan.

    timing: of an earlier build on this machine. EngineFault: TensorRT cannot parse or build it, or lost float16; it carries
    what TensorRT says. BundleError: the ONNX file is not all that there is of it. What `progress` raises ends the build. A
    GPU must be there and current, except for RTX.
    """
    api.log.clear()
    try:
        return _built(api, onnx, options, progress, timing, where)
    except (RuntimeError, UnicodeDecodeError) as error:
        # The bindings raise these for names that are no UTF-8, among others.
        raise api.fault(f"failed: {said(error)}", where, _REMEDY) from None


def _built(api: TrtApi, onnx: bytes, options: BuildOptions, progress: BuildProgress, timing: bytes, where: str) -> Built:
    started = time.monotonic()
    builder = api.made(lambda: api.module.Builder(api.log), "make a builder", where, _REMEDY)
    network = api.made(lambda: builder.create_network(_network_flags(api)), "make a network", where, _REMEDY)
    _check_complete(api, onnx, where)
    parser = api.module.OnnxParser(network, api.log)
    progress("parsing", 0, 0)
    if not parser.parse(onnx):
        raise api.fault(f"cannot read the ONNX file ({_parser_errors(parser)})", where, _REMEDY)
    _check_static(network, where)
    promised = promised_layers(api.module, network)
    config = api.made(builder.create_builder_config, "make a build configuration", where, _REMEDY)
    cache = _configure(api, config, options, timing, where)
    if api.weakly_typed:
        _bind_precisions(api, network, config, options)
    with watch(api.module, config, progress) as watched:
        plan = builder.build_serialized_network(network, config)
    if watched.stopped_by is not None:
        raise watched.stopped_by
    data = bytes(api.made(lambda: plan, "build the engine", where, _REMEDY))
    share = share_of(promised, _layers(api, data, options, where))
    check_share(share, strongly_typed=not api.weakly_typed, where=where)
    kept = bytes(cache.serialize()) if cache is not None else b""
    return Built(data, time.monotonic() - started, share, kept)


def _check_complete(api: TrtApi, onnx: bytes, where: str) -> None:
    try:
        incomplete = names_other_files(onnx)
    except Unreadable as error:
        raise api.fault(f"cannot read the ONNX file (it cannot be parsed: {error})", where, _REMEDY) from None
    if incomplete:
        remedy = "export the bundle again, with the weights in the ONNX file"
        raise BundleError("the ONNX file keeps weights in another file, which nobody verifies", where=where, remedy=remedy)


def _network_flags(api: TrtApi) -> int:
    """8: explicit batch. 10: strongly typed, opt-in. 11 and RTX: always so; the flag is given where it still exists."""
    flags = api.module.NetworkDefinitionCreationFlag
    if api.weakly_typed:
        return 1 << int(flags.EXPLICIT_BATCH)
    if hasattr(flags, "STRONGLY_TYPED"):
        return 1 << int(flags.STRONGLY_TYPED)
    return 0


def _configure(api: TrtApi, config: Any, options: BuildOptions, timing: bytes, where: str) -> Any:
    """Set everything that is no precision; returns the timing cache, None for RTX."""
    trt = api.module
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    # TF32 has 10 bits of mantissa and is on by default: the float32 islands would be none.
    config.clear_flag(trt.BuilderFlag.TF32)
    if hasattr(trt.BuilderFlag, "STRICT_NANS"):
        # x - x is not 0 where x is NaN: a map with NaN must stay one, so that the verdict sees it.
        config.set_flag(trt.BuilderFlag.STRICT_NANS)
    if options.version_compatible:
        config.set_flag(trt.BuilderFlag.VERSION_COMPATIBLE)
    if options.hardware_compatible:
        config.hardware_compatibility_level = trt.HardwareCompatibilityLevel.AMPERE_PLUS
    if options.workspace_mb is not None:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace_mb << 20)
    if api.flavour == "tensorrt_rtx":
        _aim(trt, config, options.target, where)
        return None
    # A cache of another machine or version is not taken, and the build starts from none.
    cache = config.create_timing_cache(timing) or config.create_timing_cache(b"")
    if cache is not None and not config.set_timing_cache(cache, ignore_mismatch=False):
        cache = config.create_timing_cache(b"")
        config.set_timing_cache(cache, ignore_mismatch=False)
    return cache


def _aim(trt: Any, config: Any, target: str, where: str) -> None:
    """Name the GPU generation, so that no GPU has to be there."""
    capability = getattr(trt.ComputeCapability, target, None) if target.startswith("SM") else None
    config.num_compute_capabilities = 1
    if capability is None or not config.set_compute_capability(capability, 0):
        names = [name for name in dir(trt.ComputeCapability) if name.startswith("SM")]
        known = ", ".join(sorted(names, key=lambda name: int(name[2:])))
        remedy = f"TensorRT for RTX builds for {known}; other GPUs take `kind: tensorrt`"
        raise EngineFault(f"{target or 'no compute capability'} is no target of TensorRT for RTX", where=where, remedy=remedy)


def _bind_precisions(api: TrtApi, network: Any, config: Any, options: BuildOptions) -> None:
    """TensorRT 8: every layer computes and gives what its tensors are, and the builder must obey."""
    if options.precision == "float32":
        return
    trt = api.module
    config.set_flag(trt.BuilderFlag.FP16)
    config.set_flag(trt.BuilderFlag.OBEY_PRECISION_CONSTRAINTS)
    floating = (trt.DataType.FLOAT, trt.DataType.HALF)
    for index in range(network.num_layers):
        layer = network.get_layer(index)
        outputs = [layer.get_output(number) for number in range(layer.num_outputs)]
        if layer.type.name in _UNTYPED_LAYERS or not outputs or any(each.is_shape_tensor for each in outputs):
            continue
        if all(each.dtype in floating for each in outputs):
            layer.precision = outputs[0].dtype
            for number, each in enumerate(outputs):
                layer.set_output_type(number, each.dtype)


def _check_static(network: Any, where: str) -> None:
    for index in range(network.num_inputs):
        tensor = network.get_input(index)
        if any(int(axis) < 0 for axis in tensor.shape):
            raise EngineFault(
                f"input {said(tensor.name)} has a free axis {[int(axis) for axis in tensor.shape]}",
                where=where,
                remedy="export the bundle again with fixed sizes",
            )


def _layers(api: TrtApi, plan: bytes, options: BuildOptions, where: str) -> Any:
    """The engine's layers: from the build's own table where no GPU is needed, else from the engine inspector."""
    if api.flavour == "tensorrt_rtx":
        layers = layers_of_table(api.log.layer_table)
        if not layers:
            raise api.fault("does not tell the layers of what it built", where, _REMEDY)
        return layers
    runtime = api.made(lambda: api.module.Runtime(api.log), "make a runtime", where, _REMEDY)
    if options.version_compatible:
        runtime.engine_host_code_allowed = True
    engine = api.made(partial(runtime.deserialize_cuda_engine, plan), "load the plan that it built", where, _REMEDY)
    inspector = engine.create_engine_inspector()
    told = inspector.get_engine_information(api.module.LayerInformationFormat.JSON)
    del inspector, engine, runtime  # in this order
    return layers_of_json(told)


def _parser_errors(parser: Any) -> str:
    errors = [parser.get_error(index) for index in range(min(3, parser.num_errors))]
    return "; ".join(f"node {each.node()}: {said(each.desc(), 200)}" for each in errors) or "no error given"
