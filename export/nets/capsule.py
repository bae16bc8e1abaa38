"""Supervised capsule classifiers: two convolutions, primary capsules, one routed capsule per class.

Sabour, Frosst and Hinton, "Dynamic Routing Between Capsules", NeurIPS 2017; for parts of which hardly any bad ones exist:
Piciarelli, Mishra and Foresti, "Image Anomaly Detection with Capsule Networks and Imbalanced Datasets", ICIAP 2019, whose
score is the length of the defect's capsule less that of the good one. Written here from the papers and the keys of two
common implementations. Capsules are float32 (`export.nets.capsules`).
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import torch
from torch import nn
from torch.nn import functional

from export.nets.capsule_shape import PRIMARY_STRIDE, CapsuleShape
from export.nets.capsules import Votes, lengths, longest, route, squash
from export.nets.grey import grey_levels
from export.nets.islands import float_image

ScoreKind = Literal["difference", "ratio", "probability", "reconstruction"]


class _DensePrimary(nn.Module):
    """One convolution; a capsule is `dim` neighbouring positions of one channel, as its `view` has it."""

    def __init__(self, shape: CapsuleShape) -> None:
        super().__init__()
        self.dim = shape.dim
        self.conv2d = nn.Conv2d(shape.first, shape.primary, shape.primary_kernel, PRIMARY_STRIDE)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.conv2d(x)
        return squash(found.float().reshape(x.shape[0], -1, self.dim))


class _ConvsPrimary(nn.Module):
    """One convolution for each component of a capsule."""

    def __init__(self, shape: CapsuleShape) -> None:
        super().__init__()
        convs = (nn.Conv2d(shape.first, shape.primary, shape.primary_kernel, PRIMARY_STRIDE) for _ in range(shape.dim))
        self.convs = nn.ModuleList(convs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return squash(torch.stack([conv(x).float().flatten(1) for conv in self.convs], -1))


def _decoder(widths: tuple[int, ...]) -> nn.Sequential:
    steps: list[nn.Module] = []
    for given, out in pairwise(widths):
        steps += [nn.Linear(given, out), nn.ReLU()]
    return nn.Sequential(*steps[:-1], nn.Sigmoid())


class _InnerDecoder(nn.Module):
    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.decoder = _decoder(widths)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.decoder(x)
        return result


class CapsuleNet(nn.Module):
    """[N, channels, side, side] in 0..1 to one capsule per class, [N, classes, capsule] float32."""

    def __init__(self, shape: CapsuleShape, routings: int = 3) -> None:
        super().__init__()
        self.shape, self.routings = shape, routings
        first = nn.Conv2d(shape.channels, shape.first, shape.first_kernel)
        sizes = (shape.classes, shape.lower, shape.capsule, shape.dim)
        # The attributes are the keys of the two layouts.
        if shape.layout == "dense":
            self.conv1 = first
            self.primarycaps = _DensePrimary(shape)
            self.digitcaps = Votes(*sizes)
            self.decoder: nn.Module | None = _decoder(shape.decoder) if shape.decoder else None
        else:
            self.conv = nn.Sequential(first)
            self.primcaps = _ConvsPrimary(shape)
            self.digicaps = Votes(*sizes, name="W", transposed=True)
            self.decoder = _InnerDecoder(shape.decoder) if shape.decoder else None

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """The capsules of a batch of images."""
        dense = self.shape.layout == "dense"
        x = torch.relu(self.conv1(image) if dense else self.conv(image))
        votes = self.digitcaps(self.primarycaps(x)) if dense else self.digicaps(self.primcaps(x))
        return route(votes, self.routings, over_inputs=not dense)

    def reconstruction(self, capsules: torch.Tensor) -> torch.Tensor:
        """What the decoder makes of the longest capsule: [N, classes, capsule] to [N, channels, side, side] float32."""
        if self.decoder is None:
            raise ValueError("this network has no decoder")
        made = self.decoder(longest(capsules).flatten(1)).float()
        return torch.reshape(made, (-1, self.shape.channels, self.shape.side, self.shape.side))


class CapsuleScore(nn.Module):
    """Image to score, and with `occlusion` to a map.

    image: uint8 [1, side, side, 3] RGB. good: the class that is no defect. kind: `difference` is the longest defect's length
    less the good one's; `ratio` is the longest defect's share of the two; `probability` is 1 less the good class's softmax
    of lengths; `reconstruction` is the summed squared difference to what the decoder makes. occlusion: cells along a side,
    0 for none: each cell in turn is hidden under the image's mean colour, and the map says how much the score falls by it,
    0 where it does not. That is one pass of the network more per cell.
    """

    def __init__(self, network: CapsuleNet, good: int, kind: ScoreKind, occlusion: int = 0) -> None:
        super().__init__()
        self.network, self.good, self.kind, self.occlusion = network, good, kind, occlusion
        self.defects = [index for index in range(network.shape.classes) if index != good]
        cells = max(1, occlusion) ** 2
        hidden = torch.eye(cells).reshape(cells, 1, max(1, occlusion), max(1, occlusion))
        size = (network.shape.side, network.shape.side)
        self.register_buffer("hidden", functional.interpolate(hidden, size, mode="nearest"), persistent=False)

    def scores(self, shown: torch.Tensor) -> torch.Tensor:
        """[N, channels, side, side] to [N] float32."""
        capsules = self.network(shown)
        if self.kind == "reconstruction":
            return (self.network.reconstruction(capsules) - shown).square().flatten(1).sum(1)
        found = lengths(capsules)
        if self.kind == "probability":
            return 1 - torch.softmax(found, 1)[:, self.good]
        good, worst = found[:, self.good], torch.stack([found[:, index] for index in self.defects], 1).amax(1)
        return worst - good if self.kind == "difference" else worst / (worst + good).clamp(min=1e-12)

    def forward(self, image: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        """The score, after the map where there is one."""
        shown = grey_levels(image) / 255 if self.network.shape.channels == 1 else float_image(image)
        if not self.occlusion:
            return self.scores(shown)
        hidden = self.get_buffer("hidden").float()
        mean = shown.mean((2, 3), keepdim=True)
        scores = self.scores(torch.cat((shown, shown * (1 - hidden) + mean * hidden)))
        fall = (scores[:1] - scores[1:]).clamp(min=0)
        anomaly = (fall.reshape(-1, 1, 1, 1) * hidden).sum(0)
        return anomaly, scores[:1]
