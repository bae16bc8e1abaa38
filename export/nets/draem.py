"""DRAEM (Zavrtanik et al. 2021, "DRAEM - A discriminatively trained reconstruction embedding for surface anomaly detection").

A reconstructive sub-network paints the image as it would be without an anomaly; a discriminative one sees both, as a U-Net,
and marks where they differ in a way that matters. Names of parameters are those of VitjanZ/DRAEM's checkpoints.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from export.nets.islands import float_image, softmax32

# What the study sets to minus infinity: the softmax of it is exactly 0 too, and no engine has to compute with infinity.
NEVER = -1e9


def _convolutions(first: int, *widths: int) -> nn.Sequential:
    """3x3 convolution, normalisation, ReLU; once per width."""
    layers: list[nn.Module] = []
    for width in widths:
        layers += [nn.Conv2d(first, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
        first = width
    return nn.Sequential(*layers)


def _enlarging(first: int, width: int) -> nn.Sequential:
    return nn.Sequential(nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True), *_convolutions(first, width))


class Encoder(nn.Module):
    """Blocks of two convolutions with a 2x2 maximum between: as many features as there are widths, each half as large."""

    def __init__(self, channels: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.depth = len(widths)
        for place, width in enumerate(widths, 1):
            self.add_module(f"block{place}", _convolutions(channels, width, width))
            channels = width

    def forward(self, planes: Tensor) -> list[Tensor]:
        """The features of every block, the finest first."""
        features: list[Tensor] = []
        for place in range(1, self.depth + 1):
            planes = self.get_submodule(f"block{place}")(functional.max_pool2d(planes, 2) if features else planes)
            features.append(planes)
        return features


class PlainDecoder(nn.Module):
    """From the coarsest features back to an image, without a look at the finer ones."""

    def __init__(self, width: int, channels: int) -> None:
        super().__init__()
        narrower = ((8, 4), (4, 2), (2, 1), (1, 1))
        for place, (first, last) in enumerate(narrower, 1):
            self.add_module(f"up{place}", _enlarging(first * width, first * width))
            self.add_module(f"db{place}", _convolutions(first * width, first * width, last * width))
        self.fin_out = nn.Sequential(nn.Conv2d(width, channels, 3, padding=1))

    def forward(self, planes: Tensor) -> Tensor:
        """NCHW at 1/16 to NCHW at full size."""
        for place in range(1, 5):
            planes = self.get_submodule(f"db{place}")(self.get_submodule(f"up{place}")(planes))
        image: Tensor = self.fin_out(planes)
        return image


class SkipDecoder(nn.Module):
    """From the coarsest features back, with the encoder's features of each size beside (U-Net, Ronneberger et al. 2015)."""

    _STEPS = ("_b", "1", "2", "3", "4")

    def __init__(self, width: int, channels: int) -> None:
        super().__init__()
        # Coming in, going out, and the encoder's beside it, in multiples of the width.
        sizes = ((8, 8, 8), (8, 4, 8), (4, 2, 4), (2, 1, 2), (1, 1, 1))
        for name, (first, last, beside) in zip(self._STEPS, sizes, strict=True):
            self.add_module(f"up{name}", _enlarging(first * width, last * width))
            self.add_module(f"db{name}", _convolutions((last + beside) * width, last * width, last * width))
        self.fin_out = nn.Sequential(nn.Conv2d(width, channels, 3, padding=1))

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """The encoder's features, the finest first, to NCHW at full size."""
        *finer, planes = features
        for name, beside in zip(self._STEPS, reversed(finer), strict=True):
            enlarged = self.get_submodule(f"up{name}")(planes)
            planes = self.get_submodule(f"db{name}")(torch.cat([enlarged, beside], 1))
        logits: Tensor = self.fin_out(planes)
        return logits


class Reconstructive(nn.Module):
    """float NCHW image in 0..1 to the same without its anomalies."""

    def __init__(self, width: int = 128, channels: int = 3) -> None:
        super().__init__()
        self.encoder = Encoder(channels, [width, 2 * width, 4 * width, 8 * width, 8 * width])
        self.decoder = PlainDecoder(width, channels)

    def forward(self, image: Tensor) -> Tensor:
        """Sides must be multiples of 16."""
        painted: Tensor = self.decoder(self.encoder(image)[-1])
        return painted


class Discriminative(nn.Module):
    """Reconstruction and image, 6 channels in this order, to two logits per pixel: normal, anomalous."""

    def __init__(self, width: int = 64, channels: int = 6, classes: int = 2) -> None:
        super().__init__()
        self.encoder_segment = Encoder(channels, [width, 2 * width, 4 * width, 8 * width, 8 * width, 8 * width])
        self.decoder_segment = SkipDecoder(width, classes)

    def forward(self, both: Tensor) -> Tensor:
        """Sides must be multiples of 32."""
        logits: Tensor = self.decoder_segment(self.encoder_segment(both))
        return logits


class Draem(nn.Module):
    """Both sub-networks after the graph contract: uint8 [1, H, W, 3] RGB, and keep [1, H, W], to anomaly_map [1, H, W].

    The map is the probability of the second class. Where keep is 0 its logit can never win: the pre-masking of the
    line-clearance study. As the softmax runs over the two classes of one pixel, that equals a map set to 0 there.
    """

    def __init__(self, reconstructive: Reconstructive, discriminative: Discriminative) -> None:
        super().__init__()
        self.reconstructive = reconstructive
        self.discriminative = discriminative

    def forward(self, image: Tensor, keep: Tensor | None = None) -> Tensor:
        """float32 [1, H, W] in 0..1."""
        planes = float_image(image, "bgr")
        painted = self.reconstructive(planes)
        logits = self.discriminative(torch.cat([painted, planes.to(painted.dtype)], 1)).float()
        if keep is not None:
            kept = keep.float()
            anomalous = logits[:, 1] * kept + (1 - kept) * NEVER
            logits = torch.stack([logits[:, 0], anomalous], 1)
        return softmax32(logits, 1)[:, 1]
