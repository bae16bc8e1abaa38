"""The graph contract at the engine's door: one set of checks for every engine, before, during and after."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edge.bundle import GraphSpec, Manifest
from edge.engines.base import Tensors
from edge.engines.wording import said
from edge.errors import BundleError, EngineFault

Signature = Iterable[tuple[str, str, tuple[int | str | None, ...]]]


class Spec(Protocol):
    """What a tensor must be: a `TensorSpec` of the contract or a `GraphTensor` inside a program."""

    @property
    def name(self) -> str:
        """Its name in the graph."""
        ...

    @property
    def dtype(self) -> str:
        """As numpy names it."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """Every axis, all fixed."""
        ...


def check_signature(graph: GraphSpec, inputs: Signature, outputs: Signature, where: str) -> None:
    """BundleError unless an ONNX file's (name, dtype, shape) are exactly what the manifest makes of this graph.

    dtype as numpy names it; a shape's dynamic axes are None or a name, and are refused: every axis is fixed.
    """
    for side, declared, found in (("inputs", graph.inputs, inputs), ("outputs", graph.outputs, outputs)):
        wanted = sorted(str(spec) for spec in declared)
        actual = sorted(f"{name}: {dtype} {_axes(shape)}" for name, dtype, shape in found)
        if wanted != actual:
            raise BundleError(
                f"the {graph.name} graph's {side} are {_listed(actual)}, the manifest's are {_listed(wanted)}",
                where=where,
                remedy="the model belongs to another manifest: export the bundle again",
            )


def checked_inputs(manifest: Manifest, inputs: Tensors) -> dict[str, NDArray[Any]]:
    """The inputs, contiguous. EngineFault: missing, unknown, of another dtype or shape than the manifest's."""
    return {spec.name: np.ascontiguousarray(array) for spec, array in _matched("input", manifest.inputs, inputs)}


def checked_outputs(manifest: Manifest, outputs: Tensors) -> dict[str, NDArray[Any]]:
    """The outputs, read-only. EngineFault as for inputs. NaN is passed on: the verdict decides about it."""
    checked: dict[str, NDArray[Any]] = {}
    for spec, array in _matched("output", manifest.outputs, outputs):
        view = array.view()
        view.flags.writeable = False
        checked[spec.name] = view
    return checked


def checked_results(graph: GraphSpec, outputs: Tensors) -> dict[str, NDArray[Any]]:
    """What one graph gave, by name. EngineFault: missing, unknown, of another dtype or shape than the graph's."""
    return {spec.name: array for spec, array in _matched("output", graph.outputs, outputs)}


def _matched(side: str, specs: Sequence[Spec], tensors: Tensors) -> list[tuple[Spec, NDArray[Any]]]:
    if tensors.keys() != {spec.name for spec in specs}:
        raise EngineFault(
            f"{side}s are {_listed(sorted(map(str, tensors)))}, the manifest's are {_listed([str(s) for s in specs])}"
        )
    pairs = []
    for spec in specs:
        array = tensors[spec.name]
        if not isinstance(array, np.ndarray) or array.dtype != np.dtype(spec.dtype) or array.shape != spec.shape:
            raise EngineFault(f"{side} {spec.name} is {_shown(array)}, the manifest's is `{spec}`")
        pairs.append((spec, array))
    return pairs


def _shown(array: object) -> str:
    return f"{array.dtype} {list(array.shape)}" if isinstance(array, np.ndarray) else type(array).__name__


def _axes(shape: tuple[int | str | None, ...]) -> str:
    return "[" + ", ".join("?" if axis is None else str(axis) for axis in shape) + "]"


def _listed(items: list[str]) -> str:
    return ", ".join(f"`{said(item)}`" for item in items) or "none"
