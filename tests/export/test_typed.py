from __future__ import annotations

import copy
import hashlib
import subprocess
import sys
import warnings

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, numpy_helper
from torch import Tensor, nn
from torch.nn import functional

from edge.errors import BundleError
from export.cleaning import clean
from export.following import followed
from export.graph import IR_VERSION, OPSET, half_share
from export.nets.islands import LayerNorm32, float_image, softmax32
from export.proof import run_once
from export.typed import fold, half, typed_onnx

torch.set_num_threads(1)
IMAGE = torch.from_numpy(np.random.default_rng(3).integers(0, 256, (1, 16, 16, 3), dtype=np.uint8))


class Small(nn.Module):
    """Every kind of following: by attribute, in a sequence, transposed, linear, and one that must not be folded."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(8, 6, 2, 2), nn.BatchNorm2d(6), nn.ReLU(inplace=True), nn.Conv2d(6, 8, 3, 2, 1)
        )
        self.alone = nn.BatchNorm2d(8)
        self.head = nn.Linear(8, 2)
        self.head_norm = LayerNorm32(8)
        nn.init.normal_(self.head.weight, std=2)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        planes = torch.relu(self.norm(self.first(float_image(image))))
        planes = self.alone(torch.relu(self.up(planes) + planes))
        logits = self.head(self.head_norm(planes.permute(0, 2, 3, 1)))
        scores = softmax32(logits, -1)[..., 1]
        return scores, scores.amax((1, 2))


def _randomised(module: nn.Module, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    for each in module.modules():
        if isinstance(each, (nn.BatchNorm1d, nn.BatchNorm2d)):
            each.running_mean.normal_(0, 0.1)  # type: ignore[union-attr]
            each.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
            nn.init.uniform_(each.weight, 0.5, 2)
            nn.init.normal_(each.bias, std=0.1)
    return module.eval()


@pytest.fixture
def small() -> nn.Module:
    torch.manual_seed(1)
    return _randomised(Small())


def _export(module: nn.Module, precision: str = "float32", image: Tensor = IMAGE) -> bytes:
    return typed_onnx(module, {"image": image}, ["anomaly_map", "image_score"], precision)  # type: ignore[arg-type]


def _operators(data: bytes) -> list[str]:
    return [node.op_type for node in onnx.load_from_string(data).graph.node]


@pytest.mark.parametrize(("precision", "error"), [("float32", 1e-6), ("float16", 5e-3)])
def test_both_precisions_compute_what_the_network_does(small: nn.Module, precision: str, error: float) -> None:
    made = run_once(_export(small, precision), {"image": IMAGE.numpy()})
    with torch.no_grad():
        expected = small(IMAGE)
    for name, value in zip(("anomaly_map", "image_score"), expected, strict=True):
        assert made[name].dtype == np.float32
        np.testing.assert_allclose(made[name], value.numpy(), atol=error)
    assert np.ptp(made["anomaly_map"]) > 0.1


def test_the_file_is_plain(small: nn.Module) -> None:
    model = onnx.load_from_string(_export(small))
    assert (model.ir_version, model.opset_import[0].version, len(model.opset_import)) == (IR_VERSION, OPSET, 1)
    assert not {"Identity", "Constant", "Dropout", "Shape"} & {node.op_type for node in model.graph.node}
    assert model.graph.node[0].op_type == "Cast"
    assert [port.name for port in model.graph.output] == ["anomaly_map", "image_score"]
    assert (model.producer_name, model.producer_version) == ("lineclear", "")
    assert not any(node.doc_string for node in model.graph.node)


def test_half_layers_are_half_and_islands_are_not(small: nn.Module) -> None:
    data = _export(small, "float16")
    inferred = onnx.shape_inference.infer_shapes(onnx.load_from_string(data))
    types = {info.name: info.type.tensor_type.elem_type for info in (*inferred.graph.value_info, *inferred.graph.output)}
    kinds = {(node.op_type, types[node.output[0]]) for node in inferred.graph.node}
    for operator in ("Conv", "ConvTranspose", "MatMul"):
        assert (operator, TensorProto.FLOAT16) in kinds
        assert (operator, TensorProto.FLOAT) not in kinds
    for operator in ("LayerNormalization", "Softmax", "ReduceMax", "BatchNormalization"):
        assert (operator, TensorProto.FLOAT) in kinds
    assert half_share(data) > 0.3
    assert half_share(_export(small)) == 0


def test_a_layer_may_stay_float32(small: nn.Module) -> None:
    small.head.keep_float32 = True  # type: ignore[assignment]
    weights = {each.name: each.data_type for each in onnx.load_from_string(_export(small, "float16")).graph.initializer}
    assert weights["first.weight"] == TensorProto.FLOAT16
    assert weights["head.bias"] == TensorProto.FLOAT


def test_the_same_network_gives_the_same_bytes(small: nn.Module) -> None:
    first = [_export(small, precision) for precision in ("float32", "float16")]
    assert [_export(copy.deepcopy(small), precision) for precision in ("float32", "float16")] == first


def test_another_process_gives_the_same_bytes() -> None:
    script = (
        "import hashlib; from tests.export.test_typed import *; from tests.export.test_typed import _export, _randomised\n"
        "torch.manual_seed(1); print(hashlib.sha256(_export(_randomised(Small()), 'float16')).hexdigest())"
    )
    elsewhere = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    torch.manual_seed(1)
    here = hashlib.sha256(_export(_randomised(Small()), "float16")).hexdigest()
    assert elsewhere.stdout.strip() == here


def test_the_network_is_left_alone(small: nn.Module) -> None:
    small.train()
    before = {name: tensor.clone() for name, tensor in small.state_dict().items()}
    _export(small, "float16")
    assert small.training
    after = small.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    assert all(parameter.dtype == torch.float32 for parameter in small.parameters())


def test_only_what_follows_is_folded(small: nn.Module) -> None:
    folded = fold(small, (IMAGE,))
    norms = [name for name, each in folded.named_modules() if isinstance(each, nn.BatchNorm2d)]
    assert norms == ["alone"]
    with torch.no_grad():
        torch.testing.assert_close(folded(IMAGE), small(IMAGE), atol=1e-6, rtol=1e-5)


def test_without_examples_only_neighbours_in_a_sequence(small: nn.Module) -> None:
    norms = [name for name, each in fold(small).named_modules() if isinstance(each, nn.BatchNorm2d)]
    assert norms == ["norm", "alone"]


class _Twisted(nn.Module):
    """conv and norm look like a pair by name and order, and are none."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way = way
        self.conv = nn.Conv2d(3, 3, 1)
        self.bn = nn.BatchNorm2d(3)

    def forward(self, planes: Tensor) -> Tensor:
        if self.way == "before":
            made: Tensor = self.conv(functional.relu(self.bn(planes)))
        elif self.way == "inplace":
            made = self.bn(functional.relu(self.conv(planes), inplace=True))
        elif self.way == "read twice":
            between = self.conv(planes)
            made = self.bn(between) + between
        elif self.way == "layer twice":
            made = self.bn(self.conv(planes)) + self.conv(planes + 1).mean()
        else:
            made = self.bn(self.conv(planes)) + self.bn(planes)
        return made


@pytest.mark.parametrize("way", ["before", "inplace", "read twice", "layer twice", "norm twice"])
def test_pairs_that_only_look_like_one(way: str) -> None:
    net = _randomised(_Twisted(way))
    planes = torch.randn(1, 3, 5, 5)
    assert followed(net, (planes,)) == []
    with torch.no_grad():
        torch.testing.assert_close(fold(net, (planes,))(planes), net(planes))


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(4, 6, 3, groups=2),
        nn.Conv2d(4, 6, 3, bias=False),
        nn.ConvTranspose2d(4, 6, 3),
        nn.ConvTranspose2d(4, 6, 3, groups=2),
    ],
)
def test_every_kind_of_layer_is_folded_right(layer: nn.Module) -> None:
    net = _randomised(nn.Sequential(layer, nn.BatchNorm2d(6)))
    planes = torch.randn(2, 4, 7, 7)
    with torch.no_grad():
        torch.testing.assert_close(fold(net, (planes,))(planes), net(planes), atol=1e-5, rtol=1e-5)


def test_a_linear_layer_is_folded() -> None:
    net = _randomised(nn.Sequential(nn.Linear(5, 6, bias=False), nn.BatchNorm1d(6)))
    vectors = torch.randn(3, 5)
    folded = fold(net, (vectors,))
    assert isinstance(folded.get_submodule("1"), nn.Identity)
    with torch.no_grad():
        torch.testing.assert_close(folded(vectors), net(vectors), atol=1e-5, rtol=1e-5)


def test_statistics_that_stay_run_in_float32() -> None:
    net = nn.Sequential(nn.Conv2d(3, 8, 1), nn.GroupNorm(2, 8), nn.Conv2d(8, 4, 1), nn.Softmax(1))
    typed = half(net, (torch.randn(1, 3, 4, 4),))
    # 300 and its square do not go through float16.
    planes = 300 + torch.randn(1, 3, 4, 4)
    with torch.no_grad():
        made, expected = typed(planes), net(planes)
    assert made.dtype == torch.float16
    torch.testing.assert_close(made.float(), expected, atol=2e-2, rtol=0)


def test_no_warning_reaches_the_user(small: nn.Module) -> None:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        _export(small)
    assert not seen


def test_what_cannot_be_exported_is_one_line() -> None:
    class Strange(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            return torch.special.bessel_j0(image.float())

    with pytest.raises(BundleError, match="cannot be written as ONNX") as refused:
        typed_onnx(Strange(), {"image": IMAGE}, ["anomaly_map"], "float32")
    assert "\n" not in str(refused.value)


def test_uint8_arithmetic_is_refused() -> None:
    class Raw(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            return image.permute(0, 3, 1, 2).float()

    with pytest.raises(BundleError, match="cast it first"):
        typed_onnx(Raw(), {"image": IMAGE}, ["anomaly_map"], "float32")


def _model(nodes: list[object], weights: dict[str, np.ndarray], element: int = TensorProto.FLOAT) -> onnx.ModelProto:
    ports = [onnx.helper.make_tensor_value_info(name, element, [2, 3]) for name in ("x", "y")]
    constants = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = onnx.helper.make_graph(nodes, "g", ports[:1], ports[1:], constants)
    return onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)], producer_name="x", producer_version="2"
    )


def test_constants_are_computed_and_equal_ones_merged() -> None:
    node = onnx.helper.make_node
    nodes = [
        node("Constant", [], ["one"], value_float=1.0),
        node("Add", ["one", "one"], ["two"]),
        node("Identity", ["x"], ["same"]),
        node("Shape", ["same"], ["sides"]),
        node("Cast", ["sides"], ["sides_f"], to=TensorProto.FLOAT),
        node("ReduceSum", ["sides_f"], ["five"], keepdims=0),
        node("Mul", ["same", "two"], ["doubled"]),
        node("Add", ["doubled", "five"], ["sum"]),
        node("Add", ["sum", "b"], ["more"]),
        node("Add", ["more", "c"], ["y"]),
        node("Relu", ["x"], ["nobody_reads_this"]),
    ]
    cleaned = clean(_model(nodes, {"b": np.ones(3, np.float32), "c": np.ones(3, np.float32), "unused": np.ones(9, np.float32)}))
    assert [each.op_type for each in cleaned.graph.node] == ["Mul", "Add", "Add", "Add"]
    assert len(cleaned.graph.initializer) == 3
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    cleaned.ir_version = IR_VERSION
    np.testing.assert_array_equal(run_once(cleaned.SerializeToString(), {"x": x})["y"], 2 * x + 5 + 2)


def test_a_way_to_float32_and_back_is_no_way_at_all() -> None:
    node = onnx.helper.make_node
    nodes = [
        node("Relu", ["x"], ["a"]),
        node("Cast", ["a"], ["b"], to=TensorProto.FLOAT),
        node("Cast", ["b"], ["c"], to=TensorProto.FLOAT16),
        node("Neg", ["c"], ["y"]),
    ]
    assert [each.op_type for each in clean(_model(nodes, {}, TensorProto.FLOAT16)).graph.node] == ["Relu", "Neg"]


def test_a_way_to_float16_and_back_rounds_and_stays() -> None:
    node = onnx.helper.make_node
    nodes = [
        node("Cast", ["x"], ["b"], to=TensorProto.FLOAT16),
        node("Cast", ["b"], ["c"], to=TensorProto.FLOAT),
        node("Neg", ["c"], ["y"]),
    ]
    assert [each.op_type for each in clean(_model(nodes, {})).graph.node] == ["Cast", "Cast", "Neg"]


def test_an_output_keeps_its_name() -> None:
    nodes = [onnx.helper.make_node("Identity", ["x"], ["y"])]
    assert [list(each.output) for each in clean(_model(nodes, {})).graph.node] == [["y"]]
