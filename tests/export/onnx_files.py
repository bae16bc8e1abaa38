"""Small ONNX files written as other projects' exporters write them: names, shapes, layouts; made-up weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
Shape = tuple[int | str, ...]


class Net:
    """A graph that grows; weights come from one seed."""

    def __init__(self, seed: int = 0) -> None:
        self.random = np.random.default_rng(seed)
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []

    def add(self, operator: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        output = name or f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], name=f"n{len(self.nodes)}", **attributes))
        return output

    def const(self, value: Any, dtype: str = "float32") -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(value, np.dtype(dtype)), name))
        return name

    def conv(self, source: str, given: int, made: int, kernel: int = 3, stride: int = 1) -> str:
        weight = self.random.normal(0, (2 / (given * kernel * kernel)) ** 0.5, (made, given, kernel, kernel))
        bias = self.random.normal(0, 0.1, made)
        pads = [kernel // 2] * 4
        return self.add(
            "Conv", source, self.const(weight), self.const(bias), pads=pads, strides=[stride] * 2, kernel_shape=[kernel] * 2
        )

    def features(self, source: str, channels: int = 8) -> str:
        first = self.add("Relu", self.conv(source, 3, channels))
        second = self.add("Relu", self.conv(first, channels, channels, stride=2))
        return self.conv(second, channels, channels)

    def model(self, opset: int, ir: int = 8) -> Any:
        graph = helper.make_graph(self.nodes, "main_graph", self.inputs, self.outputs, self.weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir, producer_name="pytorch")

    def takes(self, name: str, shape: Shape, kind: int = TensorProto.FLOAT) -> str:
        self.inputs.append(helper.make_tensor_value_info(name, kind, list(shape)))
        return name

    def gives(self, name: str, shape: Shape, kind: int = TensorProto.FLOAT) -> None:
        self.outputs.append(helper.make_tensor_value_info(name, kind, list(shape)))


def reduce(net: Net, operator: str, source: str, axes: list[int], opset: int, keepdims: int = 1, name: str = "") -> str:
    """A reduction as this opset writes it: axes are an input from 18 on (ReduceSum: from 13 on)."""
    if opset >= 18 or (operator == "ReduceSum" and opset >= 13):
        return net.add(operator, source, net.const(axes, "int64"), name=name, keepdims=keepdims)
    return net.add(operator, source, name=name, axes=axes, keepdims=keepdims)


def resized(net: Net, source: str, size_hw: tuple[int, int], channels: int) -> str:
    sizes = net.const((1, channels, *size_hw), "int64")
    return net.add(
        "Resize", source, net.const([], "float32"), net.const([], "float32"), sizes, mode="linear",
        coordinate_transformation_mode="half_pixel",
    )  # fmt: skip


def scores(net: Net, image: str, size_hw: tuple[int, int], opset: int) -> str:
    """Student and teacher: the mean square of their difference per pixel, enlarged: [1, 1, H, W]."""
    student, teacher = net.features(image), net.features(image)
    difference = net.add("Sub", student, teacher)
    squared = reduce(net, "ReduceMean", net.add("Mul", difference, difference), [1], opset)
    return resized(net, squared, size_hw, 1)


def normalised(net: Net, raw: str, threshold: float, span: float, name: str) -> str:
    """anomalib's: clip((raw - threshold) / span + 0.5, 0, 1)."""
    ratio = net.add("Div", net.add("Sub", raw, net.const(threshold)), net.const(span))
    return net.add("Clip", net.add("Add", ratio, net.const(0.5)), net.const(0.0), net.const(1.0), name=name)


def anomalib_2(
    *,
    opset: int = 14,
    batch: int | str = "batch",
    size_hw: tuple[int | str, int | str] = (64, 64),
    inner_hw: tuple[int, int] = (64, 64),
    crop: int = 0,
    flat_map: bool = False,
    own_score: bool = False,
    imagenet: bool = True,
    post_process: bool = True,
) -> Any:
    """2.x: pre-processing and thresholds in the graph; outputs pred_score, pred_label, anomaly_map, pred_mask."""
    net = Net()
    image = net.takes("input", (batch, 3, *size_hw))
    if size_hw != inner_hw:
        image = resized(net, image, inner_hw, 3)
    if crop:
        low, high = net.const((crop, crop), "int64"), net.const((inner_hw[0] - crop, inner_hw[1] - crop), "int64")
        image = net.add("Slice", image, low, high, net.const((2, 3), "int64"))
        inner_hw = (inner_hw[0] - 2 * crop, inner_hw[1] - 2 * crop)
    if imagenet:
        mean, std = (np.array(each).reshape(1, 3, 1, 1) for each in (IMAGENET_MEAN, IMAGENET_STD))
        image = net.add("Div", net.add("Sub", image, net.const(mean)), net.const(std))
    raw = scores(net, image, inner_hw, opset)
    if flat_map:
        raw = net.add("Squeeze", raw, net.const([1], "int64"))
    axes = [1, 2] if flat_map else [2, 3]
    peak = net.add("Mul", reduce(net, "ReduceMax", raw, axes, opset, 0), net.const(1.5 if own_score else 1.0))
    score = peak if own_score else reduce(net, "ReduceMax", raw, axes, opset, 0)
    if post_process:
        normalised(net, score, 0.9, 1.6, "pred_score")
        normalised(net, raw, 0.7, 1.25, "anomaly_map")
    else:
        net.add("Identity", score, name="pred_score")
        net.add("Identity", raw, name="anomaly_map")
    net.add("Greater", "pred_score", net.const(0.5), name="pred_label")
    net.add("Greater", "anomaly_map", net.const(0.5), name="pred_mask")
    shape: Shape = (batch, *inner_hw) if flat_map else (batch, 1, *inner_hw)
    column: Shape = (batch,) if flat_map else (batch, 1)
    net.gives("pred_score", column)
    net.gives("pred_label", column, TensorProto.BOOL)
    net.gives("anomaly_map", shape)
    net.gives("pred_mask", shape, TensorProto.BOOL)
    return net.model(opset)


def anomalib_0(*, opset: int = 11, kind: str = "map", imagenet: bool = False, second: bool = False) -> Any:
    """0.x (no pre-processing) and 1.x (imagenet): one output named `output`, further ones named automatically."""
    net = Net()
    image = net.takes("input", (1, 3, 64, 64))
    if imagenet:
        mean, std = (np.array(each).reshape(1, 3, 1, 1) for each in (IMAGENET_MEAN, IMAGENET_STD))
        image = net.add("Div", net.add("Sub", image, net.const(mean)), net.const(std))
    raw = scores(net, image, (64, 64), opset)
    if kind == "map":
        net.add("Identity", raw, name="output")
        net.gives("output", (1, 1, 64, 64))
    else:
        net.add("Reshape", reduce(net, "ReduceMean", raw, [2, 3], opset), net.const([1], "int64"), name="output")
        net.gives("output", (1,))
    if second:
        net.add("Mul", reduce(net, "ReduceMax", raw, [2, 3], opset, 0), net.const(2.0), name="1373")
        net.gives("1373", (1, 1))
    return net.model(opset, 6 if opset < 14 else 8)


def segment(classes: int = 2, batch: int | str = "batch_size") -> Any:
    """TAO VisualChangeNet segment: input0 under test, input1 golden, logits in output_final."""
    net = Net(3)
    under_test, golden = (net.takes(name, (batch, 3, 64, 48)) for name in ("input0", "input1"))
    weight = [net.features(each) for each in (under_test, golden)]
    both = net.add("Concat", *weight, axis=1)
    logits = net.conv(net.add("Relu", both), 16, classes)
    # Not symmetric, so that swapped inputs show.
    net.add("Mul", resized(net, logits, (64, 48), classes), net.const(2.0), name="output_final")
    net.add("Identity", logits, name="output0")
    net.gives("output0", (batch, classes, 32, 24))
    net.gives("output_final", (batch, classes, 64, 48))
    return net.model(17)


def classify(head: str = "learnable", golden: int = 1) -> Any:
    """TAO VisualChangeNet classify: input_1 under test, input_2 golden; logits, or a distance."""
    net = Net(4)
    first = net.takes("input_1", ("batch", 3, 64, 32))
    second = net.takes("input_2", ("batch", golden, 3, 64, 32) if golden > 1 else ("batch", 3, 64, 32))
    if golden > 1:
        second = net.add("Reshape", second, net.const((golden, 3, 64, 32), "int64"))
    embedded = [reduce(net, "ReduceMean", net.features(each), [2, 3], 17, 0) for each in (first, second)]
    difference = net.add("Sub", *embedded)
    if head == "euclidean":
        summed = reduce(net, "ReduceSum", net.add("Mul", difference, difference), [1], 17, 0)
        net.add("Sqrt", summed, name="output")
        net.gives("output", ("batch",))
        return net.model(17)
    mean = reduce(net, "ReduceMean", difference, [0], 17)
    net.add("Gemm", mean, net.const(net.random.normal(0, 1, (8, 2))), net.const((0.1, -0.1)), name="output")
    net.gives("output", ("batch", 2))
    return net.model(17)


def saved(model: Any, path: Path, *, data: str = "") -> Path:
    """Write the file, its weights in another file where `data` names one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if data:
        onnx.save_model(
            onnx.ModelProto.FromString(model.SerializeToString()), str(path), save_as_external_data=True, location=data,
            size_threshold=0,
        )  # fmt: skip
    else:
        path.write_bytes(model.SerializeToString())
    return path


def picture(size_wh: tuple[int, int], seed: int = 0) -> NDArray[np.uint8]:
    """uint8 [1, H, W, 3] with structure and noise."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (size_wh[1] // 8 + 1, size_wh[0] // 8 + 1, 3))
    image = np.repeat(np.repeat(coarse, 8, 0), 8, 1)[: size_wh[1], : size_wh[0]]
    return np.asarray(np.clip(image + random.integers(-20, 21, image.shape), 0, 255), np.uint8)[None]
