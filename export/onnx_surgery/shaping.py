"""A foreign graph with every axis fixed, its constants computed, and nothing in it that no output needs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from edge.errors import BundleError
from export.onnx_surgery.reading import Foreign
from export.onnx_surgery.session import fold
from export.onnx_surgery.wires import Wires, every_node, prune, rename, replace

# One tensor of this many elements is half a gigabyte: no model for a line-side box needs it.
MAX_ELEMENTS = 2**27
_DATA_ERRORS = (onnx.checker.ValidationError, onnx.shape_inference.InferenceError, RuntimeError, ValueError, TypeError)


def fixed(foreign: Foreign, shapes: Mapping[str, tuple[int, ...]]) -> Any:
    """The model for these input shapes: folded, simplified, every tensor's shape written into it.

    BundleError: an input whose declared axes are others, shapes that do not fit each other, a tensor beyond
    MAX_ELEMENTS.
    """
    where = str(foreign.path)
    model = onnx.ModelProto()
    model.CopyFrom(foreign.model)
    stored = {weight.name for weight in model.graph.initializer}
    replace(model.graph.input, [each for each in model.graph.input if each.name not in stored])
    for each in model.graph.input:
        _fix(each, foreign.inputs[each.name], shapes.get(each.name), where)
    _check(model, where)
    model = simplified(fold(inferred(model, where), where))
    return inferred(model, where)


def inferred(model: Any, where: str) -> Any:
    """The model with the shapes that follow from its inputs; BundleError where they clash or are absurdly large."""
    del model.graph.value_info[:]
    for each in model.graph.output:
        each.type.tensor_type.ClearField("shape")
    try:
        told = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    except _DATA_ERRORS as error:
        line = " ".join(str(error).split())[:240]
        raise BundleError(
            f"its shapes do not fit each other ({line})", where=where, remedy="is the input size right? export it again"
        ) from None
    for each in (*told.graph.value_info, *told.graph.output):
        sides = [side.dim_value for side in each.type.tensor_type.shape.dim]
        if math.prod(sides) > MAX_ELEMENTS:
            raise BundleError(
                f"computes {each.name[:60]!r} of {'x'.join(map(str, sides))}",
                where=where,
                remedy="export with a smaller input, or a smaller memory bank",
            )
    return told


def simplified(model: Any) -> Any:
    """The model, in place, without choices that are made already, copies, and what no output needs."""
    for _ in range(8):
        wires = Wires(model.graph)
        known: dict[str, str] = {}
        for node in model.graph.node:
            source = same_as(node, wires)
            if source is not None:
                known[node.output[0]] = known.get(source, source)
        outputs = {each.name for each in model.graph.output}
        direct = {name: source for name, source in known.items() if name not in outputs}
        if not direct:
            break
        kept = [node for node in model.graph.node if node.output[0] not in direct]
        replace(model.graph.node, kept)
        rename(model.graph, direct)
        prune(model.graph, outputs)
    _constants_to_weights(model.graph)
    prune(model.graph, [each.name for each in model.graph.output])
    return model


def same_as(node: Any, wires: Wires) -> str | None:
    """The tensor that a node's output always equals, where there is one."""
    if node.op_type in ("Identity", "Dropout") and len([name for name in node.output if name]) == 1:
        return str(node.input[0])
    if node.op_type == "Where":
        choice = wires.constant(node.input[0])
        if choice is not None and choice.size and (choice.all() or not choice.any()):
            source = str(node.input[1] if choice.all() else node.input[2])
            # Where broadcasts: only what has the outcome's shape already equals it.
            if wires.shape(source) is not None and wires.shape(source) == wires.shape(node.output[0]):
                return source
    return None


def _constants_to_weights(graph: Any) -> None:
    """Constant nodes become weights: one kind of constant is enough to look for."""
    found = [node for node in graph.node if node.op_type == "Constant" and node.attribute[0].name == "value"]
    for node in found:
        graph.initializer.append(
            numpy_helper.from_array(np.asarray(numpy_helper.to_array(node.attribute[0].t)), node.output[0])
        )
    names = {node.output[0] for node in found}
    replace(graph.node, [node for node in graph.node if node.output[0] not in names])


def _fix(described: Any, found: tuple[int | None, ...], wanted: tuple[int, ...] | None, where: str) -> None:
    shown = "x".join("?" if side is None else str(side) for side in found)
    if wanted is None:
        if None in found:
            raise BundleError(f"input {described.name!r} is {shown}: its size is open", where=where, remedy="declare the size")
        wanted = tuple(side for side in found if side is not None)
    fits = len(found) == len(wanted) and all(old in (None, new) for old, new in zip(found, wanted, strict=True))
    if not fits and described.type.tensor_type.HasField("shape"):
        raise BundleError(
            f"input {described.name!r} is {shown}, not {'x'.join(map(str, wanted))}",
            where=where,
            remedy="give the size and layout that it was exported with",
        )
    shape = described.type.tensor_type.shape
    del shape.dim[:]
    for side in wanted:
        shape.dim.add().dim_value = side


def _check(model: Any, where: str) -> None:
    try:
        onnx.checker.check_model(model)
    except _DATA_ERRORS as error:
        line = " ".join(str(error).split())[:240]
        raise BundleError(f"is not valid ONNX ({line})", where=where, remedy="export it again") from None
    kinds = {node.op_type for node in every_node(model.graph)}
    loops = sorted(kinds & {"Loop", "Scan", "SequenceMap"})
    if loops:
        raise BundleError(
            f"holds a loop ({loops[0]}): nobody knows how long a frame takes",
            where=where,
            remedy="export it with the loop unrolled",
        )
    random = sorted(
        kinds & {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli"}
    )
    if random:
        raise BundleError(
            f"draws random numbers ({random[0]}): the same frame would score differently each time",
            where=where,
            remedy="export it in evaluation mode",
        )
