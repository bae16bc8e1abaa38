"""The file around a checkpoint: torch's zip, or the bare pickles that torch wrote before 1.6; nothing else is opened.

`describe` looks at the first bytes; `open_container` proves sizes before it reads, so that memory is bounded by the file.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from edge.errors import BundleError
from export.unpickling import ELEMENT_BYTES, MAX_PICKLE_BYTES, Storage, unpickle

MAX_FILE_BYTES = 4 << 30
_MAX_MEMBERS = 20_000
_CHUNK = 1 << 20
_ZIP_ERRORS = (
    zipfile.BadZipFile, zlib.error, OSError, ValueError, NotImplementedError, RuntimeError, EOFError, KeyError, OverflowError,
    struct.error, IndexError, MemoryError,
)  # fmt: skip
_OLD_MAGIC = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
_REMEDY_COPY = "copy the checkpoint again"

# First bytes, what it is, what to do instead.
_FOREIGN: tuple[tuple[bytes, str, str], ...] = (
    (b"\x89HDF\r\n\x1a\n", "a Keras or TensorFlow HDF5 file", "convert it to ONNX (tf2onnx): lineclear-export onnx"),
    (b"ftrt", "a TensorRT engine", "engines fit one GPU and one version only: give the ONNX it was built from"),
    (b"ptrt", "a TensorRT engine", "engines fit one GPU and one version only: give the ONNX it was built from"),
    (b"\x93NUMPY", "a NumPy array", "give the checkpoint that upstream's training wrote"),
    (b"\x1f\x8b", "packed with gzip", "unpack it first (gunzip, tar xzf)"),
    (b"Rar!", "a RAR archive", "unpack it first"),
    (b"7z\xbc\xaf", "a 7z archive", "unpack it first"),
    (b"<", "a web page or XML, not the download", "download the file itself: a page was saved in its place"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file", "run `git lfs pull` there"),
)  # fmt: skip


@dataclass(frozen=True)
class Place:
    """Where the numbers of a storage lie in the file: first byte, how many, their CRC-32 where the file has one."""

    start: int
    size: int
    crc: int | None = None


@dataclass(frozen=True, eq=False)
class Container:
    """An opened checkpoint: its objects, and where the numbers of each storage lie."""

    path: Path
    content: Any
    sha256: str
    _places: Mapping[str, Place]

    def read(self, storage: Storage) -> bytearray:
        """The bytes of a storage, little-endian; BundleError if they are not there or not as many as stated."""
        where, wanted = str(self.path), storage.elements * ELEMENT_BYTES[storage.dtype]
        if storage.key not in self._places:
            raise BundleError(
                f"is incomplete: the numbers of storage {storage.key[:40]!r} are missing", where=where, remedy=_REMEDY_COPY
            )
        place = self._places[storage.key]
        if place.size != wanted:
            raise BundleError(
                f"states {wanted} bytes for a tensor and holds {place.size}", where=where, remedy="do not use this file"
            )
        try:
            with self.path.open("rb") as stream:
                stream.seek(place.start)
                data = bytearray(stream.read(wanted))
        except OSError as error:
            raise BundleError(f"cannot be read ({error.strerror})", where=where, remedy=_REMEDY_COPY) from None
        if len(data) != wanted:
            raise BundleError(f"ends within a tensor: {len(data)} of {wanted} bytes", where=where, remedy=_REMEDY_COPY)
        if place.crc is not None and zlib.crc32(data) != place.crc:
            raise BundleError("is damaged: the checksum of a tensor does not fit", where=where, remedy=_REMEDY_COPY)
        return data


def head_of(path: Path, count: int = 512) -> bytes:
    """The first bytes of a plain file. BundleError: no such file, a folder or a device, empty, larger than allowed."""
    where = str(path)
    try:
        with open(path, "rb", opener=_unblocked) as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise BundleError("is no file", where=where, remedy="name the checkpoint's file")
            if status.st_size > MAX_FILE_BYTES:
                raise BundleError(
                    f"is {status.st_size} bytes large; {MAX_FILE_BYTES} at most", where=where, remedy="give the weights alone"
                )
            head = stream.read(count)
    except IsADirectoryError:
        raise BundleError("is a folder", where=where, remedy="name the checkpoint's file in it") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise BundleError(f"cannot be read ({reason})", where=where, remedy="check the name and the permissions") from None
    if not head:
        raise BundleError("is empty", where=where, remedy=_REMEDY_COPY)
    return head


def _unblocked(name: str, flags: int) -> int:
    """A pipe with no writer must not hold anyone up."""
    return os.open(name, flags | os.O_NONBLOCK | os.O_CLOEXEC)


def foreign(head: bytes, name: str = "") -> tuple[str, str] | None:
    """(what it is, what to do) for a file that is known and no checkpoint of torch; None for all others."""
    if name.lower().endswith(".etlt"):
        return "an encrypted TAO model (.etlt)", "export a plain .onnx with `tao visual_changenet export`"
    if len(head) > 9 and head[8:9] == b"{" and struct.unpack("<Q", head[:8])[0] < 100 << 20:
        return "a safetensors file", "no family here is published so: save it with torch.save(state_dict) instead"
    return next(((what, remedy) for magic, what, remedy in _FOREIGN if head.startswith(magic)), None)


def open_container(path: Path, allowed: Mapping[str, object]) -> Container:
    """Read a checkpoint's index. allowed: globals beyond tensors by "module.name". BundleError names what is wrong."""
    head = head_of(path)
    where = str(path)
    known = foreign(head, path.name)
    if known is not None:
        raise BundleError(f"is {known[0]}, no checkpoint of torch", where=where, remedy=known[1])
    digest = _digest(path)
    if head.startswith(b"PK\x03\x04"):
        return _open_zip(path, allowed, digest)
    if head.startswith(_OLD_MAGIC):
        return _open_old(path, allowed, digest)
    if _OLD_MAGIC.startswith(head[: len(_OLD_MAGIC)]) or head.startswith(b"PK"):
        raise BundleError("is truncated: it ends within its first bytes", where=where, remedy=_REMEDY_COPY)
    if head.startswith(b"\x80") and head[1:2] <= b"\x05":
        raise BundleError(
            "is a plain Python pickle, which can run any code",
            where=where,
            remedy="save it with torch.save(model.state_dict())",
        )
    raise BundleError(
        "is no checkpoint of torch", where=where, remedy="give the file that upstream's training wrote (.pth, .pckl, .pt)"
    )


def _open_zip(path: Path, allowed: Mapping[str, object], digest: str) -> Container:
    where, size = str(path), path.stat().st_size
    try:
        with path.open("rb") as stream, zipfile.ZipFile(stream) as archive:
            members = {member.filename: member for member in archive.infolist()}
            root = _root(archive, members, size, where)
            source = archive.read(f"{root}data.pkl")
            prefix = f"{root}data/"
            places = {
                name.removeprefix(prefix): _place(stream, member) for name, member in members.items() if name.startswith(prefix)
            }
    except _ZIP_ERRORS as error:
        raise BundleError(f"is truncated or damaged ({error})", where=where, remedy=_REMEDY_COPY) from None
    return Container(path, unpickle(io.BytesIO(source), allowed, where)[0], digest, places)


def _root(archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo], size: int, where: str) -> str:
    """The folder in the zip, "/" included; BundleError unless it is a checkpoint's, and no larger than the file."""
    infos = archive.infolist()
    if len(infos) > _MAX_MEMBERS or sum(info.file_size for info in infos) > size:
        raise BundleError("would unpack to more than the file holds", where=where, remedy="do not use this file")
    if any(info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1 for info in infos):
        raise BundleError("is a packed or encrypted zip, no checkpoint", where=where, remedy="unpack it, name the file in it")
    index = [name for name in members if name.rpartition("/")[2] == "data.pkl" and name.count("/") <= 1]
    if len(members) != len(infos) or len(index) != 1:
        raise BundleError("is a zip, but no checkpoint of torch: it has no data.pkl", where=where, remedy=_not_weights(members))
    root = index[0].removesuffix("data.pkl")
    if f"{root}constants.pkl" in members:
        raise BundleError("is a TorchScript program, not weights", where=where, remedy="give the state_dict, or an ONNX of it")
    if f"{root}byteorder" in members and archive.read(f"{root}byteorder") != b"little":
        raise BundleError("was written by a big-endian machine", where=where, remedy="save it again on a PC")
    if members[index[0]].file_size > MAX_PICKLE_BYTES:
        raise BundleError("has an index that is larger than any model's", where=where, remedy="do not use this file")
    return root


def _place(stream: BinaryIO, member: zipfile.ZipInfo) -> Place:
    """Behind the member's own header, whose name and extra field have lengths of their own."""
    stream.seek(member.header_offset)
    header = stream.read(30)
    if not header.startswith(b"PK\x03\x04"):
        raise zipfile.BadZipFile("a member's header is not where it should be")
    name, extra = struct.unpack("<HH", header[26:30])
    return Place(member.header_offset + 30 + name + extra, member.file_size, member.CRC)


def _not_weights(names: Iterable[str]) -> str:
    if any(name.rpartition("/")[2] == "manifest.json" for name in names):
        return "this looks like a bundle: it is exported already"
    return "unpack it and name the checkpoint in it"


def _open_old(path: Path, allowed: Mapping[str, object], digest: str) -> Container:
    """Before torch 1.6: magic, protocol, system, the objects, the storages' keys, then per key a count and the numbers."""
    where, size = str(path), path.stat().st_size
    with path.open("rb") as stream:
        # Enough for any index, and never the gigabytes behind it.
        front = io.BytesIO(stream.read(MAX_PICKLE_BYTES))
        for _ in range(3):
            unpickle(front, {}, where)
        content, storages = unpickle(front, allowed, where)
        keys, _ = unpickle(front, {}, where)
        if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
            raise BundleError("is damaged: no list of storages", where=where, remedy=_REMEDY_COPY)
        places, at = {}, front.tell()
        for key in keys:
            stream.seek(at)
            counted = stream.read(8)
            width = ELEMENT_BYTES[storages[key].dtype] if key in storages else 0
            length = struct.unpack("<q", counted)[0] * width if len(counted) == 8 else -1
            if not width or length < 0 or at + 8 + length > size:
                raise BundleError("is truncated: it ends within its numbers", where=where, remedy=_REMEDY_COPY)
            places[key] = Place(at + 8, length)
            at += 8 + length
    return Container(path, content, digest, places)


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(_CHUNK):
            digest.update(piece)
    return digest.hexdigest()
