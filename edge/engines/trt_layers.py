"""Did the engine keep the half precision that the ONNX file promises? Read from the engine's own list of its layers.

A builder that ignores a precision builds a float32 engine without a word (rf-detr #1453: 26.3 instead of 5.75 ms). So the
promise is counted before the build and the fulfilment after it, in the layers that matter: those that multiply.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from edge.errors import EngineFault

__all__ = ["HalfShare", "LayerTypes", "check_share", "layers_of_json", "layers_of_table", "promised_layers", "share_of"]

_MULTIPLYING = ("CONVOLUTION", "DECONVOLUTION", "MATRIX_MULTIPLY", "FULLY_CONNECTED")
_SHAPELESS = ("CONSTANT", "SHAPE")
_ONNX_NAME = re.compile(r"\[ONNX Layer: ([^\]]+)\]")
_TABLE_TYPE = re.compile(r"Data[tT]ype: (\w+)")
_MAY_LOSE_ONE_OF = 10


@dataclass(frozen=True)
class LayerTypes:
    """One layer of an engine. sources: the ONNX nodes in it. half: float16 goes in or out, or its weights are."""

    name: str
    sources: tuple[str, ...]
    half: bool
    opaque: bool = False


@dataclass(frozen=True)
class HalfShare:
    """promised: multiplying layers that are float16 in the ONNX file. kept, lost: of those, found so in the engine, or found
    in float32. The rest is inside pieces that the engine does not open. layers, half_layers, opaque_layers: of the whole
    engine; opaque are those pieces.
    """

    promised: int
    kept: int
    lost: int
    layers: int
    half_layers: int
    opaque_layers: int = 0

    @property
    def unseen(self) -> int:
        """Promised layers of which the engine's list says nothing."""
        return self.promised - self.kept - self.lost

    @property
    def share(self) -> float:
        """Half layers of the engine, 0..1."""
        return self.half_layers / max(1, self.layers)

    def __str__(self) -> str:
        unseen = f", {self.unseen} not shown" if self.unseen else ""
        return f"{self.kept} of {self.promised} float16 layers kept{unseen}; {self.half_layers} of {self.layers} engine layers"


def promised_layers(trt: Any, network: Any) -> tuple[str, ...]:
    """Names of the multiplying layers of a parsed network whose result is float16."""
    layers = (network.get_layer(index) for index in range(network.num_layers))
    return tuple(
        layer.name
        for layer in layers
        if layer.type.name in _MULTIPLYING and layer.num_outputs and layer.get_output(0).dtype == trt.DataType.HALF
    )


def layers_of_json(text: str) -> tuple[LayerTypes, ...]:
    """From the engine inspector: TensorRT 8.6 and 10 say `Format/Datatype`, 11 and RTX `Datatype`.

    Without detailed profiling verbosity the list holds names alone: EngineFault, since then nothing can be told.
    """
    try:
        found = json.loads(text)["Layers"]
    except (ValueError, KeyError, TypeError, RecursionError):
        found = None
    if not isinstance(found, list) or not all(isinstance(layer, Mapping) for layer in found):
        raise EngineFault(
            "the engine does not tell its layers' types", where="engine", remedy="build it again with this version of lineclear"
        )
    return tuple(_of_json(layer) for layer in found)


def layers_of_table(text: str) -> tuple[LayerTypes, ...]:
    """From the layer table that TensorRT for RTX logs at the end of a build: the only list without a GPU."""
    rows = [line for line in text.splitlines() if line.startswith("Name: ") and "LayerType: " in line]
    return tuple(_of_table(row) for row in rows)


def share_of(promised: Iterable[str], layers: tuple[LayerTypes, ...]) -> HalfShare:
    """What the engine kept of the promise.

    A layer of the engine holds several of the ONNX file, fused; one of the ONNX file may be spread over several of the
    engine's, of which it is enough that one takes or gives float16.
    """
    by_source: dict[str, list[LayerTypes]] = {}
    for layer in layers:
        for source in layer.sources:
            by_source.setdefault(source, []).append(layer)
    wanted = tuple(promised)
    seen = {name: by_source[name] for name in wanted if name in by_source}
    kept = sum(any(layer.half for layer in found) for found in seen.values())
    lost = sum(not any(layer.half or layer.opaque for layer in found) for found in seen.values())
    halves, opaque = sum(layer.half for layer in layers), sum(layer.opaque for layer in layers)
    return HalfShare(len(wanted), kept, lost, len(layers), halves, opaque)


def check_share(share: HalfShare, *, strongly_typed: bool, where: str) -> None:
    """EngineFault if the engine lost what was promised, or may have: an engine in pieces that it does not open is believed
    only where the network's types bind the builder.
    """
    if not share.promised:
        return
    if share.lost * _MAY_LOSE_ONE_OF > share.kept + share.lost:
        problem = f"the engine lost float16 in {share.lost} of {share.promised} layers"
    elif not share.kept and not (strongly_typed and share.opaque_layers):
        problem = f"none of {share.promised} float16 layers is found in the engine"
    else:
        return
    remedy = "this TensorRT does not keep float16: set `precision: float32`, or use a TensorRT from 10 on"
    raise EngineFault(problem, where=where, remedy=remedy)


def _of_json(layer: Mapping[str, Any]) -> LayerTypes:
    name = str(layer.get("Name", ""))
    tensors = [each for side in ("Inputs", "Outputs", "Constants") for each in _listed(layer.get(side))]
    types = [str(each.get("Datatype", "")) + str(each.get("Format/Datatype", "")) for each in tensors]
    weights = layer.get("Weights")
    types += [str(weights.get("Type", ""))] if isinstance(weights, Mapping) else []
    half = any("Half" in each or "FP16" in each for each in types)
    sources = tuple(_ONNX_NAME.findall(str(layer.get("Metadata", "")))) or tuple(name.split(" + "))
    return LayerTypes(name, sources, half, _is_opaque(name, str(layer.get("LayerType", ""))))


def _of_table(row: str) -> LayerTypes:
    name, kind = re.match(r"Name: (.*?), LayerType: (\w+)", row).groups()  # type: ignore[union-attr]
    sources = tuple(_ONNX_NAME.findall(row)) or (name,)
    return LayerTypes(name, sources, "Half" in _TABLE_TYPE.findall(row), _is_opaque(name, kind))


def _is_opaque(name: str, kind: str) -> bool:
    return kind == "Myelin" or "ForeignNode" in name


def _listed(value: object) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []
