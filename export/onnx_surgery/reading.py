"""Reading a foreign ONNX file as if an enemy had made it, its weights embedded wherever they lay.

An ONNX file may keep its weights beside itself and name that file freely. Two exports whose data files were given the
same name then load each other's weights without a word (both anomalib and torch write `model.onnx.data`), and a forged
name could read any file of the machine. So: only plain files below the model's own folder, no links, exact lengths, and
both files hashed.
"""

from __future__ import annotations

import hashlib
import math
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import TensorProto, helper, numpy_helper

from edge.errors import BundleError
from export.onnx_surgery.wires import FLOATS, every_node, every_tensor

MAX_BYTES = 2**31 - 1
MAX_NODES = 200_000
_NEIGHBOUR_BYTES = 64 << 20
_PLAIN_DOMAINS = ("", "ai.onnx")
_REMEDY = "export it again, or copy it again with everything that lay beside it"


@dataclass(frozen=True, eq=False)
class Foreign:
    """An ONNX file that somebody else's exporter wrote, whole in memory.

    model: the ModelProto, weights embedded. files: SHA-256 of every file it came from, by name. remarks: what a person
    should know about where it came from.
    """

    path: Path
    model: Any
    files: Mapping[str, str]
    remarks: tuple[str, ...] = ()

    @property
    def inputs(self) -> dict[str, tuple[int | None, ...]]:
        """Shapes of the inputs by name, None for an axis that is left open; weights are no inputs."""
        stored = {weight.name for weight in self.model.graph.initializer}
        return {each.name: axes(each) for each in self.model.graph.input if each.name not in stored}

    @property
    def outputs(self) -> dict[str, tuple[int | None, ...]]:
        """Shapes of the outputs by name."""
        return {each.name: axes(each) for each in self.model.graph.output}

    @property
    def measures(self) -> list[str]:
        """The names of the outputs that hold real numbers."""
        return [each.name for each in self.model.graph.output if each.type.tensor_type.elem_type in FLOATS]

    @property
    def opset(self) -> int:
        """The version of ONNX's own operators that it was written with."""
        return max((each.version for each in self.model.opset_import if each.domain in _PLAIN_DOMAINS), default=1)


def axes(described: Any) -> tuple[int | None, ...]:
    """The shape of an input or output, None for an axis that is left open."""
    sides = described.type.tensor_type.shape.dim
    return tuple(side.dim_value if side.HasField("dim_value") and side.dim_value > 0 else None for side in sides)


def read_onnx(path: Path) -> Foreign:
    """The model, every weight embedded and checked. BundleError: no ONNX, damaged, too large, weights that lie elsewhere."""
    where = str(path)
    if path.suffix.lower() in (".etlt", ".tlt"):
        raise BundleError("is encrypted by TAO", where=where, remedy="export the plain .onnx (TAO 5 and later write it)")
    data = _read(path.parent, path.name, MAX_BYTES, where)
    model = parse(data, where)
    files = {path.name: hashlib.sha256(data).hexdigest()}
    outside = [tensor for tensor in every_tensor(model.graph) if tensor.data_location == TensorProto.EXTERNAL]
    remarks = _embed(outside, path, files) if outside else ()
    for tensor in every_tensor(model.graph):
        _check_tensor(tensor, where)
    if model.ByteSize() > MAX_BYTES - (16 << 20):
        raise BundleError("is larger than 2 GiB with its weights", where=where, remedy="export a smaller backbone")
    return Foreign(path, model, files, remarks)


def parse(data: bytes, where: str) -> Any:
    """The ModelProto of an ONNX file's bytes; BundleError says what the bytes are where they are something else."""
    known = {b"PK\x03\x04": "a zip, perhaps a PyTorch checkpoint", b"\x80\x02": "a pickle", b"\x89HDF": "a Keras file"}
    kind = next((name for start, name in known.items() if data.startswith(start)), "")
    if kind or not data:
        raise BundleError(f"is {kind or 'empty'}, no ONNX file", where=where, remedy="give the exported .onnx")
    try:
        model = onnx.load_from_string(data)
    except (DecodeError, ValueError, RecursionError) as error:
        raise BundleError(f"is no ONNX file, or a damaged one ({error})", where=where, remedy=_REMEDY) from None
    _refuse_garbled(model, where)
    nodes = sum(1 for _ in every_node(model.graph))
    if not nodes or nodes > MAX_NODES or not model.graph.output:
        raise BundleError(
            f"holds {nodes} operators and {len(model.graph.output)} outputs",
            where=where,
            remedy="is it encrypted (.etlt) or cut off? give the plain .onnx of the export",
        )
    _refuse_plugins(model, where)
    return model


def _refuse_garbled(model: Any, where: str) -> None:
    """BundleError where a name is no UTF-8: protobuf then hands out bytes in the place of text."""
    names: list[object] = [each.domain for each in model.opset_import]
    names += [each.name for each in (*model.graph.input, *model.graph.output, *model.graph.value_info)]
    names += [tensor.name for tensor in every_tensor(model.graph)]
    for node in every_node(model.graph):
        names += [node.op_type, node.domain, node.name, *node.input, *node.output, *(each.name for each in node.attribute)]
    if not all(isinstance(name, str) for name in names):
        raise BundleError("holds names that are no text: it is damaged", where=where, remedy=_REMEDY)


def _refuse_plugins(model: Any, where: str) -> None:
    """BundleError where an operator is no part of ONNX: a plugin of TensorRT, a contrib operator of ONNX Runtime."""
    local = {(each.domain, each.name) for each in model.functions}
    foreign = sorted(
        {
            f"{node.domain or 'ai.onnx'}::{node.op_type}"[:120]
            for node in every_node(model.graph)
            if (node.domain not in _PLAIN_DOMAINS or not onnx.defs.has(node.op_type))
            and (node.domain, node.op_type) not in local
        }
    )
    if foreign:
        attention = any("DeformableAttn" in each or "DeformAttn" in each for each in foreign)
        remedy = "export it without plugins and contrib operators"
        raise BundleError(
            f"uses operators that are no part of ONNX: {', '.join(foreign[:3])}",
            where=where,
            remedy="export it with `export.on_cpu: true`: TAO then writes GridSample in its place" if attention else remedy,
        )


def _embed(tensors: list[Any], path: Path, files: dict[str, str]) -> tuple[str, ...]:
    """Put weights from the files beside the model into the model; remarks about those files."""
    where, remarks = str(path), []
    stored = {id(tensor): {entry.key: entry.value for entry in tensor.external_data} for tensor in tensors}
    budget = MAX_BYTES
    for location in dict.fromkeys(str(fields.get("location", "")) for fields in stored.values()):
        data = _read(path.parent, location, budget, where)
        budget -= len(data)
        files[location] = hashlib.sha256(data).hexdigest()
        end = 0
        for tensor in tensors:
            if stored[id(tensor)].get("location", "") == location:
                end = max(end, _take(tensor, stored[id(tensor)], data, where))
        _refuse_sharing(path, location)
        if Path(location).name not in (f"{path.name}.data", f"{path.stem}.data", f"{path.name}_data"):
            remarks.append(
                f"the weights come from {location}, which is not named after {path.name}: make sure that they lie together "
                "as they were exported"
            )
        if end + (64 << 10) < len(data):
            remarks.append(f"{len(data) - end} bytes at the end of {location} are not used: is it another model's?")
    return tuple(remarks)


def _take(tensor: Any, fields: Mapping[str, str], data: bytes, where: str) -> int:
    """Fill one weight; returns where it ends in the file."""
    wanted = _bytes_of(tensor, where)
    try:
        start, length = int(fields.get("offset", "0")), int(fields.get("length", str(wanted)))
    except ValueError:
        raise BundleError(f"weight {_name(tensor)}: offset or length is no number", where=where, remedy=_REMEDY) from None
    if start < 0 or length != wanted or start + length > len(data):
        raise BundleError(
            f"weight {_name(tensor)} needs {wanted} bytes, but {length} at {start} of {len(data)} are named",
            where=where,
            remedy="the data file belongs to another model, or is cut off: copy both files together",
        )
    tensor.raw_data = data[start : start + length]
    tensor.data_location = TensorProto.DEFAULT
    del tensor.external_data[:]
    return start + length


def _refuse_sharing(path: Path, location: str) -> None:
    """BundleError where another ONNX file of the folder takes its weights from the same file: one of them has been lost."""
    needle = location.encode()
    for other in sorted(path.parent.glob("*.onnx"))[:200]:
        plain = other.name != path.name and not other.is_symlink() and other.is_file()
        if plain and other.stat().st_size <= _NEIGHBOUR_BYTES and needle in other.read_bytes():
            raise BundleError(
                f"takes its weights from {location}, and so does {other.name}: one of the two would get the other's",
                where=str(path),
                remedy="put each export in a folder of its own, as it was exported",
            )


def _check_tensor(tensor: Any, where: str) -> None:
    """BundleError unless a weight holds exactly the numbers that its shape asks for, and no NaN among many."""
    wanted = _bytes_of(tensor, where)
    if tensor.data_type == TensorProto.STRING:
        raise BundleError(f"weight {_name(tensor)} holds text", where=where, remedy="export without text operators")
    if tensor.HasField("raw_data") and len(tensor.raw_data) != wanted:
        raise BundleError(
            f"weight {_name(tensor)} holds {len(tensor.raw_data)} bytes, its shape asks for {wanted}",
            where=where,
            remedy=_REMEDY,
        )
    try:
        values = numpy_helper.to_array(tensor)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        line = " ".join(str(error).split())[:120]
        raise BundleError(f"weight {_name(tensor)} cannot be read ({line})", where=where, remedy=_REMEDY) from None
    # A single NaN is how anomalib says that there was no validation; a NaN among weights is a broken training.
    if values.dtype.kind == "f" and values.size > 1 and np.isnan(values).any():
        raise BundleError(
            f"weight {_name(tensor)} holds NaN",
            where=where,
            remedy="the training diverged or the file is damaged: export again",
        )


def _bytes_of(tensor: Any, where: str) -> int:
    try:
        item = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.data_type)).itemsize
    except (KeyError, ValueError, TypeError):
        raise BundleError(
            f"weight {_name(tensor)} is of unknown type {tensor.data_type}", where=where, remedy=_REMEDY
        ) from None
    size: int = math.prod(tensor.dims) * item
    if any(side < 0 for side in tensor.dims) or size > MAX_BYTES:
        raise BundleError(f"weight {_name(tensor)} says its shape is {list(tensor.dims)[:8]}", where=where, remedy=_REMEDY)
    return size


def _read(folder: Path, name: str, limit: int, where: str) -> bytes:
    """A plain file in `folder` or below it; no link on the way, never out of it."""
    parts = name.split("/")
    if not name.isprintable() or "\\" in name or any(part in ("", ".", "..") for part in parts):
        raise BundleError(
            f"wants to read {name[:80]!r}, which is not in its own folder", where=where, remedy="do not use this file"
        )
    path = folder.joinpath(*parts)
    inner = [folder.joinpath(*parts[:count]) for count in range(1, len(parts))]
    try:
        if len(parts) > 1 and any(step.is_symlink() for step in inner):
            raise BundleError(f"reaches {name!r} through a link", where=where, remedy="copy the real files")
        # The model itself may be a link that the user named; what the file names may not.
        follow = 0 if str(path) == where else os.O_NOFOLLOW
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | follow)
        with os.fdopen(descriptor, "rb") as stream:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise BundleError(f"{path.name!r} is no plain file", where=where, remedy="name the .onnx file")
            if status.st_size > limit:
                raise BundleError(
                    f"{path.name!r} is {status.st_size} bytes; 2 GiB is the most that one ONNX file holds",
                    where=where,
                    remedy="train a smaller backbone (resnet18), or fewer features, and export again",
                )
            return stream.read(status.st_size)
    except OSError as error:
        raise BundleError(f"{path.name!r} cannot be read ({error.strerror})", where=where, remedy=_REMEDY) from None


def _name(tensor: Any) -> str:
    return repr(tensor.name[:80])
