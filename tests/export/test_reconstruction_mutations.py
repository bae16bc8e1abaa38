"""Checkpoints that somebody has changed: an error in words each, no crash, no memory that the file has not."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from torch import nn

from edge.errors import LineclearError
from edge.schema import validate
from export.adapters import autoencoder, autoencoder_card, capsule, capsule_card, piade, piade_card, vt_adl, vt_adl_card
from export.checkpoint import Checkpoint
from export.nets.autoencoder import build_network
from export.nets.autoencoder_spec import AutoencoderSpec
from export.nets.capsule import CapsuleNet
from export.nets.capsule_shape import CapsuleShape
from export.nets.piade import Perception, Pyramid
from export.nets.vt_adl import MixtureDensity, VtAe
from tests.export.networks import checkpoint_of, randomised
from tests.export.test_piade import SMALL as PIADE
from tests.export.test_vt_adl import SMALL as VT_ADL

MUTATIONS = 60
SPEC = {
    "schema": 1,
    "size": [16, 16],
    "colour": "grey",
    "resize": "cv2_area",
    "network": {
        "encoder": [{"kind": "conv", "to": 4, "kernel": 4, "stride": 2, "padding": 1}, {"kind": "relu"}],
        "decoder": [{"kind": "conv_transpose", "to": 1, "kernel": 4, "stride": 2, "padding": 1}],
    },
    "residual": {"kind": "l1"},
}
CAPSULES = CapsuleShape("dense", 20, 1, 6, 5, 8, 5, 4, 72, 3, 6, (18, 16, 400))
Load = Callable[[Checkpoint], nn.Module]
State = dict[str, torch.Tensor]


def _families() -> Mapping[str, tuple[Checkpoint, Load]]:
    density = checkpoint_of(randomised(MixtureDensity(64, 3)))
    network = checkpoint_of(randomised(VtAe(VT_ADL, 8)))
    vgg = checkpoint_of(randomised(Perception(4, 6)))
    spec = validate(AutoencoderSpec, SPEC, "spec")
    declared = randomised(build_network(spec, "spec").to_empty(device="cpu"))
    return {
        "vt_adl": (network, lambda given: vt_adl.module_of(given, density, vt_adl.VtAdlSettings())),
        "vt_adl density": (density, lambda given: vt_adl.module_of(network, given, vt_adl.VtAdlSettings())),
        "piade": (checkpoint_of(randomised(Pyramid(PIADE))), lambda given: piade.module_of(given, vgg)),
        "vgg": (vgg, lambda given: piade.module_of(checkpoint_of(randomised(Pyramid(PIADE))), given)),
        "capsule": (
            checkpoint_of(randomised(CapsuleNet(CAPSULES))),
            lambda given: capsule.module_of(given, capsule.CapsuleSettings(good=0)),
        ),
        "autoencoder": (checkpoint_of(declared), lambda given: autoencoder.module_of(given, spec, "spec")),
    }


FAMILIES = _families()


def mutated(state: State, rng: random.Random) -> State:
    changed = dict(state)
    # What counts batches is never used, whatever it says.
    name = rng.choice(sorted(name for name in changed if not name.endswith("num_batches_tracked")))
    tensor = changed[name]
    axis = rng.randrange(tensor.ndim)
    kind = rng.randrange(8)
    if kind == 0:
        del changed[name]
    elif kind == 1:
        changed[name] = tensor.narrow(axis, 0, tensor.shape[axis] // 2)
    elif kind == 2:
        changed[name] = torch.cat((tensor, tensor), axis)
    elif kind == 3 and tensor.ndim > 1:
        changed[name] = tensor.flatten()
    elif kind == 4:
        changed[name] = torch.zeros(1).expand([10**6 if place == axis else size for place, size in enumerate(tensor.shape)])
    elif kind == 5:
        changed[name] = torch.full_like(tensor, float("nan"))
    elif kind == 6:
        changed[rng.choice(("x", "vt", "decoder.99.weight", "conv1.weight.weight"))] = changed.pop(name)
    else:
        changed[name] = tensor[None]
    return changed


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_a_changed_checkpoint_is_refused_in_words(family: str) -> None:
    checkpoint, load = FAMILIES[family]
    assert isinstance(load(checkpoint), nn.Module)
    rng = random.Random(family)
    for number in range(MUTATIONS):
        state = mutated(dict(checkpoint.state), rng)
        spoilt = {name for name, tensor in state.items() if checkpoint.state.get(name) is not tensor}
        with pytest.raises(LineclearError) as caught:
            load(Checkpoint(Path("changed.pt"), state))
        assert len(str(caught.value)) < 1000, (number, spoilt)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_no_card_trips_over_a_changed_checkpoint(family: str) -> None:
    checkpoint, _ = FAMILIES[family]
    rng = random.Random(family)
    shapes = {name: tuple(tensor.shape) for name, tensor in checkpoint.state.items()}
    if family != "vgg":
        cards = (vt_adl_card, piade_card, capsule_card, autoencoder_card)
        assert any(card.recognise(shapes) is not None for card in cards) or family == "autoencoder"
    for _ in range(MUTATIONS):
        name = rng.choice(sorted(shapes))
        length = rng.randrange(5)
        changed = {**shapes, name: tuple(rng.choice((0, 1, 2, 3, 7, 10**9)) for _ in range(length))}
        for card in (vt_adl_card, piade_card, capsule_card, autoencoder_card):
            found = card.recognise(changed)
            assert found is None or found.command.startswith("lineclear-export ")


def test_a_forged_shape_takes_no_memory() -> None:
    checkpoint, load = FAMILIES["vt_adl"]
    state = dict(checkpoint.state)
    for part, shape in (("0.weight", (10**9, 64)), ("0.bias", (10**9,)), ("2.weight", (64, 10**9))):
        state[f"vt.transformer.layers.0.1.fn.fn.net.{part}"] = torch.zeros(1).expand(shape)
    with pytest.raises(LineclearError, match=r"states a network of \d+ numbers and does not hold them"):
        load(Checkpoint(Path("forged.pt"), state))
