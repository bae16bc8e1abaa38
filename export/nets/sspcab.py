"""The masked block that predicts a feature from around it (Ristea et al., "Self-Supervised Predictive Convolutional Attentive
Block for Anomaly Detection", CVPR 2022), written from the paper: four sub-kernels at the corners of a field whose middle is
masked, a ReLU, and squeeze-and-excitation (Hu et al., 2018). Keys: `conv1..4`, `se.fc1`, `se.fc2`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class _Attention(nn.Module):
    def __init__(self, channels: int, reduced: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(channels, reduced)
        self.fc2 = nn.Linear(reduced, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Every channel times what its mean, and the others', ask for."""
        means = x.float().mean((2, 3)).to(self.fc1.weight.dtype)
        scale = torch.sigmoid(self.fc2(torch.relu(self.fc1(means))).float())
        return x * scale[:, :, None, None].to(x.dtype)


class MaskedBlock(nn.Module):
    """SSPCAB: the map at every place from the four corners around it, the middle unseen.

    channels: of the map. reduced: inside the attention. kernel: side of a sub-kernel. dilation: from the middle to a corner.
    """

    def __init__(self, channels: int, reduced: int, kernel: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self._border, self._step = kernel + dilation, kernel + 2 * dilation + 1
        for name in ("conv1", "conv2", "conv3", "conv4"):
            self.add_module(name, nn.Conv2d(channels, channels, kernel))
        self.se = _Attention(channels, reduced)

    def forward(self, x: Tensor) -> Tensor:
        """N x channels x H x W -> the same shape."""
        height, width = x.shape[2:]
        b, s = self._border, self._step
        wide = functional.pad(x, (b, b, b, b))
        rows, columns = height + 2 * b - s, width + 2 * b - s
        corners = ((0, 0), (s, 0), (0, s), (s, s))
        seen = [wide[:, :, top : top + rows, left : left + columns] for top, left in corners]
        parts = [self.get_submodule(f"conv{place + 1}")(part) for place, part in enumerate(seen)]
        summed: Tensor = self.se(torch.relu(parts[0] + parts[1] + parts[2] + parts[3]))
        return summed
