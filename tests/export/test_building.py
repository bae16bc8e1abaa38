from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from edge.errors import BundleError
from export.adapters.building import built, not_this, shapes_of
from export.checkpoint import Checkpoint
from tests.export.networks import checkpoint_of, randomised


def _net() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())


def test_a_network_is_filled_and_frozen() -> None:
    source = randomised(_net())
    made = built(_net, checkpoint_of(source))
    assert not made.training
    assert not any(parameter.requires_grad for parameter in made.parameters())
    for name, tensor in made.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            assert torch.equal(tensor, source.state_dict()[name])


def test_what_may_be_left_over() -> None:
    more = {**checkpoint_of(randomised(_net())).state, "fc.weight": torch.zeros(2)}
    built(_net, Checkpoint(Path("a"), more), unused=("fc.*",))
    with pytest.raises(BundleError, match=r"1 tensors are unknown: fc.weight"):
        built(_net, Checkpoint(Path("a"), more))


def test_a_network_larger_than_the_file_is_never_allocated() -> None:
    with pytest.raises(BundleError, match=r"a: states a network of \d{13,} numbers and does not hold them"):
        built(lambda: nn.Linear(10**7, 10**6), Checkpoint(Path("a"), {"weight": torch.zeros(1).expand(10**6, 10**7)}))


def test_a_network_that_cannot_be_is_an_error_in_words() -> None:
    with pytest.raises(BundleError, match="a: states a network that cannot be"):
        built(lambda: nn.Conv2d(3, 4, 3, groups=2), Checkpoint(Path("a"), {}))


def test_float16_files_are_read() -> None:
    halves = {name: tensor.half() for name, tensor in checkpoint_of(randomised(_net())).state.items()}
    made = built(_net, Checkpoint(Path("a"), halves))
    assert made[0].weight.dtype == torch.float32
    assert torch.equal(made[0].weight, halves["0.weight"].float())


def test_shapes_and_the_refusal() -> None:
    checkpoint = Checkpoint(Path("b.pt"), {"x": torch.zeros(2, 3)})
    assert shapes_of(checkpoint) == {"x": (2, 3)}
    assert "b.pt: is no checkpoint of PIADE: look what it is" in str(not_this("PIADE", checkpoint))
