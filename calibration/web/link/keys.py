"""The page's key for signed commands: its own file, read anew whenever it changes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from edge.errors import ConfigError
from edge.schema import read_secret

_KEY: Final = re.compile(r"(?:[0-9a-fA-F]{2}){32,128}")
_MAX_BYTES: Final = 4096


class PageKey:
    """64 hexadecimal digits or more on one line, alone or as `client:key` as in the station's keys_file; chmod 600."""

    def __init__(self, path: Path, client: str) -> None:
        self._path = path
        self._client = client

    def read(self) -> bytes:
        """The key; ConfigError if the file cannot be read, is not private or holds none for this client."""
        lines = [line.strip() for line in read_secret(self._path, "signing_key_file", _MAX_BYTES).splitlines()]
        for line in lines:
            client, _, key = line.rpartition(":")
            if client in ("", self._client) and _KEY.fullmatch(key):
                return bytes.fromhex(key)
        raise ConfigError(
            f"holds no key of {self._client!r}", where=str(self._path), remedy="write the key from `openssl rand -hex 32`"
        )
