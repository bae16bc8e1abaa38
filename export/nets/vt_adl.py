"""The networks of VT-ADL, for checkpoints that its project wrote.

Mishra, Verk, Fornasier, Piciarelli and Foresti, "VT-ADL: A Vision Transformer Network for Image Anomaly Detection and
Localization", ISIE 2021. Written here from the paper and the checkpoints' keys. One image at a time: every tensor is
[1, tokens, dim] or [1, channels, height, width]. Softmax, layer norm statistics, squash and the density are float32.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional

from export.nets.capsules import squash
from export.nets.framing import framed
from export.nets.islands import LayerNorm32, attention, float_image, ssim_map
from export.nets.transposed import TransposedDecoder
from export.nets.vt_adl_shape import CELLS, VtAdlShape

LEAST_SHARE = 2.220446049250313e-16  # upstream clamps by float64's epsilon; float32 holds it, float16 does not
# kernel, stride, padding of the decoder's steps: 8 -> 15 -> 49 -> 245 -> 497 -> 502 -> 512
DECODER = ((3, 2, 1), (9, 3, 1), (7, 5, 1), (9, 2, 0), (6, 1, 0), (11, 1, 0))


class _Attention(nn.Module):
    """Multi-head self-attention, scaled by the whole width as upstream has it, not by that of one head."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.scale = dim**-0.5
        self.to_qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.to_out = nn.Sequential(nn.Linear(dim, dim))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens, dim = x.shape[1], x.shape[2]
        parts = self.to_qkv(x).reshape(tokens, 3, self.heads, dim // self.heads)
        query, key, value = parts.permute(1, 2, 0, 3)
        mixed = attention(query, key, value, self.scale).permute(1, 0, 2).reshape(1, tokens, dim)
        result: torch.Tensor = self.to_out(mixed)
        return result


class _FeedForward(nn.Module):
    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, dim))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.net(x)
        return result


class _Normed(nn.Module):
    """Layer norm, then the part."""

    def __init__(self, dim: int, part: nn.Module) -> None:
        super().__init__()
        self.norm = LayerNorm32(dim)
        self.fn = part

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.fn(self.norm(x))
        return result


class _Residual(nn.Module):
    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.fn = part

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.fn(x).float() + x
        return result


class _Transformer(nn.Module):
    def __init__(self, shape: VtAdlShape, heads: int) -> None:
        super().__init__()
        dim = shape.dim
        blocks = [
            nn.ModuleList(_Residual(_Normed(dim, part)) for part in (_Attention(dim, heads), _FeedForward(dim, shape.mlp)))
            for _ in range(shape.depth)
        ]
        self.layers = nn.ModuleList(blocks)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for block in self.layers:
            assert isinstance(block, nn.ModuleList)  # noqa: S101
            for part in block:
                x = part(x)
        return x


class VisionTransformer(nn.Module):
    """The encoder: [1, 3, side, side] in 0..1 to a vector per patch, [1, patches, dim] float32; the class token is dropped."""

    def __init__(self, shape: VtAdlShape, heads: int) -> None:
        super().__init__()
        self.shape = shape
        self.pos_embedding = nn.Parameter(torch.empty(1, shape.grid**2 + 1, shape.dim))
        self.patch_to_embedding = nn.Linear(3 * shape.patch**2, shape.dim)
        self.cls_token = nn.Parameter(torch.empty(1, 1, shape.dim))
        self.transformer = _Transformer(shape, heads)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """The vectors."""
        grid, patch = self.shape.grid, self.shape.patch
        patches = image.reshape(3, grid, patch, grid, patch).permute(1, 3, 2, 4, 0).reshape(1, grid * grid, -1)
        # The sums of the blocks stay float32: what each adds is small against what is there.
        x = torch.cat((self.cls_token, self.patch_to_embedding(patches).float()), 1)
        encoded: torch.Tensor = self.transformer(x + self.pos_embedding)
        return encoded[:, 1:]


class _OneCapsule(nn.Module):
    """Upstream's capsule layer with one output. The softmax over one output is 1 in every iteration: nothing is routed."""

    def __init__(self, shape: VtAdlShape) -> None:
        super().__init__()
        self.W = nn.Parameter(torch.empty(1, shape.grid**2 * CELLS, shape.capsule, shape.dim // CELLS))


class VtAe(nn.Module):
    """`VT_AE_*.pt`: encoder, capsule, decoder."""

    def __init__(self, shape: VtAdlShape, heads: int) -> None:
        super().__init__()
        self.vt = VisionTransformer(shape, heads)
        self.decoder = TransposedDecoder(shape.channels, DECODER)
        self.Digcap = _OneCapsule(shape)

    def folded(self) -> nn.Linear:
        """The capsule step as one linear layer from all of the encoder's values; only `squash` is left to do after it."""
        weight = self.Digcap.W.detach()[0].permute(1, 0, 2).flatten(1)
        linear = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
        linear.weight = nn.Parameter(weight.contiguous())
        return linear


class _Linear32(nn.Linear):
    keep_float32 = True


class MixtureDensity(nn.Module):
    """`G_estimate_*.pt`: a mixture of Gaussians whose parameters depend on the vector itself; float32 throughout.

    Scores are sums over the vector's values, thousands, where float16 has steps of 4.
    """

    def __init__(self, dim: int, components: int) -> None:
        super().__init__()
        self.dim = dim
        self.pi = _Linear32(dim, components, bias=False)
        self.mu = _Linear32(dim, dim * components, bias=False)
        self.sigma_sq = _Linear32(dim, dim * components, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[1, patches, dim] float32 to the badness of each patch [patches]: the weighted mean of the negative log densities.

        Not the negative log of the mixture: upstream sums `pi * -log N`, and so do the published figures.
        """
        x = x[0]
        positive = x.clamp(min=LEAST_SHARE)
        share: torch.Tensor = torch.softmax(self.pi(positive), -1)
        log_variance = functional.softplus(self.sigma_sq(positive)).view(x.shape[0], self.dim, -1)
        mean = self.mu(positive).view(x.shape[0], self.dim, -1)
        apart = (x.unsqueeze(-1) - mean).square() * torch.exp(-log_variance)
        badness: torch.Tensor = 0.5 * (math.log(2 * math.pi) + (log_variance + apart).sum(1))
        return (share * badness).sum(-1)


def spread_matrix(grid: int, side: int, sigma: float = 4.0, truncate: float = 4.0) -> torch.Tensor:
    """[side, grid] float32: linear interpolation of grid values with corners aligned, then scipy's gaussian_filter.

    Both are linear and separable, so the map of a grid of values g is `m @ g @ m.T`.
    """
    places = torch.linspace(0, grid - 1, side, dtype=torch.float64)
    upsample = (1 - (places[:, None] - torch.arange(grid, dtype=torch.float64)).abs()).clamp(min=0)
    radius = int(truncate * sigma + 0.5)
    taps = torch.exp(-0.5 * (torch.arange(-radius, radius + 1, dtype=torch.float64) / sigma).square())
    taps /= taps.sum()
    blur = torch.zeros(side, side, dtype=torch.float64)
    for offset, tap in zip(range(-radius, radius + 1), taps, strict=True):
        source = torch.arange(side) + offset
        # scipy's "reflect" repeats the edge pixel.
        source = torch.where(source < 0, -1 - source, source) % (2 * side)
        source = torch.where(source >= side, 2 * side - 1 - source, source)
        blur[torch.arange(side), source] += tap
    return (blur @ upsample).float()


class VtAdl(nn.Module):
    """Image to map and score, as upstream's test does it.

    image: uint8 [1, side, side, 3] RGB. Returns the map [1, side, side] and the score [1], float32. The score is
    mse - ssim + max with `ssim_sign` -1 (less alike is worse, as the network was trained), mse + ssim + max with 1 (as
    upstream's test has it).
    """

    def __init__(self, network: VtAe, density: MixtureDensity, ssim_sign: float) -> None:
        super().__init__()
        shape = network.vt.shape
        self.encoder, self.decoder, self.density = network.vt, network.decoder, density
        self.capsule = network.folded()
        self.ssim_sign = ssim_sign
        self.grid = shape.grid
        self.register_buffer("spread", spread_matrix(shape.grid, shape.side), persistent=False)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Map and score."""
        shown = float_image(image)
        encoded = self.encoder(shown)
        capsule = squash(self.capsule(encoded.flatten(1)).float())
        made = self.decoder(capsule.reshape(1, -1, 8, 8)).float()
        badness = self.density(encoded)
        anomaly = self.spread @ badness.view(self.grid, self.grid) @ self.spread.T
        # Upstream's SSIM sees black beyond the border.
        alike = ssim_map(framed(shown, 5), framed(made, 5), border=None).mean()
        score = (shown - made).square().mean() + self.ssim_sign * alike + badness.max()
        return anomaly.unsqueeze(0), score.reshape(1)
