"""What residual network a state dict is, from names and shapes alone: no torch here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

STAGES = ("layer1", "layer2", "layer3", "layer4")

_DEPTHS: Mapping[tuple[int, ...], str] = {
    (2, 2, 2, 2): "18",
    (3, 4, 6, 3): "34",
    (3, 4, 23, 3): "101",
    (3, 8, 36, 3): "152",
}


@dataclass(frozen=True)
class ResnetShape:
    """The make of a residual network.

    stem: channels after the first convolution. blocks: how many in each stage. inner: channels of the first convolution of
    a block, per stage. out: channels that leave each stage. bottleneck: 1x1, 3x3, 1x1 instead of 3x3, 3x3.
    """

    stem: int
    blocks: tuple[int, ...]
    inner: tuple[int, ...]
    out: tuple[int, ...]
    bottleneck: bool

    @property
    def name(self) -> str:
        """`resnet18`, `resnet50`, `wide_resnet50_2`, ... or what it is made of."""
        depth = _DEPTHS.get(self.blocks, "")
        if self.bottleneck and self.blocks == (3, 4, 6, 3):
            depth = "50"
        usual = (64, 128, 256, 512)
        if depth and self.stem == 64 and self.inner == usual and self.bottleneck == (depth not in ("18", "34")):
            return f"resnet{depth}"
        if depth and self.stem == 64 and self.bottleneck and self.inner == tuple(2 * width for width in usual):
            return f"wide_resnet{depth}_2"
        return f"resnet of {'+'.join(map(str, self.blocks))} blocks, width {self.stem}"


def resnet_shape(shapes: Mapping[str, Sequence[int]], prefix: str = "") -> ResnetShape | None:
    """What network the keys under `prefix` are, from their shapes; None where they are no residual network of this make."""
    stem = shapes.get(f"{prefix}conv1.weight", ())
    if len(stem) != 4 or tuple(stem[1:]) != (3, 7, 7) or f"{prefix}bn1.running_mean" not in shapes:
        return None
    pattern = re.compile(re.escape(prefix) + r"layer([1-4])\.(\d{1,3})\.conv1\.weight")
    found = [(int(match[1]), int(match[2])) for match in map(pattern.fullmatch, shapes) if match]
    count = tuple(sum(stage == wanted for stage, _ in found) for wanted in (1, 2, 3, 4))
    used = 4 - count[::-1].index(next((n for n in count[::-1] if n), 0)) if any(count) else 0
    blocks = count[:used]
    if not blocks or 0 in blocks or sorted(found) != [(s + 1, b) for s, n in enumerate(blocks) for b in range(n)]:
        return None
    bottleneck = f"{prefix}layer1.0.conv3.weight" in shapes
    last = "conv3" if bottleneck else "conv2"
    first = [shapes[f"{prefix}{stage}.0.conv1.weight"] for stage in STAGES[:used]]
    final = [shapes.get(f"{prefix}{stage}.0.{last}.weight", ()) for stage in STAGES[:used]]
    if any(len(shape) != 4 for shape in (*first, *final)):
        return None
    inner, out = tuple(int(shape[0]) for shape in first), tuple(int(shape[0]) for shape in final)
    if min(int(stem[0]), *inner, *out) < 1:
        return None
    return ResnetShape(int(stem[0]), blocks, inner, out, bottleneck)
