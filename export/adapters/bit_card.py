"""What a checkpoint of BIT change detection is, told from its tensors' names and shapes."""

from __future__ import annotations

from collections.abc import Mapping

from export.nets.bit_shape import bit_shape
from export.recognising import Recognised

SIGN = ("conv_pred.weight", "classifier.3.weight", "resnet.conv1.weight", "resnet.layer3.0.conv1.weight")


def recognise(shapes: Mapping[str, tuple[int, ...]]) -> Recognised | None:
    """The card of a BIT, or of the plain siamese ResNet beside it; None for anything else."""
    shape = bit_shape(shapes)
    if shape is None:
        return None
    parts = shape.transformer
    inside = "siamese ResNet, no transformer"
    if parts is not None:
        inside = f"{parts.tokens} tokens, {parts.encoder} encoder and {parts.decoder} decoder layers"
    return Recognised(
        "bit",
        (shape.variant or "a build that upstream has no name for", f"{inside}, feature width {shape.width}"),
        ("the size that it was trained at, 256 or 512 (--size), larger pictures in tiles (--tile)", "grey pictures (--grey)"),
        "lineclear-export bit --checkpoint FILE --size 512 --out BUNDLE",
    )
