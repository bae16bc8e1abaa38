"""Running an exported graph on ONNX Runtime, to make golden vectors and to compare."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime

from edge.bundle import Tensors, Tolerance
from edge.errors import BundleError

_FATAL_ONLY = 4


class OnnxRunner:
    """One graph on ONNX Runtime, on the CPU with one thread: the same bits every time."""

    def __init__(self, data: bytes) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = _FATAL_ONLY
        self._session: Any = onnxruntime.InferenceSession(data, sess_options=options, providers=["CPUExecutionProvider"])
        self._names = [output.name for output in self._session.get_outputs()]

    def call(self, inputs: Tensors) -> Tensors:
        """Outputs by name for inputs by name."""
        return dict(zip(self._names, self._session.run(self._names, dict(inputs)), strict=True))


def run_once(model: bytes, inputs: Tensors) -> Tensors:
    """Outputs by name of an ONNX file for these inputs."""
    return OnnxRunner(model).call(inputs)


def agree(expected: Tensors, made: Tensors, tolerance: Tolerance, what: str) -> None:
    """BundleError where a value is further from the expected one than the tolerance, or is no number."""
    for name, golden in expected.items():
        exact = golden.astype(np.float64)
        if made[name].shape != golden.shape or not np.isfinite(exact).all():
            raise BundleError(f"{what}: {name} has no usable values", remedy="is this the checkpoint of a finished training?")
        errors = np.nan_to_num(np.abs(made[name] - exact), nan=np.inf)
        beyond = errors - (tolerance.atol + tolerance.rtol * np.abs(exact))
        if beyond.max() > 0:
            worst = int(np.argmax(beyond))
            raise BundleError(
                f"{what}: {name} is {made[name].flat[worst]:.6g} where {golden.flat[worst]:.6g} is expected; the limits are "
                f"{tolerance.rtol:g} relative and {tolerance.atol:g} absolute",
                remedy="give real images of the line (--golden); if only float16 still fails: --float32-only",
            )
