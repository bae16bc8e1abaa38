"""Auto-encoders as a declaration describes them, and the map and score that their reconstructions give.

Plain, denoising (Vincent et al. 2008), dilated and pyramidal ones differ in their layers only. The residual is the absolute
or squared difference, or 1 - SSIM (Bergmann et al., "Improving Unsupervised Defect Segmentation by Applying Structural
Similarity to Autoencoders", VISAPP 2019); it, the smoothing and the score are float32.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from edge.errors import ConfigError
from export.nets.autoencoder_spec import AutoencoderSpec, Similarity, Smoothing
from export.nets.framing import framed, placed
from export.nets.grey import grey_levels
from export.nets.islands import float_image, gaussian_blur, ssim_map, uniform_blur
from export.nets.layers import Shape, build_layers

_GAUSSIAN_CUT = 4.0
# TensorRT's TopK takes K < 3840.
TOP_MAX = 3839


def build_network(spec: AutoencoderSpec, where: str) -> nn.Sequential:
    """The network of a declaration, its parts under their names, without numbers (device meta).

    ConfigError: no network, a layer that does not fit what reaches it, an output that is not of the input's shape.
    """
    width, height = spec.input_wh
    given: Shape = (spec.channels, height, width)
    shape, network = given, nn.Sequential()
    if not spec.network:
        raise ConfigError("is missing", where=f"{where}: network", remedy="declare the layers, or give --factory")
    for name, layers in spec.network.items():
        part, shape = build_layers(layers, shape, given, f"{where}: network: {name}")
        network.add_module(name, part)
    if shape != given:
        sizes = ["x".join(map(str, each)) for each in (shape, given)]
        remedy = "mend the layers: channels x height x width must come out as they went in"
        raise ConfigError(f"gives {sizes[0]}, its input is {sizes[1]}", where=f"{where}: network", remedy=remedy)
    return network


def percentile_99(values: torch.Tensor) -> torch.Tensor:
    """As numpy.percentile(values, 99): [K] to a scalar, between the two nearest values in rank."""
    place = 0.99 * (values.shape[0] - 1)
    below = math.floor(place)
    largest = torch.topk(values, values.shape[0] - below, sorted=True).values
    upper = largest[-2] if largest.shape[0] > 1 else largest[-1]
    return largest[-1] + (upper - largest[-1]) * (place - below)


class AutoencoderMap(nn.Module):
    """Image to map, and to a score where it is not the map's maximum.

    image: uint8 [1, height, width, 3] RGB. Returns the map [1, height, width] float32, and the score [1] for `mean`, `p99`.
    """

    def __init__(self, network: nn.Module, spec: AutoencoderSpec) -> None:
        super().__init__()
        self.network, self.spec = network, spec
        width, height = spec.size
        if spec.patches is not None:
            across, down = (spec.patches.places(length) for length in spec.size)
            self._places = [(y, x) for y in down for x in across]
            seen = torch.zeros(1, 1, height, width)
            for y, x in self._places:
                seen[..., y : y + spec.patches.side, x : x + spec.patches.side] += 1
            self.register_buffer("seen", seen, persistent=False)
        weight = torch.ones(height, width)
        if spec.edge is not None:
            weight[:] = spec.edge.factor
            rim = spec.edge.width
            weight[rim : height - rim, rim : width - rim] = 1
        self.register_buffer("weight", weight, persistent=False)

    def forward(self, image: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        """The map, and with `mean` and `p99` the score."""
        spec = self.spec
        shown = self._shown(image)
        anomaly = self._residual(shown, self._reconstruction(shown)).mean(1, keepdim=True)
        if spec.smoothing is not None:
            anomaly = _smoothed(anomaly, spec.smoothing)
        anomaly = anomaly[:, 0] * self.get_buffer("weight")
        if spec.score == "max":
            return anomaly
        score = anomaly.mean() if spec.score == "mean" else percentile_99(anomaly.flatten())
        return anomaly, score.reshape(1)

    def _shown(self, image: torch.Tensor) -> torch.Tensor:
        """What the network sees: (pixel / 255 * (high - low) + low - mean) / std."""
        low, high = self.spec.range
        scale, mean, std = (high - low) / 255, [each - low for each in self.spec.mean], self.spec.std
        if self.spec.colour == "grey":
            return (grey_levels(image) * scale - mean[0]) / std[0]
        return float_image(image, self.spec.colour, scale, mean, std)

    def _reconstruction(self, shown: torch.Tensor) -> torch.Tensor:
        patches = self.spec.patches
        if patches is None:
            made: torch.Tensor = self.network(shown)
            return made.float()
        side = patches.side
        width, height = self.spec.size
        pieces = self.network(torch.cat([shown[:, :, y : y + side, x : x + side] for y, x in self._places])).float()
        total = torch.zeros_like(shown)
        for index, (y, x) in enumerate(self._places):
            total = total + placed(pieces[index : index + 1], x, width - side - x, y, height - side - y)
        return total / self.get_buffer("seen")

    def _residual(self, shown: torch.Tensor, made: torch.Tensor) -> torch.Tensor:
        rule = self.spec.residual
        if not isinstance(rule, Similarity):
            apart = shown - made
            return apart.abs() if rule.kind == "l1" else apart.square()
        low, high = self.spec.range
        pair = [framed(each, rule.side // 2, rule.border) for each in (shown, made)]
        return 1 - ssim_map(
            pair[0],
            pair[1],
            window=rule.window,
            size=rule.side,
            sigma=rule.sigma,
            data_range=rule.data_range or high - low,
            border=None,
            unbiased=rule.unbiased,
        )


def _smoothed(anomaly: torch.Tensor, rule: Smoothing) -> torch.Tensor:
    """[1, 1, H, W] smoothed; the edge pixel is repeated beyond the border, as SciPy's filters do."""
    radius = int(_GAUSSIAN_CUT * rule.sigma + 0.5) if rule.kind == "gaussian" else rule.side // 2
    wide = framed(anomaly, radius, "symmetric")
    side = 2 * radius + 1
    blurred = gaussian_blur(wide, side, rule.sigma, "zeros") if rule.kind == "gaussian" else uniform_blur(wide, side, "zeros")
    return blurred[:, :, radius:-radius, radius:-radius]
