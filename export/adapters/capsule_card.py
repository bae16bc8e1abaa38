"""Capsule classifiers, told by their tensors; no torch here."""

from __future__ import annotations

from export.nets.capsule_shape import LAYOUTS, capsule_shape
from export.recognising import Recognised, Shapes

SIGN = ("conv1.weight", "primarycaps.conv2d.weight", "digitcaps.weight")


def recognise(shapes: Shapes) -> Recognised | None:
    """The state dict of a capsule classifier of a known layout."""
    shape = capsule_shape(shapes)
    if shape is None or not shape.positions:
        return None
    facts: tuple[str, ...] = (
        f"layout of {LAYOUTS[shape.layout]}",
        f"{shape.classes} classes",
        f"{shape.lower} primary capsules",
    )
    declare = ["--good: the number that good images had in the training"]
    if shape.side:
        facts = (*facts, f"{shape.side}x{shape.side}, {'grey' if shape.channels == 1 else f'{shape.channels} channels'}")
    else:
        declare.append(f"--size: {' or '.join(map(str, shape.sides))}")
    return Recognised("capsule", facts, tuple(declare), "lineclear-export capsule --checkpoint FILE --good 0 --out BUNDLE")
