"""Running an exported graph once, on ONNX Runtime, to make golden vectors and to compare."""

from __future__ import annotations

import onnxruntime

from edge.bundle import Tensors

_FATAL_ONLY = 4


def run_once(model: bytes, inputs: Tensors) -> Tensors:
    """Outputs by name of an ONNX file for these inputs, on the CPU with one thread: the same bits every time."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = _FATAL_ONLY
    session = onnxruntime.InferenceSession(model, sess_options=options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(inputs)), strict=True))
