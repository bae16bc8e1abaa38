"""What stands at both ends of an anomalib graph, found by its pattern: resizing and normalisation, clamping and thresholds.

All anomalib versions normalise a raw score s as clip((s - threshold) / (max - min) + 0.5, 0, 1). From 2.0 on that stands
in the ONNX file, and what lies beyond the clamp is lost to whoever looks at the outputs only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from edge.bundle import Crop
from export.onnx_surgery.shaping import inferred, same_as
from export.onnx_surgery.wires import Wires, attribute_of, rename, replace

_RESHAPING = ("Reshape", "Squeeze", "Unsqueeze", "Identity", "Flatten")
_LEAST_SPAN = 1e-12


@dataclass(frozen=True)
class Normalisation:
    """raw: the tensor before it. threshold and span (max - min): in raw units."""

    raw: str
    threshold: float
    span: float


@dataclass(frozen=True)
class Front:
    """What the graph does with the image before its network.

    input_wh: what it takes. resized_wh: what it resizes that to, None where it does not. crop: the part it then keeps.
    normalises: it subtracts a mean and divides by a spread per channel itself.
    """

    input_wh: tuple[int, int]
    resized_wh: tuple[int, int] | None
    crop: Crop | None
    inner_wh: tuple[int, int]
    normalises: bool


def normalisation_of(output: str, wires: Wires) -> Normalisation | None:
    """The raw tensor behind a normalised output; None where no such pattern leads to one."""
    name, low, high, steps = output, False, False, 0
    gain, offset = 1.0, 0.0
    for _ in range(64):
        node = wires.producers.get(name)
        if node is None:
            break
        source = _passed(node, wires)
        if source is not None:
            name = source
            continue
        limits = _limits(node, wires)
        if limits is not None:
            name, low, high = limits[0], low or limits[1] == 0.0, high or limits[2] == 1.0
            continue
        step = _affine(node, wires)
        # + 0.5, / span, - threshold: a fourth step would be the model's own arithmetic.
        if step is None or not (low and high) or steps == 3:
            break
        steps += 1
        name, gain, offset = step[0], gain * step[1], gain * step[2] + offset
    if not (low and high) or gain < _LEAST_SPAN or (gain, offset) == (1.0, 0.0):
        return None
    return Normalisation(name, threshold=(0.5 - offset) / gain, span=1.0 / gain)


def is_clamped(output: str, wires: Wires) -> bool:
    """Whether an output is cut off at 0 and 1."""
    name, low, high = output, False, False
    for _ in range(16):
        node = wires.producers.get(name)
        limits = _limits(node, wires) if node is not None else None
        if limits is not None:
            name, low, high = limits[0], low or limits[1] == 0.0, high or limits[2] == 1.0
        elif node is not None and (source := _passed(node, wires)) is not None:
            name = source
        else:
            break
    return low and high


def is_maximum(score: str, scores: str, wires: Wires) -> bool:
    """Whether a score is the maximum over a whole map."""
    maker = wires.producers.get(_bare(score, wires))
    if maker is None or maker.op_type not in ("ReduceMax", "GlobalMaxPool"):
        return False
    shape, whole = wires.shape(maker.output[0]), wires.shape(maker.input[0])
    everything = shape is not None and whole is not None and int(np.prod(shape)) == whole[0] == 1
    return everything and _bare(maker.input[0], wires) == _bare(scores, wires)


def front_of(model: Any, name: str) -> Front:
    """What happens to the image, an input of NCHW, before the first operator that is neither."""
    wires = Wires(model.graph)
    shape = wires.shape(name) or (1, 3, 1, 1)
    height, width = shape[2:]
    inner, resized, window, normalises = (height, width), None, (0, 0, height, width), False
    for node in _chain(name, wires):
        after = wires.shape(node.output[0])
        if node.op_type == "Resize" and after is not None:
            inner = resized = (after[2], after[3])
            window = (0, 0, *resized)
        elif node.op_type == "Slice" and after is not None:
            top, left = _start(node, wires)
            window = (window[0] + top, window[1] + left, window[0] + top + after[2], window[1] + left + after[3])
            inner = (after[2], after[3])
        elif node.op_type in ("Sub", "Div", "Mul", "Add"):
            normalises = True
    whole = resized or (height, width)
    crop = None
    if window != (0, 0, *whole):
        rows, columns = whole
        crop = Crop(left=window[1] / columns, top=window[0] / rows, right=window[3] / columns, bottom=window[2] / rows)
    return Front((width, height), resized[::-1] if resized else None, crop, inner[::-1], normalises)


def without_resize(model: Any, name: str, where: str) -> Any:
    """The model taking what its own resize and crop would have given: no resampling is left in it."""
    graph = model.graph
    wires = Wires(graph)
    removed = [node for node in _chain(name, wires) if node.op_type in ("Resize", "Slice", "Reshape", "Identity")]
    after = wires.shape(removed[-1].output[0]) if removed else None
    if after is None:
        return model
    gone = {node.output[0] for node in removed}
    names: dict[str, str] = {}
    for node in removed:
        names[node.output[0]] = names.get(node.input[0], node.input[0])
    replace(graph.node, [node for node in graph.node if node.output[0] not in gone])
    rename(graph, names)
    for each in graph.input:
        if each.name == name:
            for place, side in enumerate(_last_shape(removed, wires)):
                each.type.tensor_type.shape.dim[place].dim_value = side
    return inferred(model, where)


def _last_shape(removed: list[Any], wires: Wires) -> tuple[int, ...]:
    shape = wires.shape(removed[-1].output[0])
    return shape if shape is not None else ()


def _chain(name: str, wires: Wires) -> list[Any]:
    """The operators that the image alone passes, one after the other, before the network begins."""
    chain: list[Any] = []
    while len(chain) < 32:
        readers = wires.readers.get(name, [])
        if len(readers) != 1:
            break
        node = readers[0]
        if not _is_front(node, name, wires):
            break
        chain.append(node)
        name = node.output[0]
    return chain


def _is_front(node: Any, name: str, wires: Wires) -> bool:
    others = [wires.constant(each) for each in node.input if each and each != name]
    known = [each for each in others if each is not None]
    if node.input[0] != name or len(known) != len(others):
        return False
    before, after = wires.shape(name), wires.shape(node.output[0])
    if before is None or after is None or len(after) != 4 or before[:2] != after[:2]:
        return False
    if node.op_type == "Resize":
        return True
    if node.op_type == "Slice":
        return len(known) < 4 or all(int(step) == 1 for step in known[3].reshape(-1))
    if node.op_type in ("Sub", "Div", "Mul", "Add"):
        return before == after and all(each.size in (1, before[1]) for each in known)
    return node.op_type in ("Reshape", "Identity") and before == after


def _start(node: Any, wires: Wires) -> tuple[int, int]:
    """Where a Slice begins, rows and columns."""
    starts, axes = wires.constant(node.input[1]), wires.constant(node.input[3]) if len(node.input) > 3 else None
    shape = wires.shape(node.input[0])
    found = {2: 0, 3: 0}
    if starts is not None and shape is not None:
        for place, start in enumerate(np.ravel(starts)):
            axis = int(np.ravel(axes)[place]) % 4 if axes is not None else place
            found[axis] = int(start) if start >= 0 else shape[axis] + int(start)
    return found[2], found[3]


def _bare(name: str, wires: Wires) -> str:
    """The tensor before what only changes its shape."""
    for _ in range(16):
        node = wires.producers.get(name)
        source = None if node is None else _passed(node, wires)
        if source is None:
            break
        name = source
    return name


def _passed(node: Any, wires: Wires) -> str | None:
    """The tensor whose values a node only hands on."""
    return str(node.input[0]) if node.op_type in _RESHAPING else same_as(node, wires)


def _limits(node: Any, wires: Wires) -> tuple[str, float | None, float | None] | None:
    """What a clamping operator clamps, and to which limits."""
    if node.op_type == "Clip":
        low = wires.scalar(node.input[1]) if len(node.input) > 1 and node.input[1] else attribute_of(node, "min")
        high = wires.scalar(node.input[2]) if len(node.input) > 2 and node.input[2] else attribute_of(node, "max")
        return str(node.input[0]), low, high
    if node.op_type in ("Min", "Max") and len(node.input) == 2:
        for value, name in (node.input, reversed(node.input)):
            limit = wires.scalar(value)
            if limit is not None:
                return str(name), limit if node.op_type == "Max" else None, limit if node.op_type == "Min" else None
    if node.op_type == "Relu":
        return str(node.input[0]), 0.0, None
    return None


def _affine(node: Any, wires: Wires) -> tuple[str, float, float] | None:
    """The tensor, gain and offset of an operator that computes gain * tensor + offset."""
    if node.op_type not in ("Add", "Sub", "Mul", "Div") or len(node.input) != 2:
        return None
    first, second = (wires.scalar(name) for name in node.input)
    if second is not None and np.isfinite(second):
        name = str(node.input[0])
        steps = {"Add": (1.0, second), "Sub": (1.0, -second), "Mul": (second, 0.0)}
        if node.op_type == "Div":
            return (name, 1.0 / second, 0.0) if second else None
        return name, *steps[node.op_type]
    if first is not None and np.isfinite(first) and node.op_type in ("Add", "Mul"):
        return (str(node.input[1]), 1.0, first) if node.op_type == "Add" else (str(node.input[1]), first, 0.0)
    return None
