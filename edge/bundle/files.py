"""The files of a bundle: which there may be, how large, and reading them without following links."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from edge.errors import BundleError

MANIFEST, MODEL, MODEL_FP16, GOLDEN = "manifest.json", "model.onnx", "model.fp16.onnx", "golden.npz"
STEP, STEP_FP16 = "step.onnx", "step.fp16.onnx"
LICENCE, REFERENCE = "LICENSE", "reference.png"
# Beside the content, not of it: `edge.bundle.trust`.
SIGNATURES = "signatures.json"
REQUIRED = (MODEL, GOLDEN, LICENCE)

MIB = 1 << 20
CHUNK_BYTES = MIB
# A protobuf message cannot exceed 2 GiB, and neither can a model in one file.
MAX_BYTES = {
    MANIFEST: 16 * MIB,
    MODEL: 2048 * MIB - 1,
    MODEL_FP16: 2048 * MIB - 1,
    STEP: 2048 * MIB - 1,
    STEP_FP16: 2048 * MIB - 1,
    GOLDEN: 256 * MIB,
    LICENCE: MIB,
    REFERENCE: 256 * MIB,
    SIGNATURES: MIB,
}


# Per graph of `edge.bundle.graphs`: its float32 file and its float16 twin.
GRAPHS = {"model": (MODEL, MODEL_FP16), "step": (STEP, STEP_FP16)}


def check_names(names: list[str], where: str) -> None:
    """BundleError if a file is unknown, or if one that every bundle has is missing (manifest.json included)."""
    unknown = sorted(set(names) - set(MAX_BYTES))
    if unknown:
        raise BundleError(f"holds {unknown[0][:80]!r}, which is no part of a bundle", where=where, remedy="remove it")
    missing = [name for name in (MANIFEST, *REQUIRED) if name not in names]
    if missing:
        raise BundleError(f"has no {missing[0]}", where=where, remedy="copy the whole bundle again, or export it again")


def check_size(name: str, size: int, where: str) -> None:
    """BundleError if a file of the bundle is larger than it may be."""
    limit = MAX_BYTES[name]
    if size > limit:
        raise BundleError(f"{size} bytes is too large for {name}", where=where, remedy=f"at most {limit}")


def list_folder(folder: Path) -> list[str]:
    """The names in a bundle's folder. BundleError: anything but plain files, unknown or missing or oversized ones."""
    names = []
    try:
        with os.scandir(folder) as entries:
            for count, entry in enumerate(entries, 1):
                if count > len(MAX_BYTES) or not entry.is_file(follow_symlinks=False):
                    check_names([entry.name, *MAX_BYTES], str(folder))
                    raise BundleError(
                        f"{entry.name!r} is a link, a folder or a device", where=str(folder), remedy="only plain files"
                    )
                names.append(entry.name)
                if entry.name in MAX_BYTES:
                    check_size(entry.name, entry.stat(follow_symlinks=False).st_size, str(folder / entry.name))
    except OSError as error:
        raise BundleError(f"cannot be listed ({error.strerror})", where=str(folder), remedy="check the permissions") from None
    check_names(names, str(folder))
    return names


def hash_file(folder: Path, name: str) -> str:
    """SHA-256 of a file, read in pieces."""
    digest = hashlib.sha256()
    with _opened(folder, name) as stream:
        while piece := stream.read(CHUNK_BYTES):
            digest.update(piece)
    return digest.hexdigest()


def read_file(folder: Path, name: str, sha256: str | None) -> bytes:
    """The bytes of a file, hashed as read: what is returned is what was verified. BundleError if the hash differs."""
    with _opened(folder, name) as stream:
        size = os.fstat(stream.fileno()).st_size
        check_size(name, size, str(folder / name))
        data = stream.read(size)
    if sha256 is not None:
        check_hash(folder, name, hashlib.sha256(data).hexdigest(), sha256)
    return data


def check_hash(folder: Path, name: str, found: str, expected: str) -> None:
    """BundleError if a file is not the one that the manifest names."""
    if found != expected:
        raise BundleError(
            f"is damaged or was replaced: SHA-256 is {found[:12]}..., the manifest says {expected[:12]}...",
            where=str(folder / name),
            remedy="copy the bundle again from its source",
        )


@contextmanager
def _opened(folder: Path, name: str) -> Iterator[BinaryIO]:
    """A plain file for reading; never a link, never a device that blocks."""
    path = folder / name
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as stream:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise BundleError("is no plain file", where=str(path), remedy="copy the bundle again")
            yield stream
    except OSError as error:
        raise BundleError(f"cannot be read ({error.strerror})", where=str(path), remedy="copy the bundle again") from None
