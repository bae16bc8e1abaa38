"""From the operator set that a file was written with to the one that every station's engine reads.

Newer files go down by rules written here, each for an operator whose signature changed; what has no counterpart is
refused by name. Older files go up by ONNX's own converter.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import defs, helper, numpy_helper

from edge.errors import BundleError
from export.graph import IR_VERSION, OPSET
from export.onnx_surgery.wires import Wires, attribute_of, bodies, every_node, free_prefix, replace

_REDUCTIONS = ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "SumSquare")
_CONVERTER_ERRORS = (RuntimeError, ValueError, TypeError, onnx.checker.ValidationError, onnx.shape_inference.InferenceError)
# Attributes that came later, and the value at which they change nothing.
_NEUTRAL: dict[str, dict[str, Any]] = {
    "AveragePool": {"dilations": None},
    "Cast": {"saturate": 1, "round_mode": b"up"},
    "Resize": {"antialias": 0, "keep_aspect_ratio_policy": b"stretch", "axes": None},
    "LpPool": {"dilations": None, "ceil_mode": 0},
    "Range": {"stash_type": 1},
}


class _Refused(Exception):
    """Why one operator has no counterpart."""


def to_opset(model: Any, where: str) -> Any:
    """The model in our opset and IR version. BundleError names the first operator that cannot be written in it."""
    version = model.opset_import[0].version
    if version < OPSET:
        model = _raised(model, version, where)
    elif version > OPSET:
        _lower(model.graph, where)
    del model.opset_import[:]
    model.opset_import.append(helper.make_opsetid("", OPSET))
    model.ir_version = IR_VERSION
    del model.functions[:]
    return model


def _raised(model: Any, version: int, where: str) -> Any:
    try:
        return onnx.version_converter.convert_version(model, OPSET)
    except _CONVERTER_ERRORS as error:
        # From 13 on only BatchNormalization's training outputs changed, which no inference graph has.
        if version >= 13:
            return model
        line = " ".join(str(error).split())[:200]
        raise BundleError(
            f"cannot be raised from opset {version} to {OPSET} ({line})", where=where, remedy=f"export it with opset {OPSET}"
        ) from None


def _lower(graph: Any, where: str) -> None:
    prefix = free_prefix(graph, "lowered")
    wires = Wires(graph)
    lowered: list[Any] = []
    for node in graph.node:
        try:
            for body in bodies(node):
                if any(_rule(inner) is not None or _is_new(inner) for inner in every_node(body)):
                    raise _Refused("stands in a branch or loop")
            rule = _rule(node)
            if _is_new(node) and rule is None:
                raise _Refused(f"is not in opset {OPSET}")
            _drop_neutral(node)
            lowered += rule(node, wires, f"{prefix}_{len(lowered)}", graph) if rule else [node]
        except _Refused as reason:
            raise BundleError(
                f"cannot be lowered to opset {OPSET}: {node.op_type} {node.name[:40]!r} {reason}",
                where=where,
                remedy=f"export it with opset {OPSET}",
            ) from None
    replace(graph.node, lowered)


def _is_new(node: Any) -> bool:
    try:
        defs.get_schema(node.op_type, OPSET, "")
    except defs.SchemaError:
        return True
    return False


def _drop_neutral(node: Any) -> None:
    neutral = _NEUTRAL.get(node.op_type, {})
    for name, value in neutral.items():
        found = attribute_of(node, name)
        plain = value is None and (name == "axes" or found is None or all(each == 1 for each in found))
        if found is not None and not plain and found != value:
            raise _Refused(f"has {name} {found!r}")
    # Resize's axes are needed by its rule, which takes them away itself.
    replace(node.attribute, [each for each in node.attribute if each.name not in neutral or each.name == "axes"])


def _rule(node: Any) -> Callable[[Any, Wires, str, Any], list[Any]] | None:
    if node.op_type.removeprefix("Reduce") in _REDUCTIONS and node.op_type.startswith("Reduce"):
        return _reduction
    return {"Split": _split, "Pad": _pad, "Resize": _resize, "Gelu": _gelu, "Mish": _mish, "GridSample": _grid}.get(
        node.op_type
    )


def _constant(node: Any, index: int, wires: Wires) -> np.ndarray[Any, Any] | None:
    """The constant at an input; None where the input is absent."""
    if index >= len(node.input) or not node.input[index]:
        return None
    value = wires.constant(node.input[index])
    if value is None:
        raise _Refused(f"computes its input {index}, which must be constant")
    return value


def _weight(graph: Any, name: str, value: Any, dtype: str) -> str:
    graph.initializer.append(numpy_helper.from_array(np.asarray(value, np.dtype(dtype)), name))
    return name


def _reduction(node: Any, wires: Wires, _: str, __: Any) -> list[Any]:
    axes = _constant(node, 1, wires)
    empty = axes is None or not axes.size
    if empty and attribute_of(node, "noop_with_empty_axes", 0):
        if node.op_type not in ("ReduceMax", "ReduceMin", "ReduceMean", "ReduceProd"):
            raise _Refused("has no axes")
        return [helper.make_node("Identity", [node.input[0]], list(node.output), name=node.name)]
    options = {"keepdims": attribute_of(node, "keepdims", 1)}
    if axes is not None and not empty:
        options["axes"] = [int(axis) for axis in axes]
    return [helper.make_node(node.op_type, [node.input[0]], list(node.output), name=node.name, **options)]


def _split(node: Any, wires: Wires, prefix: str, graph: Any) -> list[Any]:
    count = attribute_of(node, "num_outputs")
    replace(node.attribute, [each for each in node.attribute if each.name != "num_outputs"])
    if len(node.input) < 2 or not node.input[1]:
        shape, axis = wires.shape(node.input[0]), attribute_of(node, "axis", 0)
        if shape is None:
            raise _Refused("divides an axis of unknown length")
        parts = int(count or len(node.output))
        piece = -(-shape[axis] // parts)
        sizes = [piece] * (parts - 1) + [shape[axis] - piece * (parts - 1)]
        del node.input[1:]
        node.input.append(_weight(graph, f"{prefix}_sizes", sizes, "int64"))
    return [node]


def _pad(node: Any, wires: Wires, prefix: str, graph: Any) -> list[Any]:
    if attribute_of(node, "mode", b"constant") == b"wrap":
        raise _Refused("has mode wrap")
    axes = _constant(node, 3, wires)
    if axes is None:
        return [node]
    shape, pads = wires.shape(node.input[0]), _constant(node, 1, wires)
    if shape is None or pads is None:
        raise _Refused("pads a tensor of unknown shape")
    full = np.zeros((2, len(shape)), np.int64)
    full[:, [int(axis) % len(shape) for axis in axes]] = pads.reshape(2, -1)
    del node.input[3:]
    node.input[1] = _weight(graph, f"{prefix}_pads", full.reshape(-1), "int64")
    return [node]


def _resize(node: Any, wires: Wires, prefix: str, graph: Any) -> list[Any]:
    axes = attribute_of(node, "axes")
    if axes is None:
        return [node]
    replace(node.attribute, [each for each in node.attribute if each.name != "axes"])
    shape = wires.shape(node.input[0])
    scales, sizes = _constant(node, 2, wires), _constant(node, 3, wires)
    if shape is None or (scales is None and sizes is None):
        raise _Refused("enlarges a tensor of unknown shape")
    by_size = sizes is not None and sizes.size > 0
    full = np.array(shape, np.int64) if by_size else np.ones(len(shape), np.float32)
    full[[axis % len(shape) for axis in axes]] = np.asarray(sizes if by_size else scales)
    del node.input[2:]
    name = _weight(graph, f"{prefix}_resize", full, str(full.dtype))
    node.input.extend(["", name] if by_size else [name])
    return [node]


def _gelu(node: Any, wires: Wires, prefix: str, graph: Any) -> list[Any]:
    source, dtype = node.input[0], wires.element(node.input[0])
    if dtype != onnx.TensorProto.FLOAT:
        raise _Refused("is not float32")
    half = _weight(graph, f"{prefix}_half", 0.5, "float32")
    one = _weight(graph, f"{prefix}_one", 1.0, "float32")
    names = [f"{prefix}_{index}" for index in range(6)]
    if attribute_of(node, "approximate", b"none") == b"tanh":
        cubic, root = (_weight(graph, f"{prefix}_{k}", v, "float32") for k, v in (("c", 0.044715), ("r", np.sqrt(2 / np.pi))))
        steps = [("Mul", [source, source], names[0]), ("Mul", [names[0], cubic], names[1]), ("Add", [names[1], one], names[2])]
        steps += [("Mul", [source, names[2]], names[3]), ("Mul", [names[3], root], names[4]), ("Tanh", [names[4]], names[5])]
    else:
        steps = [
            ("Mul", [source, _weight(graph, f"{prefix}_r", np.sqrt(0.5), "float32")], names[0]),
            ("Erf", [names[0]], names[5]),
        ]
    steps += [("Add", [names[5], one], f"{prefix}_6"), ("Mul", [f"{prefix}_6", half], f"{prefix}_7")]
    steps += [("Mul", [source, f"{prefix}_7"], node.output[0])]
    return [helper.make_node(kind, inputs, [output], name=f"{output}_node") for kind, inputs, output in steps]


def _mish(node: Any, _: Wires, prefix: str, __: Any) -> list[Any]:
    source, names = node.input[0], [f"{prefix}_{index}" for index in range(2)]
    return [
        helper.make_node("Softplus", [source], [names[0]], name=f"{names[0]}_node"),
        helper.make_node("Tanh", [names[0]], [names[1]], name=f"{names[1]}_node"),
        helper.make_node("Mul", [source, names[1]], list(node.output), name=node.name),
    ]


def _grid(node: Any, wires: Wires, _: str, __: Any) -> list[Any]:
    shape = wires.shape(node.input[0])
    if shape is not None and len(shape) != 4:
        raise _Refused("samples a volume")
    older = {b"linear": b"bilinear", b"cubic": b"bicubic"}
    for each in node.attribute:
        if each.name == "mode":
            each.s = older.get(each.s, each.s)
    return [node]
