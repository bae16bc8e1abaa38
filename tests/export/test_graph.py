from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edge.errors import BundleError
from export.graph import IR_VERSION, OPSET, Graph, check, half_share
from export.proof import run_once


def _doubled(precision: str = "float32") -> bytes:
    graph = Graph("test")
    image = graph.cast(graph.input("image", "uint8", (1, 2, 3, 3)), precision)
    twice = graph.node("Mul", image, graph.constant(np.array(2.0), precision))
    graph.output("anomaly_map", graph.cast(twice, "float32"), "float32", (1, 2, 3, 3))
    return graph.serialise()


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_a_graph_computes_what_was_written(precision: str) -> None:
    image = np.arange(18, dtype=np.uint8).reshape(1, 2, 3, 3)
    assert np.array_equal(run_once(_doubled(precision), {"image": image})["anomaly_map"], image * np.float32(2))


def test_versions_are_those_that_old_tensorrt_parses() -> None:
    model = onnx.load_from_string(_doubled())
    assert [each.version for each in model.opset_import] == [OPSET] == [17]
    assert model.ir_version == IR_VERSION <= 9


def test_equal_constants_are_stored_once() -> None:
    graph = Graph("test")
    first, second = (graph.constant(np.ones(3), "float32") for _ in range(2))
    assert first == second != graph.constant(np.ones(3), "float16")


def test_half_share_counts_only_what_computes() -> None:
    assert half_share(_doubled("float32")) == 0
    assert half_share(_doubled("float16")) == 1


def test_uint8_that_is_not_cast_first_is_refused() -> None:
    graph = Graph("test")
    moved = graph.node("Transpose", graph.input("image", "uint8", (1, 2)), perm=[1, 0])
    graph.output("anomaly_map", graph.cast(moved, "float32"), "float32", (2, 1))
    with pytest.raises(BundleError, match="Transpose reads the uint8 input 'image'"):
        graph.serialise()


def test_a_type_clash_is_refused() -> None:
    graph = Graph("test")
    image = graph.cast(graph.input("image", "uint8", (1, 2)), "float16")
    graph.output("anomaly_map", graph.node("Add", image, graph.constant(np.ones(2), "float32")), "float32", (1, 2))
    with pytest.raises(BundleError, match="not valid"):
        graph.serialise()


def test_external_weights_and_newer_opsets_are_refused() -> None:
    model = onnx.load_from_string(_doubled())
    model.opset_import[0].version = OPSET + 1
    with pytest.raises(BundleError, match="opset"):
        check(model.SerializeToString())
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    outside = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    outside.external_data.add(key="location", value="nowhere.bin")
    node = helper.make_node("Add", ["x", "w"], ["y"])
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    graph = helper.make_graph([node], "test", [value], [result], [outside])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    with pytest.raises(BundleError):
        check(model.SerializeToString())
