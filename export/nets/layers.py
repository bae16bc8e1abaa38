"""From declared layers to modules: `nn.Sequential` with the same numbers, sizes checked layer by layer.

Sizes are found by running each layer without memory (torch's meta device), so that a declaration of a million channels is
refused, not allocated.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import nn

from edge.errors import ConfigError
from export.nets import autoencoder_spec as spec

Shape = tuple[int, ...]
MAX_WEIGHTS, MAX_VALUES = 500_000_000, 1 << 28
_PLAIN: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "flatten": nn.Flatten,
    "dropout": nn.Identity,
}


class Branches(nn.ModuleList):
    """Branches that see the same input; what they give is joined along the channels or added."""

    def __init__(self, branches: Sequence[nn.Module], *, add: bool) -> None:
        super().__init__(branches)
        self._add = add

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[N, C, H, W] to [N, C', H', W']."""
        given = [branch(x) for branch in self]
        if self._add:
            total: torch.Tensor = given[0]
            for more in given[1:]:
                total = total + more
            return total
        return torch.cat([each.to(given[0].dtype) for each in given], 1)


def build_layers(layers: Sequence[spec.Layer], shape: Shape, picture: Shape, where: str) -> tuple[nn.Sequential, Shape]:
    """The layers as modules without numbers yet (device meta), and the shape that leaves them.

    shape: that enters, without the batch: (channels, height, width) or (values,). picture: of the network's own input.
    ConfigError names the layer that does not fit.
    """
    built: list[nn.Module] = []
    for number, layer in enumerate(layers):
        here = f"{where}: layer {number} ({layer.kind})"
        try:
            with torch.device("meta"):
                module = _module(layer, shape, picture, here)
                out: torch.Tensor = module.eval()(torch.empty(2, *shape))
        except (RuntimeError, ValueError, IndexError, TypeError, OverflowError) as error:
            said = " ".join(str(error).split())[:160]
            raise _misfit(shape, here, f" ({said})") from None
        built.append(module)
        shape = tuple(out.shape[1:])
        weights = sum(each.numel() for part in built for each in part.parameters())
        if math.prod(shape) > MAX_VALUES or weights > MAX_WEIGHTS or 0 in shape:
            raise ConfigError(
                f"gives {_shown(shape)} and {weights} weights up to here", where=here, remedy="declare what was trained"
            )
    return nn.Sequential(*built), shape


def _module(layer: spec.Layer, shape: Shape, picture: Shape, where: str) -> nn.Module:
    if isinstance(layer, spec.Parallel):
        built = [build_layers(branch, shape, picture, f"{where}: branch {i}") for i, branch in enumerate(layer.branches)]
        return Branches([module for module, _ in built], add=layer.join == "sum")
    if isinstance(layer, spec.Linear):
        if len(shape) != 1:
            raise ConfigError(f"is given {_shown(shape)}", where=where, remedy="put a `flatten` layer before it")
        return nn.Linear(shape[0], layer.to, bias=layer.bias)
    if isinstance(layer, spec.Plain) and layer.kind == "batch_norm":
        return nn.BatchNorm2d(shape[0]) if len(shape) == 3 else nn.BatchNorm1d(shape[0])
    if isinstance(layer, spec.Plain):
        return _PLAIN[layer.kind]()
    if isinstance(layer, spec.LeakyRelu):
        return nn.LeakyReLU(layer.slope)
    if isinstance(layer, spec.Unflatten):
        return nn.Unflatten(1, layer.shape)
    if len(shape) != 3:
        raise _misfit(shape, where)
    return _picture_module(layer, shape, picture)


def _picture_module(
    layer: spec.Convolution | spec.Transposed | spec.Pool | spec.GlobalPool | spec.Upsample, shape: Shape, picture: Shape
) -> nn.Module:
    if isinstance(layer, spec.Convolution):
        # Written out: ONNX Runtime has no dilation with automatic padding.
        padding = layer.dilation * (layer.kernel - 1) // 2 if layer.padding == "same" else layer.padding
        return nn.Conv2d(
            shape[0],
            layer.to,
            layer.kernel,
            layer.stride,
            padding,
            layer.dilation,
            layer.groups,
            layer.bias,
            layer.border,
        )
    if isinstance(layer, spec.Transposed):
        return nn.ConvTranspose2d(
            shape[0],
            layer.to,
            layer.kernel,
            layer.stride,
            layer.padding,
            layer.output_padding,
            bias=layer.bias,
            dilation=layer.dilation,
        )
    if isinstance(layer, spec.Pool):
        kind = nn.MaxPool2d if layer.kind == "max_pool" else nn.AvgPool2d
        return kind(layer.kernel, layer.stride, layer.padding)
    if isinstance(layer, spec.GlobalPool):
        if shape[1] % layer.side or shape[2] % layer.side:
            raise ValueError(f"{layer.side} parts do not divide {shape[2]}x{shape[1]}")
        return nn.AvgPool2d((shape[1] // layer.side, shape[2] // layer.side))
    size = (picture[1], picture[2]) if layer.factor == "input" else None
    scale = None if layer.factor == "input" else float(layer.factor)
    return nn.Upsample(size, scale, layer.mode, layer.align_corners if layer.mode == "bilinear" else None)


def _misfit(shape: Shape, where: str, said: str = "") -> ConfigError:
    return ConfigError(f"does not fit {_shown(shape)}, which reaches it{said}", where=where, remedy="declare what was trained")


def _shown(shape: Shape) -> str:
    return "x".join(map(str, shape))
