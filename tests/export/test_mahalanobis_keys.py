from __future__ import annotations

import random

import pytest

from export.adapters.mahalanobis_card import recognise
from export.adapters.mahalanobis_keys import layout_of
from export.nets.resnet import Resnet
from export.nets.resnet_shape import resnet_shape
from export.nets.sspcab import MaskedBlock
from tests.export.networks import keys_of


@pytest.mark.parametrize(
    ("part", "origin", "prefix", "widest", "classes"),
    [
        ("runinho_3way_head1", "runinho", "resnet18.", 128, 3),
        ("runinho_2way_head8", "runinho", "resnet18.", 128, 2),
        ("lilityolyan", "lilityolyan", "model.encoder.", 128, 3),
    ],
)
def test_upstreams_checkpoints_are_told_by_their_keys(part, origin, prefix, widest, classes):
    layout = layout_of(keys_of("mahalanobis", part))
    assert (layout.origin, layout.prefix, layout.classes, layout.others) == (origin, prefix, classes, 0)
    assert layout.resnet.name == "resnet18"
    assert layout.head[-1].channels_out == widest
    card = recognise(keys_of("mahalanobis", part))
    assert card.family == "mahalanobis"
    assert "--images" in card.command


def test_the_number_of_hidden_layers_is_read_from_the_head():
    linear = {
        part: sum(layer.kind == "linear" for layer in layout_of(keys_of("mahalanobis", part)).head)
        for part in ("runinho_3way_head1", "runinho_2way_head8", "lilityolyan")
    }
    assert linear == {"runinho_3way_head1": 2, "runinho_2way_head8": 9, "lilityolyan": 9}


def test_lightnings_prefix_may_be_gone_already():
    stripped = {name.removeprefix("model."): shape for name, shape in keys_of("mahalanobis", "lilityolyan").items()}
    assert layout_of(stripped).origin == "lilityolyan"


@pytest.mark.parametrize("name", ["resnet18", "wide_resnet50_2"])
def test_our_networks_have_torchvisions_keys(name):
    keys = keys_of("mahalanobis", name)
    shape = resnet_shape(keys)
    assert shape.name == name
    ours = {key: tuple(tensor.shape) for key, tensor in Resnet(shape).state_dict().items()}
    assert ours == {key: value for key, value in keys.items() if not key.startswith("fc.")}


def test_our_masked_block_has_upstreams_keys():
    keys = keys_of("mahalanobis", "sspcab_512")
    assert {key: tuple(tensor.shape) for key, tensor in MaskedBlock(512, 64).state_dict().items()} == keys


def test_a_masked_block_is_found_wherever_it_hangs():
    keys = {f"backbone.{name}": shape for name, shape in keys_of("mahalanobis", "resnet18").items()}
    keys |= {f"deep.block.{name}": shape for name, shape in keys_of("mahalanobis", "sspcab_512").items()}
    (block,) = layout_of(keys).blocks
    assert (block.prefix, block.channels, block.reduced, block.kernel) == ("deep.block.", 512, 64, 1)
    assert any("--block" in line for line in recognise(keys).declare)


@pytest.mark.parametrize(("family", "part"), [("bit", "base_resnet18"), ("bit", "base_transformer_pos_s4_dd8")])
def test_another_familys_resnet_is_not_claimed(family, part):
    assert recognise(keys_of(family, part)) is None


def test_two_networks_in_one_file_are_nobodys():
    one = keys_of("mahalanobis", "resnet18")
    assert layout_of({**{f"a.{k}": v for k, v in one.items()}, **{f"b.{k}": v for k, v in one.items()}}) is None


def test_mutilated_key_lists_never_crash():
    rng = random.Random(3)
    whole = keys_of("mahalanobis", "runinho_3way_head1")
    for _ in range(400):
        keys = dict(whole)
        for name in rng.sample(sorted(keys), rng.randint(1, 6)):
            change = rng.randrange(4)
            if change == 0:
                del keys[name]
            elif change == 1:
                keys[name] = tuple(rng.choice((0, 1, 2**31, 7)) for _ in range(rng.randrange(6)))
            elif change == 2:
                keys[name + "x"] = keys.pop(name)
            else:
                keys[name] = keys[name][::-1]
        card = recognise(keys)
        assert card is None or card.family == "mahalanobis"
