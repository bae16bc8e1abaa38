"""Residual networks for image features (He et al., "Deep Residual Learning for Image Recognition", 2016).

Keys as torchvision's (`conv1.weight`, `layer1.0.conv1.weight`, `layer2.0.downsample.0.weight`, ...), so that a state dict of
a ResNet-18 to -152, or of a wide one (Zagoruyko and Komodakis, 2016), loads; the classifier `fc` is left out. How many
blocks, how wide and which kind of block is read from the state's shapes (`resnet_shape`).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from export.nets.resnet_shape import STAGES, ResnetShape, resnet_shape

__all__ = ["STAGES", "Block", "Resnet", "ResnetShape", "resnet_shape"]


class Block(nn.Module):
    """3x3, 3x3 with a shortcut, or 1x1, 3x3, 1x1; the stride is on the first 3x3 convolution."""

    def __init__(self, given: int, inner: int, out: int, stride: int, bottleneck: bool) -> None:
        super().__init__()
        if bottleneck:
            self.conv1 = nn.Conv2d(given, inner, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(inner)
            self.conv2 = nn.Conv2d(inner, inner, 3, stride, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(inner)
            self.conv3 = nn.Conv2d(inner, out, 1, bias=False)
            self.bn3 = nn.BatchNorm2d(out)
        else:
            self.conv1 = nn.Conv2d(given, inner, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(inner)
            self.conv2 = nn.Conv2d(inner, out, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(out)
        self._bottleneck = bottleneck
        self.downsample: nn.Module | None = None
        if stride != 1 or given != out:
            self.downsample = nn.Sequential(nn.Conv2d(given, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        """N x given x H x W -> N x out x H/stride x W/stride."""
        shortcut = x if self.downsample is None else self.downsample(x)
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        if self._bottleneck:
            y = self.bn3(self.conv3(torch.relu(y)))
        return torch.relu(y + shortcut)


class Resnet(nn.Module):
    """The feature extractor. `forward` gives the maps of all stages, at 1/4, 1/8, 1/16 and 1/32 of the image's size."""

    def __init__(self, shape: ResnetShape) -> None:
        super().__init__()
        self.shape = shape
        self.conv1 = nn.Conv2d(3, shape.stem, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(shape.stem)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        given = shape.stem
        for place, (count, inner, out) in enumerate(zip(shape.blocks, shape.inner, shape.out, strict=True)):
            blocks = []
            for index in range(count):
                stride = 2 if place and not index else 1
                blocks.append(Block(given, inner, out, stride, shape.bottleneck))
                given = out
            self.add_module(STAGES[place], nn.Sequential(*blocks))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """N x 3 x H x W, normalised as in the training -> one map per stage."""
        x = self.maxpool(torch.relu(self.bn1(self.conv1(x.to(self.conv1.weight.dtype)))))
        maps = []
        for stage in STAGES[: len(self.shape.blocks)]:
            x = self.get_submodule(stage)(x)
            maps.append(x)
        return tuple(maps)
