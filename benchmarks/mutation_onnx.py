"""Ways to damage an ONNX graph that is still a protobuf: what no flipped bit finds."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

HUGE = (2**31, 2**40, 2**62, -1, 0, 100_000)
TRICKS = (
    "../../../../etc/passwd",
    "/etc/passwd",
    "a/../../b",
    "link",
    "",
    ".",
    "/dev/zero",
    "/proc/self/mem",
    "missing.data",
    "a\0b",
)


def graph_damaged(model: Any, source: random.Random) -> str:
    """Damage a ModelProto in place; says how."""
    name, damage = source.choice(DAMAGES)
    # An earlier damage may have taken away what this one would damage.
    with contextlib.suppress(IndexError):
        damage(model, source)
    return name


def _node(model: Any, source: random.Random) -> Any:
    return source.choice(model.graph.node)


def _operator(model: Any, source: random.Random) -> None:
    node = _node(model, source)
    wild = ("Loop", "If", "Scan", "NonZero", "Unknown", "Conv", "Reshape", "Gather", "Where", "RandomNormal", "Optional", "")
    node.op_type = source.choice([*wild, *(each.op_type for each in model.graph.node)])


def _input(model: Any, source: random.Random) -> None:
    node = _node(model, source)
    names = [name for each in model.graph.node for name in (*each.input, *each.output)] + ["", "nowhere"]
    if node.input:
        node.input[source.randrange(len(node.input))] = source.choice(names)


def _inputs_lost(model: Any, source: random.Random) -> None:
    node = _node(model, source)
    del node.input[source.randrange(len(node.input) + 1) :]


def _cycle(model: Any, source: random.Random) -> None:
    first = source.choice(list(model.graph.node)[:3])
    first.input[0] = model.graph.node[-1].output[0]


def _doubled(model: Any, source: random.Random) -> None:
    model.graph.node.append(_node(model, source))


def _attribute(model: Any, source: random.Random) -> None:
    having = [node for node in model.graph.node if node.attribute]
    attribute = source.choice(source.choice(having).attribute)
    value = source.choice(HUGE)
    if attribute.ints:
        attribute.ints[source.randrange(len(attribute.ints))] = value
    else:
        attribute.i, attribute.s = value, source.choice((b"", b"wild", b"\xff"))


def _shape_lies(model: Any, source: random.Random) -> None:
    weight = source.choice(model.graph.initializer)
    if weight.dims:
        weight.dims[source.randrange(len(weight.dims))] = source.choice((*HUGE, 1, 7))
    else:
        weight.dims.append(source.choice(HUGE))


def _data_cut(model: Any, source: random.Random) -> None:
    weight = source.choice(model.graph.initializer)
    weight.raw_data = weight.raw_data[: source.randrange(len(weight.raw_data) + 1)]


def _not_finite(model: Any, source: random.Random) -> None:
    weights = [each for each in model.graph.initializer if each.data_type == TensorProto.FLOAT]
    weight = source.choice(weights)
    values = numpy_helper.to_array(weight).copy()
    values[...] = source.choice((np.nan, np.inf, -np.inf, 1e38, 0.0))
    weight.CopyFrom(numpy_helper.from_array(values, weight.name))


def _type(model: Any, source: random.Random) -> None:
    source.choice(model.graph.initializer).data_type = source.choice((0, 2, 7, 8, 9, 10, 11, 16, 17, 22, 99))


def _weight_values(model: Any, source: random.Random) -> None:
    """Sizes, axes and indices that lead out of their tensors."""
    weights = [each for each in model.graph.initializer if each.data_type == TensorProto.INT64]
    if weights:
        weight = source.choice(weights)
        values = numpy_helper.to_array(weight).copy().reshape(-1)
        if values.size:
            values[source.randrange(values.size)] = source.choice((*HUGE, 3, -7))
        weight.CopyFrom(numpy_helper.from_array(values.reshape(weight.dims), weight.name))


def _port(model: Any, source: random.Random) -> None:
    port = source.choice([*model.graph.input, *model.graph.output])
    tensor = port.type.tensor_type
    if tensor.shape.dim and source.random() < 0.7:
        source.choice(tensor.shape.dim).dim_value = source.choice((*HUGE, 3))
    else:
        tensor.elem_type = source.choice((0, 2, 7, 8, 9, 10, 11, 99))


def _port_lost(model: Any, source: random.Random) -> None:
    ports = source.choice((model.graph.input, model.graph.output))
    if source.random() < 0.5:
        del ports[:]
    elif ports:
        ports[0].name = source.choice(("nowhere", "", "image"))


def _versions(model: Any, source: random.Random) -> None:
    model.opset_import[0].version = source.choice((0, 1, 6, 9, 12, 25, 99, 2**31, -1))
    model.ir_version = source.choice((0, 1, 3, 12, 13, 99, 2**40))


def _domain(model: Any, source: random.Random) -> None:
    domain = source.choice(("nvidia", "com.microsoft", "ai.onnx.ml", "ai.onnx.training", "evil"))
    _node(model, source).domain = domain
    model.opset_import.append(helper.make_opsetid(domain, 1))


def _memory(model: Any, source: random.Random) -> None:
    """A few bytes that ask for terabytes."""
    size = numpy_helper.from_array(np.array([2**20, 2**18], np.int64), "huge_size")
    model.graph.initializer.append(size)
    if source.random() < 0.5:
        model.graph.node.insert(0, helper.make_node("ConstantOfShape", ["huge_size"], ["huge"], name="huge_node"))
    else:
        model.graph.initializer.append(numpy_helper.from_array(np.zeros((1, 1), np.float32), "seed_value"))
        model.graph.node.insert(0, helper.make_node("Expand", ["seed_value", "huge_size"], ["huge"], name="huge_node"))
    model.graph.node.insert(1, helper.make_node("ReduceMax", ["huge"], ["huge_peak"], name="huge_max", keepdims=0))
    last = model.graph.node[-1]
    model.graph.node.append(helper.make_node("Add", [last.output[0], "huge_peak"], ["huge_sum"], name="huge_add"))
    model.graph.output[0].name = "huge_sum"


def _endless(model: Any, _: random.Random) -> None:
    """A loop whose body always asks for another turn."""
    number = helper.make_tensor_value_info("turn", TensorProto.INT64, [])
    going, on = (helper.make_tensor_value_info(name, TensorProto.BOOL, []) for name in ("going", "on"))
    body = helper.make_graph([helper.make_node("Identity", ["going"], ["on"])], "body", [number, going], [on])
    model.graph.initializer.append(numpy_helper.from_array(np.array(2**62), "turns"))
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "start"))
    model.graph.node.insert(0, helper.make_node("Loop", ["turns", "start"], [], name="endless", body=body))


def _deep(model: Any, source: random.Random) -> None:
    """Graphs in graphs in graphs."""
    out = helper.make_tensor_value_info("inner", TensorProto.FLOAT, [1])
    body = helper.make_graph([helper.make_node("Constant", [], ["inner"], value_floats=[1.0])], "leaf", [], [out])
    for level in range(source.choice((8, 24))):
        branches = {"then_branch": body, "else_branch": body} if level < 8 else {"then_branch": body}
        body = helper.make_graph([helper.make_node("If", ["choice"], ["inner"], **branches)], "more", [], [out])
    model.graph.node.insert(0, helper.make_node("If", ["choice"], ["deep"], then_branch=body, else_branch=body))


def _function(model: Any, _: random.Random) -> None:
    """A function that calls itself."""
    node = helper.make_node("Again", ["x"], ["y"], domain="own")
    model.functions.append(helper.make_function("own", "Again", ["x"], ["y"], [node], [helper.make_opsetid("own", 1)]))
    model.opset_import.append(helper.make_opsetid("own", 1))
    model.graph.node[0].op_type, model.graph.node[0].domain = "Again", "own"


def _elsewhere(model: Any, source: random.Random) -> None:
    """A weight that says it lies in another file."""
    weight = source.choice(model.graph.initializer)
    weight.data_location = TensorProto.EXTERNAL
    weight.ClearField("raw_data")
    fields = {"location": source.choice(TRICKS), "offset": source.choice(("0", "-1", "99999999999", "x")), "length": "8"}
    for key, value in fields.items():
        weight.external_data.add(key=key, value=value)


def _names(model: Any, source: random.Random) -> None:
    """Names that are control characters, very long, or the contract's own."""
    name = source.choice(("anomaly_map", "image", "keep", "\x1b[2J", "n" * 100_000, "lineclear_0", "half_0"))
    node = _node(model, source)
    old, node.output[0] = node.output[0], name
    for each in model.graph.node:
        for place, used in enumerate(each.input):
            if used == old:
                each.input[place] = name


DAMAGES: tuple[tuple[str, Callable[[Any, random.Random], None]], ...] = (
    ("operator", _operator),
    ("input", _input),
    ("inputs lost", _inputs_lost),
    ("cycle", _cycle),
    ("doubled", _doubled),
    ("attribute", _attribute),
    ("shape lies", _shape_lies),
    ("data cut", _data_cut),
    ("not finite", _not_finite),
    ("type", _type),
    ("weight values", _weight_values),
    ("port", _port),
    ("port lost", _port_lost),
    ("versions", _versions),
    ("domain", _domain),
    ("memory", _memory),
    ("endless", _endless),
    ("deep", _deep),
    ("function", _function),
    ("elsewhere", _elsewhere),
    ("names", _names),
)
