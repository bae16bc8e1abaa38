"""Evidence as the bytes of its files, and back. Pure.

Names sort by time and hold view, outcome and a piece of the result's hash: `20261122T071503.123Z_front_FAIL_1a2b3c4d5e6f` and
what it is: `.frame.png`, `.overlay.jpg`, `.map.npz`, `.json`. The JSON names the others with their hashes, so that the index
can be built anew from the files.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import re
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge.archive.evidence import DOCUMENT, FRAME, MAP, OVERLAY, ArchiveError, Evidence, Keep, StoredMap, keep_of
from edge.bundle.image import encode_png
from edge.types import MapF32, MaskBool

SCHEMA: Final = "lineclear/evidence/1"
EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_SUFFIX: Final = {"image/jpeg": ".overlay.jpg", "image/png": ".overlay.png"}
_EXPONENT: Final = 15  # the largest score becomes 2**14..2**15, well inside float16's 65504
_MAX_MAP_BYTES: Final = 1 << 30
_MAP_TYPES: Final[Mapping[str, type[np.generic]]] = {
    "scores": np.float16, "scale": np.float64, "judged": np.uint8, "map_to_reference": np.float64,
}  # fmt: skip
_NPY: Final = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '([|<>=][a-zA-Z]\d{1,2})', 'fortran_order': (True|False), "
    rb"'shape': \(([\d, ]{0,60})\), \} {0,200}\n",
    re.DOTALL,
)
# What a zip that was touched makes the library raise.
_NO_MAP: Final = (
    zipfile.BadZipFile, zlib.error, ValueError, KeyError, OSError, EOFError, IndexError, NotImplementedError, RuntimeError,
)  # fmt: skip
FOLDERS_GLOB: Final = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]/[0-9][0-9]"
NAMES_GLOB: Final = "????????T??????.???Z_*"
FIELDS: Final = (
    "result_id", "kind", "view", "outcome", "reason", "batch", "product", "clearance_id", "request_id", "recipe",
    "recipe_version", "score", "threshold",
)  # fmt: skip


@dataclass(frozen=True)
class Stored:
    """One file: its name, the SHA-256 of its bytes in hexadecimal, its size."""

    name: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Record:
    """What the index knows of a result. decided_us: UTC microseconds since 1970. folder: relative, `2026-11-22/07`.

    values: the fields of the evidence by name, as SQLite and JSON take them. files: what it is -> the file.
    """

    values: Mapping[str, Any]
    decided_us: int
    folder: str
    files: Mapping[str, Stored]

    @property
    def result_id(self) -> str:
        """Unique for ever."""
        return str(self.values["result_id"])

    @property
    def keep(self) -> Keep:
        """Which rule of retention it falls under."""
        return keep_of(self.values["kind"], self.values["outcome"], self.values["clearance_id"])

    @property
    def size_bytes(self) -> int:
        """Of all its files."""
        return sum(file.size_bytes for file in self.files.values())


@dataclass(frozen=True, eq=False)
class Packed:
    """A record and the bytes of its files, by name, the JSON last."""

    record: Record
    contents: Mapping[str, bytes]


def clean(text: str) -> str:
    """Text that SQLite and UTF-8 take: lone surrogates are escaped, everything else stays."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def microseconds(moment: datetime) -> int:
    """UTC microseconds since 1970; exact. ValueError: a time without a zone."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone")
    return (moment - EPOCH) // timedelta(microseconds=1)


def moment_of(decided_us: int) -> datetime:
    """The time in UTC."""
    return EPOCH + timedelta(microseconds=decided_us)


def pack(evidence: Evidence, overlay: tuple[bytes, str] | None) -> Packed:
    """All files of one result. overlay: its bytes and content type.

    BundleError, ValueError, TypeError: a frame, a map or a document that cannot be written.
    """
    when = evidence.decided_at.astimezone(timezone.utc)
    stem = _stem(evidence, when)
    contents: dict[str, tuple[str, bytes]] = {}
    if evidence.frame is not None:
        contents[FRAME] = f"{stem}.frame.png", encode_png(evidence.frame)
    if overlay is not None and overlay[1] in _SUFFIX:
        contents[OVERLAY] = stem + _SUFFIX[overlay[1]], overlay[0]
    if evidence.anomaly_map is not None:
        contents[MAP] = f"{stem}.map.npz", pack_map(evidence.anomaly_map, evidence.judged, evidence.map_to_reference)
    files = {role: _stored(name, data) for role, (name, data) in contents.items()}
    values = {name: _plain(getattr(evidence, name)) for name in FIELDS}
    document = {
        "schema": SCHEMA,
        **values,
        "decided_us": microseconds(when),
        "files": {role: vars(file) for role, file in files.items()},
        "document": dict(evidence.document),
    }
    data = (json.dumps(document, allow_nan=False, indent=1) + "\n").encode("ascii")
    files[DOCUMENT] = _stored(f"{stem}.json", data)
    record = Record(values, microseconds(when), f"{when:%Y-%m-%d/%H}", files)
    return Packed(record, {**dict(contents.values()), f"{stem}.json": data})


def unpack_document(data: bytes, name: str, folder: str) -> tuple[Record, dict[str, Any]]:
    """The record and the result's own JSON from the bytes of its `.json`. ValueError: it is not one."""
    try:
        document = json.loads(data)
        if document["schema"] != SCHEMA:
            raise ValueError("another schema")
        files = {str(role): Stored(**file) for role, file in document["files"].items()}
        files[DOCUMENT] = _stored(name, data)
        values = {field: document[field] for field in FIELDS}
        if not all("/" not in file.name and type(file.size_bytes) is int for file in files.values()):
            raise ValueError("file names with a slash")
        return Record(values, int(document["decided_us"]), folder, files), dict(document["document"])
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"not the JSON of a result ({error!r})") from None


def pack_map(scores: MapF32, judged: MaskBool | None, map_to_reference: NDArray[np.float64] | None) -> bytes:
    """`numpy.load` reads it: scores float16 HxW, scale (scores * scale is raw), judged (packed bits), map_to_reference 3x3.

    The scale is a power of two, so that no score is out of float16's range: each is within 1/2048 of itself, save those
    below a billionth of the largest.
    """
    mask = np.ones(scores.shape, np.bool_) if judged is None else judged
    if scores.ndim != 2 or mask.shape != scores.shape:
        raise ValueError(f"a map of {scores.shape} with a mask of {mask.shape}")
    finite = np.abs(scores[np.isfinite(scores)], dtype=np.float64)
    largest = float(finite.max()) if finite.size else 0.0
    scale = math.ldexp(1.0, math.frexp(largest)[1] - _EXPONENT) if largest else 1.0
    arrays = {
        "scores": (scores.astype(np.float64) / scale).astype(np.float16),
        "scale": np.float64(scale),
        "judged": np.packbits(mask, axis=1),
        "map_to_reference": np.eye(3) if map_to_reference is None else np.asarray(map_to_reference, np.float64).reshape(3, 3),
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            with target.open(entry, "w") as stream:
                np.lib.format.write_array(stream, np.asarray(array), version=(1, 0), allow_pickle=False)
    return buffer.getvalue()


def unpack_map(data: bytes, where: str) -> StoredMap:
    """The map of `pack_map`. Raises ArchiveError."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as source:
            if sum(info.file_size for info in source.infolist()) > _MAX_MAP_BYTES:
                raise ValueError("too large")
            halves, scales, bits, rows = (_array(source, name, kind) for name, kind in _MAP_TYPES.items())
        scale = float(scales.reshape(()))
        judged = np.unpackbits(bits, axis=1, count=halves.shape[1]).astype(np.bool_)
        with np.errstate(over="ignore", invalid="ignore"):  # the largest float32 there is may be rounded up
            scores = (halves.astype(np.float64) * scale).astype(np.float32)
        if judged.shape != scores.shape or scores.ndim != 2:
            raise ValueError(f"a map of {scores.shape} with a mask of {judged.shape}")
        matrix = rows.reshape(3, 3).copy()
    except _NO_MAP as error:
        raise ArchiveError(f"is no map ({error})", where=where, remedy="run `lineclear archive verify`") from None
    for array in (scores, judged, matrix):
        array.flags.writeable = False
    return StoredMap(scores, judged, matrix)


def _array(source: zipfile.ZipFile, name: str, kind: type[np.generic]) -> NDArray[Any]:
    """One array, no larger than its own bytes, whatever its header says. ValueError: another type, or not as many bytes."""
    info = source.getinfo(f"{name}.npy")
    with source.open(info) as stream:
        data = stream.read(info.file_size + 1)
    header = _NPY.match(data)
    if header is None or len(data) != info.file_size or header[1] != np.dtype(kind).str.encode():
        raise ValueError(f"{name} is no array of {np.dtype(kind)}")
    shape = tuple(int(side) for side in header[3].decode().replace(",", " ").split())
    return np.frombuffer(data, kind, offset=header.end()).reshape(shape, order="F" if header[2] == b"True" else "C")


def _stored(name: str, data: bytes) -> Stored:
    return Stored(name, hashlib.sha256(data).hexdigest(), len(data))


def _plain(value: Any) -> Any:
    """A field as SQLite and JSON take it: clean text, finite numbers."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value


def _stem(evidence: Evidence, when: datetime) -> str:
    subject = evidence.kind if evidence.kind == "clearance" else evidence.view or "station"
    parts = (re.sub(r"[^A-Za-z0-9-]", "-", text)[:40] for text in (subject,))
    outcome = re.sub(r"[^A-Za-z0-9_]", "-", evidence.outcome)[:20]
    digest = hashlib.sha256(clean(evidence.result_id).encode("utf-8")).hexdigest()[:12]
    time_text = f"{when:%Y%m%dT%H%M%S}.{when.microsecond // 1000:03d}Z"
    return "_".join((time_text, *parts, outcome, digest))
