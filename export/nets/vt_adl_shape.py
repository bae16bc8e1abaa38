"""What a VT-ADL checkpoint is, from names and shapes alone: no torch here."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Shapes = Mapping[str, Sequence[int]]
DECODER_SIDE = 512
CELLS = 64  # the decoder starts from 8 x 8 cells, and a token is cut into as many capsules
DEFAULT_HEADS = 8


@dataclass(frozen=True)
class VtAdlShape:
    """What the keys of `VT_AE_*.pt` tell; how many attention heads there are they do not.

    side: of the square image, pixels. mlp: hidden width of a block. capsule: length of the one capsule. channels: of the
    decoder's steps, its input first.
    """

    patch: int
    side: int
    dim: int
    depth: int
    mlp: int
    capsule: int
    channels: tuple[int, ...]

    @property
    def grid(self) -> int:
        """Patches along a side."""
        return self.side // self.patch


def vt_adl_shape(shapes: Shapes) -> VtAdlShape | None:
    """What network these tensors are, or None where they are not VT-ADL's `VT_AE`."""
    embedding = tuple(shapes.get("vt.patch_to_embedding.weight", ()))
    places = tuple(shapes.get("vt.pos_embedding", ()))
    votes = tuple(shapes.get("Digcap.W", ()))
    hidden = tuple(shapes.get("vt.transformer.layers.0.1.fn.fn.net.0.weight", ()))
    steps = [tuple(shapes.get(f"decoder.decoder2.{index}.weight", ())) for index in range(0, 18, 3)]
    if [len(part) for part in (embedding, places, votes, hidden, *steps)] != [2, 3, 4, 2, *[4] * 6]:
        return None
    patch, grid = math.isqrt(embedding[1] // 3), math.isqrt(max(0, places[1] - 1))
    if not patch or not grid or 3 * patch**2 != embedding[1] or grid**2 + 1 != places[1]:
        return None
    found = {int(match[1]) for match in (re.match(r"vt\.transformer\.layers\.(\d{1,3})\.", key) for key in shapes) if match}
    if found != set(range(len(found))):
        return None
    channels = (steps[0][0], *(step[1] for step in steps))
    return VtAdlShape(patch, patch * grid, embedding[0], len(found), hidden[0], votes[2], channels)


def mixture_shape(shapes: Shapes) -> tuple[int, int] | None:
    """(vector length, components) of VT-ADL's `G_estimate`, or None where these tensors are not its three."""
    share, mean, variance = (tuple(shapes.get(f"{name}.weight", ())) for name in ("pi", "mu", "sigma_sq"))
    if len(shapes) != 3 or len(share) != 2 or not share[0] or mean != (share[0] * share[1], share[1]) or variance != mean:
        return None
    return share[1], share[0]
