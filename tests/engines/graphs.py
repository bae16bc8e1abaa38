"""Small ONNX graphs after the graph contract, and some that break it."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.bundle.samples import SIZE_WH

WIDTH, HEIGHT = SIZE_WH
IMAGE = ("image", TensorProto.UINT8, [1, HEIGHT, WIDTH, 3])
REFERENCE = ("reference", TensorProto.UINT8, [1, HEIGHT, WIDTH, 3])
KEEP = ("keep", TensorProto.UINT8, [1, HEIGHT, WIDTH])
MAP = ("anomaly_map", TensorProto.FLOAT, [1, HEIGHT, WIDTH])
SCORE = ("image_score", TensorProto.FLOAT, [1])


def model(nodes: list[Any], inputs: list[Any], outputs: list[Any], constants: dict[str, Any] | None = None) -> bytes:
    """Opset 17 and IR 8, which every supported ONNX Runtime reads."""
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info(*value) for value in inputs],
        [helper.make_tensor_value_info(*value) for value in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()],
    )
    built = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
    return bytes(built.SerializeToString())


def mean_map(
    half: bool = False, scale: float = 1.0, image: Any = IMAGE, output: Any = MAP, last: list[Any] | None = None
) -> bytes:
    """anomaly_map = mean over the channels of image * scale; `last` may replace the node from `mean` to the output."""
    kind = TensorProto.FLOAT16 if half else TensorProto.FLOAT
    nodes = [
        helper.make_node("Cast", [image[0]], ["single"], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["single"], ["typed"], to=kind),
        helper.make_node("Mul", ["typed", "scale"], ["scaled"]),
        helper.make_node("Cast", ["scaled"], ["wide"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["wide"], ["mean"], axes=[3], keepdims=0),
        *(last or [helper.make_node("Identity", ["mean"], [output[0]])]),
    ]
    constants = {"scale": np.array(scale, np.float16 if half else np.float32), "zero": np.float32(0), "one": np.array([1])}
    return model(nodes, [image], [output], constants)


def full_contract() -> bytes:
    """All three inputs, both outputs: |image - reference| where keep, and its maximum."""
    nodes = [
        helper.make_node("Cast", ["image"], ["a"], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["reference"], ["b"], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["keep"], ["k"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["a", "b"], ["difference"]),
        helper.make_node("Abs", ["difference"], ["distance"]),
        helper.make_node("ReduceMean", ["distance"], ["grey"], axes=[3], keepdims=0),
        helper.make_node("Mul", ["grey", "k"], ["anomaly_map"]),
        helper.make_node("ReduceMax", ["anomaly_map"], ["image_score"], axes=[1, 2], keepdims=0),
    ]
    return model(nodes, [IMAGE, REFERENCE, KEEP], [MAP, SCORE])


def convolved_mean(half: bool = False) -> bytes:
    """The mean over the channels by two 1x1 convolutions: what a builder may compute in half precision, or not."""
    kind, dtype = (TensorProto.FLOAT16, np.float16) if half else (TensorProto.FLOAT, np.float32)
    nodes = [
        helper.make_node("Cast", ["image"], ["single"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["single"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["planes"], ["typed"], to=kind),
        helper.make_node("Conv", ["typed", "first"], ["spread"], name="first_conv"),
        helper.make_node("Conv", ["spread", "second"], ["joined"], name="second_conv"),
        helper.make_node("Cast", ["joined"], ["wide"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["wide"], ["anomaly_map"], axes=[1], keepdims=0),
    ]
    first = np.repeat(np.eye(3), 8, axis=0)[:, :, None, None].astype(dtype)
    second = np.full((1, 24, 1, 1), 1 / 24, dtype)
    return model(nodes, [IMAGE], [MAP], {"first": first, "second": second})


def nan_where_black() -> bytes:
    """0/0 where the image is black: NaN only for some frames, as real models do it."""
    return mean_map(last=[helper.make_node("Div", ["mean", "mean"], ["anomaly_map"])])


def other_shape_when_black() -> bytes:
    """Declares the whole map, but gives only its bright rows: an output of another shape, depending on the frame."""
    last = [
        helper.make_node("ReduceMax", ["mean"], ["rows"], axes=[0, 2], keepdims=0),
        helper.make_node("Greater", ["rows", "zero"], ["bright"]),
        helper.make_node("Compress", ["mean", "bright"], ["anomaly_map"], axis=1),
    ]
    return mean_map(last=last)


def fails_when_black() -> bytes:
    """Reads beyond the end of an array for a black frame: ONNX Runtime raises at run time."""
    last = [
        helper.make_node("ReduceMax", ["mean"], ["most"], axes=[0, 1, 2], keepdims=0),
        helper.make_node("Equal", ["most", "zero"], ["black"]),
        helper.make_node("Cast", ["black"], ["index"], to=TensorProto.INT64),
        helper.make_node("Gather", ["mean", "index"], ["row"], axis=0),
        helper.make_node("Unsqueeze", ["row", "nowhere"], ["anomaly_map"]),
    ]
    built = onnx.load_from_string(mean_map(last=last))
    built.graph.initializer.append(numpy_helper.from_array(np.array([0]), "nowhere"))
    return bytes(built.SerializeToString())


def external_weights(location: str) -> bytes:
    """Weights in another file: a bundle's model must hold its own."""
    built = onnx.load_from_string(mean_map())
    scale = next(weight for weight in built.graph.initializer if weight.name == "scale")
    scale.ClearField("raw_data")
    scale.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", "4")):
        entry = scale.external_data.add()
        entry.key, entry.value = key, value
    return bytes(built.SerializeToString())
