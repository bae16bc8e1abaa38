"""What a PIADE checkpoint is, from names and shapes alone: no torch here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from export.nets.resnet_shape import ResnetShape, resnet_shape

Shapes = Mapping[str, Sequence[int]]
SIDE, FEATURE_SIDE = 120, 4
CAPSULE = 8


@dataclass(frozen=True)
class PiadeShape:
    """What the keys of a checkpoint tell.

    resnet: the encoder. squeezed: channels within each squeeze-and-excitation. pools: channels of each pyramid level.
    classes, capsule: how many higher capsules and their length. hidden: widths of the middle decoder. decoder: channels of
    each step of the last one, its input first.
    """

    resnet: ResnetShape
    squeezed: tuple[int, ...]
    pools: tuple[int, ...]
    classes: int
    capsule: int
    hidden: tuple[int, ...]
    decoder: tuple[int, ...]

    @property
    def lower(self) -> int:
        """How many lower capsules there are."""
        return sum(self.pools) // CAPSULE


def piade_shape(shapes: Shapes) -> PiadeShape | None:
    """What network these tensors are, or None where they are not PIADE's."""

    def widths(names: Sequence[str], axes: int, which: int) -> tuple[int, ...]:
        found = [tuple(shapes.get(f"{name}.weight", ())) for name in names]
        return tuple(part[which] for part in found if len(part) == axes)

    resnet = resnet_shape(shapes, "resnet.")
    votes = tuple(shapes.get("D1.W", ()))
    squeezed = widths([f"se{index}.fc.0" for index in range(1, 6)], 2, 0)
    pools = widths([f"layer5{letter}.features.1" for letter in "abcd"], 4, 0)
    hidden = widths([f"if_.decoder1.{index}" for index in (0, 3, 6)], 2, 0)
    steps = [f"final.decoder2.{index}" for index in (0, 3, 6, 9)]
    decoder = (*widths(steps[:1], 4, 0), *widths(steps, 4, 1))
    if resnet is None or len(resnet.out) != 4 or len(votes) != 4:
        return None
    if (len(squeezed), len(pools), len(hidden), len(decoder)) != (5, 4, 3, 5):
        return None
    return PiadeShape(resnet, squeezed, pools, votes[0], votes[2], hidden, decoder)
