from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import TypeAdapter
from torch import nn

from edge.errors import ConfigError
from export.nets.autoencoder_spec import Layer
from export.nets.layers import Shape, build_layers
from tests.export.networks import randomised

PICTURE: Shape = (3, 16, 24)


def _built(layers: list[dict[str, Any]], shape: Shape = PICTURE) -> tuple[nn.Sequential, Shape]:
    declared = TypeAdapter(tuple[Layer, ...]).validate_python(tuple(layers))
    return build_layers(declared, shape, PICTURE, "here")


def _same(layers: list[dict[str, Any]], torchs: nn.Module, shape: Shape = PICTURE) -> None:
    """What is declared computes what torch's own module does, with its keys, and the stated shape is the real one."""
    built, stated = _built(layers, shape)
    ours = randomised(built.to_empty(device="cpu"), 1)
    theirs = nn.Sequential(torchs).eval()
    assert list(theirs.state_dict()) == list(ours.state_dict())
    theirs.load_state_dict(ours.state_dict())
    given = torch.rand(2, *shape, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        made = ours(given)
        assert torch.allclose(made, theirs(given), atol=1e-6)
    assert tuple(made.shape[1:]) == stated


@pytest.mark.parametrize(
    ("layer", "torchs"),
    [
        ({"kind": "conv", "to": 4, "kernel": 4, "stride": 2, "padding": 1}, nn.Conv2d(3, 4, 4, 2, 1)),
        ({"kind": "conv", "to": 6, "kernel": 3, "dilation": 3, "padding": "same"}, nn.Conv2d(3, 6, 3, 1, 3, 3)),
        ({"kind": "conv", "to": 6, "kernel": 3, "groups": 3, "bias": False}, nn.Conv2d(3, 6, 3, groups=3, bias=False)),
        (
            {"kind": "conv", "to": 2, "kernel": 5, "padding": 2, "border": "replicate"},
            nn.Conv2d(3, 2, 5, 1, 2, padding_mode="replicate"),
        ),
        (
            {"kind": "conv_transpose", "to": 5, "kernel": 3, "stride": 2, "padding": 1, "output_padding": 1},
            nn.ConvTranspose2d(3, 5, 3, 2, 1, 1),
        ),
        ({"kind": "max_pool", "kernel": 3, "stride": 2, "padding": 1}, nn.MaxPool2d(3, 2, 1)),
        ({"kind": "avg_pool", "kernel": 4}, nn.AvgPool2d(4)),
        ({"kind": "adaptive_avg_pool", "side": 4}, nn.AdaptiveAvgPool2d(4)),
        ({"kind": "upsample", "factor": 3}, nn.Upsample(scale_factor=3)),
        (
            {"kind": "upsample", "factor": 2, "mode": "bilinear", "align_corners": True},
            nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True),
        ),
        ({"kind": "batch_norm"}, nn.BatchNorm2d(3)),
        ({"kind": "leaky_relu", "slope": 0.3}, nn.LeakyReLU(0.3)),
        ({"kind": "elu"}, nn.ELU()),
        ({"kind": "gelu"}, nn.GELU()),
        ({"kind": "silu"}, nn.SiLU()),
        ({"kind": "tanh"}, nn.Tanh()),
        ({"kind": "dropout"}, nn.Dropout(0.5)),
        ({"kind": "flatten"}, nn.Flatten()),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)
def test_a_layer_is_torchs(layer: dict[str, Any], torchs: nn.Module) -> None:
    _same([layer], torchs)


def test_dense_layers_and_their_norm() -> None:
    _same([{"kind": "linear", "to": 7}], nn.Linear(5, 7), (5,))
    _same([{"kind": "batch_norm"}], nn.BatchNorm1d(5), (5,))
    _same([{"kind": "unflatten", "shape": [1, 2, 3]}], nn.Unflatten(1, (1, 2, 3)), (6,))


def test_an_upsample_to_the_input_undoes_a_pool() -> None:
    _, shape = _built([{"kind": "max_pool", "kernel": 8}, {"kind": "upsample", "factor": "input"}])
    assert shape == PICTURE


def test_branches_are_joined_or_added() -> None:
    branches = [[], [{"kind": "leaky_relu", "slope": 0.5}]]
    given = torch.rand(1, *PICTURE, generator=torch.Generator().manual_seed(3)) - 0.5
    leaky = torch.where(given < 0, given / 2, given)
    joined, shape = _built([{"kind": "parallel", "branches": branches}])
    assert shape == (6, 16, 24)
    assert torch.equal(joined(given), torch.cat((given, leaky), 1))
    added, shape = _built([{"kind": "parallel", "branches": branches, "join": "sum"}])
    assert shape == PICTURE
    assert torch.equal(added(given), given + leaky)


def test_keys_within_branches() -> None:
    layer = {"kind": "conv", "to": 3, "kernel": 1, "bias": False}
    built, _ = _built([{"kind": "relu"}, {"kind": "parallel", "branches": [[layer], [{"kind": "relu"}, layer]]}])
    assert list(built.state_dict()) == ["1.0.0.weight", "1.1.1.weight"]


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ([{"kind": "conv", "to": 4, "kernel": 17}], r"here: layer 0 \(conv\): does not fit 3x16x24"),
        ([{"kind": "conv", "to": 4, "kernel": 3, "groups": 2}], r"layer 0 \(conv\): does not fit"),
        ([{"kind": "flatten"}, {"kind": "conv", "to": 4, "kernel": 3}], r"layer 1 \(conv\): does not fit 1152"),
        ([{"kind": "linear", "to": 4}], r"layer 0 \(linear\): is given 3x16x24: put a `flatten` layer before it"),
        ([{"kind": "adaptive_avg_pool", "side": 5}], "5 parts do not divide 24x16"),
        (
            [{"kind": "relu"}, {"kind": "parallel", "branches": [[], [{"kind": "max_pool", "kernel": 2}]]}],
            r"layer 1 \(parallel\): does not fit",
        ),
        (
            [{"kind": "parallel", "branches": [[{"kind": "conv", "to": 1, "kernel": 99}]]}],
            r"layer 0 \(parallel\): branch 0: layer 0 \(conv\)",
        ),
        ([{"kind": "upsample", "factor": 256}, {"kind": "upsample", "factor": 256}], "declare what was trained"),
        ([{"kind": "conv", "to": 65536, "kernel": 63, "padding": "same"}], "weights up to here"),
    ],
)
def test_what_does_not_fit_is_named(layers: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        _built(layers)
