"""What denoising network a DDAD checkpoint holds, from names and shapes alone: no torch here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Shapes = Mapping[str, Sequence[int]]

# Upstream's two builds. Heads leave no trace in a checkpoint: a projection looks the same however it is split.
USUAL_HEADS = {64: 4, 32: 2}
# Self-attention begins where the picture is this small, whatever the size that the network was trained at.
FIRST_ATTENTION_SIDE = 32
_MOST_LEVELS, _MOST_BLOCKS = 9, 8


@dataclass(frozen=True)
class UNetShape:
    """What the keys of a checkpoint tell, and the heads, which they do not.

    base: channels of the first convolution. widths: channels of each level, from the full picture down. blocks: residual
    blocks per level on the way down. attention: levels that have self-attention. heads: of every self-attention.
    """

    channels: int
    base: int
    widths: tuple[int, ...]
    blocks: int
    attention: frozenset[int]
    heads: int

    @property
    def side(self) -> int:
        """The side of the pictures that it was trained on, pixels: upstream places its attention by it."""
        return int(FIRST_ATTENTION_SIDE * 2 ** min(self.attention))


def unet_shape(shapes: Shapes) -> UNetShape | None:
    """The network that these keys describe, None where they are no U-Net of this make. heads: 0 where the width is unusual.

    Whatever it returns is of the size of the tensors that are there: a small file cannot describe a large network.
    """
    base, channels = _first(shapes)
    deep, high = _entries(shapes, "down"), _entries(shapes, "up")
    levels = 1 + sum(any(f"up.{index}.{place}.in_layers.2.weight" in shapes for place in (1, 2)) for index in range(high))
    blocks = high // levels - 1
    if base < 1 or not 2 <= levels <= _MOST_LEVELS or not 1 <= blocks <= _MOST_BLOCKS:
        return None
    if high != levels * (blocks + 1) or deep != high:
        return None
    widths: list[int] = []
    for level in range(levels):
        width = _width(shapes, f"down.{1 + level * (blocks + 1)}.0", widths[-1] if widths else base)
        if width is None:
            return None
        widths.append(width)
    attention = frozenset(level for level in range(levels) if f"down.{1 + level * (blocks + 1)}.1.to_qkv.weight" in shapes)
    if not attention:
        return None
    return UNetShape(channels, base, tuple(widths), blocks, attention, USUAL_HEADS.get(base, 0))


def _first(shapes: Shapes) -> tuple[int, int]:
    """(base, channels of the picture) of the first convolution; (0, 0) where it is another network's."""
    first, time = tuple(shapes.get("down.0.0.weight", ())), tuple(shapes.get("time_embedding.1.weight", ()))
    if len(first) != 4 or first[2:] != (3, 3) or first[1] != 3 or time != (4 * first[0], first[0]):
        return 0, 0
    return first[0], first[1]


def _entries(shapes: Shapes, part: str) -> int:
    """How many entries a list of modules has; 0 where numbers are missing."""
    pattern = re.compile(part + r"\.(\d{1,3})\.")
    found = {int(match[1]) for match in map(pattern.match, shapes) if match}
    return len(found) if found == set(range(len(found))) else 0


def _width(shapes: Shapes, block: str, before: int) -> int | None:
    """Channels of a level, where both convolutions of its first block agree about them."""
    into = tuple(shapes.get(f"{block}.in_layers.2.weight", ()))
    within = tuple(shapes.get(f"{block}.out_layers.3.weight", ()))
    if len(into) != 4 or into[1:] != (before, 3, 3) or within != (into[0], into[0], 3, 3):
        return None
    return int(into[0])
