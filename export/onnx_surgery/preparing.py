"""A foreign graph made ready for our ends: fixed, folded, in our opset, and proven to compute what it computed before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx

from edge.errors import BundleError
from export.onnx_surgery.opset import to_opset
from export.onnx_surgery.reading import Foreign
from export.onnx_surgery.session import run
from export.onnx_surgery.shaping import fixed, inferred, simplified
from export.onnx_surgery.wires import FLOATS, Wires

# Of the range of an output's values: what folding BatchNorm and constants may change.
RELATIVE = 1e-4


def prepared(foreign: Foreign, shapes: Mapping[str, tuple[int, ...]]) -> Any:
    """The model for these input shapes in our opset, every tensor's shape known.

    Its float outputs equal those of the file as it came, on one made-up input. BundleError: it cannot be converted, or
    the conversion changes what it computes.
    """
    where = str(foreign.path)
    model = inferred(simplified(to_opset(fixed(foreign, shapes), where)), where)
    wires = Wires(model.graph)
    random = np.random.default_rng(5)
    feed = {}
    for each in model.graph.input:
        kind = onnx.helper.tensor_dtype_to_np_dtype(each.type.tensor_type.elem_type)
        values = random.uniform(0, 1 if kind.kind == "f" else 255, wires.shape(each.name))
        feed[each.name] = values.astype(kind)
    names = [each.name for each in model.graph.output if each.type.tensor_type.elem_type in FLOATS]
    if not names:
        raise BundleError("has no output of real numbers", where=where, remedy="is it the right file?")
    before, after = (run(each, feed, names, where) for each in (foreign.model, model))
    for name in names:
        _agree(name, before[name], after[name], where)
    return model


def _agree(name: str, before: Any, after: Any, where: str) -> None:
    if before.shape != after.shape:
        raise BundleError(
            f"{name!r} changes its shape when it is converted", where=where, remedy="report this file to lineclear"
        )
    finite = np.isfinite(before)
    if (finite != np.isfinite(after)).any():
        raise BundleError(f"{name!r} turns into other values", where=where, remedy="report this file to lineclear")
    if not finite.any():
        raise BundleError(f"{name!r} is NaN or infinite everywhere", where=where, remedy="export a finished training")
    largest = float(np.abs(before[finite].astype(np.float64)).max())
    error = float(np.abs(before[finite].astype(np.float64) - after[finite].astype(np.float64)).max())
    if error > RELATIVE * largest + 1e-6:
        raise BundleError(
            f"{name!r} changes by {error:.3g} of {largest:.3g} when it is converted",
            where=where,
            remedy="export it with opset 17, or report this file to lineclear",
        )
