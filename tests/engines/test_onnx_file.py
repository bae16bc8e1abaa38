"""Weights that lie outside the ONNX file, wherever they are named; and bytes that are no ONNX file."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from edge.engines.onnx_file import Unreadable, names_other_files
from edge.engines.preparing import quiet
from edge.engines.trt_builder import BuildOptions, build_plan
from edge.engines.wording import said
from edge.errors import BundleError
from tests.engines import graphs
from tests.engines.fake_gpu import FakeGpu
from tests.engines.fake_trt import RELEASES, fake_api

SOUND = graphs.convolved_mean(half=True)


def outside(location: str = "weights.bin") -> Any:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", location
    return tensor


def model(nodes: list[Any], initializers: list[Any], **more: Any) -> Any:
    places = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [4]) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "g", places[:1], places[1:], initializers)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9, **more)


def constant() -> Any:
    return helper.make_node("Constant", [], ["w"], value=outside())


def branch(inside: Any) -> Any:
    graph = helper.make_graph([inside], "then", [], [helper.make_tensor_value_info("w", TensorProto.FLOAT, [4])])
    return helper.make_node("If", ["c"], ["y"], then_branch=graph, else_branch=graph)


def sparse() -> Any:
    made = model([helper.make_node("Relu", ["x"], ["y"])], [])
    made.graph.sparse_initializer.add().values.CopyFrom(outside())
    return made


def function() -> Any:
    made = helper.make_function("own", "F", [], ["w"], [constant()], [helper.make_opsetid("", 17)])
    return model([helper.make_node("F", [], ["y"], domain="own")], [], functions=[made])


def listed() -> Any:
    node = helper.make_node("Relu", ["x"], ["y"])
    attribute = node.attribute.add()
    attribute.name, attribute.type = "many", onnx.AttributeProto.TENSORS
    attribute.tensors.add().CopyFrom(outside())
    return model([node], [])


ADD = helper.make_node("Add", ["x", "w"], ["y"])
PLACES = {
    "initializer": lambda: model([ADD], [outside()]),
    "constant": lambda: model([constant(), ADD], []),
    "subgraph": lambda: model([branch(constant())], []),
    "subgraph of a subgraph": lambda: model([branch(branch(constant()))], []),
    "sparse": sparse,
    "function": function,
    "list of tensors": listed,
}


@pytest.mark.parametrize("place", PLACES)
def test_weights_in_another_file_are_seen_wherever_they_are_named(place: str) -> None:
    assert names_other_files(PLACES[place]().SerializeToString())


def test_files_that_hold_everything_are_let_through() -> None:
    inside = helper.make_tensor("w", TensorProto.FLOAT, [4], [1.0, 2.0, 3.0, 4.0])
    inside.data_location = TensorProto.DEFAULT
    for data in (SOUND, graphs.convolved_mean(), graphs.full_contract(), model([ADD], [inside]).SerializeToString(), b""):
        assert not names_other_files(data)


def test_a_key_with_more_bits_than_protobuf_keeps_hides_nothing() -> None:
    whole = PLACES["initializer"]()
    tensor = whole.graph.initializer.pop().SerializeToString()
    plain = bytes([14 << 3, 1])
    assert plain in tensor
    hidden = tensor.replace(plain, bytes([(14 << 3) | 0x80, 0x80, 0x80, 0x80, 0x10, 1]))
    hidden = hidden.replace(bytes([13 << 3 | 2]), bytes([(13 << 3 | 2) | 0x80, 0x80, 0x80, 0x80, 0x10]))
    graph = whole.graph.SerializeToString() + bytes([5 << 3 | 2, len(hidden)]) + hidden
    assert len(graph) < 128
    data = bytes([8, 9, 7 << 3 | 2, len(graph)]) + graph
    assert names_other_files(data)


@pytest.mark.parametrize(
    "data", [b"garbage", b"\x3a", b"\x3a\x05abc", b"\xff" * 20, b"\x0b\x0c", SOUND[:200], SOUND + b"\x3a\x7f"]
)
def test_what_is_no_file_of_this_kind_is_said(data: bytes) -> None:
    with pytest.raises(Unreadable):
        names_other_files(data)


def test_nesting_without_end_is_refused() -> None:
    data = b""
    for _ in range(200):
        for field in (6, 5, 1):
            data = bytes([field << 3 | 2]) + _length(len(data)) + data
    with pytest.raises(Unreadable, match="nested"):
        names_other_files(bytes([7 << 3 | 2]) + _length(len(data)) + data)


def _length(number: int) -> bytes:
    made = bytearray()
    while number >= 0x80:
        made.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*made, number])


@settings(max_examples=200, deadline=None)
@given(at=st.integers(0, len(SOUND) - 1), change=st.binary(min_size=1, max_size=8), place=st.sampled_from(sorted(PLACES)))
def test_no_damage_raises_anything_else(at: int, change: bytes, place: str) -> None:
    for data in (SOUND, PLACES[place]().SerializeToString()):
        where = at % len(data)
        with suppress(Unreadable):
            names_other_files(data[:where] + change + data[where + len(change) :])


@pytest.mark.parametrize("version", RELEASES)
def test_no_engine_is_built_of_them(version: str) -> None:
    gpu = FakeGpu()
    gpu.stack().append("a context")
    options = BuildOptions("float32", "SM89" if version == "1.7.1.116" else "")
    with pytest.raises(BundleError, match=r"keeps weights in another file.*export the bundle again"):
        build_plan(fake_api(version, gpu), PLACES["initializer"]().SerializeToString(), options, quiet)


def test_nor_by_the_real_one_which_would_read_what_lies_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorrt_rtx", reason="tensorrt-rtx is not installed")
    from edge.engines.trt_api import load_trt

    (tmp_path / "weights.bin").write_bytes(bytes(16))
    monkeypatch.chdir(tmp_path)
    api, data = load_trt("tensorrt_rtx"), PLACES["initializer"]().SerializeToString()
    network = api.module.Builder(api.log).create_network(0)
    assert api.module.OnnxParser(network, api.log).parse(data), "if it refuses by itself, this check is no longer needed"
    with pytest.raises(BundleError, match="keeps weights in another file"):
        build_plan(api, data, BuildOptions("float32", "SM89"), quiet)


def test_what_others_say_fits_one_line_and_commands_no_terminal() -> None:
    assert said("one\n two\t three") == "one two three"
    assert said("red \x1b[31m\x07") == "red \\x1b[31m\\x07"
    assert said("x" * 301) == "x" * 297 + "..."
    assert said("x" * 300) == "x" * 300
    assert said("µ ä") == "µ ä"
    assert said("\u202e") == "\\u202e"
