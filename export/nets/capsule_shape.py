"""What a capsule classifier is, from names and shapes alone: no torch here."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

Shapes = Mapping[str, Sequence[int]]
Layout = Literal["dense", "convs"]
LAYOUTS: Mapping[Layout, str] = {"dense": "XifengGuo/CapsNet-Pytorch", "convs": "bakirillov/capsules"}
PRIMARY_STRIDE = 2


@dataclass(frozen=True)
class CapsuleShape:
    """What the keys of a checkpoint tell, and the side of its square image (0: the keys do not tell).

    layout: `dense` keeps the primary capsules in one convolution (XifengGuo/CapsNet-Pytorch), `convs` in one per component
    of a capsule (bakirillov/capsules); the two also cut capsules and share votes differently. dim, lower: length and number
    of the primary capsules. capsule: length of a class's. decoder: widths of its linear layers, the input first; empty
    where there is none.
    """

    layout: Layout
    side: int
    channels: int
    first: int
    first_kernel: int
    primary: int
    primary_kernel: int
    dim: int
    lower: int
    classes: int
    capsule: int
    decoder: tuple[int, ...]

    @property
    def positions(self) -> int:
        """Positions along a side after the primary convolution, 0 where the tensors do not fit each other."""
        per_position = self.primary if self.layout == "convs" else self.primary // self.dim
        count = self.lower // per_position if per_position else 0
        side = math.isqrt(count)
        return side if side and side * side * per_position == self.lower else 0

    @property
    def sides(self) -> tuple[int, ...]:
        """Sides of the image that the tensors allow, without its decoder two of them."""
        if not self.positions:
            return ()
        least = (self.positions - 1) * PRIMARY_STRIDE + self.primary_kernel + self.first_kernel - 1
        return tuple(range(least, least + PRIMARY_STRIDE))


def capsule_shape(shapes: Shapes) -> CapsuleShape | None:
    """What network these tensors are, or None where they are no capsule classifier of a known layout."""
    dense = "digitcaps.weight" in shapes
    names = ("conv1", "primarycaps.conv2d", "digitcaps.weight") if dense else ("conv.0", "primcaps.convs.0", "digicaps.W")
    first, primary = (tuple(shapes.get(f"{name}.weight", ())) for name in names[:2])
    votes = tuple(shapes.get(names[2], ()))
    if (len(first), len(primary), len(votes)) != (4, 4, 4) or 0 in (*first, *primary, *votes):
        return None
    capsule, dim = votes[2:] if dense else votes[:1:-1]
    prefix = "decoder." if dense else "decoder.decoder."
    linear = re.compile(re.escape(prefix) + r"(\d{1,3})\.weight")
    found = sorted((int(match[1]), tuple(shapes[key])) for key, match in ((k, linear.fullmatch(k)) for k in shapes) if match)
    if any(len(shape) != 2 for _, shape in found) or [index for index, _ in found] != list(range(0, 2 * len(found), 2)):
        return None
    decoder = (found[0][1][1], *(shape[0] for _, shape in found)) if found else ()
    shape = CapsuleShape(
        layout="dense" if dense else "convs",
        side=0,
        channels=first[1],
        first=first[0],
        first_kernel=first[2],
        primary=primary[0],
        primary_kernel=primary[2],
        dim=dim,
        lower=votes[1],
        classes=votes[0],
        capsule=capsule,
        decoder=decoder,
    )
    side = math.isqrt(decoder[-1] // shape.channels) if decoder else 0
    return replace(shape, side=side) if decoder and side * side * shape.channels == decoder[-1] else shape
