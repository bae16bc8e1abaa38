"""What an exporter leaves in a graph and no engine needs: constants as nodes, copies, casts to the same type.

Everything that can be computed without an input is computed here, with onnx's reference implementation: TensorRT fails to
parse some of it (reductions of scalars), and its result must not depend on which runtime is installed. The same graph
always gives the same bytes, because a bundle is named by them.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from export.graph import IR_VERSION, OPSET

# Folding must not blow the file up: a small constant expanded to a large one stays as it is.
MAX_FOLDED_ELEMENTS = 1 << 22
_ROUNDS = 8
_RANDOM = frozenset({"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli", "Multinomial"})


def clean(model: Any) -> Any:
    """The same computation with less in it: an onnx.ModelProto with static shapes, changed in place and returned."""
    graph = model.graph
    _constants_to_weights(graph)
    for _ in range(_ROUNDS):
        before = len(graph.node)
        types, shapes = _inferred(model)
        weights = {each.name: each for each in graph.initializer}
        replaced: dict[str, str] = {}
        kept = [node for node in graph.node if not _gone(node, graph, weights, types, shapes, replaced)]
        del graph.node[:]
        graph.node.extend(kept)
        _drop_unused(graph)
        if len(graph.node) == before:
            break
    _merge_equal_weights(graph)
    _rename(graph)
    _plain_header(model)
    return model


def _constants_to_weights(graph: Any) -> None:
    kept = []
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name in (
            "value",
            "value_float",
            "value_int",
            "value_ints",
            "value_floats",
        ):
            value = helper.get_attribute_value(node.attribute[0])
            array = (
                numpy_helper.to_array(value) if isinstance(value, TensorProto) else _plain_array(node.attribute[0].name, value)
            )
            graph.initializer.append(numpy_helper.from_array(array, node.output[0]))
        else:
            kept.append(node)
    del graph.node[:]
    graph.node.extend(kept)


def _plain_array(name: str, value: Any) -> NDArray[Any]:
    return np.array(value, np.float32 if "float" in name else np.int64)


def _inferred(model: Any) -> tuple[dict[str, int], dict[str, tuple[int, ...]]]:
    """Element type of every tensor, and its shape where that is known."""
    graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    types = {weight.name: weight.data_type for weight in graph.initializer}
    shapes: dict[str, tuple[int, ...]] = {weight.name: tuple(weight.dims) for weight in graph.initializer}
    for info in (*graph.input, *graph.value_info, *graph.output):
        types[info.name] = info.type.tensor_type.elem_type
        sides = info.type.tensor_type.shape.dim if info.type.tensor_type.HasField("shape") else None
        if sides is not None and all(side.HasField("dim_value") for side in sides):
            shapes[info.name] = tuple(side.dim_value for side in sides)
    return types, shapes


def _gone(
    node: Any,
    graph: Any,
    weights: dict[str, Any],
    types: dict[str, int],
    shapes: dict[str, tuple[int, ...]],
    replaced: dict[str, str],
) -> bool:
    """True where the node is not needed: its output is another tensor already, or a weight now."""
    for place, name in enumerate(node.input):
        node.input[place] = replaced.get(name, name)
    results = {output.name for output in graph.output}
    if _does_nothing(node, types, shapes):
        if node.output[0] not in results:
            replaced[node.output[0]] = node.input[0]
            return True
        return False
    if node.op_type == "Cast" and len(node.output) == 1:
        source = _widened_from(node, graph, types)
        if source is not None:
            node.input[0] = source
            return _gone(node, graph, weights, types, shapes, replaced)
    value = _value(node, weights, shapes)
    if value is None or value.size > MAX_FOLDED_ELEMENTS or node.output[0] in results:
        return False
    weight = numpy_helper.from_array(value, node.output[0])
    graph.initializer.append(weight)
    weights[node.output[0]] = weight
    return True


def _does_nothing(node: Any, types: dict[str, int], shapes: dict[str, tuple[int, ...]]) -> bool:
    if node.op_type == "Identity":
        return True
    if node.op_type == "Cast":
        return bool(types.get(node.input[0]) == helper.get_attribute_value(node.attribute[0]))
    if node.op_type in ("Reshape", "Expand"):
        given, made = shapes.get(node.input[0]), shapes.get(node.output[0])
        return given is not None and given == made
    return False


def _widened_from(node: Any, graph: Any, types: dict[str, int]) -> str | None:
    """The float16 tensor behind Cast(float16 -> float32) -> Cast(-> float16): the way there and back loses nothing."""
    if helper.get_attribute_value(node.attribute[0]) != TensorProto.FLOAT16:
        return None
    before = next((each for each in graph.node if node.input[0] in each.output), None)
    if before is None or before.op_type != "Cast" or types.get(before.output[0]) != TensorProto.FLOAT:
        return None
    return str(before.input[0]) if types.get(before.input[0]) == TensorProto.FLOAT16 else None


def _value(node: Any, weights: dict[str, Any], shapes: dict[str, tuple[int, ...]]) -> NDArray[Any] | None:
    """What the node computes, where that takes no input of the graph."""
    if (
        len(node.output) != 1
        or node.op_type in _RANDOM
        or any(each.type == onnx.AttributeProto.GRAPH for each in node.attribute)
    ):
        return None
    if node.op_type == "Shape" and node.input[0] in shapes and not node.attribute:
        return np.array(shapes[node.input[0]], np.int64)
    if not all(name in weights for name in node.input if name):
        return None
    names = sorted({name for name in node.input if name})
    if sum(int(np.prod(weights[name].dims)) for name in names) > MAX_FOLDED_ELEMENTS and node.op_type not in (
        "Cast",
        "Transpose",
    ):
        return None
    constants = [weights[name] for name in names]
    output = helper.make_tensor_value_info(node.output[0], TensorProto.UNDEFINED, None)
    graph = helper.make_graph([node], "constant", [], [output], constants)
    single = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.asarray(ReferenceEvaluator(single).run(None, {})[0])


def _drop_unused(graph: Any) -> None:
    needed = {output.name for output in graph.output}
    kept = []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            kept.append(node)
    del graph.node[:]
    graph.node.extend(reversed(kept))
    weights = [weight for weight in graph.initializer if weight.name in needed]
    del graph.initializer[:]
    graph.initializer.extend(weights)


def _merge_equal_weights(graph: Any) -> None:
    first: dict[tuple[int, tuple[int, ...], bytes], str] = {}
    renamed: dict[str, str] = {}
    for weight in graph.initializer:
        key = (weight.data_type, tuple(weight.dims), numpy_helper.to_array(weight).tobytes())
        renamed[weight.name] = first.setdefault(key, weight.name)
    for node in graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = renamed.get(name, name)
    _drop_unused(graph)


def _rename(graph: Any) -> None:
    """Numbers that count within one run of the exporter become numbers that count within the graph."""
    names: dict[str, str] = {}
    for place, weight in enumerate(graph.initializer):
        if weight.name.startswith(("onnx::", "/")):
            names[weight.name] = weight.name = f"constant_{place}"
    for node in graph.node:
        for tensors in (node.input, node.output):
            for place, name in enumerate(tensors):
                tensors[place] = names.get(name, name)


def _plain_header(model: Any) -> None:
    model.ir_version = IR_VERSION
    model.producer_name, model.producer_version, model.doc_string, model.graph.doc_string = "lineclear", "", "", ""
    model.graph.name = "lineclear"
    del model.metadata_props[:], model.graph.value_info[:]
    for node in model.graph.node:
        node.doc_string = ""
