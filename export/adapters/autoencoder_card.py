"""Auto-encoders, told by their tensors as far as that goes; no torch here."""

from __future__ import annotations

from export.recognising import Recognised, Shapes

_LEAST_LAYERS = 4
_DRAEM = "encoder.block1.0.weight"  # its reconstructive half is an auto-encoder too, and has a family of its own


def recognise(shapes: Shapes) -> Recognised | None:
    """A state dict of convolutions and dense layers in two halves whose picture comes out with the channels it had."""
    if any("." not in name for name in shapes) or _DRAEM in shapes:
        return None
    parts = list(dict.fromkeys(name.partition(".")[0] for name in shapes))
    kernels = [shape for name, shape in shapes.items() if name.endswith(".weight") and len(shape) == 4]
    halves = [part for part in parts if any(word in part.lower() for word in ("enc", "dec"))]
    if len(kernels) < _LEAST_LAYERS or len(halves) != len(parts) or len(halves) < 2:
        return None
    channels = kernels[0][1]
    # A transposed convolution keeps its output in the second place.
    if channels not in (1, 3) or channels not in kernels[-1][:2]:
        return None
    facts = ("encoder and decoder", "grey" if channels == 1 else "colour", f"{len(kernels)} convolutions")
    declare = ("--spec: size, range, strides, activations, residual: nothing of them is in the file (docs/models.md)",)
    return Recognised(
        "autoencoder", facts, declare, "lineclear-export autoencoder --checkpoint FILE --spec SPEC.yaml --out BUNDLE"
    )
