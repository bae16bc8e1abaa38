from __future__ import annotations

import pytest
import torch
from torch import nn

from export.nets.resnet import Resnet, ResnetShape, resnet_shape
from export.nets.resnet_shape import STAGES
from tests.export.mahalanobis_files import drawn

BASIC = ResnetShape(8, (2, 1, 3, 1), (8, 16, 16, 24), (8, 16, 16, 24), bottleneck=False)
BOTTLENECK = ResnetShape(8, (2, 2), (4, 8), (16, 32), bottleneck=True)


def shapes_of(net, prefix=""):
    return {f"{prefix}{name}": tuple(tensor.shape) for name, tensor in net.state_dict().items()}


@pytest.mark.parametrize("shape", [BASIC, BOTTLENECK], ids=["basic", "bottleneck"])
@pytest.mark.parametrize("prefix", ["", "resnet18.", "model.encoder."])
def test_the_make_is_read_back_from_names_and_shapes(shape, prefix):
    assert resnet_shape(shapes_of(Resnet(shape), prefix), prefix) == shape


@pytest.mark.parametrize("shape", [BASIC, BOTTLENECK], ids=["basic", "bottleneck"])
def test_every_stage_halves_the_map_once(shape):
    maps = drawn(Resnet(shape))(torch.zeros(1, 3, 64, 96))
    assert [tuple(each.shape[1:]) for each in maps] == [
        (channels, 16 >> stage, 24 >> stage) for stage, channels in enumerate(shape.out)
    ]


@pytest.mark.parametrize("bottleneck", [False, True])
def test_a_block_is_its_convolutions_and_its_shortcut(bottleneck):
    shape = BOTTLENECK if bottleneck else BASIC
    net = drawn(Resnet(shape))
    block = net.get_submodule("layer2.0")
    x = torch.rand(1, shape.out[0], 10, 10)
    y = x
    convolutions = ("conv1", "conv2", "conv3") if bottleneck else ("conv1", "conv2")
    for place, name in enumerate(convolutions):
        y = block.get_submodule(f"bn{place + 1}")(block.get_submodule(name)(y))
        y = torch.relu(y) if name != convolutions[-1] else y
    torch.testing.assert_close(block(x), torch.relu(y + block.downsample(x)))


def test_the_stride_of_a_bottleneck_is_on_its_3x3():
    block = Resnet(BOTTLENECK).get_submodule("layer2.0")
    assert (block.conv1.stride, block.conv2.stride, block.conv3.stride) == ((1, 1), (2, 2), (1, 1))


@pytest.mark.parametrize(
    ("blocks", "bottleneck", "widen", "name"),
    [
        ((2, 2, 2, 2), False, 1, "resnet18"),
        ((3, 4, 6, 3), False, 1, "resnet34"),
        ((3, 4, 6, 3), True, 1, "resnet50"),
        ((3, 4, 23, 3), True, 2, "wide_resnet101_2"),
        ((1, 1, 1, 1), False, 1, "resnet of 1+1+1+1 blocks, width 64"),
    ],
)
def test_a_make_has_its_usual_name(blocks, bottleneck, widen, name):
    usual = (64, 128, 256, 512)
    out = tuple(4 * width for width in usual) if bottleneck else usual
    assert ResnetShape(64, blocks, tuple(widen * width for width in usual), out, bottleneck).name == name


@pytest.mark.parametrize(
    "broken",
    [
        lambda keys: keys.pop("bn1.running_mean"),
        lambda keys: keys.update({"conv1.weight": (8, 1, 7, 7)}),
        lambda keys: keys.update({"layer1.0.conv1.weight": (8,)}),
        lambda keys: keys.update({"layer2.5.conv1.weight": (16, 16, 3, 3)}),
        lambda keys: keys.pop("layer1.0.conv2.weight"),
        lambda keys: keys.update({"layer2.0.conv1.weight": (0, 8, 3, 3)}),
        lambda keys: [keys.pop(name) for name in list(keys) if name.startswith("layer2.")],
        lambda keys: [keys.pop(name) for name in list(keys) if name.startswith("layer")],
    ],
)
def test_what_is_no_whole_network_is_none(broken):
    keys = shapes_of(Resnet(BASIC))
    broken(keys)
    assert resnet_shape(keys) is None


def test_a_half_stem_gives_half_maps():
    net = drawn(Resnet(BASIC))
    for layer in net.modules():
        if isinstance(layer, (nn.Conv2d, nn.BatchNorm2d)):
            layer.half()
    assert [each.dtype for each in net(torch.rand(1, 3, 64, 64))] == [torch.float16] * len(STAGES)
