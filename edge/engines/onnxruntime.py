"""ONNX Runtime on the CPU: the default engine, and the one that every other is measured against."""

from __future__ import annotations

from types import TracebackType
from typing import Any

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors
from typing_extensions import Self

from edge.bundle import Bundle, GraphSpec
from edge.engines.base import EngineIdentity, Tensors
from edge.engines.contract import Signature, check_signature
from edge.engines.golden import GoldenReport, prove
from edge.engines.programs import CallDone, ProgramRunner
from edge.engines.wording import said
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


class _Session:
    """One graph, loaded. A `GraphRunner`: what it returns is never written again."""

    def __init__(self, session: Any, graph: GraphSpec, where: str) -> None:
        self._session = session
        self._output_names = [tensor.name for tensor in graph.outputs]
        self._where = where

    def call(self, inputs: Tensors) -> Tensors:
        """Outputs by name. EngineFault: ONNX Runtime failed."""
        try:
            outputs = self._session.run(self._output_names, dict(inputs))
        except _ORT_ERRORS as error:
            raise EngineFault(f"ONNX Runtime failed ({said(error)})", where=self._where, remedy="restart the station") from None
        return dict(zip(self._output_names, outputs, strict=True))


class OnnxRuntimeEngine:
    """Runs one bundle in this process. Declared threads, no spinning (idle threads would take the cameras' cores).

    progress: told after each graph call of an inference; what it raises ends the inference.
    """

    def __init__(self, bundle: Bundle, settings: OnnxRuntimeSettings, *, progress: CallDone | None = None) -> None:
        self._bundle = bundle
        self._settings = settings
        self._progress = progress
        self._program: ProgramRunner | None = None
        self._golden: GoldenReport | None = None

    @property
    def identity(self) -> EngineIdentity:
        """`onnxruntime-1.31.1 cpu float32`."""
        return EngineIdentity("onnxruntime", onnxruntime.__version__, "cpu", self._settings.precision)

    @property
    def golden(self) -> GoldenReport | None:
        """How close the golden check was at the last start; None before it."""
        return self._golden

    def __enter__(self) -> Self:
        """Load the verified bytes, compare the graphs with the manifest, warm up, prove the golden vectors.

        BundleError: the files are not the manifest's, or ONNX Runtime cannot load them. EngineFault: other scores.
        """
        runners = {graph.name: self._load(graph) for graph in self._bundle.graphs}
        self._program = ProgramRunner(self._bundle.manifest, runners, self._progress)
        try:
            self._golden = prove(self.infer, self._bundle, self._settings.precision)
        except BaseException:
            self._program = None
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Let go of the sessions and their memory."""
        self._program = None

    def infer(self, inputs: Tensors) -> Tensors:
        """Outputs by name, read-only. EngineFault: not open, inputs that are not the manifest's, or ONNX Runtime failed."""
        if self._program is None:
            raise EngineFault("the engine is not open", where=f"bundle {self._bundle.name}", remedy="restart the station")
        return self._program.infer(inputs)

    def _load(self, graph: GraphSpec) -> _Session:
        where = f"bundle {self._bundle.name}"
        try:
            session = onnxruntime.InferenceSession(
                self._bundle.model_bytes(self._settings.precision, graph.name),
                sess_options=self._options(),
                providers=["CPUExecutionProvider"],
            )
        except _ORT_ERRORS as error:
            raise BundleError(
                f"ONNX Runtime {onnxruntime.__version__} cannot load the {self._settings.precision} {graph.name} "
                f"({said(error)})",
                where=where,
                remedy="export the bundle again for this version",
            ) from None
        # The wrapper would keep the file's bytes for a silent retry on other providers: neither is wanted.
        session.disable_fallback()
        session._model_bytes = None
        check_signature(graph, _signature(session.get_inputs()), _signature(session.get_outputs()), where)
        return _Session(session, graph, where)

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
