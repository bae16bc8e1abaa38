"""How far an image, or a place in it, is from the good ones: embeddings of a residual network against a Gaussian or a density.

Image: Li et al., "CutPaste", CVPR 2021, and Rippel et al., "Modeling the Distribution of Normal Data in Pre-Trained Deep
Features", ICPR 2020. Places: Defard et al., "PaDiM", 2020. Networks may be half; distances and densities are float32.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from export.nets.islands import Mahalanobis, float_image
from export.nets.resnet import Resnet
from export.nets.sspcab import MaskedBlock

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Embedding(nn.Module):
    """The image as one vector.

    block: applied to the deepest map before it is averaged. head: the projection head, None for the average itself.
    normalise: to length 1.
    """

    def __init__(self, resnet: Resnet, block: MaskedBlock | None, head: nn.Sequential | None, normalise: bool) -> None:
        super().__init__()
        self.resnet, self.block, self.head = resnet, block, head
        self._normalise = normalise

    def forward(self, image: Tensor) -> Tensor:
        """uint8 [1, H, W, 3] RGB -> float32 [1, D]."""
        deepest = self.resnet(_normalised(image))[-1]
        if self.block is not None:
            deepest = self.block(deepest)
        vector: Tensor = deepest.float().mean((2, 3))
        if self.head is not None:
            vector = self.head(vector).float()
        if self._normalise:
            vector = vector / torch.sqrt((vector * vector).sum(1, keepdim=True)).clamp_min(1e-12)
        return vector


class ImageDistance(nn.Module):
    """Mahalanobis distance of the embedding. mean: [D]. factor: [D, D], the Cholesky factor of the precision."""

    def __init__(self, embedding: nn.Module, mean: Tensor, factor: Tensor) -> None:
        super().__init__()
        self.embedding = embedding
        self.distance = Mahalanobis(mean, factor)

    def forward(self, image: Tensor) -> Tensor:
        """uint8 [1, H, W, 3] -> float32 [1]."""
        distance: Tensor = self.distance(self.embedding(image))
        return distance


class ImageDensity(nn.Module):
    """Minus the logarithm of a kernel density with Gaussian kernels, less its constant. bank: of the good images, [N, D].

    The constant, D log(bandwidth sqrt(2 pi)), is the same for every image and so large that float32 would round away what
    differs; `constant` is what upstream's score has more.
    """

    def __init__(self, embedding: nn.Module, bank: Tensor, bandwidth: float) -> None:
        super().__init__()
        self.embedding = embedding
        # Distances are taken from the bank's middle: far from zero their squares would cancel.
        middle = bank.double().mean(0)
        self.register_buffer("middle", middle.float())
        self.register_buffer("bank", (bank.double() - middle).float())
        self.middle: Tensor
        self.bank: Tensor
        self._bandwidth = bandwidth
        self.constant = bank.shape[1] * math.log(bandwidth * math.sqrt(2 * math.pi))

    def forward(self, image: Tensor) -> Tensor:
        """uint8 [1, H, W, 3] -> float32 [1]."""
        apart = (self.embedding(image) - self.middle - self.bank) / self._bandwidth
        halves = 0.5 * (apart * apart).sum(1)
        least = halves.min()
        score: Tensor = least - torch.log(torch.exp(least - halves).mean())
        return score.reshape(1)


class PlaceEmbedding(nn.Module):
    """Every place of the first map as a vector: the maps of several stages, brought to its size by repetition, some channels.

    stages: which, counted from 0. channels: which of all their channels, in order; None for all.
    """

    def __init__(self, resnet: Resnet, stages: Sequence[int], channels: Sequence[int] | None) -> None:
        super().__init__()
        self.resnet = resnet
        self._stages = tuple(stages)
        sizes = [resnet.shape.out[stage] for stage in stages]
        starts = [sum(sizes[:place]) for place in range(len(sizes))]
        wanted = tuple(range(sum(sizes))) if channels is None else tuple(channels)
        self._picks = [
            [channel - start for channel in wanted if start <= channel < start + size]
            for start, size in zip(starts, sizes, strict=True)
        ]
        self.dimensions = len(wanted)

    def forward(self, image: Tensor) -> Tensor:
        """uint8 [1, H, W, 3] -> float32 [1, D, H', W'], channels in the order of the stages."""
        maps = self.resnet(_normalised(image))
        size = maps[self._stages[0]].shape[2:]
        parts = []
        for stage, picks in zip(self._stages, self._picks, strict=True):
            if picks:
                picked = torch.index_select(maps[stage], 1, torch.tensor(picks)).float()
                same = picked.shape[2:] == size
                parts.append(picked if same else functional.interpolate(picked, size=size, mode="nearest"))
        return torch.cat(parts, 1)


class PlaceDistance(nn.Module):
    """PaDiM's map: the Mahalanobis distance at every place, brought to the image's size and smoothed.

    mean [P, D], axes [P, D, R], weights [P, R], epsilon: of an `export.adapters.gaussian.GaussianField`. size_wh: of the
    image. sigma: of the Gaussian smoothing, in its pixels; 0 for none.
    """

    def __init__(
        self,
        embedding: PlaceEmbedding,
        field: tuple[Tensor, Tensor, Tensor, float],
        size_wh: tuple[int, int],
        sigma: float,
    ) -> None:
        super().__init__()
        self.embedding = embedding
        width, height = size_wh
        self.register_buffer("down", enlarging(places(height), height, sigma))
        self.register_buffer("across", enlarging(places(width), width, sigma).T.contiguous())
        self.down: Tensor
        self.across: Tensor
        mean, axes, weights, self._epsilon = field
        self.register_buffer("mean", mean.float())
        self.register_buffer("axes", axes.float())
        self.register_buffer("weights", weights.float())
        self.mean: Tensor
        self.axes: Tensor
        self.weights: Tensor

    def forward(self, image: Tensor) -> Tensor:
        """uint8 [1, H, W, 3] -> float32 [1, H, W]."""
        embedded = self.embedding(image)
        height, width = embedded.shape[2:]
        apart = embedded.reshape(embedded.shape[1], height * width).permute(1, 0) - self.mean
        along = (self.axes * apart[:, :, None]).sum(1)
        rest = apart - (self.axes * along[:, None, :]).sum(2)
        squared = ((rest * rest).sum(1) + (self.weights * along * along).sum(1)) / self._epsilon
        return self.down @ torch.sqrt(squared).reshape(1, height, width) @ self.across


def places(side: int) -> int:
    """Places of the first stage along a side of so many pixels: two strides of 2, rounded up."""
    return ((side + 1) // 2 + 1) // 2


def enlarging(given: int, wanted: int, sigma: float) -> Tensor:
    """float32 [wanted, given]: bilinear enlargement along one axis, then a Gaussian; both are linear, so they are one matrix.

    The enlargement as `interpolate(align_corners=False)`, the Gaussian as scipy's `gaussian_filter` (4 sigma, the edge
    mirrored with the edge pixel repeated).
    """
    at = np.clip((np.arange(wanted) + 0.5) * given / wanted - 0.5, 0, given - 1)
    low = np.minimum(at.astype(int), max(0, given - 2))
    linear = np.zeros((wanted, given))
    linear[np.arange(wanted), low] += 1 - (at - low)
    linear[np.arange(wanted), np.minimum(low + 1, given - 1)] += at - low
    reach = int(4 * sigma + 0.5)
    if not reach:
        return torch.from_numpy(linear.astype(np.float32))
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    blur = np.zeros((wanted, wanted))
    for offset, tap in zip(range(-reach, reach + 1), taps / taps.sum(), strict=True):
        # Mirrored as often as needed: a small map is narrower than the Gaussian.
        mirrored = (np.arange(wanted) + offset) % (2 * wanted)
        blur[np.arange(wanted), np.minimum(mirrored, 2 * wanted - 1 - mirrored)] += tap
    return torch.from_numpy((blur @ linear).astype(np.float32))


def _normalised(image: Tensor) -> Tensor:
    return float_image(image, scale=1 / 255, mean=MEAN, std=STD)
