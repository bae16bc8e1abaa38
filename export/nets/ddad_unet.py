"""The denoising network of DDAD, for checkpoints that its project wrote.

A U-Net of residual blocks that know the time step, with self-attention where the picture is small: Dhariwal and Nichol,
"Diffusion Models Beat GANs on Image Synthesis", NeurIPS 2021; trained per view by Mousakhan et al., "Anomaly Detection with
Conditioned Denoising Diffusion Models", 2023. Written here from the papers and the checkpoints' keys. Every tensor is
[1, C, H, W]; convolutions and linear layers may be half, the statistics of GroupNorm and the softmax are float32.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional

from export.nets.ddad_shape import UNetShape
from export.nets.islands import GroupNorm32, attention

GROUPS = 32
LONGEST_PERIOD = 10_000


class _SiluConv(nn.Sequential):
    """GroupNorm, SiLU, (dropout,) convolution, under the numbers that upstream's keys give them."""

    def __init__(self, before: int, after: int, at: int) -> None:
        idle = [nn.Identity() for _ in range(at - 2)]
        super().__init__(GroupNorm32(GROUPS, before), nn.SiLU(), *idle, nn.Conv2d(before, after, 3, padding=1))
        self.conv_at = at

    def normed(self, x: torch.Tensor) -> torch.Tensor:
        """What the convolution is given."""
        return functional.silu(self[0](x))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[1, before, H, W] to [1, after, H, W]."""
        result: torch.Tensor = self[self.conv_at](self.normed(x))
        return result


class _Residual(nn.Module):
    """A residual block; `scale` 2 doubles the picture on its way, 0.5 halves it."""

    def __init__(self, before: int, after: int, time_width: int, scale: float = 1.0) -> None:
        super().__init__()
        self.in_layers = _SiluConv(before, after, at=2)
        self.embed_layers = nn.Sequential(nn.SiLU(), nn.Linear(time_width, after))
        self.out_layers = _SiluConv(after, after, at=3)
        self.skip_connection = nn.Identity() if before == after else nn.Conv2d(before, after, 1)
        self.scale = scale

    def _scaled(self, x: torch.Tensor) -> torch.Tensor:
        if self.scale == 1.0:
            return x
        return functional.avg_pool2d(x, 2) if self.scale < 1.0 else functional.interpolate(x, scale_factor=2.0, mode="nearest")

    def forward(self, x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        """From [1, before, H, W] and the time step [1, time_width] to [1, after, H, W]."""
        hidden = self.in_layers[self.in_layers.conv_at](self._scaled(self.in_layers.normed(x)))
        hidden = self.out_layers(hidden + self.embed_layers(time)[:, :, None, None])
        result: torch.Tensor = self.skip_connection(self._scaled(x)) + hidden
        return result


class _Attention(nn.Module):
    """Self-attention over all pixels; every head has its queries, keys and values side by side in the channels."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.norm = GroupNorm32(GROUPS, channels)
        self.to_qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = nn.Conv1d(channels, channels, 1)
        self.heads, self.each = heads, channels // heads

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[1, C, H, W] to the same."""
        flat = x.flatten(2)
        heads = self.to_qkv(self.norm(flat)).reshape(self.heads, 3 * self.each, -1).transpose(1, 2)
        query, key, value = heads.split(self.each, dim=2)
        mixed = attention(query, key, value, self.each**-0.5)
        mixed = mixed.transpose(1, 2).reshape(1, self.heads * self.each, -1)
        result: torch.Tensor = (flat + self.proj_out(mixed)).reshape(x.shape)
        return result


class _Steps(nn.ModuleList):
    """Blocks one after the other; those that know the time step are given it."""

    def forward(self, x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        for block in self:
            x = block(x, time) if isinstance(block, _Residual) else block(x)
        return x


class DenoisingUNet(nn.Module):
    """Predicts the noise in a noisy picture. Its state dict has upstream's keys."""

    def __init__(self, shape: UNetShape) -> None:
        super().__init__()
        self.shape = shape
        time_width = 4 * shape.base
        self.time_embedding = nn.Sequential(
            nn.Identity(), nn.Linear(shape.base, time_width), nn.SiLU(), nn.Linear(time_width, time_width)
        )
        self.down = nn.ModuleList([_Steps([nn.Conv2d(shape.channels, shape.base, 3, padding=1)])])
        kept = self._descend(time_width)
        deep = shape.widths[-1]
        self.middle = _Steps(
            [_Residual(deep, deep, time_width), _Attention(deep, shape.heads), _Residual(deep, deep, time_width)]
        )
        self.up = nn.ModuleList()
        self._ascend(time_width, kept)
        self.out = _SiluConv(shape.widths[0], shape.channels, at=2)

    def _descend(self, time_width: int) -> list[int]:
        """Build the way down; returns the channels of what it keeps for the way up."""
        shape, last = self.shape, len(self.shape.widths) - 1
        kept, before = [shape.base], shape.base
        for level, width in enumerate(shape.widths):
            for _ in range(shape.blocks):
                self.down.append(_Steps([_Residual(before, width, time_width), *self._attention(level)]))
                kept.append(width)
                before = width
            if level < last:
                self.down.append(_Steps([_Residual(width, width, time_width, scale=0.5)]))
                kept.append(width)
        return kept

    def _ascend(self, time_width: int, kept: list[int]) -> None:
        before = self.shape.widths[-1]
        for level, width in reversed(list(enumerate(self.shape.widths))):
            for block in range(self.shape.blocks + 1):
                steps = [_Residual(before + kept.pop(), width, time_width), *self._attention(level)]
                if level > 0 and block == self.shape.blocks:
                    steps.append(_Residual(width, width, time_width, scale=2.0))
                self.up.append(_Steps(steps))
                before = width

    def _attention(self, level: int) -> list[nn.Module]:
        return [_Attention(self.shape.widths[level], self.shape.heads)] if level in self.shape.attention else []

    def forward(self, x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        """x: float32 [1, C, H, W], about -1..1 plus noise. time: float32 [1], the step. Returns the noise, float32."""
        embedded = self.time_embedding(sinusoid(time, self.shape.base))
        hidden, kept = x, []
        for steps in self.down:
            hidden = steps(hidden, embedded)
            kept.append(hidden)
        hidden = self.middle(hidden, embedded)
        for steps in self.up:
            hidden = steps(torch.cat([hidden, kept.pop()], dim=1), embedded)
        noise: torch.Tensor = self.out(hidden).float()
        return noise


def sinusoid(time: torch.Tensor, width: int) -> torch.Tensor:
    """The time step as sines and cosines of falling frequency, float32 [1, width] (Vaswani et al. 2017)."""
    half = width // 2
    frequencies = torch.exp(torch.arange(half, device=time.device) * -(math.log(LONGEST_PERIOD) / half))
    angles = torch.outer(time, frequencies)
    return torch.cat((angles.sin(), angles.cos()), dim=-1)
