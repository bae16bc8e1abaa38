"""From the networks of a program (a denoising loop, tiles) to a bundle: both precisions, golden vectors, and their proof."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from edge.bundle import Bundle, Declaration, GraphName, GraphSpec, Manifest, Tensors, graphs, write_bundle
from edge.engines.programs import CallDone, ProgramRunner
from edge.types import ImageU8
from export.graph import Precision, half_share
from export.proof import OnnxRunner, agree
from export.typed import typed_onnx

HALF_SHARE = "half_share"
_NO_HASH = "0" * 64
_BOTH: tuple[Precision, ...] = ("float32", "float16")


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


def write_program_bundle(
    out: Path,
    modules: Mapping[GraphName, nn.Module],
    declaration: Declaration,
    golden: Sequence[Tensors],
    licence: str,
    *,
    reference: ImageU8 | None = None,
    float16: bool = True,
    call_done: CallDone | None = None,
) -> Bundle:
    """Write a bundle with every graph of its program in both precisions (float16 False: in float32 alone).

    modules: one per graph of `edge.bundle.graphs(declaration)`, tensors by position in the order it says. golden: inputs of
    whole images (`export.module_bundle.golden_inputs`); the outputs are those of the whole program in float32 on ONNX
    Runtime, and the networks and the float16 graphs must give the same within the declaration's limits. The share of each
    float16 graph's nodes that compute in float16 goes into the manifest's parameters (`half_share`, `half_share_step`).
    call_done: told of every graph call of the proof, may raise Cancelled. BundleError: they disagree, or a part cannot be
    exported or written; then nothing is.
    """
    files = {precision: _written(modules, declaration, precision) for precision in (_BOTH if float16 else _BOTH[:1])}
    outputs = _proven(files, modules, declaration, golden, call_done)
    full, halved = files["float32"], files.get("float16", {})
    shares = {
        HALF_SHARE if name == "model" else f"{HALF_SHARE}_{name}": round(half_share(data), 3) for name, data in halved.items()
    }
    return write_bundle(
        out,
        declaration.model_copy(update={"parameters": {**declaration.parameters, **shares}}),
        model=full["model"],
        model_fp16=halved.get("model"),
        step=full.get("step"),
        step_fp16=halved.get("step"),
        golden_inputs=golden,
        golden_outputs=outputs,
        licence=licence,
        reference=reference,
    )


def runner(
    declaration: Declaration, calls: Mapping[GraphName, TorchRunner | OnnxRunner], call_done: CallDone | None = None
) -> ProgramRunner:
    """What runs the declaration's program over these graphs, before there is a bundle."""
    manifest = Manifest.of(declaration, {"model.onnx": _NO_HASH})
    return ProgramRunner(manifest, calls, call_done)


def _written(modules: Mapping[GraphName, nn.Module], declaration: Declaration, precision: Precision) -> dict[GraphName, bytes]:
    files: dict[GraphName, bytes] = {}
    for graph in graphs(declaration):
        examples = {spec.name: torch.zeros(spec.shape, dtype=getattr(torch, spec.dtype)) for spec in graph.inputs}
        files[graph.name] = typed_onnx(modules[graph.name], examples, [spec.name for spec in graph.outputs], precision)
    return files


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
    if "float16" in files:
        halved = runner(declaration, {name: OnnxRunner(data) for name, data in files["float16"].items()}, call_done)
        for index, (given, expected) in enumerate(zip(golden, outputs, strict=True)):
            agree(expected, halved.infer(given), limits.float16, f"golden vector {index}, float16")
    return outputs
