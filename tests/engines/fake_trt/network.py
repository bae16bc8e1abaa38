"""The building half of a stand-in for TensorRT: it parses real ONNX files and makes plans that the other half can run."""

from __future__ import annotations

import enum
import json
from types import SimpleNamespace
from typing import Any

import onnx
from onnx import TensorProto

from tests.engines.fake_gpu import FakeGpu
from tests.engines.fake_trt.tables import Release

MAGIC = b"FAKEPLAN"
_ELEMENT = {
    TensorProto.FLOAT: "FLOAT", TensorProto.FLOAT16: "HALF", TensorProto.UINT8: "UINT8", TensorProto.INT32: "INT32",
    # An older parser takes INT64 for INT32; that is all that matters here.
    TensorProto.INT64: "INT32", TensorProto.BOOL: "BOOL",
}  # fmt: skip
# What a configuration of these tests remembers, and the real one tells in other ways or not at all.
CONFIG_OWN = ("flags", "pools", "target", "timing")
_LAYER = {"Conv": "CONVOLUTION", "ConvTranspose": "DECONVOLUTION", "MatMul": "MATRIX_MULTIPLY", "Cast": "CAST"}


class _Tensor:
    __slots__ = ("dtype", "is_shape_tensor", "name", "shape")

    def __init__(self, name: str, dtype: Any, shape: tuple[int, ...]) -> None:
        self.name, self.dtype, self.shape = name, dtype, shape
        self.is_shape_tensor = False


class Network:
    """num_layers, get_layer, num_inputs, get_input; the ONNX file is kept for the plan."""

    def __init__(self, module: Any, release: Release, flags: int) -> None:
        self.module, self.release, self.flags = module, release, flags
        self.layers: list[Any] = []
        self.inputs: list[_Tensor] = []
        self.onnx = b""

    @property
    def num_layers(self) -> int:
        return len(self.layers)

    def get_layer(self, index: int) -> Any:
        return self.layers[index]

    @property
    def num_inputs(self) -> int:
        return len(self.inputs)

    def get_input(self, index: int) -> _Tensor:
        return self.inputs[index]

    @property
    def strongly_typed(self) -> bool:
        flag = getattr(self.module.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
        return self.release.strongly_typed_always or (flag is not None and bool(self.flags & (1 << int(flag))))


def layer_class(release: Release) -> type:
    """ILayer: precision and set_output_type only where the version has them."""

    class ILayer:
        def __init__(self, module: Any, node: Any, tensors: list[_Tensor]) -> None:
            self.name = node.name or "node_of_" + node.output[0]
            self.type = module.LayerType[_LAYER.get(node.op_type, "ELEMENTWISE")]
            self.outputs = tensors
            self.num_outputs = len(tensors)
            self.bound: Any = None
            self.given: dict[int, Any] = {}

        def get_output(self, index: int) -> _Tensor:
            return self.outputs[index]

    if release.has_layer_precision:

        def set_precision(self: Any, value: Any) -> None:
            self.bound = value

        def set_output_type(self: Any, index: int, value: Any) -> None:
            self.given[index] = value

        ILayer.precision = property(lambda self: self.bound, set_precision)  # type: ignore[attr-defined]
        ILayer.set_output_type = set_output_type  # type: ignore[attr-defined]
    return ILayer


def parser_class(module: Any) -> type:
    """OnnxParser: static check by onnx itself."""

    class OnnxParser:
        def __init__(self, network: Network, logger: Any) -> None:
            self.network, self.logger = network, logger
            self.errors: list[Any] = []

        @property
        def num_errors(self) -> int:
            return len(self.errors)

        def get_error(self, index: int) -> Any:
            return self.errors[index]

        def parse(self, data: bytes) -> bool:
            try:
                model = onnx.shape_inference.infer_shapes(onnx.load_from_string(data), strict_mode=True)
                if not model.graph.node:
                    raise ValueError("no nodes")
            except Exception as error:  # noqa: BLE001 - protobuf's errors have no common base
                text = f"cannot parse: {error}"
                self.errors.append(SimpleNamespace(desc=lambda: text, node=lambda: -1))
                return False
            infos = (*model.graph.input, *model.graph.value_info, *model.graph.output)
            known = {info.name: self._tensor(info) for info in infos}
            self.network.inputs = [known[info.name] for info in model.graph.input]
            make = module.ILayer
            self.network.layers = [
                make(module, node, [known[name] for name in node.output if name in known]) for node in model.graph.node
            ]
            self.network.onnx = data
            return True

        def _tensor(self, info: Any) -> _Tensor:
            kind = info.type.tensor_type
            shape = tuple(axis.dim_value if axis.HasField("dim_value") else -1 for axis in kind.shape.dim)
            return _Tensor(info.name, module.DataType[_ELEMENT[kind.elem_type]], shape)

    return OnnxParser


def config_class(module: Any, release: Release) -> type:
    """IBuilderConfig: it remembers what was set, and refuses flags that the version lacks by not having them."""

    of_release = ("progress_monitor",) if release.progress_monitor else ()
    of_release += ("num_compute_capabilities",) if release.flavour == "tensorrt_rtx" else ()

    class IBuilderConfig:
        # As the real one, it refuses attributes that it does not have.
        __slots__ = (*CONFIG_OWN, *of_release, "hardware_compatibility_level", "profiling_verbosity")

        def __init__(self) -> None:
            self.flags = {module.BuilderFlag.TF32}
            self.profiling_verbosity = module.ProfilingVerbosity.LAYER_NAMES_ONLY
            self.hardware_compatibility_level = module.HardwareCompatibilityLevel.NONE
            for name in of_release:
                setattr(self, name, 0 if name == "num_compute_capabilities" else None)
            self.pools: dict[Any, int] = {}
            self.timing: Any = None
            self.target = ""

        def set_flag(self, flag: Any) -> None:
            assert isinstance(flag, module.BuilderFlag)
            self.flags.add(flag)

        def clear_flag(self, flag: Any) -> None:
            self.flags.discard(flag)

        def set_memory_pool_limit(self, pool: Any, size: int) -> None:
            self.pools[pool] = size

        def create_timing_cache(self, data: bytes) -> Any:
            return None if data and not data.startswith(b"timings") else _Timing(data)

        def set_timing_cache(self, cache: Any, ignore_mismatch: bool) -> bool:
            assert not ignore_mismatch, "timings of another machine would choose the wrong tactics"
            self.timing = cache
            return not cache.data or cache.data == b"timings " + release.version.encode()

    if release.flavour == "tensorrt_rtx":

        def set_compute_capability(self: Any, capability: Any, index: int) -> bool:
            self.target = capability.name
            return index < self.num_compute_capabilities

        IBuilderConfig.set_compute_capability = set_compute_capability  # type: ignore[attr-defined]
    return IBuilderConfig


class _Timing:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def serialize(self) -> bytes:
        return self.data


def builder_class(module: Any, release: Release, gpu: FakeGpu) -> type:
    """Builder: half precision comes out as this version would have it, see `_types`."""

    class Builder:
        def __init__(self, logger: Any) -> None:
            if release.flavour == "tensorrt":
                gpu.require_current()
            refuse(module, "builder")
            self.logger = logger

        def create_network(self, flags: int = 0) -> Network | None:
            explicit = getattr(module.NetworkDefinitionCreationFlag, "EXPLICIT_BATCH", None)
            if release.version.startswith("8.") and not flags & (1 << int(explicit or 0)):
                self.logger.log(module.ILogger.Severity.ERROR, "implicit batch is not supported by the ONNX parser")
                return None
            return Network(module, release, flags)

        def create_builder_config(self) -> Any:
            return module.IBuilderConfig()

        def build_serialized_network(self, network: Network, config: Any) -> bytes | None:
            module.built.append((network, config))
            if "build" in module.fail:
                self.logger.log(module.ILogger.Severity.ERROR, "could not find any implementation for node node_of_scaled")
                return None
            monitor = getattr(config, "progress_monitor", None)
            if monitor is not None and not _told(monitor):
                self.logger.log(module.ILogger.Severity.ERROR, "build canceled by user")
                return None
            types = _types(module, network, config)
            if types is None:
                self.logger.log(module.ILogger.Severity.ERROR, "half tensors, but fp16 is not configured")
                return None
            detailed = config.profiling_verbosity == module.ProfilingVerbosity.DETAILED
            detailed &= "tell no types" not in module.fail
            header = {"version": release.version, "types": types if detailed else [], "target": config.target}
            header["host_code"] = module.BuilderFlag.VERSION_COMPATIBLE in config.flags
            if release.flavour == "tensorrt_rtx" and detailed:
                self.logger.log(module.ILogger.Severity.VERBOSE, _table(types))
            if config.timing is not None:
                config.timing.data = b"timings " + release.version.encode()
            return MAGIC + json.dumps(header).encode() + b"\n" + network.onnx

    return Builder


def refuse(module: Any, what: str) -> None:
    """As pybind11 has it where a constructor of C++ gives nullptr."""
    if what in module.fail:
        raise TypeError("pybind11::init(): factory function returned nullptr")


def _told(monitor: Any) -> bool:
    monitor.phase_start("Building engine", None, 3)
    for step in range(3):
        if not monitor.step_complete("Building engine", step):
            return False
    monitor.phase_finish("Building engine")
    return True


def _types(module: Any, network: Network, config: Any) -> list[list[str]] | None:
    """[layer, Half or Float] as built. Typed networks keep their types. A weak one is float32 unless FP16 is allowed (10.x:
    the silent trap), and then float16 only where layers are bound and must be obeyed.
    """
    half = module.DataType.HALF
    tensors = [each.dtype for layer in network.layers for each in layer.outputs]
    weak = not network.strongly_typed
    flags = {flag.name for flag in config.flags}
    if weak and half in tensors and network.release.version.startswith("8.") and "FP16" not in flags:
        return None
    obeyed = {"FP16", "OBEY_PRECISION_CONSTRAINTS"} <= flags
    types = []
    for layer in network.layers:
        typed = bool(layer.outputs) and layer.outputs[0].dtype == half
        bound = obeyed and layer.bound == half and layer.given.get(0) == half
        kept = "lose half" not in module.fail and (bound if weak else typed)
        types.append([layer.name, "Half" if kept else "Float"])
    return types


def _table(types: list[list[str]]) -> str:
    rows = [
        f"Name: {name}_myl, LayerType: kgen, Inputs: [ {{ Name: x, Dimensions: [1,2], Datatype: {kind}, Format: (Linear) }}], "
        f"Constants: [], Outputs: [ {{ Name: y, Datatype: {kind} }}], StreamId: 0, Metadata: [ONNX Layer: {name}]"
        for name, kind in types
    ]
    return "\n".join(["Layers:", *rows, "", "I/O Tensors:"])


class _Enum(enum.Enum):
    """As pybind11's: int() of a member is its number, but it is none, and nothing is done with it as with one."""

    def __int__(self) -> int:
        return int(self.value)


def enum_of(name: str, members: tuple[str, ...]) -> Any:
    return _Enum(name, {member: number for number, member in enumerate(members)})
