"""DRAEM's checkpoints, told by names and shapes; no torch here."""

from __future__ import annotations

from export.recognising import Recognised, Shapes

FAMILY = "draem"
RECONSTRUCTIVE, DISCRIMINATIVE = "encoder.block1.0.weight", "encoder_segment.block1.0.weight"
SIGN = (RECONSTRUCTIVE, "encoder.block5.3.weight", "decoder.up1.1.weight", "decoder.fin_out.0.weight")
_SEGMENT_SIGN = (
    DISCRIMINATIVE,
    "encoder_segment.block6.3.weight",
    "decoder_segment.up_b.1.weight",
    "decoder_segment.fin_out.0.weight",
)
ANOMALIB = "reconstructive_subnetwork."
ANOMALIB_REASON = (
    "it is anomalib's Draem, which is another network: the image comes before its reconstruction, RGB instead of BGR, another "
    "score, another encoder with SSPCAB"
)
ANOMALIB_REMEDY = "export it to ONNX with anomalib, then: lineclear-export anomalib --onnx model.onnx"
_SIZE = "the size it was trained at: --size 256 (upstream) or 512 (the line-clearance study), or another multiple of 32"


def recognise(shapes: Shapes) -> Recognised | None:
    """One of the two halves, or None."""
    if any(name.startswith(ANOMALIB) for name in shapes):
        return Recognised("draem of anomalib", (ANOMALIB_REASON,), (), f"not usable here: {ANOMALIB_REMEDY}")
    if all(name in shapes for name in SIGN) and len(shapes[RECONSTRUCTIVE]) == 4:
        width, channels = shapes[RECONSTRUCTIVE][:2]
        return Recognised(
            FAMILY,
            ("the reconstructive half", f"base width {width}", f"{channels} channels"),
            (_SIZE, "the other half with --segmentation, where it does not lie beside it under upstream's name"),
            "lineclear-export draem --checkpoint FILE --size 256 --out BUNDLE",
        )
    if all(name in shapes for name in _SEGMENT_SIGN) and len(shapes[DISCRIMINATIVE]) == 4:
        width, channels = shapes[DISCRIMINATIVE][:2]
        return Recognised(
            FAMILY,
            ("the discriminative half", f"base width {width}", f"{channels} channels in"),
            (_SIZE, "the reconstructive half, with --checkpoint"),
            "lineclear-export draem --checkpoint RECONSTRUCTIVE --segmentation FILE --size 256 --out BUNDLE",
        )
    return None
