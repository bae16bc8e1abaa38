"""The ONNX graphs of a bundle and what each takes and gives: the contract's tensors, and those inside a program."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from edge.bundle.manifest import Declaration, contract
from edge.bundle.programs import DenoisingLoop

GraphName = Literal["model", "step"]


@dataclass(frozen=True)
class GraphTensor:
    """One input or output of one graph; dtype as numpy names it."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.name}: {self.dtype} {list(self.shape)}"


@dataclass(frozen=True)
class GraphSpec:
    """One graph: `model` is in model.onnx and model.fp16.onnx, `step` in step.onnx and step.fp16.onnx."""

    name: GraphName
    inputs: tuple[GraphTensor, ...]
    outputs: tuple[GraphTensor, ...]


def graph_size_wh(declaration: Declaration) -> tuple[int, int]:
    """Width and height that the graphs see: the tile's where there are tiles, else the model's."""
    tiling = declaration.tiling
    return declaration.size_wh if tiling is None else (tiling.size, tiling.size)


def graphs(declaration: Declaration) -> tuple[GraphSpec, ...]:
    """The graphs that a bundle of this declaration must hold, in the order in which an inference calls them first.

    single: `model`, the contract's tensors. denoising_loop: `step` (xt, y0, noise, t, coef -> xt_next), then `model` with
    `reconstruction` after the contract's inputs. Planes are float32 [1, 3, H, W] RGB, t is [1], coef is [6].
    """
    size_wh = graph_size_wh(declaration)
    inputs = _contract(size_wh, (spec.name for spec in declaration.inputs))
    outputs = _contract(size_wh, (spec.name for spec in declaration.outputs))
    if not isinstance(declaration.program, DenoisingLoop):
        return (GraphSpec("model", inputs, outputs),)
    planes = (1, 3, size_wh[1], size_wh[0])
    xt, y0, noise, xt_next, last = (
        GraphTensor(name, "float32", planes) for name in ("xt", "y0", "noise", "xt_next", "reconstruction")
    )
    small = GraphTensor("t", "float32", (1,)), GraphTensor("coef", "float32", (6,))
    step = GraphSpec("step", (xt, y0, noise, *small), (xt_next,))
    return step, GraphSpec("model", (*inputs, last), outputs)


def _contract(size_wh: tuple[int, int], names: Iterable[str]) -> tuple[GraphTensor, ...]:
    return tuple(GraphTensor(spec.name, spec.dtype, spec.shape) for spec in contract(size_wh, names))
