"""ONNX Runtime on the CPU: the default engine, and the one that every other is measured against."""

from __future__ import annotations

from types import TracebackType
from typing import Any

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors
from typing_extensions import Self

from edge.bundle import Bundle
from edge.engines.base import EngineIdentity, Tensors
from edge.engines.contract import Signature, check_signature, checked_inputs, checked_outputs
from edge.engines.golden import GoldenReport, prove
from edge.errors import BundleError, EngineFault
from edge.settings.engines import OnnxRuntimeSettings

# Its exceptions have no base of their own, and a few came and went between releases.
_KINDS = ("DeviceReset", "EPFail", "EngineError", "Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "ModelLoaded")
_MORE_KINDS = ("ModelLoadCanceled", "ModelRequiresCompilation", "NoModel", "NoSuchFile", "NotFound", "NotImplemented")
_ORT_ERRORS: tuple[type[Exception], ...] = (
    *(getattr(ort_errors, kind) for kind in (*_KINDS, *_MORE_KINDS, "RuntimeException") if hasattr(ort_errors, kind)),
    RuntimeError,
    ValueError,
    TypeError,
    MemoryError,
)
_FATAL_ONLY = 4


class OnnxRuntimeEngine:
    """Runs one bundle in this process. Declared threads, no spinning (idle threads would take the cameras' cores)."""

    def __init__(self, bundle: Bundle, settings: OnnxRuntimeSettings) -> None:
        self._bundle = bundle
        self._settings = settings
        self._session: Any = None
        self._golden: GoldenReport | None = None
        self._output_names = [spec.name for spec in bundle.manifest.outputs]

    @property
    def identity(self) -> EngineIdentity:
        """`onnxruntime-1.31.1 cpu float32`."""
        return EngineIdentity("onnxruntime", onnxruntime.__version__, "cpu", self._settings.precision)

    @property
    def golden(self) -> GoldenReport | None:
        """How close the golden check was at the last start; None before it."""
        return self._golden

    def __enter__(self) -> Self:
        """Load the verified bytes, compare the graph with the manifest, warm up, prove the golden vectors.

        BundleError: the files are not the manifest's, or ONNX Runtime cannot load them. EngineFault: other scores.
        """
        where = f"bundle {self._bundle.name}"
        try:
            session = onnxruntime.InferenceSession(
                self._bundle.model_bytes(self._settings.precision),
                sess_options=self._options(),
                providers=["CPUExecutionProvider"],
            )
        except _ORT_ERRORS as error:
            raise BundleError(
                f"ONNX Runtime {onnxruntime.__version__} cannot load the {self._settings.precision} model ({_line(error)})",
                where=where,
                remedy="export the bundle again for this version",
            ) from None
        # The wrapper would keep the file's bytes for a silent retry on other providers: neither is wanted.
        session.disable_fallback()
        session._model_bytes = None
        check_signature(self._bundle.manifest, _signature(session.get_inputs()), _signature(session.get_outputs()), where)
        self._session = session
        try:
            self._golden = prove(self.infer, self._bundle, self._settings.precision)
        except BaseException:
            self._session = None
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Let go of the session and its memory."""
        self._session = None

    def infer(self, inputs: Tensors) -> Tensors:
        """Outputs by name, read-only. EngineFault: not open, inputs that are not the manifest's, or ONNX Runtime failed."""
        if self._session is None:
            raise EngineFault("the engine is not open", where=f"bundle {self._bundle.name}", remedy="restart the station")
        feed = checked_inputs(self._bundle.manifest, inputs)
        try:
            outputs = self._session.run(self._output_names, feed)
        except _ORT_ERRORS as error:
            raise EngineFault(
                f"ONNX Runtime failed ({_line(error)})", where=f"bundle {self._bundle.name}", remedy="restart the station"
            ) from None
        return checked_outputs(self._bundle.manifest, dict(zip(self._output_names, outputs, strict=True)))

    def _options(self) -> Any:
        onnxruntime.set_default_logger_severity(_FATAL_ONLY)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._settings.threads
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = _FATAL_ONLY
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.inter_op.allow_spinning", "0")
        return options


def _signature(nodes: Any) -> Signature:
    """ONNX Runtime's `tensor(float)` as numpy names it."""
    names = {"float": "float32", "double": "float64"}
    for node in nodes:
        dtype = node.type.removeprefix("tensor(").removesuffix(")")
        yield node.name, names.get(dtype, dtype), tuple(node.shape)


def _line(error: Exception) -> str:
    """ONNX Runtime's message on one line, without the parts that only its developers need."""
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else text[:297] + "..."
