"""Who makes and who reads each tensor of a graph, and which are constant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

CONTRACT = ("image", "reference", "keep", "anomaly_map", "image_score")
FLOATS = {onnx.TensorProto.FLOAT: "float32", onnx.TensorProto.FLOAT16: "float16", onnx.TensorProto.DOUBLE: "float64"}


class Wires:
    """Look-ups in one graph as it is now; make a new one after changing the graph."""

    def __init__(self, graph: Any) -> None:
        self.graph = graph
        self.producers: dict[str, Any] = {name: node for node in graph.node for name in node.output if name}
        self.readers: dict[str, list[Any]] = {}
        for node in graph.node:
            for name in dict.fromkeys(reads(node)):
                self.readers.setdefault(name, []).append(node)
        self._stored = {weight.name: weight for weight in graph.initializer}
        described = (*graph.input, *graph.value_info, *graph.output)
        self._types = {each.name: each.type.tensor_type for each in described if each.type.HasField("tensor_type")}

    def constant(self, name: str) -> NDArray[Any] | None:
        """The value of a weight or of a Constant node; None for everything that is computed."""
        tensor = self._stored.get(name)
        node = self.producers.get(name)
        if tensor is None and node is not None and node.op_type == "Constant" and node.attribute[0].name == "value":
            tensor = node.attribute[0].t
        return None if tensor is None else np.asarray(numpy_helper.to_array(tensor))

    def scalar(self, name: str) -> float | None:
        """The value of a constant that has one element."""
        value = self.constant(name)
        return float(value.reshape(-1)[0]) if value is not None and value.size == 1 and value.dtype.kind in "fiub" else None

    def shape(self, name: str) -> tuple[int, ...] | None:
        """The shape of a tensor where every axis is known."""
        if name in self._stored:
            return tuple(self._stored[name].dims)
        kind = self._types.get(name)
        if kind is None or not kind.HasField("shape"):
            return None
        sides = [axis.dim_value if axis.HasField("dim_value") else -1 for axis in kind.shape.dim]
        return tuple(sides) if all(side >= 0 for side in sides) else None

    def element(self, name: str) -> int:
        """The element type of a tensor, an `onnx.TensorProto.DataType`; 0 where it is not known."""
        if name in self._stored:
            return int(self._stored[name].data_type)
        kind = self._types.get(name)
        return 0 if kind is None else int(kind.elem_type)


def reads(node: Any) -> Iterator[str]:
    """Every tensor that a node reads, what the bodies of its branches and loops take from outside included."""
    yield from (name for name in node.input if name)
    for body in bodies(node):
        made = {name for inner in body.node for name in inner.output} | {each.name for each in body.input}
        made |= {weight.name for weight in body.initializer}
        taken = [name for inner in body.node for name in reads(inner)] + [each.name for each in body.output]
        yield from (name for name in taken if name not in made)


def bodies(node: Any) -> Iterator[Any]:
    """The graphs within a node: branches of If, the body of Loop and Scan."""
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            yield attribute.g
        yield from attribute.graphs


def every_node(graph: Any) -> Iterator[Any]:
    """The nodes of a graph and of all graphs within it."""
    for node in graph.node:
        yield node
        for body in bodies(node):
            yield from every_node(body)


def every_tensor(graph: Any) -> Iterator[Any]:
    """The weights and constants of a graph and of all graphs within it."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                yield attribute.t
            yield from attribute.tensors
        for body in bodies(node):
            yield from every_tensor(body)


def attribute_of(node: Any, name: str, default: Any = None) -> Any:
    """The value of a node's attribute."""
    found = next((each for each in node.attribute if each.name == name), None)
    return default if found is None else onnx.helper.get_attribute_value(found)


def rename(graph: Any, names: dict[str, str]) -> None:
    """Rename tensors in place, everywhere they are made, read or described."""
    for node in graph.node:
        for names_of in (node.input, node.output):
            for index, name in enumerate(names_of):
                names_of[index] = names.get(name, name)
        for body in bodies(node):
            rename(body, names)
    for each in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
        each.name = names.get(each.name, each.name)


def free_prefix(graph: Any, wanted: str) -> str:
    """A beginning that no tensor and no node of the graph has."""
    taken: set[str] = {each.name for each in (*graph.input, *graph.output, *graph.value_info)}
    taken |= {tensor.name for tensor in every_tensor(graph)}
    for node in every_node(graph):
        taken |= {node.name, *node.input, *node.output}
    while any(name.startswith(wanted) for name in taken):
        wanted += "_"
    return wanted


def prune(graph: Any, outputs: Iterable[str]) -> None:
    """Remove, in place, every node and weight that these tensors do not need; what is described goes with them."""
    wanted = set(outputs)
    kept = []
    for node in reversed(graph.node):
        if wanted.intersection(node.output):
            kept.append(node)
            wanted.update(reads(node))
    replace(graph.node, reversed(kept))
    for described in (graph.initializer, graph.value_info):
        # Deleted where they stand: weights are large, and copying them each time would take minutes.
        for index in range(len(described) - 1, -1, -1):
            if described[index].name not in wanted:
                del described[index]


def replace(field: Any, values: Iterable[Any]) -> None:
    """Give a repeated protobuf field these values, which may come from itself."""
    fresh = list(values)
    copies = [type(value)() for value in fresh]
    for copy, value in zip(copies, fresh, strict=True):
        copy.CopyFrom(value)
    del field[:]
    field.extend(copies)
