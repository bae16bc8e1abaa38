"""Golden vectors: inputs and the float32 outputs that every engine must reproduce before it may judge.

`golden.npz` is a zip of `000.image.npy`, `000.anomaly_map.npy`, `001.image.npy`, ... Its arrays are read by the
manifest's shapes alone: no pickle, no header evaluation, no allocation that the manifest does not ask for.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.bundle.manifest import Declaration, TensorSpec
from edge.errors import BundleError

Tensors = Mapping[str, NDArray[Any]]
MAX_VECTORS = 64
MAX_UNPACKED_BYTES = 512 << 20
_MAX_HEADER_BYTES = 1024
_HEADER = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '([|<>=][a-zA-Z]\d{1,2})', 'fortran_order': (True|False), "
    rb"'shape': \(([\d, ]{0,200})\), \} *\n",
    re.DOTALL,
)


def pack_golden(declaration: Declaration, inputs: Sequence[Tensors], outputs: Sequence[Tensors]) -> bytes:
    """`golden.npz` of these vectors. BundleError: none, too many, or arrays that are not the manifest's or not finite."""
    if not inputs or len(inputs) != len(outputs) or len(inputs) > MAX_VECTORS:
        raise BundleError(
            f"{len(inputs)} golden inputs and {len(outputs)} golden outputs", remedy=f"give 1 to {MAX_VECTORS} of both"
        )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for index, (given, made) in enumerate(zip(inputs, outputs, strict=True)):
            for specs, tensors in ((declaration.inputs, given), (declaration.outputs, made)):
                if sorted(tensors) != sorted(spec.name for spec in specs):
                    raise BundleError(f"golden vector {index} has {sorted(tensors)}", remedy=f"give {[s.name for s in specs]}")
                for spec in specs:
                    entry = zipfile.ZipInfo(_entry(index, spec), (1980, 1, 1, 0, 0, 0))
                    entry.compress_type = zipfile.ZIP_DEFLATED
                    archive.writestr(entry, _npy(index, spec, tensors[spec.name]))
    return buffer.getvalue()


def unpack_golden(declaration: Declaration, data: bytes, where: str) -> tuple[list[Tensors], list[Tensors]]:
    """Inputs and outputs of every vector, read-only. BundleError for anything but what `pack_golden` writes."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _unpack(declaration, archive, where)
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError, OSError) as error:
        raise BundleError(f"is no readable npz ({error})", where=where, remedy="export the bundle again") from None


def _unpack(declaration: Declaration, archive: zipfile.ZipFile, where: str) -> tuple[list[Tensors], list[Tensors]]:
    specs = declaration.inputs + declaration.outputs
    entries = archive.infolist()
    vectors = len(entries) // len(specs)
    expected = {_entry(index, spec): spec for index in range(min(vectors, MAX_VECTORS)) for spec in specs}
    if not entries or [entry.filename for entry in entries] != list(expected):
        raise BundleError(
            f"must hold {len(specs)} arrays for each of 1 to {MAX_VECTORS} vectors, in the manifest's order",
            where=where,
            remedy="export the bundle again",
        )
    if vectors * sum(spec.nbytes + _MAX_HEADER_BYTES for spec in specs) > MAX_UNPACKED_BYTES:
        raise BundleError("unpacks to more than 512 MiB", where=where, remedy="export with fewer golden vectors")
    arrays = {entry.filename: _read(archive, entry, expected[entry.filename], where) for entry in entries}

    def gathered(part: tuple[TensorSpec, ...]) -> list[Tensors]:
        return [{str(spec.name): arrays[_entry(index, spec)] for spec in part} for index in range(vectors)]

    return gathered(declaration.inputs), gathered(declaration.outputs)


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, spec: TensorSpec, where: str) -> NDArray[Any]:
    header_bytes = entry.file_size - spec.nbytes
    if not 0 < header_bytes <= _MAX_HEADER_BYTES:
        raise BundleError(f"{entry.filename} is not `{spec}`", where=where, remedy="export the bundle again")
    with archive.open(entry) as stream:
        data = stream.read(entry.file_size + 1)
    header = _HEADER.fullmatch(data[:header_bytes])
    shape = tuple(int(side) for side in header[3].decode().replace(",", " ").split()) if header else ()
    descr = np.dtype(spec.dtype).str.encode()
    if not header or len(data) != entry.file_size or header[1] != descr or header[2] != b"False" or shape != spec.shape:
        raise BundleError(f"{entry.filename} is not `{spec}`", where=where, remedy="export the bundle again")
    array = np.frombuffer(data, np.dtype(spec.dtype), offset=header_bytes).reshape(spec.shape)
    if not np.isfinite(array).all():
        raise BundleError(f"{entry.filename} holds NaN or infinity", where=where, remedy="export the bundle again")
    return array


def _entry(index: int, spec: TensorSpec) -> str:
    return f"{index:03d}.{spec.name}.npy"


def _npy(index: int, spec: TensorSpec, array: NDArray[Any]) -> bytes:
    if array.dtype != np.dtype(spec.dtype) or array.shape != spec.shape:
        raise BundleError(f"golden vector {index}: `{spec.name}` is {array.dtype} {list(array.shape)}", remedy=f"give `{spec}`")
    if not np.isfinite(array).all():
        raise BundleError(f"golden vector {index}: `{spec.name}` holds NaN or infinity", remedy="give finite values")
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
    return buffer.getvalue()
