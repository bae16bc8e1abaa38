"""TAO VisualChangeNet's ONNX, told by its inputs and outputs; neither torch nor onnx here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from export.recognising import Recognised

if TYPE_CHECKING:
    from export.onnx_description import OnnxDescription

FAMILY = "change_onnx"
PLUGIN = "not usable: it needs a TensorRT plugin: export it with `export.on_cpu: true`"
_COMMAND = "lineclear-export change_onnx --checkpoint FILE --out BUNDLE"


def recognise_onnx(description: OnnxDescription) -> Recognised | None:
    """A VisualChangeNet export, or None."""
    inputs, outputs = ([port.name for port in ports] for ports in (description.inputs, description.outputs))
    if len(inputs) != 2:
        return None
    if "output_final" in outputs:
        task = "segment"
    elif inputs == ["input_1", "input_2"]:
        task = "classify"
    else:
        return None
    facts = [f"TAO VisualChangeNet, {task}"]
    shape = description.inputs[1].shape or ()
    if len(shape) == 5:
        facts.append(f"{shape[1]} golden samples")
    declare = () if all(isinstance(side, int) for side in shape[-2:]) else ("the size of the training: --size",)
    if any("DeformableAttn" in name or "DeformAttn" in name for name in description.operators):
        return Recognised(FAMILY, tuple(facts), (), PLUGIN)
    return Recognised(FAMILY, tuple(facts), declare, _COMMAND)
