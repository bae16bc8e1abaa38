"""Foreign graphs on the table: external weights, opsets, constant folding, the float16 twin."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge.errors import BundleError
from export.graph import OPSET, check, half_share
from export.onnx_surgery.ends import Feed, Tap, attach, pixels_of
from export.onnx_surgery.half import halved, heavy_count
from export.onnx_surgery.opset import to_opset
from export.onnx_surgery.preparing import prepared
from export.onnx_surgery.reading import read_onnx
from export.onnx_surgery.session import run
from export.onnx_surgery.shaping import fixed, inferred, simplified
from export.onnx_surgery.wires import Wires, every_tensor
from export.proof import run_once
from tests.export.onnx_files import Net, anomalib_2, picture, saved


def _small(opset: int = 17) -> Net:
    net = Net()
    net.takes("x", (1, 3, 8, 8))
    return net


def _prepared(net: Net, folder: Path, opset: int) -> Any:
    foreign = read_onnx(saved(net.model(opset), folder / "m.onnx"))
    return foreign, prepared(foreign, {"x": (1, 3, 8, 8)})


class TestWeightsElsewhere:
    def test_they_are_embedded_and_both_files_hashed(self, tmp_path: Path) -> None:
        model = anomalib_2()
        foreign = read_onnx(saved(model, tmp_path / "model.onnx", data="model.onnx.data"))
        assert set(foreign.files) == {"model.onnx", "model.onnx.data"}
        stored = {each.name: numpy_helper.to_array(each) for each in every_tensor(foreign.model.graph)}
        for weight in model.graph.initializer:
            np.testing.assert_array_equal(stored[weight.name], numpy_helper.to_array(weight))
        assert foreign.remarks == ()

    def test_two_models_that_share_a_data_file_are_refused(self, tmp_path: Path) -> None:
        saved(anomalib_2(), tmp_path / "stationA.onnx", data="model.onnx.data")
        saved(anomalib_2(own_score=True), tmp_path / "stationB.onnx", data="model.onnx.data")
        with pytest.raises(BundleError, match=r"so does stationB\.onnx.*folder of its own"):
            read_onnx(tmp_path / "stationA.onnx")

    def test_a_data_file_of_another_name_is_remarked(self, tmp_path: Path) -> None:
        saved(anomalib_2(), tmp_path / "stationA.onnx", data="model.onnx.data")
        assert "not named after stationA.onnx" in read_onnx(tmp_path / "stationA.onnx").remarks[0]

    @pytest.mark.parametrize("location", ["../secret", "/etc/passwd", "a/../../b", "..", "", "a\\b", "a//b"])
    def test_a_path_that_leads_out_is_refused(self, tmp_path: Path, location: str) -> None:
        path = saved(anomalib_2(), tmp_path / "in" / "m.onnx", data="m.onnx.data")
        (tmp_path / "secret").write_bytes(b"x" * 100_000)
        self._redirect(path, location)
        with pytest.raises(BundleError, match="not in its own folder"):
            read_onnx(path)

    @pytest.mark.parametrize("target", ["/etc/passwd", "real.data"])
    def test_a_link_is_refused(self, tmp_path: Path, target: str) -> None:
        path = saved(anomalib_2(), tmp_path / "m.onnx", data="m.onnx.data")
        os.rename(tmp_path / "m.onnx.data", tmp_path / "real.data")
        (tmp_path / "m.onnx.data").symlink_to(target)
        with pytest.raises(BundleError, match="cannot be read"):
            read_onnx(path)
        (tmp_path / "sub").symlink_to(tmp_path)
        self._redirect(path, "sub/real.data")
        with pytest.raises(BundleError, match="through a link"):
            read_onnx(path)

    def test_a_data_file_that_was_cut_or_is_gone(self, tmp_path: Path) -> None:
        path = saved(anomalib_2(), tmp_path / "m.onnx", data="m.onnx.data")
        whole = (tmp_path / "m.onnx.data").read_bytes()
        (tmp_path / "m.onnx.data").write_bytes(whole[:-9])
        with pytest.raises(BundleError, match="belongs to another model, or is cut off"):
            read_onnx(path)
        (tmp_path / "m.onnx.data").unlink()
        with pytest.raises(BundleError, match=r"'m.onnx.data' cannot be read \(No such file"):
            read_onnx(path)

    def test_what_is_left_over_in_the_data_file_is_remarked(self, tmp_path: Path) -> None:
        path = saved(anomalib_2(), tmp_path / "m.onnx", data="m.onnx.data")
        with (tmp_path / "m.onnx.data").open("ab") as stream:
            stream.write(bytes(100_000))
        assert "another model's" in read_onnx(path).remarks[0]

    def _redirect(self, path: Path, location: str) -> None:
        model = onnx.load(path, load_external_data=False)
        for weight in model.graph.initializer:
            for entry in weight.external_data:
                if entry.key == "location":
                    entry.value = location
        path.write_bytes(model.SerializeToString())


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"PK\x03\x04" + bytes(50), "PyTorch checkpoint"),
        (b"\x80\x02}q\x00.", "pickle"),
        (b"\xff" * 64, "damaged"),
        (b"\x08\x08", "0 operators"),
    ],
)
def test_other_files_are_named(tmp_path: Path, data: bytes, words: str) -> None:
    (tmp_path / "m.onnx").write_bytes(data)
    with pytest.raises(BundleError, match=words):
        read_onnx(tmp_path / "m.onnx")


@pytest.mark.parametrize("place", [b"Relu", b"w3", b"anomaly_map"])
def test_names_that_are_no_text_are_damage(tmp_path: Path, place: bytes) -> None:
    data = anomalib_2().SerializeToString()
    assert place in data
    (tmp_path / "m.onnx").write_bytes(data.replace(place, b"\xff" + place[1:]))
    with pytest.raises(BundleError, match=r"no text|damaged"):
        read_onnx(tmp_path / "m.onnx")


def test_weights_that_are_not_what_they_say(tmp_path: Path) -> None:
    model = anomalib_2()
    model.graph.initializer[0].raw_data = model.graph.initializer[0].raw_data[:-4]
    with pytest.raises(BundleError, match=r"its shape asks for"):
        read_onnx(saved(model, tmp_path / "m.onnx"))
    model = anomalib_2()
    weight = next(each for each in model.graph.initializer if len(each.dims) == 4 and each.dims[0] == 8)
    weight.CopyFrom(numpy_helper.from_array(np.full(weight.dims, np.nan, np.float32), weight.name))
    with pytest.raises(BundleError, match="holds NaN"):
        read_onnx(saved(model, tmp_path / "m.onnx"))


def test_loops_random_numbers_and_absurd_sizes_are_refused(tmp_path: Path) -> None:
    net = _small()
    net.add("Add", "x", net.add("RandomNormalLike", "x"), name="y")
    net.gives("y", (1, 3, 8, 8))
    with pytest.raises(BundleError, match="draws random numbers"):
        _prepared(net, tmp_path, 17)
    net = _small()
    net.add("Expand", "x", net.const((4096, 3, 4096, 4096), "int64"), name="y")
    net.gives("y", ("a", "b", "c", "d"))
    foreign = read_onnx(saved(net.model(17), tmp_path / "m.onnx"))
    with pytest.raises(BundleError, match="do not fit"):
        prepared(foreign, {"x": (1, 3, 8, 8)})
    net = _small()
    net.add("Pad", "x", net.const((0, 0, 9000, 9000, 0, 0, 9000, 9000), "int64"), name="y")
    net.gives("y", ("a", "b", "c", "d"))
    foreign = read_onnx(saved(net.model(17), tmp_path / "m.onnx"))
    with pytest.raises(BundleError, match="computes 'y' of 1x3x18008x18008"):
        prepared(foreign, {"x": (1, 3, 8, 8)})


def _rules() -> list[tuple[str, int, Any]]:
    def split(net: Net) -> None:
        net.nodes.append(helper.make_node("Split", ["x"], ["a", "b"], name="s", axis=2, num_outputs=2))
        net.add("Mul", "a", "b", name="y")

    def uneven(net: Net) -> None:
        net.nodes.append(helper.make_node("Split", ["x"], ["a", "b", "c"], name="s", axis=3, num_outputs=3))
        net.add("Concat", "c", "a", axis=3, name="y")

    def pad(net: Net) -> None:
        axes = net.const((-2, 1), "int64")
        net.add("Pad", "x", net.const((1, 0, 2, 1), "int64"), net.const(3.0), axes, name="y")

    def enlarge(net: Net) -> None:
        net.add("Resize", "x", "", net.const((2.0, 1.5)), axes=[2, 3], mode="linear", name="y")

    def gelu(net: Net) -> None:
        net.add("Add", net.add("Gelu", "x"), net.add("Gelu", "x", approximate="tanh"), name="y")

    def mish(net: Net) -> None:
        net.add("Mish", "x", name="y")

    def reductions(net: Net) -> None:
        peak = net.add("ReduceMax", "x", net.const((2, 3), "int64"))
        every = net.add("ReduceMean", "x")
        same = net.add("ReduceMin", "x", noop_with_empty_axes=1)
        net.add("Add", net.add("Mul", peak, same), every, name="y")

    def sample(net: Net) -> None:
        grid = net.const(np.random.default_rng(0).uniform(-1, 1, (1, 5, 6, 2)))
        net.add("GridSample", "x", grid, mode="linear", name="y")

    rules = (split, uneven, pad, enlarge, reductions)
    return [(rule.__name__, 18, rule) for rule in rules] + [(rule.__name__, 20, rule) for rule in (gelu, mish, sample)]


@pytest.mark.parametrize(("name", "opset", "build"), _rules())
def test_newer_operators_are_written_in_opset_17(tmp_path: Path, name: str, opset: int, build: Any) -> None:
    net = _small()
    build(net)
    net.gives("y", ("a", "b", "c", "d"))
    foreign, model = _prepared(net, tmp_path, opset)
    assert model.opset_import[0].version == OPSET
    onnx.checker.check_model(model, full_check=True)
    feed = {"x": np.random.default_rng(1).normal(0, 1, (1, 3, 8, 8)).astype(np.float32)}
    before, after = (run(each, feed, ["y"], name)["y"] for each in (foreign.model, model))
    np.testing.assert_allclose(after, before, rtol=1e-5, atol=1e-6)


def _antialiased(net: Net) -> None:
    net.add("Resize", "x", "", net.const((1, 1, 0.5, 0.5)), antialias=1, mode="linear", name="y")


def _wrapped(net: Net) -> None:
    net.add("Pad", "x", net.const((0, 0, 1, 1, 0, 0, 1, 1), "int64"), mode="wrap", name="y")


def _columns(net: Net) -> None:
    columns = net.add("Reshape", "x", net.const((1, 12, 16), "int64"))
    net.add("Col2Im", columns, net.const((8, 8), "int64"), net.const((2, 2), "int64"), strides=[2, 2], name="y")


@pytest.mark.parametrize(
    ("opset", "words", "build"),
    [(18, "antialias 1", _antialiased), (19, "mode wrap", _wrapped), (18, "is not in opset 17", _columns)],
)
def test_what_opset_17_cannot_say_is_refused_by_name(tmp_path: Path, opset: int, words: str, build: Any) -> None:
    net = _small()
    build(net)
    net.gives("y", ("a", "b", "c", "d"))
    with pytest.raises(BundleError, match=f"{words}.*export it with opset 17"):
        _prepared(net, tmp_path, opset)


def test_choices_that_are_made_and_copies_are_removed(tmp_path: Path) -> None:
    net = _small()
    copied = net.add("Identity", net.add("Relu", "x"))
    chosen = net.add("Where", net.const(np.array(True), "bool"), copied, net.add("Sigmoid", "x"))
    net.add("Add", chosen, net.const(1.0), name="y")
    net.gives("y", (1, 3, 8, 8))
    model = simplified(inferred(net.model(17), "m"))
    assert [node.op_type for node in model.graph.node] == ["Relu", "Add"]


def test_a_size_that_the_file_does_not_have(tmp_path: Path) -> None:
    foreign = read_onnx(saved(anomalib_2(), tmp_path / "m.onnx"))
    with pytest.raises(BundleError, match="is \\?x3x64x64, not 1x3x32x64"):
        fixed(foreign, {"input": (1, 3, 32, 64)})
    assert Wires(fixed(foreign, {"input": (1, 3, 64, 64)}).graph).shape("anomaly_map") == (1, 1, 64, 64)


def test_older_opsets_are_raised() -> None:
    net = _small()
    net.add("ReduceSum", "x", axes=[1], keepdims=1, name="y")
    net.gives("y", (1, 1, 8, 8))
    model = to_opset(net.model(11, 6), "m")
    assert model.opset_import[0].version == 17
    onnx.checker.check_model(model, full_check=True)


def _contract(folder: Path) -> tuple[bytes, Any]:
    foreign = read_onnx(saved(anomalib_2(), folder / "m.onnx"))
    model = prepared(foreign, {"input": (1, 3, 64, 64)})
    return attach(model, [Feed("input")], {"anomaly_map": Tap("anomaly_map")}, (64, 64), "m"), model


def test_the_contracts_names_may_be_the_files_own(tmp_path: Path) -> None:
    data, model = _contract(tmp_path)
    image = picture((64, 64))
    upstream = run(model, {"input": pixels_of(Feed("input"), image)}, ["anomaly_map"], "m")["anomaly_map"]
    np.testing.assert_allclose(run_once(data, {"image": image})["anomaly_map"], upstream[:, 0], atol=1e-6)
    names = [node.name for node in onnx.load_from_string(data).graph.node]
    assert len(set(names)) == len(names)


def test_a_map_that_is_smaller_is_enlarged(tmp_path: Path) -> None:
    net = Net()
    net.conv(net.takes("x", (1, 3, 64, 64)), 3, 4, stride=4)
    net.nodes[-1].output[0] = "y"
    net.gives("y", (1, 4, 16, 16))
    foreign = read_onnx(saved(net.model(17), tmp_path / "m.onnx"))
    model = prepared(foreign, {"x": (1, 3, 64, 64)})
    data = attach(model, [Feed("x")], {"anomaly_map": Tap("y", channel=2)}, (64, 64), "m")
    made = run_once(data, {"image": picture((64, 64))})["anomaly_map"]
    small = run(model, {"x": pixels_of(Feed("x"), picture((64, 64)))}, ["y"], "m")["y"][0, 2]
    import cv2

    np.testing.assert_allclose(made[0], cv2.resize(small, (64, 64), interpolation=cv2.INTER_LINEAR), atol=1e-5)


class TestHalf:
    def test_convolutions_are_half_and_scores_are_not(self, tmp_path: Path) -> None:
        data, _ = _contract(tmp_path)
        golden = [{"image": picture((64, 64), seed)} for seed in range(2)]
        twin = halved(data, golden)
        assert twin is not None
        check(twin)
        assert half_share(twin) > 0.3
        whole = onnx.shape_inference.infer_shapes(onnx.load_from_string(twin))
        wires = Wires(whole.graph)
        kinds = {node.op_type: wires.element(node.output[0]) for node in whole.graph.node}
        assert kinds["Conv"] == kinds["Relu"] == TensorProto.FLOAT16
        assert kinds["ReduceMean"] == kinds["Resize"] == TensorProto.FLOAT
        expected, made = (run_once(each, golden[0])["anomaly_map"] for each in (data, twin))
        assert 0 < np.abs(expected - made).max() < 5e-3 * np.ptp(expected)

    def test_the_last_layers_can_be_kept(self, tmp_path: Path) -> None:
        data, _ = _contract(tmp_path)
        assert heavy_count(data) == 6
        shares = []
        for keep in (0, 2, 4):
            twin = halved(data, [{"image": picture((64, 64))}], keep=keep)
            assert twin is not None
            shares.append(half_share(twin))
        assert shares == sorted(shares, reverse=True)
        assert halved(data, [], keep=6) is None

    def test_large_values_stay_float32(self, tmp_path: Path) -> None:
        """A layer whose output reaches 1e5, and a matrix product with which a distance begins."""
        net = Net()
        first = net.add("Relu", net.conv(net.takes("x", (1, 3, 16, 16)), 3, 4))
        large = net.add("Mul", net.conv(first, 4, 4), net.const(1.0))
        net.nodes[-2].input[1] = net.const(np.full((4, 4, 3, 3), 4000.0))
        rows = net.add("Reshape", net.conv(large, 4, 4), net.const((1, 4, 256), "int64"))
        product = net.add("MatMul", net.const(net.random.normal(0, 1, (9, 4))), rows)
        net.add("Reshape", net.add("ReduceMax", product, axes=[1], keepdims=0), net.const((1, 1, 16, 16), "int64"), name="y")
        net.gives("y", (1, 1, 16, 16))
        foreign = read_onnx(saved(net.model(17), tmp_path / "m.onnx"))
        data = attach(prepared(foreign, {"x": (1, 3, 16, 16)}), [Feed("x")], {"anomaly_map": Tap("y")}, (16, 16), "m")
        twin = halved(data, [{"image": picture((16, 16))}])
        assert twin is not None
        whole = onnx.shape_inference.infer_shapes(onnx.load_from_string(twin))
        wires = Wires(whole.graph)
        convolutions = [wires.element(node.output[0]) for node in whole.graph.node if node.op_type == "Conv"]
        assert convolutions == [TensorProto.FLOAT16, TensorProto.FLOAT, TensorProto.FLOAT]
        products = [wires.element(node.output[0]) for node in whole.graph.node if node.op_type == "MatMul"]
        assert products == [TensorProto.FLOAT]
        expected, made = (run_once(each, {"image": picture((16, 16))})["anomaly_map"] for each in (data, twin))
        assert np.abs(made - expected).max() < 2e-3 * np.abs(expected).max()
