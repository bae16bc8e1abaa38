"""What a checkpoint with a residual network in it is, from names and shapes alone; no torch here.

Known layouts: Runinho/pytorch-cutpaste (`resnet18.*`, `head.*`, `out.*`), LilitYolyan/CutPaste (Lightning: `model.encoder.*`,
`model.head.*`, `model.out.*`), the ball-screw net or any other that keeps a ResNet under one prefix, and the bare state
dict of a ResNet. A masked block (SSPCAB) is found by its twelve tensors, wherever it hangs.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from export.nets.resnet_shape import ResnetShape, resnet_shape

Shapes = Mapping[str, Sequence[int]]
Origin = Literal["runinho", "lilityolyan", "resnet"]
ORIGINS: Mapping[Origin, str] = {
    "runinho": "CutPaste of Runinho/pytorch-cutpaste",
    "lilityolyan": "CutPaste of LilitYolyan/CutPaste",
    "resnet": "a residual network",
}
_BLOCK_KEYS = tuple(
    f"{part}.{kind}" for part in ("se.fc1", "se.fc2", "conv1", "conv2", "conv3", "conv4") for kind in ("weight", "bias")
)


@dataclass(frozen=True)
class HeadLayer:
    """One layer of the projection head: its index in the Sequential, what it is, channels in and out, with a bias or not."""

    index: int
    kind: Literal["linear", "norm"]
    channels_in: int
    channels_out: int
    bias: bool


@dataclass(frozen=True)
class BlockLayout:
    """A masked block (SSPCAB): where its keys lie, channels, those inside its attention, side of a sub-kernel."""

    prefix: str
    channels: int
    reduced: int
    kernel: int


@dataclass(frozen=True)
class Layout:
    """Where the parts lie in a checkpoint.

    prefix: of the residual network's keys ("" at the top). head: layers of the projection head under `head_prefix`, empty
    where there is none. classes: of the pretext task, 0 where unknown. blocks: masked blocks. others: how many tensors
    belong to none of these.
    """

    origin: Origin
    prefix: str
    resnet: ResnetShape
    head_prefix: str
    head: tuple[HeadLayer, ...]
    classes: int
    blocks: tuple[BlockLayout, ...]
    others: int

    @property
    def words(self) -> str:
        """In one line: `CutPaste of Runinho/pytorch-cutpaste: resnet18, head of 2 layers to 128, 3 classes`."""
        parts = [self.resnet.name]
        linear = [layer for layer in self.head if layer.kind == "linear"]
        if linear:
            parts.append(f"head of {len(linear)} layers to {linear[-1].channels_out}")
        if self.classes:
            parts.append(f"{self.classes} classes")
        parts += [f"masked block of {block.channels} channels under {block.prefix!r}" for block in self.blocks]
        return f"{ORIGINS[self.origin]}: {', '.join(parts)}"


def layout_of(shapes: Shapes) -> Layout | None:
    """What the tensors of these names and shapes are, or None where no residual network is among them, or more than one."""
    prefixes = [name.removesuffix("conv1.weight") for name in shapes if re.fullmatch(r"(?:.*\.)?conv1\.weight", name)]
    found = [(prefix, shape) for prefix in prefixes if (shape := resnet_shape(shapes, prefix)) is not None]
    if len(found) != 1:
        return None
    prefix, shape = found[0]
    root = prefix[: prefix.rstrip(".").rfind(".") + 1] if prefix else ""
    head = _head(shapes, f"{root}head.") if prefix else ()
    out = tuple(shapes.get(f"{root}out.weight", ())) if prefix else ()
    origin: Origin = "resnet"
    if prefix == "resnet18." and head:
        origin = "runinho"
    elif prefix.endswith("encoder.") and head:
        origin = "lilityolyan"
    blocks = tuple(_blocks(shapes))
    mine = (prefix, f"{root}head.", f"{root}out.", *(block.prefix for block in blocks)) if prefix else ()
    others = sum(not name.startswith(mine) for name in shapes) if mine else _strangers(shapes, shape, blocks)
    classes = int(out[0]) if len(out) == 2 else 0
    return Layout(origin, prefix, shape, f"{root}head.", head, classes, blocks, others)


def _strangers(shapes: Shapes, shape: ResnetShape, blocks: tuple[BlockLayout, ...]) -> int:
    stages = tuple(f"layer{index + 1}." for index in range(len(shape.blocks)))
    known = ("conv1.", "bn1.", "fc.", *stages, *(block.prefix for block in blocks))
    return sum(not name.startswith(known) for name in shapes)


def _head(shapes: Shapes, prefix: str) -> tuple[HeadLayer, ...]:
    """The layers in order; empty where they do not follow one upon another."""
    layers: list[HeadLayer] = []
    pattern = re.compile(re.escape(prefix) + r"(\d{1,3})\.weight")
    for index in sorted(int(match[1]) for match in map(pattern.fullmatch, shapes) if match):
        shape = tuple(int(side) for side in shapes[f"{prefix}{index}.weight"])
        bias = f"{prefix}{index}.bias" in shapes
        if len(shape) == 2:
            layers.append(HeadLayer(index, "linear", shape[1], shape[0], bias))
        elif len(shape) == 1 and f"{prefix}{index}.running_mean" in shapes:
            layers.append(HeadLayer(index, "norm", shape[0], shape[0], bias))
        else:
            return ()
    follows = all(a.channels_out == b.channels_in for a, b in itertools.pairwise(layers))
    return tuple(layers) if layers and follows and layers[0].index == 0 else ()


def _blocks(shapes: Shapes) -> list[BlockLayout]:
    found = []
    for name in shapes:
        prefix = name.removesuffix("se.fc1.weight")
        if prefix == name or any(f"{prefix}{key}" not in shapes for key in _BLOCK_KEYS):
            continue
        attention, kernel = tuple(shapes[name]), tuple(shapes[f"{prefix}conv1.weight"])
        if len(attention) == 2 and len(kernel) == 4 and kernel[0] == kernel[1] == attention[1] and kernel[2] == kernel[3]:
            found.append(BlockLayout(prefix, int(kernel[0]), int(attention[0]), int(kernel[2])))
    return found
