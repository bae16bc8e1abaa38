"""The encoders and decoders beside the same arithmetic written out the long way."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from export.nets.piade import Perception, Pyramid
from export.nets.vt_adl import VisionTransformer, VtAe
from tests.export.networks import image_of, randomised
from tests.export.test_piade import SMALL as PIADE
from tests.export.test_vt_adl import SMALL as VT_ADL


def _shown(side: int) -> torch.Tensor:
    return image_of((side, side)).float().permute(0, 3, 1, 2) / 255


def _attention(weights: dict[str, torch.Tensor], x: torch.Tensor, heads: int) -> torch.Tensor:
    width = x.shape[1]
    query, key, value = (x @ weights["to_qkv.weight"].T).split(width, 1)
    size = width // heads
    mixed = []
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        share = torch.softmax(query[:, part] @ key[:, part].T * width**-0.5, 1)
        mixed.append(share @ value[:, part])
    return torch.cat(mixed, 1) @ weights["to_out.0.weight"].T + weights["to_out.0.bias"]


def _sharp(net: nn.Module) -> nn.Module:
    """With larger queries and keys: drawn small, every token attends to all alike, and no mistake there would show."""
    for name, tensor in net.state_dict().items():
        if name.endswith("to_qkv.weight"):
            tensor.mul_(8)
    return net


def _part(state: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}


def test_the_encoder_block_by_block() -> None:
    net = _sharp(randomised(VisionTransformer(VT_ADL, 8)))
    shown, state = _shown(512), net.state_dict()
    rows = []
    for y in range(0, 512, 64):
        for x in range(0, 512, 64):
            piece = shown[0, :, y : y + 64, x : x + 64].permute(1, 2, 0).reshape(-1)
            rows.append(state["patch_to_embedding.weight"] @ piece + state["patch_to_embedding.bias"])
    tokens = torch.cat((state["cls_token"][0], torch.stack(rows))) + state["pos_embedding"][0]
    attend, feed = (_part(state, f"transformer.layers.0.{index}.fn.") for index in (0, 1))
    normed = functional.layer_norm(tokens, (64,), attend["norm.weight"], attend["norm.bias"])
    tokens = tokens + _attention(_part(attend, "fn."), normed, 8)
    normed = functional.layer_norm(tokens, (64,), feed["norm.weight"], feed["norm.bias"])
    hidden = functional.gelu(normed @ feed["fn.net.0.weight"].T + feed["fn.net.0.bias"])
    tokens = tokens + hidden @ feed["fn.net.2.weight"].T + feed["fn.net.2.bias"]
    assert torch.allclose(net(shown)[0], tokens[1:], atol=5e-4)


def test_heads_change_the_encoding() -> None:
    """They are in no file: a wrong number loads, and gives something else."""
    one, eight = VisionTransformer(VT_ADL, 1), VisionTransformer(VT_ADL, 8)
    one.load_state_dict(_sharp(randomised(eight)).state_dict())
    with torch.no_grad():
        assert not torch.allclose(one(_shown(512)), eight(_shown(512)), atol=5e-3)


def test_the_decoder_makes_512() -> None:
    net = randomised(VtAe(VT_ADL, 8))
    assert isinstance(net, VtAe)
    made = net.decoder(torch.rand(1, 1, 8, 8))
    assert made.shape == (1, 3, 512, 512)
    assert made.abs().max() <= 1


def test_the_pyramid_step_by_step() -> None:
    net = randomised(Pyramid(PIADE))
    assert isinstance(net, Pyramid)
    shown = _shown(120)
    with torch.no_grad():
        x = net.resnet.maxpool(torch.relu(net.resnet.bn1(net.resnet.conv1(shown))))
        for index in range(5):
            if index:
                x = net.resnet.get_submodule(f"layer{index}")(x)
            excite = net.get_submodule(f"se{index + 1}").fc
            assert isinstance(excite, nn.Sequential)
            x = x * excite(functional.adaptive_avg_pool2d(x, 1).flatten(1))[:, :, None, None]
        assert x.shape == (1, 16, 4, 4)
        pooled = functional.adaptive_avg_pool2d(x, 1)
        lower = torch.cat([net.get_submodule(f"layer5{each}").features(pooled).view(1, -1, 8) for each in "abcd"], 1)
        votes = torch.einsum("oitd,id->oit", net.D1.get_parameter("W"), lower[0])
        logits = torch.zeros(2, 5)
        for _ in range(3):
            summed = (torch.softmax(logits, 0)[:, :, None] * votes).sum(1)
            squared = summed.square().sum(1, keepdim=True)
            capsules = squared / (1 + squared) * summed / squared.sqrt()
            logits = logits + (capsules[:, None] * votes).sum(2)
        chosen = capsules[capsules.norm(dim=1).argmax()][None]
        middle = net.if_.decoder1(chosen).view(1, 4, 4, 4)
        expected = net.final.decoder2(torch.cat((x, middle), 1).view(1, -1, 8, 8))
        made = net(shown)
    assert made.shape == (1, 3, 120, 120)
    assert torch.allclose(made, expected, atol=1e-5)


def test_perception_is_blind_to_nothing_and_sees_a_difference() -> None:
    net = randomised(Perception(4, 6))
    shown = _shown(120)
    assert net(shown, shown) == 0
    assert net(shown * 0.9, shown) > 0
