"""Signed commands: HMAC-SHA256 with a key per client, for brokers that others use too.

Signed is the canonical JSON (RFC 8785) of `{"command": <the message without signature>, "topic": <the whole topic>}`. The
message holds client, request_id and sent_at, so a signature is good for one message to one station, once.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from edge.commands.canonical import canonical
from edge.errors import ConfigError
from edge.schema import read_secret
from edge.settings.mqtt import topic_level

MAX_KEYS_BYTES: Final = 100_000
_KEY: Final = re.compile(r"(?:[0-9a-fA-F]{2}){32,128}")
_WRITE: Final = "write `client:key`, the key from `openssl rand -hex 32`"


def signature_of(data: Mapping[str, Any], topic: str, key: bytes) -> str:
    """The signature of a message, in lower-case hexadecimal. ValueError: no canonical JSON (see `canonical`)."""
    command = {name: value for name, value in data.items() if name != "signature"}
    return hmac.new(key, canonical({"command": command, "topic": topic}), hashlib.sha256).hexdigest()


def is_signed_by(data: Mapping[str, Any], topic: str, key: bytes) -> bool:
    """True if the message carries the signature of this key; takes as long whether it does or not."""
    given = str(data.get("signature", ""))
    return hmac.compare_digest(given.encode("utf-8", "replace"), signature_of(data, topic, key).encode())


def read_keys(path: Path) -> dict[str, bytes]:
    """`client:key` on each line; blank lines and those with # at the start are passed over.

    ConfigError: the file cannot be read, is readable by more than its owner, or a line is no client and key.
    """
    text = read_secret(path, "keys_file", MAX_KEYS_BYTES)
    keys: dict[str, bytes] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        client, _, key = line.strip().rpartition(":")
        try:
            topic_level(client)
        except ValueError as error:
            raise ConfigError(f"line {number}: {error}", where=str(path), remedy=_WRITE) from None
        if not _KEY.fullmatch(key):
            raise ConfigError(
                f"line {number}: the key of {client!r} is not 64 hexadecimal digits or more", where=str(path), remedy=_WRITE
            )
        if client in keys:
            raise ConfigError(f"line {number}: {client!r} has a key already", where=str(path), remedy="leave one of them")
        keys[client] = bytes.fromhex(key)
    return keys


class KeyFile:
    """The keys of a file as it is now: a new key needs no restart. A file that is no good refuses whatever is signed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int, int] | None = None
        self._keys: dict[str, bytes] = {}

    def key_of(self, client: str) -> bytes | None:
        """The client's key, None if it has none. ConfigError as read_keys."""
        try:
            found = self._path.stat()
            stamp = (found.st_ino, found.st_mtime_ns, found.st_ctime_ns)
        except OSError as error:
            raise ConfigError(f"cannot be read ({error.strerror})", where=str(self._path), remedy="check the path") from None
        if stamp != self._stamp:
            self._stamp = None
            self._keys = read_keys(self._path)
            self._stamp = stamp
        return self._keys.get(client)
