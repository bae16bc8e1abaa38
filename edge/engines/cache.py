"""Engines on disk: found only where everything that made them is the same, verified as they are read, never half-written."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import logging
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edge.durable import PREFIX
from edge.engines.sealed import SealBroken, read_header, read_sealed, write_sealed
from edge.errors import EngineFault

__all__ = ["CacheEntry", "CacheKey", "EngineCache", "default_cache_dir", "timings_name"]

log = logging.getLogger(__name__)

PLAN, TIMING, COMPILED = ".plan", ".timing", ".compiled"
_KEPT_KINDS = (PLAN, TIMING, COMPILED)
_KEY_DIGITS = 40
_LOCK_POLL_S = 0.2
_ABANDONED_S = 3600.0
_FUTURE_S = 86_400.0
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True)
class CacheKey:
    """Everything that makes a plan what it is: it runs nowhere else, and nothing else may be taken for it.

    gpu, compute_capability, driver: of the machine. A plan that is portable leaves out what it may differ in: TensorRT for
    RTX and hardware-compatible plans gpu and driver, version-compatible ones all of the version but its first number.
    options: those of the build.
    """

    onnx_sha256: str
    backend: str
    version: str
    gpu: str
    compute_capability: str
    driver: str
    options: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """The file's name: its backend and a hash over all fields."""
        text = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return f"{self.backend}-{hashlib.sha256(text.encode()).hexdigest()[:_KEY_DIGITS]}"


@dataclass(frozen=True)
class CacheEntry:
    """One file of the cache, as its header has it; unverified."""

    path: Path
    size_bytes: int
    used_at: float
    header: Mapping[str, Any]


class EngineCache:
    """One folder for all bundles, backends and processes of a station's user.

    limit_bytes: when more is kept, the least recently used goes, but never what was written last, nor what belongs to the
    same group. Only a plan makes others go: what merely saves time is kept where there is room.
    """

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self.folder = folder
        self.limit_bytes = limit_bytes

    def read(self, name: str, kind: str, expected: Mapping[str, Any]) -> tuple[dict[str, Any], bytes] | None:
        """Header and content, None if there is none. What is damaged, or is not of `expected`, is removed and logged."""
        path = self.folder / (name + kind)
        if not self._trusted():
            return None
        try:
            header, content = read_sealed(path)
            if any(header.get(key) != value for key, value in expected.items()):
                raise SealBroken("it is of something else")
        except FileNotFoundError:
            return None
        except (SealBroken, OSError) as error:
            self._set_aside(path, error)
            return None
        with suppress(OSError):
            os.utime(path)
        return header, content

    def write(self, name: str, kind: str, header: Mapping[str, Any], content: bytes, group: str = "") -> None:
        """Keep it, all or nothing, and make room, also on a disk that is full. EngineFault: the disk.

        group: what is needed together (the graphs of a bundle); none of a group makes another of it go.
        """
        self._make()
        path = self.folder / (name + kind)
        header = {**header, "group": group}
        try:
            try:
                write_sealed(path, header, content)
            except OSError as error:
                # Minutes of building must not be lost to engines that nobody has used for months.
                if error.errno not in _DISK_FULL or not self._evict(path, group, self._held() - len(content)):
                    raise
                write_sealed(path, header, content)
        except OSError as error:
            raise self._fault(
                f"cannot be written ({error.strerror})", "free some space there, or set `engine.cache_dir`"
            ) from None
        self._clear_abandoned()
        self._evict(path, group, self.limit_bytes)

    def entries(self) -> tuple[CacheEntry, ...]:
        """Everything that is kept, the most recently used first; files that are not this cache's are left out."""
        return tuple(sorted(self._entries(), key=lambda entry: -entry.used_at))

    @contextmanager
    def locked(self, name: str, waiting: Callable[[], None]) -> Iterator[None]:
        """One process at a time builds `name`; the lock goes with the process, however it ends.

        waiting: called while another process has it; may raise to give up.
        """
        self._make()
        path = self.folder / (name + ".lock")
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
        except OSError as error:
            raise self._fault(f"cannot be locked ({error.strerror})", "check the folder's owner and permissions") from None
        try:
            while not _taken(descriptor):
                waiting()
                threading.Event().wait(_LOCK_POLL_S)
            yield
        finally:
            os.close(descriptor)

    def _make(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        except OSError as error:
            raise self._fault(
                f"cannot be made ({error.strerror})", "set `engine.cache_dir` to a folder of the station's"
            ) from None
        if not self._trusted():
            raise self._fault("can be written by everybody", "chmod o-w it: an engine is code that this station runs")

    def _trusted(self) -> bool:
        """False for a folder in which a stranger could have put an engine."""
        try:
            found = self.folder.stat()
        except OSError:
            return True
        return found.st_uid in (0, os.geteuid()) and not found.st_mode & stat.S_IWOTH

    def _entries(self) -> Iterator[CacheEntry]:
        with suppress(OSError):
            for path in self.folder.iterdir():
                if path.suffix in _KEPT_KINDS:
                    with suppress(OSError, SealBroken):
                        found = path.lstat()
                        # Of a time that is yet to come nothing is known: the clock was wrong then, or is now.
                        used_at = found.st_mtime if found.st_mtime < time.time() + _FUTURE_S else 0.0
                        yield CacheEntry(path, found.st_size, used_at, read_header(path))

    def _held(self) -> int:
        return sum(entry.size_bytes for entry in self._entries())

    def _clear_abandoned(self) -> None:
        """What a killed process left; what is being written now is young."""
        with suppress(OSError):
            for path in self.folder.glob(f"{PREFIX}*"):
                if abs(path.lstat().st_mtime - time.time()) > _ABANDONED_S:
                    path.unlink(missing_ok=True)

    def _evict(self, keep: Path, group: str, limit_bytes: int) -> bool:
        """Remove the least recently used beyond the limit, for the sake of `keep`; True if something went."""
        held, gone = 0, False

        def needed(entry: CacheEntry) -> bool:
            if entry.path == keep or (keep.suffix != PLAN and entry.path.suffix == PLAN):
                return True
            return bool(group) and entry.header.get("group") == group

        for entry in sorted(self._entries(), key=lambda entry: (not needed(entry), -entry.used_at)):
            held += entry.size_bytes
            if held > limit_bytes and not needed(entry):
                log.info("engine_evicted file=%s size_mb=%.1f", entry.path.name, entry.size_bytes / 1e6)
                with suppress(OSError):
                    entry.path.unlink()
                    gone = True
        return gone

    def _set_aside(self, path: Path, why: Exception) -> None:
        """Remove what is damaged; what only cannot be read now (no rights, no descriptor, a bad sector) may be sound."""
        if isinstance(why, OSError) and why.errno != errno.ELOOP:
            log.warning("engine_cache_unreadable file=%s why=%s remedy=%r", path, why, "give it to the station's user")
            return
        log.warning("engine_cache_refused file=%s why=%s", path, why)
        with suppress(OSError):
            path.unlink()

    def _fault(self, what: str, remedy: str) -> EngineFault:
        return EngineFault(f"the engine cache {what}", where=str(self.folder), remedy=remedy)


def timings_name(backend: str, version: str, gpu: str, driver: str) -> str:
    """What timings may be shared between: this TensorRT on this GPU with this driver, whatever is built."""
    text = json.dumps([backend, version, gpu, driver])
    return f"{backend}-{hashlib.sha256(text.encode()).hexdigest()[:_KEY_DIGITS]}"


def default_cache_dir() -> Path:
    """The service's CacheDirectory, else $XDG_CACHE_HOME/lineclear, else ~/.cache/lineclear; `engines` in it."""
    service = os.environ.get("CACHE_DIRECTORY", "").split(":")[0]
    if service:
        return Path(service) / "engines"
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "lineclear" / "engines"


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
