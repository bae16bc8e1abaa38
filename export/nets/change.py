"""BIT after the graph contract: how likely each pixel of a picture has changed against its reference."""

from __future__ import annotations

import torch
from torch import nn

from export.nets.bit import Bit
from export.nets.islands import float_image, softmax32

# ITU-R BT.601, rounded to whole grey levels: what OpenCV and Pillow hand a training.
GREY = (0.299, 0.587, 0.114)


class ChangeMap(nn.Module):
    """P(change) of every pixel, upstream's softmax of its two logits. grey: both pictures lose their colour first."""

    def __init__(self, net: Bit, *, grey: bool = False) -> None:
        super().__init__()
        self.net, self.grey = net, grey

    def forward(self, image: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
        """image, reference: uint8 [1, H, W, 3] RGB, sides divisible by 8. Returns float32 [1, H, W] in 0..1."""
        logits = self.net(self._planes(reference), self._planes(image))
        return softmax32(logits, 1)[:, 1]

    def _planes(self, image: torch.Tensor) -> torch.Tensor:
        planes = float_image(image, scale=1.0)
        if self.grey:
            weights = planes.new_tensor(GREY).view(1, 3, 1, 1)
            planes = torch.round((planes * weights).sum(1, keepdim=True)).repeat(1, 3, 1, 1)
        return (planes / 255 - 0.5) / 0.5
