"""PIADE's checkpoints, told by their tensors; no torch here."""

from __future__ import annotations

from export.nets.piade_shape import SIDE, piade_shape
from export.recognising import Recognised, Shapes

SIGN = ("D1.W", "layer5a.features.1.weight", "if_.decoder1.0.weight", "final.decoder2.0.weight", "se5.fc.0.weight")


def recognise(shapes: Shapes) -> Recognised | None:
    """The state dict that PIADE's training saves."""
    shape = piade_shape(shapes)
    if shape is None:
        return None
    facts = (shape.resnet.name, f"{SIDE}x{SIDE}", f"{shape.lower} capsules to {shape.classes}", "image score, no map")
    declare = ("--vgg: torchvision's VGG-11 weights, which the score needs and the checkpoint has not",)
    return Recognised("piade", facts, declare, "lineclear-export piade --checkpoint FILE --vgg vgg11.pth --out BUNDLE")
