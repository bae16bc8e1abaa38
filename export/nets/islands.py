"""Building blocks whose arithmetic stays float32 whatever the rest of the network computes in.

Statistics, softmax, distances, variances and blurs lose their meaning in float16: SSIM's variances cancel, exponentials
and squares overflow 65504, means over thousands of pixels round. Each block takes float16 or float32 and computes in
float32. Normalisations give back the type that they were given; maps, distances and scores stay float32.

Images are NCHW, maps [N, H, W], float32 unless said otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from export.nets.moments import moments, weighted

Order = Literal["rgb", "bgr", "grey"]
Border = Literal["reflect", "replicate", "zeros"]
# ITU-R BT.601, as OpenCV and Pillow turn colour into grey.
_GREY = (0.299, 0.587, 0.114)


def float_image(
    image: Tensor,
    order: Order = "rgb",
    scale: float = 1 / 255,
    mean: Sequence[float] = (0.0,),
    std: Sequence[float] = (1.0,),
) -> Tensor:
    """The graph contract's uint8 [1, H, W, 3] RGB as float32 NCHW: (image * scale - mean) / std in the colour order given.

    grey gives one channel (BT.601, not rounded). mean and std: one value, or one per channel of that order.
    """
    planes = image.float().permute(0, 3, 1, 2)
    if order == "bgr":
        planes = torch.cat([planes[:, 2:3], planes[:, 1:2], planes[:, 0:1]], 1)
    elif order == "grey":
        planes = (planes * planes.new_tensor(_GREY).view(1, 3, 1, 1)).sum(1, keepdim=True)
    if list(mean) == [0.0] and list(std) == [1.0]:
        return planes * scale
    return (planes * scale - planes.new_tensor(mean).view(1, -1, 1, 1)) / planes.new_tensor(std).view(1, -1, 1, 1)


class LayerNorm32(nn.LayerNorm):
    """Layer normalisation with float32 statistics (Ba et al. 2016)."""

    def forward(self, input: Tensor) -> Tensor:
        """As nn.LayerNorm; the result has the input's type."""
        return super().forward(input.float()).to(input.dtype)


class GroupNorm32(nn.GroupNorm):
    """Group normalisation with float32 statistics (Wu and He 2018)."""

    def forward(self, input: Tensor) -> Tensor:
        """As nn.GroupNorm; the result has the input's type."""
        return super().forward(input.float()).to(input.dtype)


class Island(nn.Module):
    """Any layer of one input in float32: what `half` puts around a normalisation that could not be folded."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, input: Tensor) -> Tensor:
        """As the layer within; the result has the input's type."""
        result: Tensor = self.layer(input.float())
        return result.to(input.dtype)


def softmax32(logits: Tensor, dim: int) -> Tensor:
    """Softmax in float32; stays float32."""
    return torch.softmax(logits.float(), dim)


def attention(query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
    """softmax(query key^T * scale) value over the last two dimensions: products in the inputs' type, softmax in float32."""
    weights = softmax32(torch.matmul(query * scale, key.transpose(-2, -1)), -1)
    return torch.matmul(weights.to(value.dtype), value)


def gaussian_blur(planes: Tensor, kernel: int, sigma: float, border: Border = "reflect") -> Tensor:
    """NCHW blurred with a Gaussian of `kernel` taps (odd), separable, the taps normalised to 1; float32."""
    return _separable(planes.float(), gaussian_taps(kernel, sigma), border)


def gaussian_taps(count: int, sigma: float) -> list[float]:
    """A Gaussian's values at so many whole numbers around 0, divided by their sum. ValueError: an even count."""
    if count % 2 == 0 or count < 1:
        raise ValueError(f"{count} taps: a Gaussian has an odd number")
    taps = [math.exp(-0.5 * ((place - count // 2) / sigma) ** 2) for place in range(count)]
    return [tap / sum(taps) for tap in taps]


def uniform_blur(planes: Tensor, kernel: int, border: Border = "reflect") -> Tensor:
    """NCHW averaged over a square of `kernel` pixels (odd), separable; float32."""
    return _separable(planes.float(), [1 / kernel] * kernel, border)


def mean_filter(planes: Tensor, window: int, *, count_padding: bool = True) -> Tensor:
    """NCHW averaged over window x window (odd), zeros around; count_padding: zeros count in the mean, as torch's default."""
    return functional.avg_pool2d(planes.float(), window, 1, window // 2, count_include_pad=count_padding)


def ssim_map(
    first: Tensor,
    second: Tensor,
    *,
    window: Literal["gaussian", "uniform"] = "gaussian",
    size: int = 11,
    sigma: float = 1.5,
    data_range: float = 1.0,
    k1: float = 0.01,
    k2: float = 0.03,
    border: Border | None = "reflect",
    unbiased: bool = False,
) -> Tensor:
    """Structural similarity per pixel and channel (Wang et al. 2004), NCHW float32, 1 where both are alike.

    border: how the edges continue; None leaves them out, and the map is smaller by size - 1. unbiased: sample variances
    (n / (n - 1)), as scikit-image's uniform window has them. The covariance comes from three variances (of x, y and x - y),
    for those can be had without cancellation (`moments`). ValueError: an even size.
    """
    x, y = first.float(), second.float()
    taps = gaussian_taps(size, sigma) if window == "gaussian" else [1 / size] * size
    both = torch.cat([x, y, x - y], 1)
    means, variances = moments(both if border is None else _bordered(both, size // 2, border), taps)
    bias = size * size / (size * size - 1) if unbiased else 1.0
    mean_x, mean_y, _ = means.chunk(3, 1)
    variance_x, variance_y, variance_apart = (variances * bias).chunk(3, 1)
    spread = variance_x + variance_y
    c1, c2 = (k1 * data_range) ** 2, (k2 * data_range) ** 2
    above = (2 * mean_x * mean_y + c1) * (spread - variance_apart + c2)
    below = (mean_x * mean_x + mean_y * mean_y + c1) * (spread + c2)
    return above / below


def cosine_distance_map(first: Tensor, second: Tensor, floor: float = 1e-8) -> Tensor:
    """1 - cosine of the channel vectors at each pixel: NCHW and NCHW to float32 [N, H, W]; each norm at least `floor`.

    The vectors are scaled to 1 before they are multiplied: products of raw features leave what float16 can hold.
    """
    x, y = first.float(), second.float()
    unit_x = x / x.pow(2).sum(1, keepdim=True).sqrt().clamp_min(floor)
    unit_y = y / y.pow(2).sum(1, keepdim=True).sqrt().clamp_min(floor)
    return 1 - (unit_x * unit_y).sum(1)


def upsample(planes: Tensor, size_hw: tuple[int, int], *, align_corners: bool) -> Tensor:
    """NCHW enlarged bilinearly to size_hw; float32."""
    return functional.interpolate(planes.float(), size=size_hw, mode="bilinear", align_corners=align_corners)


class Mahalanobis(nn.Module):
    """Distance of vectors from a Gaussian, through the Cholesky factor of its precision: ||(x - mean) L||.

    Unlike (x - mean)^T P (x - mean) no intermediate is as large as the precision matrix itself. One Gaussian, or one per
    position (PaDiM, Defard et al. 2020).
    """

    mean: Tensor
    factor: Tensor

    def __init__(self, mean: Tensor, precision_factor: Tensor) -> None:
        """mean: [C], or [P, C]. precision_factor: L of P = L L^T, [C, C] or [P, C, C]."""
        super().__init__()
        self.register_buffer("mean", mean.float())
        self.register_buffer("factor", precision_factor.float())

    def forward(self, vectors: Tensor) -> Tensor:
        """[N, C] to [N], or [N, P, C] to [N, P]; float32."""
        centred = vectors.float() - self.mean
        # Position-wise: each has its own matrix, so the product runs as one row per position.
        rotated = (centred.unsqueeze(-2) @ self.factor).squeeze(-2) if self.factor.ndim == 3 else centred @ self.factor
        distances: Tensor = rotated.pow(2).sum(-1).sqrt()
        return distances


def precision_factor(covariance: Tensor) -> Tensor:
    """L with L L^T = covariance^-1 for [.., C, C], computed in float64; float32. torch.linalg.LinAlgError if singular."""
    factor: Tensor = torch.linalg.cholesky(torch.linalg.inv(covariance.double())).float()
    return factor


def _separable(planes: Tensor, taps: Sequence[float], border: Border) -> Tensor:
    """One line of taps along both axes, each channel for itself."""
    wide = _bordered(planes, len(taps) // 2, border)
    return weighted(weighted(wide, taps, 3), taps, 2)


def _bordered(planes: Tensor, width: int, border: Border) -> Tensor:
    mode = "constant" if border == "zeros" else border
    return functional.pad(planes, (width, width, width, width), mode=mode)
