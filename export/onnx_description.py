"""What an ONNX file is, without running it: inputs, outputs, size, operators, and what stands against using it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import TensorProto

from edge.errors import BundleError
from export.container import head_of

MAX_ONNX_BYTES = (2 << 30) - 1


@dataclass(frozen=True)
class Port:
    """An input or output. shape: None where the rank is not stated; a side is its length, or the name of a free one."""

    name: str
    dtype: str
    shape: tuple[int | str, ...] | None

    def __str__(self) -> str:
        sides = "any shape" if self.shape is None else "[" + ", ".join(str(side) for side in self.shape) + "]"
        return f"{self.name}: {self.dtype} {sides}"


@dataclass(frozen=True)
class OnnxDescription:
    """An ONNX file. domains: opset by operator domain ("" is ONNX's own). operators: how many nodes of each kind.
    weights: names and shapes. metadata: the file's own notes. external: files that hold its weights.
    """

    producer: str
    ir_version: int
    domains: Mapping[str, int]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    operators: Mapping[str, int]
    weights: Mapping[str, tuple[int, ...]]
    metadata: Mapping[str, str]
    external: tuple[str, ...]

    @property
    def opset(self) -> int:
        """Of ONNX's own operators."""
        return self.domains.get("", 0)

    @property
    def elements(self) -> int:
        """How many numbers its weights are."""
        return sum(math.prod(shape) for shape in self.weights.values())


def looks_like_onnx(path: Path, head: bytes) -> bool:
    """By its name, or by the first byte of a protobuf model (its IR version)."""
    return path.suffix.lower() == ".onnx" or head[:1] == b"\x08"


def describe_onnx(path: Path) -> OnnxDescription:
    """Read an ONNX file; weights in other files are named and not opened. BundleError: no ONNX, damaged, too large."""
    where = str(path)
    head_of(path)
    if path.stat().st_size > MAX_ONNX_BYTES:
        raise BundleError("is larger than an ONNX file can be (2 GiB)", where=where, remedy="is it another kind of file?")
    try:
        model = onnx.load_model_from_string(path.read_bytes())
    except (DecodeError, ValueError, UnicodeError) as error:
        said = " ".join(str(error).split())[:120]
        raise BundleError(
            f"is no ONNX file, or is truncated ({said})", where=where, remedy="copy it again, or export it again upstream"
        ) from None
    if not model.graph.node or not model.graph.output:
        raise BundleError("is no ONNX file: it has no graph", where=where, remedy="give the .onnx that upstream exported")
    return description_of(model)


def description_of(model: Any) -> OnnxDescription:
    """The description of an onnx.ModelProto."""
    weights = {weight.name: tuple(weight.dims) for weight in model.graph.initializer}
    places = {
        entry.value
        for weight in model.graph.initializer
        if weight.data_location == TensorProto.EXTERNAL
        for entry in weight.external_data
        if entry.key == "location"
    }
    return OnnxDescription(
        producer=f"{model.producer_name} {model.producer_version}".strip(),
        ir_version=model.ir_version,
        domains={("" if each.domain == "ai.onnx" else each.domain): each.version for each in model.opset_import},
        inputs=_ports(port for port in model.graph.input if port.name not in weights),
        outputs=_ports(model.graph.output),
        operators=dict(
            Counter(node.op_type if not node.domain else f"{node.domain}.{node.op_type}" for node in model.graph.node)
        ),
        weights=weights,
        metadata={entry.key: entry.value for entry in model.metadata_props},
        external=tuple(sorted(places)),
    )


def _ports(values: Iterable[Any]) -> tuple[Port, ...]:
    return tuple(_port(value) for value in values)


def _port(value: Any) -> Port:
    tensor = value.type.tensor_type
    dtype = (
        TensorProto.DataType.Name(tensor.elem_type).lower() if tensor.elem_type in TensorProto.DataType.values() else "unknown"
    )
    shape = None
    if tensor.HasField("shape"):
        shape = tuple(side.dim_value if side.HasField("dim_value") else side.dim_param or "?" for side in tensor.shape.dim)
    return Port(value.name, {"float": "float32", "double": "float64"}.get(dtype, dtype), shape)
