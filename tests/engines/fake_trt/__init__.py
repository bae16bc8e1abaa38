"""Stand-ins for the module `tensorrt` of each release: real names, real signatures, and they compute (by ONNX Runtime)."""

from __future__ import annotations

import ctypes
import json
import weakref
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime

from edge.engines.trt_api import TrtApi, wrap_trt
from tests.engines.fake_gpu import FakeGpu
from tests.engines.fake_trt import network
from tests.engines.fake_trt.tables import RELEASES, Release

__all__ = ["RELEASES", "fake_api", "fake_module"]

_ORT_TYPES = {"tensor(float)": "FLOAT", "tensor(uint8)": "UINT8", "tensor(float16)": "HALF"}
_SIZES = {"FLOAT": np.float32, "UINT8": np.uint8, "HALF": np.float16}


def fake_api(version: str, gpu: FakeGpu) -> TrtApi:
    release = RELEASES[version]
    return wrap_trt(fake_module(release, gpu), release.flavour)  # type: ignore[arg-type]


def fake_module(release: Release, gpu: FakeGpu) -> Any:
    """`fail`: what goes wrong (build, lose half, runtime, engine, context, address, execute, do nothing). built: what was
    built.
    """
    module = SimpleNamespace(__version__=release.version, fail=set(), built=[])
    severity = network.enum_of("Severity", ("INTERNAL_ERROR", "ERROR", "WARNING", "INFO", "VERBOSE"))
    names = dict(severity.__members__)
    module.ILogger = type("ILogger", (), {"Severity": severity, **names, "__init__": lambda self: None})
    module.NetworkDefinitionCreationFlag = network.enum_of("NetworkDefinitionCreationFlag", release.network_flags)
    module.BuilderFlag = network.enum_of("BuilderFlag", release.builder_flags)
    module.DataType = network.enum_of("DataType", release.types)
    module.TensorIOMode = network.enum_of("TensorIOMode", ("NONE", "INPUT", "OUTPUT"))
    module.ProfilingVerbosity = network.enum_of("ProfilingVerbosity", ("LAYER_NAMES_ONLY", "NONE", "DETAILED"))
    module.MemoryPoolType = network.enum_of("MemoryPoolType", ("WORKSPACE", "DLA_MANAGED_SRAM"))
    module.HardwareCompatibilityLevel = network.enum_of("HardwareCompatibilityLevel", ("NONE", "AMPERE_PLUS"))
    module.LayerInformationFormat = network.enum_of("LayerInformationFormat", ("ONELINE", "JSON"))
    module.LayerType = network.enum_of("LayerType", ("CONVOLUTION", "DECONVOLUTION", "MATRIX_MULTIPLY", "CAST", "ELEMENTWISE"))
    if release.flavour == "tensorrt_rtx":
        module.ComputeCapability = network.enum_of("ComputeCapability", ("NONE", "CURRENT", "SM75", "SM86", "SM89", "SM120"))
    if release.progress_monitor:
        module.IProgressMonitor = type("IProgressMonitor", (), {"__init__": lambda self: None})
    module.ILayer = network.layer_class(release)
    module.OnnxParser = network.parser_class(module)
    module.IBuilderConfig = network.config_class(module, release)
    module.Builder = network.builder_class(module, release, gpu)
    _add_runtime(module, release, gpu)
    return module


def _add_runtime(module: Any, release: Release, gpu: FakeGpu) -> None:
    class Runtime:
        __slots__ = ("__weakref__", "engine_host_code_allowed", "logger")

        def __init__(self, logger: Any) -> None:
            gpu.require_current()
            network.refuse(module, "runtime")
            self.logger = logger
            self.engine_host_code_allowed = False
            weakref.finalize(self, gpu.calls.append, "runtime destroyed")

        def deserialize_cuda_engine(self, plan: bytes) -> Any:
            gpu.require_current()
            header, _, graph = plan.removeprefix(network.MAGIC).partition(b"\n")
            facts = json.loads(header) if plan.startswith(network.MAGIC) else {}
            refused = facts.get("host_code") and not self.engine_host_code_allowed
            if "engine" in module.fail or facts.get("version") != release.version or refused:
                self.logger.log(module.ILogger.Severity.ERROR, "the engine plan file is not compatible with this version")
                return None
            return module.ICudaEngine(self.logger, facts, graph)

    class ICudaEngine:
        def __init__(self, logger: Any, facts: Any, graph: bytes) -> None:
            self.logger, self.facts = logger, facts
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = 1
            self.session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
            self.nodes = [*self.session.get_inputs(), *self.session.get_outputs()]
            weakref.finalize(self, gpu.calls.append, "engine destroyed")

        @property
        def num_io_tensors(self) -> int:
            return len(self.nodes)

        def get_tensor_name(self, index: int) -> str:
            return str(self.nodes[index].name)

        def get_tensor_mode(self, name: str) -> Any:
            is_input = name in {node.name for node in self.session.get_inputs()}
            return module.TensorIOMode.INPUT if is_input else module.TensorIOMode.OUTPUT

        def get_tensor_dtype(self, name: str) -> Any:
            return module.DataType[_ORT_TYPES[self._node(name).type]]

        def get_tensor_shape(self, name: str) -> tuple[int, ...]:
            return tuple(self._node(name).shape)

        def create_execution_context(self, config: Any = None) -> Any:
            gpu.require_current()
            assert (config is not None) == (release.flavour == "tensorrt_rtx")
            if "context" in module.fail:
                self.logger.log(module.ILogger.Severity.ERROR, "out of memory")
                return None
            return module.IExecutionContext(self)

        def create_engine_inspector(self) -> Any:
            return SimpleNamespace(get_engine_information=lambda form: _information(self.facts, release, form))

        def _node(self, name: str) -> Any:
            return next(node for node in self.nodes if node.name == name)

    class IExecutionContext:
        def __init__(self, engine: Any) -> None:
            self.engine = engine
            self.addresses: dict[str, int] = {}
            weakref.finalize(self, gpu.calls.append, "context destroyed")

        def set_tensor_address(self, name: str, memory: int) -> bool:
            self.addresses[name] = memory
            return "address" not in module.fail

        def execute_async_v3(self, stream_handle: int) -> bool:
            gpu.require_current()
            gpu.calls.append("execute")
            assert stream_handle == 0x5EED
            assert set(self.addresses) == {node.name for node in self.engine.nodes}
            if "execute" in module.fail:
                self.engine.logger.log(module.ILogger.Severity.ERROR, "enqueue failed")
                return False
            if "do nothing" not in module.fail:
                gpu.queue.append(self._compute)
            return True

        def _compute(self) -> None:
            session = self.engine.session
            feed = {node.name: self._seen(node) for node in session.get_inputs()}
            for node, value in zip(session.get_outputs(), session.run(None, feed), strict=True):
                value = np.ascontiguousarray(value)
                ctypes.memmove(self.addresses[node.name], value.ctypes.data, value.nbytes)

        def _seen(self, node: Any) -> Any:
            kind = np.dtype(_SIZES[_ORT_TYPES[node.type]])
            nbytes = int(np.prod(node.shape)) * kind.itemsize
            return np.frombuffer(ctypes.string_at(self.addresses[node.name], nbytes), kind).reshape(node.shape)

    module.Runtime, module.ICudaEngine, module.IExecutionContext = Runtime, ICudaEngine, IExecutionContext
    if release.flavour == "tensorrt_rtx":
        _add_runtime_config(module)


def _add_runtime_config(module: Any) -> None:
    class IRuntimeCache:
        def __init__(self) -> None:
            self.data = b"compiled"

        def serialize(self) -> bytes:
            return self.data

        def deserialize(self, data: bytes) -> bool:
            module.compiled_seen = data
            return data == b"compiled"

    class IRuntimeConfig:
        def create_runtime_cache(self) -> IRuntimeCache:
            return IRuntimeCache()

        def set_runtime_cache(self, cache: IRuntimeCache) -> bool:
            return isinstance(cache, IRuntimeCache)

    module.ICudaEngine.create_runtime_config = lambda self: IRuntimeConfig()
    module.IRuntimeCache, module.IRuntimeConfig, module.compiled_seen = IRuntimeCache, IRuntimeConfig, None


def _information(facts: Any, release: Release, form: Any) -> str:
    """The engine inspector's JSON, in the words of the version."""
    assert form.name == "JSON"
    if not facts["types"]:
        return json.dumps({"Layers": ["names", "alone"], "Bindings": []})
    layers = []
    for name, kind in facts["types"]:
        tensor = {"Name": "t", "Dimensions": [1, 2]}
        if release.inspector_datatype:
            tensor |= {"Datatype": kind, "Format": "Row major linear format"}
        else:
            tensor |= {"Format/Datatype": f"Row major linear {'FP16' if kind == 'Half' else 'FP32'} format"}
        layer = {"Name": f"{name} + fused", "LayerType": "CaskConvolution", "Inputs": [tensor], "Outputs": [tensor]}
        layers.append({**layer, "Metadata": f"[ONNX Layer: {name}]"})
    return json.dumps({"Layers": layers, "I/O Tensors" if release.inspector_datatype else "Bindings": []})
