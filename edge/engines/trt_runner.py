"""One plan, loaded and ready: buffers that are used again and again, and tensors by name, as TensorRT 8.6 to 11 and RTX do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.bundle import GraphSpec
from edge.engines.base import Tensors
from edge.engines.contract import check_signature
from edge.engines.device_memory import RESTART, DeviceMemory, HostBuffer, released
from edge.engines.trt_api import TrtApi
from edge.errors import EngineFault

__all__ = ["TrtRunner"]

# By name: `trt.nptype` of some 8.x releases asks numpy for types that it no longer has.
_DTYPES = {"FLOAT": "float32", "HALF": "float16", "UINT8": "uint8", "INT8": "int8", "INT32": "int32", "INT64": "int64"}
_NAN_BYTE = 0xFF
_REBUILD = "remove it from the engine cache and start again: it is built anew"


@dataclass(frozen=True, eq=False)
class _Binding:
    """A tensor's place: page-locked memory here, seen as the tensor, and where the GPU has it."""

    host: HostBuffer
    tensor: NDArray[Any]
    device: int


class TrtRunner:
    """A `GraphRunner` on the GPU. Every call within `memory.current()`, from the thread that owns the memory.

    mapped: the GPU works on the page-locked memory itself; otherwise it is copied there and back.
    """

    def __init__(self, api: TrtApi, memory: DeviceMemory, graph: GraphSpec, where: str, *, mapped: bool) -> None:
        self._api = api
        self._memory = memory
        self._graph = graph
        self._where = f"{where}, graph {graph.name}"
        self._mapped = mapped
        self._runtime: Any = None
        self._engine: Any = None
        self._context: Any = None
        self._compiled: Any = None
        self._inputs: dict[str, _Binding] = {}
        self._outputs: dict[str, _Binding] = {}

    def open(self, plan: bytes, *, host_code: bool = False, compiled: bytes = b"") -> None:
        """Load a plan, hold it against the graph, and give every tensor its place.

        host_code: a version-compatible plan carries code for the CPU, which is run. compiled: RTX, what an earlier start
        compiled. EngineFault: not loadable here, not enough memory. BundleError: the plan is of another graph.
        """
        self._api.log.clear()
        self._runtime = self._made(lambda: self._api.module.Runtime(self._api.log), "make a runtime")
        if host_code:
            self._runtime.engine_host_code_allowed = True
        self._engine = self._made(lambda: self._runtime.deserialize_cuda_engine(plan), "load the engine", _REBUILD)
        inputs, outputs = self._signature("INPUT"), self._signature("OUTPUT")
        check_signature(self._graph, inputs, outputs, self._where)
        self._context = self._made(
            lambda: self._new_context(compiled), "prepare the engine for running: is there enough GPU memory?"
        )
        self._inputs = {name: self._bound(name, dtype, shape) for name, dtype, shape in inputs}
        self._outputs = {name: self._bound(name, dtype, shape) for name, dtype, shape in outputs}

    def call(self, inputs: Tensors) -> Tensors:
        """See GraphRunner."""
        for name, binding in self._inputs.items():
            # Into the page-locked memory: an array put in its place would be pageable, and slow.
            np.copyto(binding.tensor, inputs[name])
            if not self._mapped:
                self._memory.h2d(binding.device, binding.host)
        self._spoil_outputs()
        self._enqueue()
        if not self._mapped:
            for binding in self._outputs.values():
                self._memory.d2h(binding.host, binding.device)
        self._memory.sync()
        return {name: binding.tensor.copy() for name, binding in self._outputs.items()}

    def _spoil_outputs(self) -> None:
        """NaN wherever a result belongs: a GPU that says it is done and did nothing must not pass off the last frame's."""
        for binding in self._outputs.values():
            binding.host.array.fill(_NAN_BYTE)
            if not self._mapped:
                self._memory.h2d(binding.device, binding.host)

    def repeat(self) -> None:
        """Compute the last call's inputs again, and drop the result."""
        self._enqueue()
        self._memory.sync()

    def compiled(self) -> bytes:
        """RTX: what was compiled for this GPU so far; empty elsewhere."""
        return b"" if self._compiled is None else bytes(self._compiled.serialize())

    def close(self) -> None:
        """Context, then engine, then runtime; the memory goes with its owner. Never raises."""
        for part in ("_context", "_compiled", "_engine", "_runtime"):
            with released(part.strip("_"), (RuntimeError,)):
                setattr(self, part, None)
        self._inputs, self._outputs = {}, {}

    def _enqueue(self) -> None:
        if self._context is None:
            raise EngineFault("the engine is not open", where=self._where, remedy="restart the station")
        if not self._context.execute_async_v3(self._memory.stream):
            raise self._api.fault("failed to run the engine", self._where, RESTART)

    def _new_context(self, compiled: bytes) -> Any:
        if self._api.flavour != "tensorrt_rtx":
            return self._engine.create_execution_context()
        config = self._engine.create_runtime_config()
        self._compiled = config.create_runtime_cache()
        if compiled and not self._compiled.deserialize(compiled):
            # It is only a saving of time: without it, everything is compiled again.
            self._compiled = config.create_runtime_cache()
        config.set_runtime_cache(self._compiled)
        return self._engine.create_execution_context(config)

    def _signature(self, mode: str) -> list[tuple[str, str, tuple[int, ...]]]:
        return [each for each in self._tensors() if self._engine.get_tensor_mode(each[0]).name == mode]

    def _tensors(self) -> Iterator[tuple[str, str, tuple[int, ...]]]:
        for index in range(self._engine.num_io_tensors):
            name = self._engine.get_tensor_name(index)
            kind = self._engine.get_tensor_dtype(name).name
            shape = tuple(int(axis) for axis in self._engine.get_tensor_shape(name))
            yield name, _DTYPES.get(kind, kind), shape

    def _bound(self, name: str, dtype: str, shape: tuple[int, ...]) -> _Binding:
        nbytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
        host = self._memory.alloc_host(nbytes, mapped=self._mapped)
        device = self._memory.alloc_device(nbytes) if host.device is None else host.device
        if not self._context.set_tensor_address(name, device):
            raise self._api.fault(f"refuses the place of the tensor {name}", self._where, _REBUILD)
        return _Binding(host, host.array.view(dtype).reshape(shape), device)

    def _made(self, make: Callable[[], Any], doing: str, remedy: str = RESTART) -> Any:
        return self._api.made(make, doing, self._where, remedy)
