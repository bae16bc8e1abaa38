"""The comparison as an ONNX graph after the contract, in float32 or with its heavy part in float16."""

from __future__ import annotations

import numpy as np

from export.adapters.comparison_model import (
    LEAST_PIXELS,
    ComparisonSettings,
    Grid,
    low_pass_of,
    shift_costs,
    shifts,
)
from export.adapters.variation_model import LEAST_SUPPORT, MID_GREY, OPPONENT
from export.graph import Graph, Precision

INPUTS = ("image", "reference", "keep")


def write_graph(size_wh: tuple[int, int], settings: ComparisonSettings, precision: Precision) -> bytes:
    """The ONNX of `comparison_model.anomaly_map`: image and reference uint8 [1, H, W, 3] RGB, keep uint8 [1, H, W], to
    float32 [1, H, W].

    float16 are the shifted pieces and the comparison with their neighbourhoods; float32 stay the logarithm, the light
    estimate, the vote for the shift (means over hundreds of pixels, and a choice that must not flip) and the score.
    """
    width, height = size_wh
    graph = Graph("comparison")
    planes = [_planes(graph, graph.input(name, "uint8", (1, height, width, 3)), size_wh, settings) for name in INPUTS[:2]]
    keep = graph.cast(graph.input("keep", "uint8", (1, height, width)), "float32")
    theirs = planes[1]
    mine = graph.node("Add", theirs, _without_light(graph, graph.node("Sub", *planes), keep, size_wh, settings))
    near = _moved(graph, mine, theirs, keep, size_wh, settings, precision)
    frame = graph.cast(mine, precision)
    outside = graph.node("Max", *_excess(graph, frame, near, settings), *_excess(graph, near, frame, settings))
    weights = graph.constant(np.array(settings.weights).reshape(1, 3, 1, 1), "float32")
    weighted = graph.node("Mul", graph.cast(graph.node("Relu", outside), "float32"), weights)
    summed = graph.node("ReduceSum", graph.node("Mul", weighted, weighted), _axes(graph, 1), keepdims=0)
    graph.output("anomaly_map", graph.node("Mul", graph.node("Sqrt", summed), keep), "float32", (1, height, width))
    return graph.serialise()


def _axes(graph: Graph, *axes: int) -> str:
    return graph.constant(np.array(axes), "int64")


def _planes(graph: Graph, image: str, size_wh: tuple[int, int], settings: ComparisonSettings) -> str:
    """Lightness, red minus green, blue minus yellow: float32 [1, 3, H, W]."""
    width, height = size_wh
    scale = np.float32(MID_GREY + settings.dark_offset)
    offset, whole = (graph.constant(np.array(value), "float32") for value in (settings.dark_offset, scale))
    ratio = graph.node("Div", graph.node("Add", graph.cast(image, "float32"), offset), whole)
    channels = graph.node("Transpose", graph.node("Log", ratio), perm=[0, 3, 1, 2])
    flat = graph.node("Reshape", channels, graph.constant(np.array([1, 3, height * width]), "int64"))
    mixed = graph.node("MatMul", graph.constant(scale * OPPONENT, "float32"), flat)
    return graph.node("Reshape", mixed, graph.constant(np.array([1, 3, height, width]), "int64"))


def _without_light(graph: Graph, residual: str, keep: str, size_wh: tuple[int, int], settings: ComparisonSettings) -> str:
    low_pass = low_pass_of(size_wh, settings)
    down_rows, up_rows = (graph.constant(matrix, "float32") for matrix in (low_pass.down_rows, low_pass.up_rows))
    down_columns, up_columns = (graph.constant(matrix.T, "float32") for matrix in (low_pass.down_columns, low_pass.up_columns))
    most = np.array(settings.light_clip).reshape(1, 3, 1, 1)
    floor, ceiling = graph.constant(-most, "float32"), graph.constant(most, "float32")

    def down(planes: str) -> str:
        return graph.node("MatMul", down_rows, graph.node("MatMul", planes, down_columns))

    support = graph.node("Max", down(keep), graph.constant(np.array(LEAST_SUPPORT), "float32"))
    for _ in range(settings.light_passes):
        believed = graph.node("Mul", graph.node("Min", graph.node("Max", residual, floor), ceiling), keep)
        light = graph.node("Div", down(believed), support)
        residual = graph.node("Sub", residual, graph.node("MatMul", graph.node("MatMul", up_rows, light), up_columns))
    return residual


def _moved(
    graph: Graph,
    mine: str,
    theirs: str,
    keep: str,
    size_wh: tuple[int, int],
    settings: ComparisonSettings,
    precision: Precision,
) -> str:
    """The reference's planes where they fit the frame best, [1, 3, H, W] in the precision."""
    grid = Grid(size_wh, settings.cell_px)
    if settings.search_px == 0:
        return graph.cast(theirs, precision)
    width, height = grid.padded_wh
    frame = _padded(graph, _lightness(graph, mine), grid, 0, "edge")
    reference = _padded(graph, theirs, grid, settings.search_px, "edge")
    light, heavy = _lightness(graph, reference), graph.cast(reference, precision)
    channel = graph.node("Unsqueeze", keep, _axes(graph, 1))
    weight = _padded(graph, channel, grid, 0, "constant")
    windows = [
        (settings.search_px + dy, settings.search_px + dx, settings.search_px + dy + height, settings.search_px + dx + width)
        for dx, dy in shifts(settings)
    ]
    differences = []
    for window in windows:
        off = graph.node("Abs", graph.node("Sub", frame, _cut(graph, light, window)))
        differences.append(_cell_means(graph, graph.node("Mul", off, weight), settings))
    shares = _shares(graph, differences, _cell_means(graph, weight, settings), settings)
    near = ""
    for index, window in enumerate(windows):
        share = graph.node("Slice", shares, _axes(graph, index), _axes(graph, index + 1), _axes(graph, 1))
        piece = graph.node("Mul", _cut(graph, heavy, window), graph.cast(_enlarged(graph, share, settings), precision))
        near = graph.node("Add", near, piece) if near else piece
    return _cut(graph, near, (0, 0, size_wh[1], size_wh[0]))


def _lightness(graph: Graph, planes: str) -> str:
    return graph.node("Slice", planes, _axes(graph, 0), _axes(graph, 1), _axes(graph, 1))


def _padded(graph: Graph, planes: str, grid: Grid, reach: int, mode: str) -> str:
    right, low = grid.missing_wh
    around = np.array([0, 0, reach, reach, 0, 0, low + reach, right + reach])
    return graph.node("Pad", planes, graph.constant(around, "int64"), mode=mode) if around.any() else planes


def _cut(graph: Graph, planes: str, window: tuple[int, int, int, int]) -> str:
    top, left, bottom, right = window
    return graph.node("Slice", planes, _axes(graph, top, left), _axes(graph, bottom, right), _axes(graph, 2, 3))


def _cell_means(graph: Graph, plane: str, settings: ComparisonSettings) -> str:
    side = settings.cell_px
    return graph.node("AveragePool", plane, kernel_shape=[side, side], strides=[side, side])


def _shares(graph: Graph, differences: list[str], support: str, settings: ComparisonSettings) -> str:
    """How much of each shift every cell takes, float32 [1, shifts, rows, columns], adding up to 1."""
    side = settings.patch_cells

    def patches(cells: str) -> str:
        margin = [side // 2, side // 2, (side - 1) // 2, (side - 1) // 2]
        return graph.node("AveragePool", cells, kernel_shape=[side, side], pads=margin, count_include_pad=1)

    least = graph.constant(np.array(LEAST_PIXELS / (settings.cell_px * side) ** 2), "float32")
    mean = graph.node("Div", patches(graph.node("Concat", *differences, axis=1)), graph.node("Max", patches(support), least))
    cost = graph.node("Add", mean, graph.constant(shift_costs(settings).reshape(1, -1, 1, 1), "float32"))
    return graph.node("Softmax", graph.node("Div", cost, graph.constant(np.array(-settings.softness), "float32")), axis=1)


def _enlarged(graph: Graph, share: str, settings: ComparisonSettings) -> str:
    factors = graph.constant(np.array([1, 1, settings.cell_px, settings.cell_px]), "float32")
    # The empty name is Resize's unused region of interest.
    return graph.node(
        "Resize", share, "", factors, mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"
    )


def _excess(graph: Graph, planes: str, others: str, settings: ComparisonSettings) -> tuple[str, str]:
    """By how much the planes are above and below everything that the others take within the tolerance."""
    if settings.tolerance_px == 0:
        return graph.node("Sub", planes, others), graph.node("Sub", others, planes)
    side, margin = 2 * settings.tolerance_px + 1, [settings.tolerance_px] * 4

    def highest(tensor: str) -> str:
        return graph.node("MaxPool", tensor, kernel_shape=[side, side], pads=margin)

    low = graph.node("Neg", highest(graph.node("Neg", others)))
    return graph.node("Sub", planes, highest(others)), graph.node("Sub", low, planes)
