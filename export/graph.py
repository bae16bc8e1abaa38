"""Building a typed ONNX graph by hand, and the checks that every exported graph must pass."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edge.errors import BundleError

Precision = Literal["float32", "float16"]

# TensorRT 8.5 and 8.6 parse up to opset 17, and ONNX Runtime of that time up to IR version 9.
OPSET, IR_VERSION = 17, 9
_ELEMENT = {"uint8": TensorProto.UINT8, "float32": TensorProto.FLOAT, "float16": TensorProto.FLOAT16}


class Graph:
    """A graph that grows node by node. Tensors are known by their names; weights are embedded.

    Every node names its precision by the constants and casts it is given: nothing is inferred, so the two precisions of
    a model come from one function that is called with two of these.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._nodes: list[Any] = []
        self._weights: list[Any] = []
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}

    def input(self, name: str, dtype: str, shape: Iterable[int]) -> str:
        """Declare an input of the graph."""
        self._inputs.append(helper.make_tensor_value_info(name, _ELEMENT[dtype], list(shape)))
        return name

    def constant(self, array: NDArray[Any], dtype: str) -> str:
        """The name of a weight of this type; equal weights are stored once."""
        value = np.ascontiguousarray(array, np.dtype(dtype))
        key = (dtype, value.shape, value.tobytes())
        if key not in self._constants:
            name = f"weight_{len(self._constants)}"
            self._weights.append(numpy_helper.from_array(value, name))
            self._constants[key] = name
        return self._constants[key]

    def node(self, operator: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """Add a node with one output; returns the output's name."""
        output = name or f"{operator.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, list(inputs), [output], name=output, **attributes))
        return output

    def cast(self, tensor: str, dtype: str) -> str:
        """The tensor in another element type."""
        return self.node("Cast", tensor, to=_ELEMENT[dtype])

    def output(self, name: str, tensor: str, dtype: str, shape: Iterable[int]) -> None:
        """Declare an output of the graph."""
        self.node("Identity", tensor, name=name)
        self._outputs.append(helper.make_tensor_value_info(name, _ELEMENT[dtype], list(shape)))

    def serialise(self) -> bytes:
        """The ONNX file, checked. BundleError if it breaks a rule of `check`."""
        graph = helper.make_graph(self._nodes, self._name, self._inputs, self._outputs, self._weights)
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="lineclear"
        )
        data: bytes = model.SerializeToString()
        check(data)
        return data


def check(data: bytes) -> None:
    """BundleError unless the ONNX is valid, typed throughout, of our opset, whole in one file, and casts uint8 first.

    A uint8 tensor may only be a graph input that nothing but Cast reads: TensorRT allows no other uint8 operation.
    """
    model = onnx.load_from_string(data)
    problems = []
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        problems.append(" ".join(str(error).split()))
    if model.ir_version > IR_VERSION or any(each.version > OPSET or each.domain for each in model.opset_import):
        problems.append(f"needs more than opset {OPSET} and IR version {IR_VERSION}")
    if any(weight.data_location == TensorProto.EXTERNAL for weight in model.graph.initializer):
        problems.append("keeps weights in another file")
    raw = {each.name for each in model.graph.input if each.type.tensor_type.elem_type == TensorProto.UINT8}
    reads = {(node.op_type, name) for node in model.graph.node for name in node.input if name in raw}
    problems += [f"{operator} reads the uint8 input {name!r}: cast it first" for operator, name in reads if operator != "Cast"]
    if problems:
        raise BundleError(
            f"the exported graph is not valid: {problems[0]}", remedy="this is a fault of the exporter: report it"
        )


def half_share(data: bytes) -> float:
    """Share of the nodes, casts left out, whose output is float16."""
    model = onnx.shape_inference.infer_shapes(onnx.load_from_string(data), check_type=True, strict_mode=True)
    types = {each.name: each.type.tensor_type.elem_type for each in (*model.graph.value_info, *model.graph.output)}
    kinds = [types.get(node.output[0]) for node in model.graph.node if node.op_type not in ("Cast", "Identity")]
    halves = sum(1 for kind in kinds if kind == TensorProto.FLOAT16)
    return halves / max(1, len(kinds))
