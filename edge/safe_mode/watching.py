"""While the station runs: whether its config has proved itself, and whether the file still is what it was."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from edge.config import StationConfig, load_config
from edge.errors import ConfigError
from edge.safe_mode.last_good import LastGood
from edge.schema import read_text

log = logging.getLogger(__name__)

PROVEN_S = 5.0
LOOK_EVERY_S = 2.0
MAX_LOOKED_BYTES = 131_072
"""Parsing more would hold up the running station for seconds; 64 views with every key are half of it."""


class Proving:
    """Keeps the config as the last good one, once the station was ready for PROVEN_S without a break. One thread uses it."""

    def __init__(
        self, config: StationConfig, last_good: LastGood, now: Callable[[], datetime], proven_s: float = PROVEN_S
    ) -> None:
        """now: wall clock."""
        self._config = config
        self._last_good = last_good
        self._now = now
        self._proven_s = proven_s
        self._ready_since_s: float | None = None
        self._is_done = False
        self.trouble: str | None = None

    def told(self, status: str) -> None:
        """The station's state changed."""
        self._ready_since_s = (self._ready_since_s or time.monotonic()) if status == "ready" else None

    def look(self) -> str | None:
        """Call it now and then; why the config is not kept although it ran well, None if all is well."""
        since_s = self._ready_since_s
        if not self._is_done and since_s is not None and time.monotonic() - since_s >= self._proven_s:
            self._is_done = True
            try:
                if self._last_good.save(self._config, self._now()):
                    log.info("config_kept file=%s", self._last_good.path)
            except ConfigError as error:
                self.trouble = str(error)
                log.error("config_not_kept why=%s", error)
        return self.trouble


class ConfigWatch:
    """Notices that the file was changed under the running station, which goes on as it is. One thread uses it."""

    def __init__(self, path: Path, look_every_s: float = LOOK_EVERY_S) -> None:
        self._path = path
        self._look_every_s = look_every_s
        self._looked_s = time.monotonic()
        self._stamp = _stamp(path)
        self._hash = _hash(path)
        self._alarm: str | None = None

    def look(self) -> str | None:
        """What a restart would meet, None while the file is what the station was started with."""
        now_s = time.monotonic()
        if now_s - self._looked_s < self._look_every_s:
            return self._alarm
        self._looked_s = now_s
        stamp = _stamp(self._path)
        if stamp != self._stamp:
            self._stamp = stamp
            self._alarm = self._difference()
            level = logging.WARNING if self._alarm else logging.INFO
            log.log(level, "config_file what=%s", self._alarm or "as at the start again")
        return self._alarm

    def _difference(self) -> str | None:
        if self._hash and _hash(self._path) == self._hash:
            return None
        try:
            read_text(self._path, MAX_LOOKED_BYTES)
            load_config(self._path)
        except ConfigError as error:
            what = "was changed and cannot be used: mend it before the next start, which would be in safe mode"
            return f"{self._path} {what}: {error}"
        return f"{self._path} was changed: it takes effect when the station is restarted"


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _hash(path: Path) -> str:
    """Of the text; "" for what no config can be: nothing, a pipe, a folder, gigabytes."""
    with suppress(ConfigError):
        return hashlib.sha256(read_text(path).encode()).hexdigest()
    return ""
