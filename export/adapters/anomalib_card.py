"""anomalib's ONNX exports, told by their inputs and outputs; neither torch nor onnx here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from export.recognising import Recognised

if TYPE_CHECKING:
    from export.onnx_description import OnnxDescription

FAMILY = "anomalib"
MODERN = {"pred_score", "anomaly_map"}
_COMMAND = "lineclear-export anomalib --checkpoint FILE --out BUNDLE"


def recognise_onnx(description: OnnxDescription) -> Recognised | None:
    """An anomalib export, or None: from 2.0 on by the names of its outputs, before that by `input` and `output`."""
    outputs = {port.name for port in description.outputs}
    if len(description.inputs) != 1:
        return None
    given = description.inputs[0]
    shape = given.shape or ()
    declare: tuple[str, ...] = ()
    if MODERN & outputs:
        layout = "2.x"
    elif given.name == "input" and description.outputs[0].name == "output" and len(shape) == 4:
        layout = "0.x or 1.x"
        declare = ("keep metadata.json beside it; without it --normalise imagenet or none",)
    else:
        return None
    facts = [f"anomalib {layout}", f"gives {', '.join(port.name for port in description.outputs)}"]
    if len(shape) == 4:
        facts.append(f"input {shape[3]}x{shape[2]}")
    if shape and isinstance(shape[0], int) and shape[0] > 1:
        remedy = "export it with input_size=(H, W), dynamic_axes={}"
        return Recognised(FAMILY, tuple(facts), (), f"not usable: fixed to a batch of {shape[0]}: {remedy}")
    return Recognised(FAMILY, tuple(facts), declare, _COMMAND)
