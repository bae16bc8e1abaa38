from __future__ import annotations

import json
from typing import Any

import pytest

from edge.engines.trt_layers import HalfShare, check_share, layers_of_json, layers_of_table, share_of
from edge.errors import EngineFault

# One layer each as TensorRT 8.6 and 10.3 (fused names), 11 and RTX say it.
OLD = {
    "Name": "conv1 + relu1",
    "LayerType": "CaskConvolution",
    "Inputs": [{"Name": "x", "Format/Datatype": "Channel major FP16 format where channel % 8 == 0"}],
    "Outputs": [{"Name": "y", "Format/Datatype": "Row major linear FP32"}],
    "Weights": {"Type": "Half", "Count": 1728},
}
NEW = {
    "Name": "conv1_myl0_1",
    "LayerType": "correlation",
    "Inputs": [{"Name": "x", "Datatype": "Float", "Format": "(NHWC) Channel major format"}],
    "Outputs": [{"Name": "y", "Datatype": "Half", "Format": "(NHWC) Channel major format"}],
    "Metadata": "[ONNX Layer: conv1][ONNX Layer: relu1]",
}
FLOAT = {"Name": "conv1", "LayerType": "CaskConvolution", "Inputs": [{"Datatype": "Float"}], "Outputs": [{"Datatype": "Float"}]}
WHOLE = {"Name": "{ForeignNode[conv1...softmax]}", "LayerType": "Myelin", "Inputs": [], "Outputs": []}
TABLE = """Layers:
Name: __myl_Cast_myl0_0, LayerType: kgen, Inputs: [ { Name: image, Dimensions: [1,64,64,3], Datatype: UInt8, Format: (Linear) }], Constants: [], Outputs: [ { Name: b, Datatype: Half, Format: (NHWC) }], TacticName: t, StreamId: 0, Metadata: [ONNX Layer: cast]
Name: conv1_myl0_1, LayerType: correlation, Inputs: [ { Name: b, Datatype: Half }], Constants: [ { Name: w, Datatype: Half }], Outputs: [ { Name: d, Datatype: Half }], TacticName: s, StreamId: 0, Metadata: [ONNX Layer: conv1][ONNX Layer: relu1]
Name: mean_myl0_2, LayerType: kgen, Inputs: [ { Name: d, Datatype: Float }], Constants: [], Outputs: [ { Name: anomaly_map, Datatype: Float }], TacticName: m, StreamId: 0, Metadata: [ONNX Layer: mean]

I/O Tensors:
 Name: image, IOMode: Input, DataType: UInt8
"""  # noqa: E501


def engine(*layers: Any) -> str:
    return json.dumps({"Layers": list(layers), "Bindings": ["x", "y"]})


@pytest.mark.parametrize("layer", [OLD, NEW])
def test_both_ways_of_saying_half(layer: dict[str, Any]) -> None:
    (found,) = layers_of_json(engine(layer))
    assert found.half
    assert set(found.sources) == {"conv1", "relu1"}


def test_weights_alone_make_a_layer_half() -> None:
    (found,) = layers_of_json(engine({**FLOAT, "Weights": {"Type": "Half"}}))
    assert found.half
    assert not layers_of_json(engine(FLOAT))[0].half


def test_the_table_that_rtx_logs() -> None:
    layers = layers_of_table(TABLE)
    assert [layer.name for layer in layers] == ["__myl_Cast_myl0_0", "conv1_myl0_1", "mean_myl0_2"]
    assert [layer.half for layer in layers] == [True, True, False]
    share = share_of(["conv1"], layers)
    assert (share.promised, share.kept, share.lost, share.half_layers, share.layers) == (1, 1, 0, 2, 3)
    assert str(share) == "1 of 1 float16 layers kept; 2 of 3 engine layers"


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"Layers": 3}', '{"Layers": ["conv1", "relu1"]}', "null", "[" * 5000])
def test_a_list_of_names_alone_proves_nothing(text: str) -> None:
    with pytest.raises(EngineFault, match="does not tell its layers' types"):
        layers_of_json(text)


def test_lost_kept_and_unseen() -> None:
    layers = layers_of_json(engine(OLD, {**FLOAT, "Name": "conv2"}, WHOLE))
    share = share_of(["conv1", "conv2", "conv3"], layers)
    assert (share.kept, share.lost, share.unseen, share.opaque_layers) == (1, 1, 1, 1)
    assert "1 not shown" in str(share)


def test_a_layer_in_several_pieces_is_kept_if_one_piece_is_half() -> None:
    padding = {**FLOAT, "Name": "pad", "Metadata": "[ONNX Layer: conv1]"}
    assert share_of(["conv1"], layers_of_json(engine(padding, NEW))).kept == 1


@pytest.mark.parametrize(
    ("share", "typed", "refused"),
    [
        (HalfShare(10, 10, 0, 20, 12), True, False),
        (HalfShare(10, 9, 1, 20, 12), False, False),
        (HalfShare(10, 8, 2, 20, 12), True, True),
        (HalfShare(10, 0, 10, 20, 0), True, True),
        (HalfShare(10, 0, 0, 1, 0, 1), True, False),
        (HalfShare(10, 0, 0, 1, 0, 1), False, True),
        (HalfShare(10, 0, 0, 20, 5, 0), True, True),
        (HalfShare(10, 0, 0, 0, 0), True, True),
        (HalfShare(0, 0, 0, 20, 0), False, False),
    ],
)
def test_what_is_believed(share: HalfShare, typed: bool, refused: bool) -> None:
    if refused:
        with pytest.raises(EngineFault, match=r"^here: .*float16.*precision: float32"):
            check_share(share, strongly_typed=typed, where="here")
    else:
        check_share(share, strongly_typed=typed, where="here")
