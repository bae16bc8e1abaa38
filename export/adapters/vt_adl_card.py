"""VT-ADL's checkpoints, told by their tensors; no torch here."""

from __future__ import annotations

from export.nets.vt_adl_shape import DEFAULT_HEADS, mixture_shape, vt_adl_shape
from export.recognising import Recognised, Shapes

SIGN = ("vt.pos_embedding", "vt.patch_to_embedding.weight", "vt.transformer.layers.0.1.fn.fn.net.0.weight", "Digcap.W")


def recognise(shapes: Shapes) -> Recognised | None:
    """VT_AE or G_estimate."""
    heads = f"--heads, if the encoder has not {DEFAULT_HEADS}"
    mixture = mixture_shape(shapes)
    if mixture is not None:
        facts = ("G_estimate", f"vectors of {mixture[0]} values", f"{mixture[1]} Gaussians")
        declare = ("--checkpoint: the VT_AE_*.pt of the same training", heads)
        return Recognised("vt_adl", facts, declare, "lineclear-export vt_adl --checkpoint VT_AE.pt --density FILE --out BUNDLE")
    shape = vt_adl_shape(shapes)
    if shape is None:
        return None
    facts = (
        "VT_AE",
        f"{shape.side}x{shape.side}, patches of {shape.patch}",
        f"{shape.depth} blocks of width {shape.dim}",
    )
    declare = ("--density: the G_estimate_*.pt of the same training", heads)
    return Recognised(
        "vt_adl", facts, declare, "lineclear-export vt_adl --checkpoint FILE --density G_ESTIMATE.pt --out BUNDLE"
    )
