"""The decoder that VT-ADL and PIADE share: transposed convolutions from a capsule to a picture."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn


class TransposedDecoder(nn.Module):
    """steps: kernel, stride, padding of each layer; channels: one more. BatchNorm and ReLU between them, tanh at the end."""

    def __init__(self, channels: Sequence[int], steps: Sequence[tuple[int, int, int]]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for given, out, step in zip(channels, channels[1:], steps, strict=False):
            layers += [nn.ConvTranspose2d(given, out, *step), nn.BatchNorm2d(out), nn.ReLU()]
        layers[-2:] = [nn.Tanh()]
        self.decoder2 = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[N, C, H, W] to [N, C', H', W'] in -1..1."""
        result: torch.Tensor = self.decoder2(x)
        return result
