"""What a checkpoint of DDAD is, told from its tensors' names and shapes: the denoising network, or its feature extractor."""

from __future__ import annotations

from collections.abc import Mapping

from export.nets.ddad_shape import unet_shape
from export.nets.resnet_shape import resnet_shape
from export.recognising import Recognised

SIGN = ("time_embedding.1.weight", "down.0.0.weight", "middle.1.to_qkv.weight", "out.2.weight")
EXTRACTORS = ("wide_resnet101_2", "wide_resnet50_2", "resnet50")
_DECLARE = (
    "w: how firmly the picture guides its reconstruction (--w)",
    "the feature extractor of the same training (--features)",
)


def recognise(shapes: Mapping[str, tuple[int, ...]]) -> Recognised | None:
    """The card of a U-Net of DDAD or DDADS, or of a ResNet that can be its `featN`; None for anything else."""
    shape = unet_shape(shapes)
    if shape is not None and all(name in shapes for name in SIGN):
        family = "ddads" if shape.base == 32 else "ddad"
        heads = f"{shape.heads} attention heads (upstream's for this width)" if shape.heads else "heads unknown"
        facts = (
            f"base channels {shape.base}, {len(shape.widths)} levels, {heads}",
            f"trained at {shape.side}x{shape.side}",
        )
        declare = _DECLARE if shape.heads else (*_DECLARE, "attention heads, the training's n_heads (--heads)")
        return Recognised(family, facts, declare, "lineclear-export ddad --checkpoint FILE --features featN --w W --out BUNDLE")
    whole = resnet_shape(shapes)
    if whole is None or whole.name not in EXTRACTORS:
        return None
    return Recognised(
        "ddad",
        (f"{whole.name}: a feature extractor (featN), or ImageNet weights as they are published",),
        ("the U-Net of the same training (--checkpoint)",),
        "lineclear-export ddad --checkpoint UNET --features FILE --w W --out BUNDLE",
    )
