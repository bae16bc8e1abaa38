"""The variation model as an ONNX graph after the contract, in float32 or with its heavy part in float16."""

from __future__ import annotations

import numpy as np

from export.adapters.variation_model import LEAST_SUPPORT, MID_GREY, OPPONENT, VariationModel, low_pass_of
from export.graph import Graph, Precision


def write_graph(model: VariationModel, precision: Precision) -> bytes:
    """The ONNX of `variation_model.anomaly_map`: image uint8 [1, H, W, 3] RGB and keep uint8 [1, H, W] to float32 [1, H, W].

    Planes are in units of light_clip inside the graph, so that one Clip with scalar limits serves all three and every
    value stays small in float16. float16 are the comparison with the envelope and the spreads; float32 stay the
    logarithm, the light estimate (means over thousands of pixels) and the score (a sum of squares).
    """
    settings = model.settings
    width, height = model.size_wh
    unit = np.array(settings.light_clip, np.float32).reshape(3, 1, 1)
    scale = np.float32(MID_GREY + settings.dark_offset)

    graph = Graph("variation")
    image = graph.cast(graph.input("image", "uint8", (1, height, width, 3)), "float32")
    offset = graph.constant(np.array(settings.dark_offset), "float32")
    planes = graph.node("Transpose", graph.node("Log", graph.node("Add", image, offset)), perm=[0, 3, 1, 2])
    mix = scale * OPPONENT / unit[:, :, 0]
    flat = graph.node("Reshape", planes, graph.constant(np.array([1, 3, height * width]), "int64"))
    mixed = graph.node("MatMul", graph.constant(mix, "float32"), flat)
    planes = graph.node("Reshape", mixed, graph.constant(np.array([1, 3, height, width]), "int64"))
    ideal = model.centre / unit + (np.log(scale) * mix.sum(1)).reshape(3, 1, 1)
    residual = graph.node("Sub", planes, graph.constant(ideal[None], "float32"))

    keep = graph.cast(graph.input("keep", "uint8", (1, height, width)), "float32")
    residual = graph.cast(_without_light(graph, residual, keep, model), precision)
    distance = graph.node("Sub", graph.node("Abs", residual), graph.constant((model.half / unit)[None], precision))
    outside = graph.node("Relu", distance)
    spreads = graph.cast(graph.node("Mul", outside, graph.constant((model.weight * unit)[None], precision)), "float32")
    axis = graph.constant(np.array([1]), "int64")
    summed = graph.node("ReduceSum", graph.node("Mul", spreads, spreads), axis, keepdims=0)
    scores = graph.node("Mul", graph.node("Sqrt", summed), keep)
    graph.output("anomaly_map", scores, "float32", (1, height, width))
    return graph.serialise()


def _without_light(graph: Graph, residual: str, keep: str, model: VariationModel) -> str:
    low_pass = low_pass_of(model.size_wh, model.settings)
    down_rows, up_rows = (graph.constant(matrix, "float32") for matrix in (low_pass.down_rows, low_pass.up_rows))
    down_columns, up_columns = (graph.constant(matrix.T, "float32") for matrix in (low_pass.down_columns, low_pass.up_columns))
    least, most = (graph.constant(np.array(limit), "float32") for limit in (-1.0, 1.0))

    def down(planes: str) -> str:
        # Columns first: one matrix product over all rows and planes leaves little for the rest.
        return graph.node("MatMul", down_rows, graph.node("MatMul", planes, down_columns))

    support = graph.node("Max", down(keep), graph.constant(np.array(LEAST_SUPPORT), "float32"))
    for _ in range(model.settings.light_passes):
        believed = graph.node("Mul", graph.node("Clip", residual, least, most), keep)
        light = graph.node("Div", down(believed), support)
        light = graph.node("MatMul", graph.node("MatMul", up_rows, light), up_columns)
        residual = graph.node("Sub", residual, light)
    return residual
