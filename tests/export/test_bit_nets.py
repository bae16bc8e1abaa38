import fnmatch
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.upstream.formula import picture, weights
from export.adapters.bit_card import recognise
from export.adapters.bit_network import UNUSED
from export.nets.bit import Bit
from export.nets.bit_shape import BitShape, TokenShape, bit_shape
from export.nets.change import ChangeMap
from export.nets.resnet import ResnetShape

KEYS = json.loads((Path(__file__).parent / "keys" / "bit.json").read_text())
# What upstream's own code gave for the formula's weights and pictures: python -m benchmarks.upstream.bit --record
PROBABILITIES = {
    "base_resnet18": [
        0.480853, 0.485802, 0.492843, 0.489619, 0.47984, 0.507484, 0.49638, 0.502585,
        0.481709, 0.490674, 0.503386, 0.50167, 0.479027, 0.502107, 0.492306, 0.487681,
    ],
    "base_transformer_pos_s4_dd8_dedim8": [
        0.467907, 0.505788, 0.502169, 0.507604, 0.496996, 0.503506, 0.515365, 0.498208,
        0.48481, 0.501195, 0.498831, 0.521178, 0.471957, 0.529149, 0.554194, 0.522765,
    ],
}  # fmt: skip
SMALL = BitShape(ResnetShape(8, (1, 1, 1), (8, 16, 32), (8, 16, 32), bottleneck=False), 16, TokenShape(4, 1, 2, 8, 8, 16))


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def keys(variant):
    return {name: tuple(shape) for name, shape in KEYS[variant].items()}


def small_net():
    net = Bit(SMALL)
    net.load_state_dict(weights({name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}))
    return net.eval()


@pytest.mark.parametrize("variant", KEYS)
def test_the_variant_is_told_and_our_keys_are_upstreams(variant):
    shape = bit_shape(keys(variant))
    assert shape.variant == variant
    with torch.device("meta"):
        ours = Bit(shape).state_dict()
    assert all(tuple(tensor.shape) == keys(variant)[name] for name, tensor in ours.items())
    left = [name for name in keys(variant) if name not in ours]
    assert all(any(fnmatch.fnmatchcase(name, pattern) for pattern in UNUSED) for name in left)
    assert bool([name for name in left if "layer4" in name]) == (variant != "base_resnet18")


@pytest.mark.parametrize("variant", KEYS)
def test_the_card_says_what_it_is(variant):
    card = recognise(keys(variant))
    assert (card.family, card.facts[0]) == ("bit", variant)
    assert any("--size" in each for each in card.declare)


def test_the_card_leaves_others_alone():
    assert recognise({}) is None
    assert recognise({"resnet.conv1.weight": (64, 3, 7, 7)}) is None


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("classifier.3.weight", (3, 32, 3, 3)),
        ("conv_pred.weight", (32, 200, 3, 3)),
        ("conv_a.weight", (4, 31, 1, 1)),
        ("transformer.layers.0.0.fn.fn.to_qkv.weight", (1537, 32)),
        ("transformer_decoder.layers.0.0.fn.fn.to_q.weight", (63, 32)),
        ("transformer_decoder.layers.99.0.fn.fn.to_q.weight", (64, 32)),
        ("resnet.layer1.0.conv1.weight", (64, 64, 3)),
    ],
)
def test_shapes_that_do_not_go_together_are_no_network(name, shape):
    assert bit_shape({**keys("base_transformer_pos_s4_dd8"), name: shape}) is None


def test_a_build_without_a_name_is_still_told():
    shape = bit_shape({name: tuple(tensor.shape) for name, tensor in small_net().state_dict().items()})
    assert shape == SMALL
    assert shape.variant == ""


@pytest.mark.parametrize(
    "variant", [pytest.param("base_resnet18", marks=pytest.mark.slow), "base_transformer_pos_s4_dd8_dedim8"]
)
def test_the_map_is_what_upstreams_code_gives(variant):
    net = Bit(bit_shape(keys(variant)))
    net.load_state_dict(weights({name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}))
    before, after = (torch.from_numpy(picture(name, 64))[None] for name in ("before", "after"))
    with torch.no_grad():
        made = ChangeMap(net.eval())(after, before)
    assert made.shape == (1, 64, 64)
    assert made[0, ::16, ::16].flatten().tolist() == pytest.approx(PROBABILITIES[variant], abs=5e-6)


def test_the_frame_is_the_picture_after_and_the_reference_the_one_before():
    net = small_net()
    before, after = (torch.from_numpy(picture(name, 64))[None] for name in ("before", "after"))
    planes = [(each.permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5 for each in (before, after)]
    with torch.no_grad():
        made = ChangeMap(net)(after, before)
        expected = torch.softmax(net(*planes), 1)[:, 1]
        swapped = ChangeMap(net)(before, after)
    assert torch.allclose(made, expected, atol=1e-6)
    assert not torch.allclose(made, swapped, atol=1e-4)


def test_grey_is_what_opencv_makes_of_colour():
    import cv2

    net = small_net()
    before, after = picture("before", 64), picture("after", 64)
    grey = [np.repeat(cv2.cvtColor(each, cv2.COLOR_RGB2GRAY)[:, :, None], 3, 2) for each in (before, after)]
    with torch.no_grad():
        of_colour = ChangeMap(net, grey=True)(torch.from_numpy(after)[None], torch.from_numpy(before)[None])
        of_grey = ChangeMap(net)(torch.from_numpy(grey[1])[None], torch.from_numpy(grey[0])[None])
        as_it_is = ChangeMap(net)(torch.from_numpy(after)[None], torch.from_numpy(before)[None])
    # cvtColor rounds in fixed point: a pixel may be one grey level off.
    assert (of_colour - of_grey).abs().max() < 0.02
    assert (of_colour - of_grey).abs().mean() < (of_colour - as_it_is).abs().mean() / 5


def test_sides_need_not_be_equal():
    with torch.no_grad():
        made = ChangeMap(small_net())(*(torch.zeros(1, 64, 96, 3, dtype=torch.uint8) for _ in range(2)))
    assert made.shape == (1, 64, 96)
