"""One file with a header and a payload that either is whole or does not count: for what a cache keeps."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge.durable import replace_file

_MAGIC = b"lineclear-sealed-1\n"
_MAX_HEADER_BYTES = 1 << 20
_LENGTH_BYTES = 8


class SealBroken(Exception):
    """The file is no sealed file, was cut short, or was changed."""


def write_sealed(path: Path, header: Mapping[str, Any], payload: bytes) -> None:
    """Put header and payload at `path`, all or nothing, durable on return. OSError from the disk."""
    text = json.dumps({**header, "payload_sha256": hashlib.sha256(payload).hexdigest()}, sort_keys=True).encode()
    replace_file(path, _MAGIC + len(text).to_bytes(_LENGTH_BYTES, "big") + text + payload, mode=0o640)


def read_header(path: Path) -> dict[str, Any]:
    """The header alone, for lists; the payload is not verified. SealBroken, OSError."""
    return _read(path, whole=False)[0]


def read_sealed(path: Path) -> tuple[dict[str, Any], bytes]:
    """Header and payload, the payload verified as it was read. SealBroken, OSError: also for a link (ELOOP), and for a file
    that somebody else than root or this process's user owns, or that everybody may write (PermissionError): the hash in it
    says that it is whole, not who wrote it.
    """
    header, payload = _read(path, whole=True)
    if hashlib.sha256(payload).hexdigest() != header.get("payload_sha256"):
        raise SealBroken("its content is not what was written")
    return header, payload


def _read(path: Path, whole: bool) -> tuple[dict[str, Any], bytes]:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise SealBroken("it is no plain file")
        if found.st_uid not in (0, os.geteuid()) or found.st_mode & stat.S_IWOTH:
            raise PermissionError(errno.EPERM, f"user {found.st_uid} owns it, mode {stat.S_IMODE(found.st_mode):o}")
        if file.read(len(_MAGIC)) != _MAGIC:
            raise SealBroken("it is no file of this cache")
        length = int.from_bytes(file.read(_LENGTH_BYTES), "big")
        if length > _MAX_HEADER_BYTES:
            raise SealBroken("its header is damaged")
        try:
            header = json.loads(file.read(length))
        except (ValueError, RecursionError):
            raise SealBroken("its header is damaged") from None
        if not isinstance(header, dict):
            raise SealBroken("its header is damaged")
        return header, file.read() if whole else b""
