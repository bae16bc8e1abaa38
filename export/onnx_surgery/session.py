"""ONNX Runtime as the exporter's tool: folding constants, and running a graph that nobody has proven yet."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_state

from edge.errors import BundleError

# Its exceptions have no base of their own, and a few came and went between releases.
ORT_ERRORS: tuple[type[Exception], ...] = (
    *(kind for kind in vars(ort_state).values() if isinstance(kind, type) and issubclass(kind, Exception)),
    RuntimeError,
    ValueError,
    TypeError,
    MemoryError,
)
_FATAL_ONLY = 4


def fold(model: Any, where: str) -> Any:
    """The model after ONNX Runtime's basic rewriting: constants computed, shapes resolved, BatchNorm in its convolution.

    BundleError where ONNX Runtime cannot load it: what it cannot run, no station can.
    """
    with tempfile.TemporaryDirectory(prefix="lineclear-onnx-") as scratch:
        target = Path(scratch) / "folded.onnx"
        options = _options()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(target)
        _open(model, options, where)
        folded = onnx.load_from_string(target.read_bytes())
    own = [each for each in folded.opset_import if each.domain in ("", "ai.onnx")]
    odd = sorted({node.domain for node in folded.graph.node} - {"", "ai.onnx"})
    if odd:
        raise BundleError(f"needs operators of {odd[0]}", where=where, remedy="report this file to lineclear")
    del folded.opset_import[:]
    folded.opset_import.append(onnx.helper.make_opsetid("", max(each.version for each in own)))
    return folded


def run(model: Any, feed: Mapping[str, NDArray[Any]], outputs: Sequence[str], where: str) -> dict[str, NDArray[Any]]:
    """These outputs of a model for a feed, one thread; BundleError where it cannot be run."""
    session = _open(model, _options(), where)
    try:
        return dict(zip(outputs, session.run(list(outputs), dict(feed)), strict=True))
    except ORT_ERRORS as error:
        raise BundleError(
            f"cannot be run ({_line(error)})", where=where, remedy="is the input size right? does it run where it was made?"
        ) from None


def _open(model: Any, options: Any, where: str) -> Any:
    try:
        return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except ORT_ERRORS as error:
        raise BundleError(
            f"ONNX Runtime {onnxruntime.__version__} cannot load it ({_line(error)})",
            where=where,
            remedy="export it again; does onnxruntime run it where it was made?",
        ) from None


def _options() -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = _FATAL_ONLY
    onnxruntime.set_default_logger_severity(_FATAL_ONLY)
    return options


def _line(error: Exception) -> str:
    text = " ".join(str(error).split())
    text = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
    return text if len(text) <= 240 else text[:237] + "..."
