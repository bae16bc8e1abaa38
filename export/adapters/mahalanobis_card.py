"""How a checkpoint with a residual network in it is told from others; no torch here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from export.adapters.mahalanobis_keys import Layout, layout_of
from export.recognising import Recognised

SIGN: Final = ("resnet18.conv1.weight", "resnet18.layer4.1.conv2.weight", "head.0.weight", "out.weight")
# Where a backbone is kept that is nothing else's: `resnet.` alone is BIT's, PIADE's and others' too.
_NAMES = ("resnet18", "encoder", "backbone", "features", "extractor", "feature_extractor", "net")


def recognise(shapes: Mapping[str, tuple[int, ...]]) -> Recognised | None:
    """The card of a CutPaste checkpoint, of a ResNet's state dict, or of one under a usual prefix; None for all others."""
    layout = layout_of(shapes)
    if layout is None or not _is_ours(layout):
        return None
    declare = [
        "good images to fit to (--images)",
        "the training's size (--size) and resize (--resize)",
        "level: image or patch",
    ]
    declare += ["where its masked block stands (--block layer4 or branch)"] if layout.blocks else []
    facts = [layout.words]
    facts += [f"{layout.others} tensors of other parts, not needed"] if layout.others else []
    block = " --block layer4" if layout.blocks else ""
    command = f"lineclear-export mahalanobis --checkpoint FILE --images GOOD_DIR --out BUNDLE{block}"
    return Recognised("mahalanobis", tuple(facts), tuple(declare), command)


def _is_ours(layout: Layout) -> bool:
    if layout.origin != "resnet":
        return True
    if not layout.prefix:
        return layout.others == 0
    return layout.prefix.rstrip(".").rpartition(".")[2] in _NAMES
