"""The network of a checkpoint up to its embedding, weights loaded: of a whole image, or of every place in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from torch import nn

from edge.errors import BundleError, ConfigError
from export.adapters.building import built
from export.adapters.mahalanobis_keys import BlockLayout, HeadLayer, Layout, layout_of
from export.adapters.mahalanobis_settings import ImageSettings
from export.checkpoint import Checkpoint, load_checkpoint
from export.nets.mahalanobis import Embedding
from export.nets.resnet import STAGES, Resnet
from export.nets.sspcab import MaskedBlock
from export.outline import outline

LEAST_SIDE = 32


@dataclass(frozen=True, eq=False)
class Source:
    """A checkpoint that was read, and what it is."""

    checkpoint: Checkpoint
    layout: Layout


def read_source(path: Path) -> Source:
    """The checkpoint at `path`, wherever its state dict lies in it. BundleError: it cannot be read, or is no such network."""
    checkpoint = load_checkpoint(path, inner=outline(path).inner, strip=("module.", "model."))
    return Source(checkpoint, read_layout(checkpoint))


def read_layout(checkpoint: Checkpoint) -> Layout:
    """What the checkpoint is. BundleError: no residual network, or several."""
    layout = layout_of({name: tuple(tensor.shape) for name, tensor in checkpoint.state.items()})
    if layout is None:
        raise BundleError(
            "holds no residual network that stands alone (conv1 of 7x7, bn1, layer1 to layer4)",
            where=str(checkpoint.path),
            remedy="give a checkpoint of CutPaste, or a ResNet's state dict; look what it is: lineclear-export inspect FILE",
        )
    return layout


def embedding_of(checkpoint: Checkpoint, layout: Layout, settings: ImageSettings) -> Embedding:
    """The network up to its vector, weights loaded; settings as `settled`."""
    check_side(settings.size_wh)
    block = None
    if settings.block == "layer4":
        fitting = [each for each in layout.blocks if each.channels == layout.resnet.out[-1]]
        if len(fitting) != 1:
            raise ConfigError(
                f"{len(fitting)} masked blocks have the {layout.resnet.out[-1]} channels of the deepest map",
                where="--block",
                remedy="write branch, or export this network to ONNX and use `lineclear-export onnx`",
            )
        block = _block(checkpoint, fitting[0], settings.block_dilation)
    head = _head(checkpoint, layout) if settings.embedding == "head" else None
    if head is not None and layout.head[0].channels_in != layout.resnet.out[-1]:
        taken = f"takes {layout.head[0].channels_in} channels and the network gives {layout.resnet.out[-1]}"
        raise BundleError(f"the head {taken}", where=str(checkpoint.path), remedy="use --embedding backbone")
    return Embedding(resnet_of(checkpoint, layout), block, head, bool(settings.normalise)).eval()


def check_side(size_wh: tuple[int, int]) -> None:
    """ConfigError: too small for a network that halves it five times."""
    if min(size_wh) < LEAST_SIDE:
        raise ConfigError(f"{size_wh[0]}x{size_wh[1]} is too small", where="--size", remedy=f"each side {LEAST_SIDE} or more")


def _part(checkpoint: Checkpoint, prefix: str, roots: Sequence[str] = ("",)) -> Checkpoint:
    named = {name.removeprefix(prefix): value for name, value in checkpoint.state.items() if name.startswith(prefix)}
    return replace(checkpoint, state={name: value for name, value in named.items() if name.startswith(tuple(roots))})


def resnet_of(checkpoint: Checkpoint, layout: Layout) -> Resnet:
    """The residual network alone."""
    part = _part(checkpoint, layout.prefix, ("conv1.", "bn1.", *(f"{stage}." for stage in STAGES)))
    return built(lambda: Resnet(layout.resnet), part)


def _head(checkpoint: Checkpoint, layout: Layout) -> nn.Sequential:
    def make() -> nn.Sequential:
        layers: list[nn.Module] = []
        for layer in layout.head:
            # What lies between two layers and has no tensors is a ReLU.
            layers += [nn.ReLU() for _ in range(layer.index - len(layers))]
            layers.append(_layer(layer))
        if layout.head[-1].kind == "norm":
            # A head that ends in a normalisation is Runinho's, where a ReLU follows every one.
            layers.append(nn.ReLU())
        return nn.Sequential(*layers)

    return built(make, _part(checkpoint, layout.head_prefix))


def _layer(layer: HeadLayer) -> nn.Module:
    if layer.kind == "norm":
        return nn.BatchNorm1d(layer.channels_in)
    return nn.Linear(layer.channels_in, layer.channels_out, bias=layer.bias)


def _block(checkpoint: Checkpoint, layout: BlockLayout, dilation: int) -> MaskedBlock:
    make = partial(MaskedBlock, layout.channels, layout.reduced, layout.kernel, dilation)
    return built(make, _part(checkpoint, layout.prefix))
