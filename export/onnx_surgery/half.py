"""The float16 twin of a float32 graph: convolutions and linear layers half, everything that measures float32.

Half are Conv, ConvTranspose, Gemm and MatMul with constant weights, and what only carries values from one of them to the
next (activations, additions, pooling, reshaping). Float32 stay, by the structure of the graph: normalisation statistics,
softmax, products of two computed tensors, distances, reductions, scores, single-channel filters (blurs of the map), the
products with which a distance begins; and by what was seen on real inputs: layers whose values come near float16's end.
A tensor's own name always means float32 where anything but a half node reads it, so graph outputs and bodies of branches
never change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edge.bundle import Tensors
from export.graph import check
from export.onnx_surgery.session import run
from export.onnx_surgery.shaping import inferred
from export.onnx_surgery.wires import Wires, bodies, free_prefix, replace

_HEAVY = ("Conv", "ConvTranspose", "Gemm", "MatMul")
_CARRIERS = (
    "Add", "Mul", "Relu", "LeakyRelu", "PRelu", "Clip", "Sigmoid", "Tanh", "Erf", "HardSigmoid", "HardSwish", "Elu", "MaxPool",
    "Concat", "Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Slice", "Split", "Pad", "Resize", "Identity",
    "DepthToSpace", "SpaceToDepth", "Gather",
)  # fmt: skip
# Which inputs carry values (None: all of them); the others are sizes, indices, limits.
_VALUES: Mapping[str, tuple[int, ...]] = {
    "Reshape": (0,), "Squeeze": (0,), "Unsqueeze": (0,), "Slice": (0,), "Split": (0,), "Pad": (0, 2), "Resize": (0,),
    "Gather": (0,), "Clip": (0, 1, 2),
}  # fmt: skip
# Float16 ends at 65504; what a golden image reaches, another frame may exceed.
LARGEST = 8192.0


def halved(data: bytes, golden: Sequence[Tensors], *, keep: int = 0) -> bytes | None:
    """The float16 twin, checked; None where nothing can be half.

    golden: inputs on which values are measured. keep: how many of the last heavy layers before the outputs stay float32.
    """
    model = inferred(onnx.load_from_string(data), "the float32 graph")
    wires = Wires(model.graph)
    heavy = [node for node in model.graph.node if _can_be_half(node, wires)]
    heavy = [node for node in heavy if _in_range(node, wires)]
    heavy = _without_distances(heavy, model.graph, wires)
    heavy = heavy[: len(heavy) - keep]
    heavy = _without_large(heavy, model, golden)
    if not heavy:
        return None
    half = _spread({node.name for node in heavy}, model.graph, wires)
    made: bytes = _written(model, half, wires)
    check(made)
    return made


def heavy_count(data: bytes) -> int:
    """How many layers could be half."""
    model = inferred(onnx.load_from_string(data), "the float32 graph")
    wires = Wires(model.graph)
    return sum(1 for node in model.graph.node if _can_be_half(node, wires))


def _can_be_half(node: Any, wires: Wires) -> bool:
    if node.op_type not in _HEAVY or wires.element(node.output[0]) != TensorProto.FLOAT:
        return False
    constants = [wires.constant(name) is not None for name in node.input[:2]]
    if sum(constants) != 1 or (node.op_type != "MatMul" and not constants[1]):
        return False
    if node.op_type in ("Conv", "ConvTranspose"):
        shape = wires.shape(node.output[0])
        # A single channel is a map or its blur: that is a score, not a feature.
        return shape is not None and len(shape) == 4 and shape[1] > 1
    return True


def _in_range(node: Any, wires: Wires) -> bool:
    stored = [wires.constant(name) for name in node.input if name]
    return all(value is None or (np.abs(value) < LARGEST).all() for value in stored)


def _without_distances(heavy: list[Any], graph: Any, wires: Wires) -> list[Any]:
    """Matrix products after which no other layer comes begin a distance, not a feature: they stay float32."""
    names = {node.name for node in heavy}
    leading: set[str] = set()
    for node in reversed(graph.node):
        after = [reader for name in node.output for reader in wires.readers.get(name, ())]
        if any(reader.name in names or reader.name in leading for reader in after):
            leading.add(node.name)
    return [node for node in heavy if node.op_type in ("Conv", "ConvTranspose") or node.name in leading]


def _without_large(heavy: list[Any], model: Any, golden: Sequence[Tensors]) -> list[Any]:
    """Without the layers whose inputs or outputs exceed LARGEST on a golden input."""
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    prefix, wires = free_prefix(probe.graph, "probe"), Wires(model.graph)
    watched = list(
        dict.fromkeys(name for node in heavy for name in (*node.input, node.output[0]) if wires.constant(name) is None)
    )
    watched = [name for name in watched if name and wires.element(name) == TensorProto.FLOAT]
    del probe.graph.output[:]
    peaks = {name: f"{prefix}_{index}" for index, name in enumerate(watched)}
    for name, peak in peaks.items():
        probe.graph.node.append(helper.make_node("Abs", [name], [f"{peak}_abs"], name=f"{peak}_a"))
        probe.graph.node.append(helper.make_node("ReduceMax", [f"{peak}_abs"], [peak], name=f"{peak}_m", keepdims=0))
        probe.graph.output.append(helper.make_tensor_value_info(peak, TensorProto.FLOAT, []))
    if not watched or not golden:
        return heavy
    large: set[str] = set()
    for given in golden:
        made = run(probe, given, list(peaks.values()), "the float32 graph")
        large |= {name for name, peak in peaks.items() if not float(made[peak]) < LARGEST}
    return [node for node in heavy if not large.intersection((*node.input, node.output[0]))]


def _spread(names: set[str], graph: Any, wires: Wires) -> set[str]:
    """The half layers and the carriers between them: all they read is half, and a half layer comes after them."""
    half = set(names)
    for node in graph.node:
        if node.op_type in _CARRIERS and _carries(node, half, wires):
            half.add(node.name)
    for node in reversed(list(graph.node)):
        after = [reader.name for name in node.output for reader in wires.readers.get(name, ())]
        if node.name in half - names and not half.intersection(after):
            half.discard(node.name)
    return half


def _carries(node: Any, half: set[str], wires: Wires) -> bool:
    found = False
    for name in _values(node):
        maker, value = wires.producers.get(name), wires.constant(name)
        if value is not None:
            if value.dtype == np.float32 and not (np.abs(value) < LARGEST).all() and node.op_type != "Clip":
                return False
            continue
        if maker is None or maker.name not in half:
            return False
        found = True
    return found and all(wires.element(name) == TensorProto.FLOAT for name in node.output if name)


def _values(node: Any) -> list[str]:
    places = _VALUES.get(node.op_type)
    return [name for place, name in enumerate(node.input) if name and (places is None or place in places)]


def _written(model: Any, half: set[str], wires: Wires) -> bytes:
    """The graph with casts where half and float32 meet, one per tensor and direction."""
    graph = model.graph
    prefix = free_prefix(graph, "half")
    writer = _Writer(prefix, wires)
    makers = {name: node.name in half for node in graph.node for name in node.output if name}
    outputs = {each.name for each in graph.output}
    for node in graph.node:
        if node.name not in half:
            writer.nodes.append(node)
            continue
        for place, name in enumerate(node.input):
            if name in _values(node):
                node.input[place] = writer.as_half(name, makers.get(name, False))
        for place, name in enumerate(node.output):
            if not name:
                continue
            node.output[place] = writer.half_name(name)
            readers = wires.readers.get(name, [])
            others = [reader for reader in readers if reader.name not in half or list(bodies(reader))]
            if others or name in outputs:
                writer.after.append(helper.make_node("Cast", [writer.half_name(name)], [name], to=TensorProto.FLOAT))
        writer.nodes.append(node)
        writer.nodes += writer.after
        writer.after.clear()
    for index, node in enumerate(writer.nodes):
        node.name = f"node_{index}"
    replace(graph.node, writer.nodes)
    graph.initializer.extend(writer.weights.values())
    del graph.value_info[:]
    _drop_unread(graph)
    data: bytes = model.SerializeToString()
    return data


class _Writer:
    """The half versions of tensors that are float32 elsewhere."""

    def __init__(self, prefix: str, wires: Wires) -> None:
        self.prefix = prefix
        self.wires = wires
        self.nodes: list[Any] = []
        self.after: list[Any] = []
        self.weights: dict[str, Any] = {}
        self._cast: set[str] = set()
        self._names: dict[str, str] = {}

    def half_name(self, name: str) -> str:
        """The name of a tensor's float16 version."""
        return self._names.setdefault(name, f"{self.prefix}_{len(self._names)}")

    def as_half(self, name: str, is_half: bool) -> str:
        """The float16 version of what a half node reads, made here where it is not there yet."""
        value = self.wires.constant(name)
        if value is not None:
            if name not in self.weights:
                self.weights[name] = numpy_helper.from_array(_rounded(value), self.half_name(name))
        elif not is_half and name not in self._cast:
            self._cast.add(name)
            self.nodes.append(helper.make_node("Cast", [name], [self.half_name(name)], to=TensorProto.FLOAT16))
        return self.half_name(name)


def _rounded(value: NDArray[Any]) -> NDArray[np.float16]:
    limit = np.finfo(np.float16).max
    return np.asarray(np.clip(value, -limit, limit), np.float16)


def _drop_unread(graph: Any) -> None:
    wires = Wires(graph)
    outputs = {each.name for each in graph.output}
    for index in range(len(graph.initializer) - 1, -1, -1):
        name = graph.initializer[index].name
        if name not in wires.readers and name not in outputs:
            del graph.initializer[index]
