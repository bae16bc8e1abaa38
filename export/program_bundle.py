"""From the networks of a program (a denoising loop, tiles) to a bundle: both precisions, golden vectors, and their proof."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch import nn

from edge.bundle import Bundle, Declaration, GraphName, GraphSpec, Manifest, Tensors, graphs, write_bundle
from edge.engines.programs import CallDone, ProgramRunner
from export.graph import Precision, half_share
from export.module_bundle import HALF_SHARE, agree
from export.typed import typed_onnx

_FATAL_ONLY = 4
_NO_HASH = "0" * 64


class TorchRunner:
    """One graph of a program as its network, in torch."""

    def __init__(self, module: nn.Module, graph: GraphSpec) -> None:
        self._module, self._graph = module.eval(), graph

    def call(self, inputs: Tensors) -> Tensors:
        """Outputs by name for inputs by name."""
        with torch.no_grad():
            made = self._module(*(torch.from_numpy(np.array(inputs[spec.name])) for spec in self._graph.inputs))
        parts = made if isinstance(made, tuple) else (made,)
        return {spec.name: part.numpy() for spec, part in zip(self._graph.outputs, parts, strict=True)}


class OnnxRunner:
    """One graph of a program on ONNX Runtime, on the CPU with one thread: the same bits every time."""

    def __init__(self, data: bytes) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = _FATAL_ONLY
        self._session: Any = onnxruntime.InferenceSession(data, sess_options=options, providers=["CPUExecutionProvider"])
        self._names = [output.name for output in self._session.get_outputs()]

    def call(self, inputs: Tensors) -> Tensors:
        """Outputs by name for inputs by name."""
        return dict(zip(self._names, self._session.run(self._names, dict(inputs)), strict=True))


def write_program_bundle(
    out: Path,
    modules: Mapping[GraphName, nn.Module],
    declaration: Declaration,
    golden: Sequence[Tensors],
    licence: str,
    *,
    call_done: CallDone | None = None,
) -> Bundle:
    """Write a bundle with every graph of its program in both precisions; as `write_module_bundle`, for any declaration.

    modules: one per graph of `edge.bundle.graphs(declaration)`, tensors by position in the order it says. golden: inputs of
    whole images; the outputs are those of the whole program. call_done: told of every graph call of the proof, may raise
    Cancelled. BundleError: network, float32 and float16 disagree beyond the declaration's limits, or a part cannot be
    exported or written; then nothing is.
    """
    specs = {graph.name: graph for graph in graphs(declaration)}
    precisions: tuple[Precision, ...] = ("float32", "float16")
    files = {
        precision: {name: _onnx(modules[name], graph, precision) for name, graph in specs.items()} for precision in precisions
    }
    outputs = _proven(files, modules, declaration, golden, call_done)
    shares = {HALF_SHARE if name == "model" else f"{HALF_SHARE}_{name}": half_share(files["float16"][name]) for name in specs}
    parameters = {**declaration.parameters, **{key: round(share, 3) for key, share in shares.items()}}
    return write_bundle(
        out,
        declaration.model_copy(update={"parameters": parameters}),
        model=files["float32"]["model"],
        model_fp16=files["float16"]["model"],
        step=files["float32"].get("step"),
        step_fp16=files["float16"].get("step"),
        golden_inputs=golden,
        golden_outputs=outputs,
        licence=licence,
    )


def runner(
    declaration: Declaration, calls: Mapping[GraphName, TorchRunner | OnnxRunner], call_done: CallDone | None = None
) -> ProgramRunner:
    """What runs the declaration's program over these graphs, before there is a bundle."""
    manifest = Manifest.of(declaration, {"model.onnx": _NO_HASH})
    return ProgramRunner(manifest, calls, call_done)


def _onnx(module: nn.Module, graph: GraphSpec, precision: Precision) -> bytes:
    examples = {spec.name: torch.zeros(spec.shape, dtype=getattr(torch, spec.dtype)) for spec in graph.inputs}
    return typed_onnx(module, examples, [spec.name for spec in graph.outputs], precision)


def _proven(
    files: Mapping[Precision, Mapping[GraphName, bytes]],
    modules: Mapping[GraphName, nn.Module],
    declaration: Declaration,
    golden: Sequence[Tensors],
    call_done: CallDone | None,
) -> list[Tensors]:
    """The float32 outputs, once the network and float16 have given the same."""
    limits, specs = declaration.limits, {graph.name: graph for graph in graphs(declaration)}
    exact = runner(declaration, {name: OnnxRunner(data) for name, data in files["float32"].items()}, call_done)
    outputs = [exact.infer(given) for given in golden]
    network = runner(declaration, {name: TorchRunner(modules[name], spec) for name, spec in specs.items()}, call_done)
    for index, (given, expected) in enumerate(zip(golden, outputs, strict=True)):
        agree(expected, network.infer(given), limits.float32, f"golden vector {index}, the network")
    halved = runner(declaration, {name: OnnxRunner(data) for name, data in files["float16"].items()}, call_done)
    for index, (given, expected) in enumerate(zip(golden, outputs, strict=True)):
        agree(expected, halved.infer(given), limits.float16, f"golden vector {index}, float16")
    return outputs
