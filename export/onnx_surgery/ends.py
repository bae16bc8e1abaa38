"""Our two ends on a foreign graph: uint8 images in, the anomaly map and the image score out, as the graph contract has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edge.errors import BundleError
from export.graph import check
from export.onnx_surgery.shaping import inferred, simplified
from export.onnx_surgery.wires import CONTRACT, FLOATS, Wires, free_prefix, prune, rename, replace

Layout = Literal["nchw", "nhwc"]
Activation = Literal["none", "sigmoid", "softmax", "softmax_of_others"]


@dataclass(frozen=True)
class Feed:
    """How one tensor of the foreign graph, an input or what would come soon after it, is made from the contract's pixels.

    The value is (pixel / divisor - mean) / std per channel, in the colour order of the training. `keep` becomes 0 and 1
    in one channel, whatever the rest says.
    """

    tensor: str
    takes: Literal["image", "reference", "keep"] = "image"
    layout: Layout = "nchw"
    colour: Literal["rgb", "bgr", "grey"] = "rgb"
    divisor: float = 255.0
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Tap:
    """Which tensor of the foreign graph an output of the contract is made from, and how.

    channel: which one along the channels (or of the values, for a score); None where there is one. softmax_of_others: 1
    minus the channel's softmax. higher: whether a higher value is worse, as the contract has it, or better (then the sign
    is turned).
    """

    tensor: str
    layout: Layout = "nchw"
    channel: int | None = None
    activation: Activation = "none"
    higher: Literal["worse", "better"] = "worse"


@dataclass
class _Growth:
    """Nodes and weights to be put before and after those of a graph, under names that it does not have."""

    prefix: str
    nodes: list[Any] = field(default_factory=list)
    weights: list[Any] = field(default_factory=list)

    def node(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Add a node; the name of its output."""
        name = output or f"{self.prefix}_{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(operator, list(inputs), [name], name=f"{self.prefix}_n{len(self.nodes)}", **attributes)
        )
        return name

    def constant(self, value: Any, dtype: str = "float32") -> str:
        """The name of a new weight."""
        name = f"{self.prefix}_w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(np.asarray(value, np.dtype(dtype))), name))
        return name


def attach(model: Any, feeds: Sequence[Feed], taps: dict[str, Tap], size_wh: tuple[int, int], where: str) -> bytes:
    """The graph contract's ONNX from a fixed foreign graph (`shaping.fixed`), checked.

    taps: by the contract's output name, `anomaly_map` and `image_score`, either or both. BundleError: a tensor whose
    shape or type does not fit what is said of it.
    """
    whole = onnx.ModelProto()
    whole.CopyFrom(model)
    graph = whole.graph
    prefix = free_prefix(graph, "lineclear")
    renamed = {name: f"{prefix}_was_{name}" for name in CONTRACT}
    rename(graph, renamed)
    wires, front, back = Wires(graph), _Growth(f"{prefix}_in"), _Growth(f"{prefix}_out")
    width, height = size_wh
    made = {renamed.get(feed.tensor, feed.tensor): feed for feed in feeds}
    for name, feed in made.items():
        _feed(front, name, feed, wires, size_wh, where)
    outputs = []
    for name, tap in taps.items():
        tensor = renamed.get(tap.tensor, tap.tensor)
        shape = (1, height, width) if name == "anomaly_map" else (1,)
        grow = _map if name == "anomaly_map" else _score
        back.node("Reshape", grow(back, tensor, tap, wires, size_wh, where), back.constant(shape, "int64"), output=name)
        outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    kept = [node for node in graph.node if not set(node.output) & set(made)]
    replace(graph.node, [*front.nodes, *kept, *back.nodes])
    graph.initializer.extend([*front.weights, *back.weights])
    left = [each for each in graph.input if each.name not in made]
    replace(graph.input, [*_inputs(feeds, size_wh), *left])
    replace(graph.output, outputs)
    prune(graph, [each.name for each in outputs])
    _refuse_unfed(graph, [each.name for each in left], prefix, where)
    replace(graph.input, _inputs(feeds, size_wh))
    return _sealed(whole, where)


def _sealed(model: Any, where: str) -> bytes:
    model.producer_name, model.graph.name = "lineclear", "foreign"
    for text in ("producer_version", "domain", "doc_string"):
        model.ClearField(text)
    del model.metadata_props[:]
    for index, node in enumerate(model.graph.node):
        node.name = f"node_{index}"
        node.ClearField("doc_string")
        del node.metadata_props[:]
    told = inferred(simplified(model), where)
    del told.graph.value_info[:]
    data: bytes = told.SerializeToString()
    check(data)
    return data


def _inputs(feeds: Sequence[Feed], size_wh: tuple[int, int]) -> list[Any]:
    width, height = size_wh
    wanted = {feed.takes for feed in feeds}
    shapes = {"image": (1, height, width, 3), "reference": (1, height, width, 3), "keep": (1, height, width)}
    return [helper.make_tensor_value_info(n, TensorProto.UINT8, shape) for n, shape in shapes.items() if n in wanted]


def _refuse_unfed(graph: Any, inputs: list[str], prefix: str, where: str) -> None:
    wires = Wires(graph)
    needed = [name.removeprefix(f"{prefix}_was_") for name in inputs if name in wires.readers]
    if needed:
        raise BundleError(f"needs its input {needed[0]!r} too", where=where, remedy="say what it takes")


def _feed(front: _Growth, name: str, feed: Feed, wires: Wires, size_wh: tuple[int, int], where: str) -> None:
    shape, element = wires.shape(name), wires.element(name)
    width, height = size_wh
    if shape is None or element not in (*FLOATS, TensorProto.UINT8):
        raise BundleError(f"{feed.tensor!r} is no image of known shape and type", where=where, remedy="name another input")
    pixels = front.node("Cast", feed.takes, to=TensorProto.FLOAT)
    if feed.takes == "keep":
        channels, stack = 1, _stack(shape, 1, feed, size_wh, where)
        planes = front.node("Reshape", pixels, front.constant((1, 1, height, width), "int64"))
    else:
        channels = 1 if feed.colour == "grey" else 3
        stack = _stack(shape, channels, feed, size_wh, where)
        planes = _planes(front, pixels, feed)
    copies = front.node("Concat", *[planes] * stack, axis=1) if stack > 1 else planes
    flat = front.node("Reshape", copies, front.constant(shape, "int64"))
    # A graph that takes uint8 casts it first; TensorRT allows no uint8 between two operators, so it gets whole floats.
    front.node("Cast", flat, output=name, to=element if element in FLOATS else TensorProto.FLOAT)


def _planes(front: _Growth, pixels: str, feed: Feed) -> str:
    """Float32 [1, C, H, W] or, for nhwc, [1, H, W, C]: colour order, range and normalisation of the training."""
    if feed.colour == "bgr":
        pixels = front.node("Gather", pixels, front.constant((2, 1, 0), "int64"), axis=3)
    elif feed.colour == "grey":
        # ITU-R BT.601, as OpenCV and Pillow turn colour into grey; those round to whole grey levels.
        weights = front.constant(np.array([[0.299], [0.587], [0.114]]))
        level = front.node("Add", front.node("MatMul", pixels, weights), front.constant(0.5))
        pixels = front.node("Floor", level)
    values = front.node("Div", pixels, front.constant(feed.divisor)) if feed.divisor != 1 else pixels
    channels = 1 if feed.colour == "grey" else 3
    mean, std = (np.array(each, np.float32)[:channels].reshape(1, 1, 1, -1) for each in (feed.mean, feed.std))
    if mean.any():
        values = front.node("Sub", values, front.constant(mean))
    if (std != 1).any():
        values = front.node("Div", values, front.constant(std))
    return front.node("Transpose", values, perm=[0, 3, 1, 2]) if feed.layout == "nchw" else values


def _stack(shape: tuple[int, ...], channels: int, feed: Feed, size_wh: tuple[int, int], where: str) -> int:
    """How many times the image fills the tensor: 1, or the number of golden samples that [1, G, C, H, W] asks for."""
    width, height = size_wh
    plain = (1, channels, height, width) if feed.layout == "nchw" else (1, height, width, channels)
    bare = (1, height, width) if channels == 1 else plain
    if shape in (plain, bare):
        return 1
    if len(shape) == 5 and (shape[0], *shape[2:]) == plain and feed.layout == "nchw":
        return shape[1]
    raise BundleError(
        f"{feed.tensor!r} is {'x'.join(map(str, shape))}, not {'x'.join(map(str, plain))}",
        where=where,
        remedy="check size, layout and colour order",
    )


def _float(back: _Growth, tensor: str, name: str, wires: Wires, where: str) -> tuple[str, tuple[int, ...]]:
    shape, element = wires.shape(tensor), wires.element(tensor)
    if shape is None or not element:
        raise BundleError(f"there is no tensor {name!r} of known shape", where=where, remedy="name one of its outputs")
    if element not in FLOATS:
        raise BundleError(f"{name!r} holds {TensorProto.DataType.Name(element)}", where=where, remedy="name a float output")
    return (tensor if element == TensorProto.FLOAT else back.node("Cast", tensor, to=TensorProto.FLOAT)), shape


def _map(back: _Growth, tensor: str, tap: Tap, wires: Wires, size_wh: tuple[int, int], where: str) -> str:
    values, shape = _float(back, tensor, tap.tensor, wires, where)
    if len(shape) == 4 and tap.layout == "nhwc":
        values, shape = back.node("Transpose", values, perm=[0, 3, 1, 2]), (shape[0], shape[3], shape[1], shape[2])
    if len(shape) in (2, 3):
        shape = (1,) * (4 - len(shape)) + shape
        values = back.node("Reshape", values, back.constant(shape, "int64"))
    if len(shape) != 4 or shape[0] != 1 or min(shape[2:]) < 2:
        raise BundleError(f"{tap.tensor!r} is {list(shape)}, no map", where=where, remedy="name another output, or its layout")
    values = _chosen(back, values, shape[1], tap, where)
    width, height = size_wh
    if shape[2:] != (height, width):
        scales = back.constant((1, 1, height / shape[2], width / shape[3]))
        values = back.node("Resize", values, "", scales, mode="linear", coordinate_transformation_mode="half_pixel")
    return values


def _score(back: _Growth, tensor: str, tap: Tap, wires: Wires, _: tuple[int, int], where: str) -> str:
    values, shape = _float(back, tensor, tap.tensor, wires, where)
    count = int(np.prod(shape))
    if not shape or shape[0] == count or shape[0] == 1:
        flat = back.node("Reshape", values, back.constant((1, count, 1, 1), "int64"))
        return _chosen(back, flat, count, tap, where)
    raise BundleError(f"{tap.tensor!r} is {list(shape)}, no score", where=where, remedy="name another output")


def _chosen(back: _Growth, values: str, channels: int, tap: Tap, where: str) -> str:
    """One channel of [1, C, h, w] after its activation, as float32 [1, 1, h, w]."""
    if (tap.channel is None and channels != 1) or not 0 <= (tap.channel or 0) < channels:
        said = "none is named" if tap.channel is None else f"channel {tap.channel} is named"
        raise BundleError(
            f"{tap.tensor!r} has {channels} channels and {said}", where=where, remedy=f"say which, 0 to {channels - 1}"
        )
    channel = tap.channel or 0
    others = tap.activation == "softmax_of_others"
    if tap.activation.startswith("softmax") and channels == 1:
        raise BundleError(f"{tap.tensor!r} has one channel: its softmax is always 1", where=where, remedy="use sigmoid or none")
    if tap.activation.startswith("softmax") and channels == 2:
        # The same as softmax, in one difference: exact also where both are large.
        wanted = 1 - channel if others else channel
        chosen = _channel(back, values, wanted)
        values = back.node("Sigmoid", back.node("Sub", chosen, _channel(back, values, 1 - wanted)))
    elif tap.activation.startswith("softmax"):
        values = _channel(back, back.node("Softmax", values, axis=1), channel)
        values = back.node("Sub", back.constant(1.0), values) if others else values
    else:
        values = _channel(back, values, channel) if channels > 1 else values
        values = back.node("Sigmoid", values) if tap.activation == "sigmoid" else values
    return values if tap.higher == "worse" else back.node("Neg", values)


def _channel(back: _Growth, values: str, index: int) -> str:
    start, end, axis = (back.constant((each,), "int64") for each in (index, index + 1, 1))
    return back.node("Slice", values, start, end, axis)


def pixels_of(feed: Feed, image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What `attach` makes of an image, uint8 [1, H, W, 3], in numpy: the foreign graph's own input, without its stack."""
    values = image.astype(np.float32)
    if feed.colour == "bgr":
        values = values[..., ::-1]
    elif feed.colour == "grey":
        values = np.floor(values @ np.array([[0.299], [0.587], [0.114]], np.float32) + np.float32(0.5))
    channels = values.shape[-1]
    mean, std = (np.array(each, np.float32)[:channels] for each in (feed.mean, feed.std))
    values = (values / np.float32(feed.divisor) - mean) / std
    return np.ascontiguousarray(values.transpose(0, 3, 1, 2) if feed.layout == "nchw" else values, np.float32)
