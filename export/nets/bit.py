"""The bitemporal image transformer, and the plain siamese ResNet that it is measured against.

Chen, Qi and Shi, "Remote Sensing Image Change Detection with Transformers", IEEE TGRS 2021: a ResNet gives the features of
two pictures; a few semantic tokens per picture are gathered by spatial attention; an encoder lets the tokens of both speak
with each other; a decoder gives every pixel the tokens' context; the absolute difference of the two is classified. Written
here from the paper and the checkpoints' keys alone: the published code is for non-commercial use.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn
from torch.nn import functional

from export.nets.bit_shape import HEADS, BitShape, TokenShape
from export.nets.islands import LayerNorm32, attention, softmax32
from export.nets.resnet import STAGES, Resnet


class _Normed(nn.Module):
    """What it was given plus what a network makes of it once normalised; the keys are `fn.norm` and `fn.fn`."""

    def __init__(self, width: int, inner: nn.Module) -> None:
        super().__init__()
        self.fn = nn.ModuleDict({"norm": LayerNorm32(width), "fn": inner})

    def forward(self, x: torch.Tensor, *others: torch.Tensor) -> torch.Tensor:
        """[1, N, width] to the same; one normalisation serves x and what it is compared with."""
        norm = self.fn["norm"]
        result: torch.Tensor = x + self.fn["fn"](*(norm(each) for each in (x, *others)))
        return result


def _heads(x: torch.Tensor, heads: int) -> torch.Tensor:
    """[1, N, heads * D] to [heads, N, D]."""
    return x.reshape(x.shape[1], heads, -1).transpose(0, 1)


def _attend(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float) -> torch.Tensor:
    """[heads, N, D], [heads, M, D] twice, to [1, N, heads * D]. Scaled by the feature's width, as upstream does."""
    return attention(query, key, value, scale).transpose(0, 1).flatten(1).unsqueeze(0)


class _SelfAttention(nn.Module):
    def __init__(self, width: int, heads: int, each: int) -> None:
        super().__init__()
        self.to_qkv = nn.Linear(width, 3 * heads * each, bias=False)
        self.to_out = nn.Sequential(nn.Linear(heads * each, width))
        self.heads, self.scale = heads, width**-0.5

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        query, key, value = (_heads(part, self.heads) for part in self.to_qkv(x).chunk(3, dim=-1))
        result: torch.Tensor = self.to_out(_attend(query, key, value, self.scale))
        return result


class _CrossAttention(nn.Module):
    def __init__(self, width: int, heads: int, each: int) -> None:
        super().__init__()
        self.to_q, self.to_k, self.to_v = (nn.Linear(width, heads * each, bias=False) for _ in range(3))
        self.to_out = nn.Sequential(nn.Linear(heads * each, width))
        self.heads, self.scale = heads, width**-0.5

    def forward(self, x: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        query, key, value = _heads(self.to_q(x), self.heads), _heads(self.to_k(tokens), self.heads), self.to_v(tokens)
        result: torch.Tensor = self.to_out(_attend(query, key, _heads(value, self.heads), self.scale))
        return result


class _Mlp(nn.Module):
    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(width, inner), nn.GELU(), nn.Identity(), nn.Linear(inner, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.net(x)
        return result


class _Layer(nn.Module):
    """Attention, then an MLP, under the numbers that upstream's keys give them."""

    def __init__(self, width: int, attention_: nn.Module, inner: int) -> None:
        super().__init__()
        self.add_module("0", _Normed(width, attention_))
        self.add_module("1", _Normed(width, _Mlp(width, inner)))

    def forward(self, x: torch.Tensor, *tokens: torch.Tensor) -> torch.Tensor:
        """[1, N, width] to the same. tokens: [1, M, width], where it attends to others than itself."""
        result: torch.Tensor = self.get_submodule("1")(self.get_submodule("0")(x, *tokens))
        return result


class _Layers(nn.Module):
    """Layers one after the other: the encoder (tokens ask tokens), the decoder (pixels ask tokens)."""

    def __init__(self, layers: Iterable[_Layer]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, x: torch.Tensor, *tokens: torch.Tensor) -> torch.Tensor:
        """As `_Layer`."""
        for layer in self.layers:
            x = layer(x, *tokens)
        return x


def _encoder(width: int, shape: TokenShape) -> _Layers:
    return _Layers(_Layer(width, _SelfAttention(width, HEADS, shape.encoder_head), shape.inner) for _ in range(shape.encoder))


def _decoder(width: int, shape: TokenShape) -> _Layers:
    return _Layers(_Layer(width, _CrossAttention(width, HEADS, shape.decoder_head), shape.inner) for _ in range(shape.decoder))


class Bit(nn.Module):
    """Logits of [no change, change] for two pictures of one place. Its state dict has upstream's keys."""

    def __init__(self, shape: BitShape) -> None:
        super().__init__()
        self.shape = shape
        self.resnet = Resnet(shape.backbone)
        _keep_size(self.resnet)
        width = shape.width
        self.conv_pred = nn.Conv2d(shape.backbone.out[-1], width, 3, padding=1)
        self.classifier = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, 2, 3, padding=1),
        )
        if shape.transformer is not None:
            tokens = shape.transformer.tokens
            self.conv_a = nn.Conv2d(width, tokens, 1, bias=False)
            self.pos_embedding = nn.Parameter(torch.zeros(1, 2 * tokens, width))
            self.transformer = _encoder(width, shape.transformer)
            self.transformer_decoder = _decoder(width, shape.transformer)

    def _features(self, x: torch.Tensor) -> torch.Tensor:
        """[1, 3, H, W] to [1, width, H / 4, W / 4]."""
        deepest = self.resnet(x)[-1]
        result: torch.Tensor = self.conv_pred(functional.interpolate(deepest, scale_factor=2.0, mode="nearest"))
        return result

    def _tokens(self, features: torch.Tensor) -> torch.Tensor:
        """[1, width, H, W] to [1, tokens, width]."""
        # Sums over thousands of pixels: float32.
        weights = softmax32(self.conv_a(features).flatten(2), dim=-1)
        return torch.bmm(weights, features.flatten(2).transpose(1, 2).float())

    def _in_context(self, features: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        pixels: torch.Tensor = self.transformer_decoder(features.flatten(2).transpose(1, 2), tokens)
        return pixels.transpose(1, 2).reshape(features.shape)

    def forward(self, before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
        """before, after: [1, 3, H, W] in -1..1, sides divisible by 8. Returns float32 [1, 2, H, W]."""
        old, new = self._features(before), self._features(after)
        if self.shape.transformer is not None:
            tokens = torch.cat([self._tokens(old), self._tokens(new)], dim=1)
            tokens = self.transformer(tokens + self.pos_embedding)
            of_old, of_new = tokens.chunk(2, dim=1)
            old, new = self._in_context(old, of_old), self._in_context(new, of_new)
        change = functional.interpolate(torch.abs(old - new), scale_factor=4.0, mode="bilinear", align_corners=False)
        logits: torch.Tensor = self.classifier(change).float()
        return logits


def _keep_size(resnet: Resnet) -> None:
    """From the third stage on the picture keeps its size; upstream's basic blocks drop the stride and dilate nothing."""
    for stage in STAGES[2 : len(resnet.shape.blocks)]:
        first = resnet.get_submodule(f"{stage}.0")
        for name in ("conv1", "downsample.0"):
            convolution = first.get_submodule(name)
            if isinstance(convolution, nn.Conv2d):
                convolution.stride = (1, 1)
