"""The archive's thread: opens the store, writes what waits, deletes what is due, and comes back by itself after a fault."""

from __future__ import annotations

import errno
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final

import cv2

from edge.archive.evidence import ArchiveError, Evidence
from edge.archive.index_file import DamagedIndexError
from edge.archive.ledger import Ledger
from edge.archive.packing import Packed, microseconds, pack
from edge.archive.retention import Purge, Retention
from edge.archive.store import Store, drop_ballast
from edge.archive.waiting import Queue, Waiting
from edge.errors import BundleError, LineclearError
from edge.settings.archive import ArchiveSettings

log = logging.getLogger(__name__)

IDLE_S: Final = 1.0
MAINTAIN_S: Final = 30.0
RETRY_S: Final = 5.0
_BATCH: Final = 16
_BATCH_BYTES: Final = 32 * 1024 * 1024
_NICENESS: Final = 10
_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FULL: Final = "the disk is full but for its floor, and what is left is worth more: free space, or give the archive more"
# What a caller's drawing may raise: a picture less is better than no evidence.
_DRAWING_ERRORS: Final = (
    ArithmeticError, AttributeError, LookupError, LineclearError, MemoryError, OSError, RuntimeError, TypeError, ValueError,
    cv2.error,
)  # fmt: skip


class Worker:
    """`run` is the thread. retry_s: how long it waits after a fault before it opens the store again."""

    def __init__(
        self,
        folder: Path,
        settings: ArchiveSettings,
        queue: Queue,
        ledger: Ledger,
        now: Callable[[], datetime],
        on_purge: Callable[[Purge], None] | None,
        retry_s: float = RETRY_S,
    ) -> None:
        self._folder = folder
        self._settings = settings
        self._queue = queue
        self._ledger = ledger
        self._now = now
        self._on_purge = on_purge
        self._retry_s = retry_s
        self._store: Store | None = None
        self._retention: Retention | None = None
        self._device: int | None = None
        self._maintain_at = 0.0
        self.turned_s = time.monotonic()

    def run(self) -> None:
        """Until the queue is stopped and empty, or stopped while nothing can be written."""
        with suppress(OSError):  # encoding is for whatever time the judge leaves; not every system knows threads as tasks
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
        try:
            while True:
                self.turned_s = time.monotonic()
                try:
                    if not self._step():
                        return
                except (OSError, sqlite3.Error, DamagedIndexError, ArchiveError) as error:
                    self._close()
                    self._report(meaning(error))
                    if is_full(error):
                        drop_ballast(self._folder)  # even to open, SQLite must write
                    if self._queue.stopped:
                        return
                    self._queue.pause(self._retry_s)
        finally:
            self._close()
            self._lose([one.evidence for one in self._queue.take(0.0, len(self._queue))], "the station stopped")

    def _step(self) -> bool:
        """One turn; False when all is done."""
        store, retention = self._opened()
        if time.monotonic() >= self._maintain_at:
            self._maintain(store, retention)
        taken = self._queue.take(IDLE_S, 1)
        if not store.index.is_there:
            self._lose(self._queue.put_back(taken), "the archive's folder was gone")
            raise FileNotFoundError(errno.ENOENT, "was removed", str(self._folder))
        if taken:
            self._write_batch(store, retention, taken)
            self._measure(store)
        return bool(taken) or not self._queue.stopped

    def _opened(self) -> tuple[Store, Retention]:
        if self._store is None or self._retention is None:
            self._check_disk()
            store = self._store = Store(self._folder)
            self._device = os.stat(self._folder).st_dev
            store.recover()
            self._retention = Retention(store, self._settings, self._now, self._tell)
            self._maintain_at = 0.0
        return self._store, self._retention

    def _check_disk(self) -> None:
        """Where its disk is not mounted, the archive must not fill the one below."""
        place = next(path for path in (self._folder, *self._folder.absolute().parents) if path.exists())
        device = os.stat(place).st_dev
        if self._device not in (None, device):
            remedy = "mount its disk again, or restart the station to begin an archive here"
            raise ArchiveError("lies on another disk than before", where=str(self._folder), remedy=remedy)
        if self._settings.own_disk and device == os.stat("/").st_dev:
            remedy = "mount its disk, or set archive.own_disk to false"
            raise ArchiveError("lies on the system's own disk", where=str(self._folder), remedy=remedy)

    def _maintain(self, store: Store, retention: Retention) -> None:
        more = False
        try:
            retention.hold_floor()
            more = retention.by_age(time.monotonic())
            self._ledger.blocked = None
        except LineclearError as error:
            self._ledger.blocked = f"old evidence is not deleted: {error}"
        self._commit(store)
        store.take_ballast()
        clock = retention.clock
        self._ledger.held = (
            f"the clock leapt {clock.leap.days} days ahead: nothing is deleted by age for a day; is the clock right?"
            if clock.is_held
            else None
        )
        self._measure(store)
        self._report(None)
        self._maintain_at = time.monotonic() + (0.0 if more else MAINTAIN_S)

    def _measure(self, store: Store) -> None:
        self._ledger.measure(results=store.results, bytes=store.size_bytes, free_bytes=store.free_bytes())

    def _write_batch(self, store: Store, retention: Retention, taken: Sequence[Waiting]) -> None:
        """Write these and what waits behind them, then make it durable all at once."""
        batch: list[Waiting] = []
        try:
            while taken:
                batch += taken
                kept = [self._write(store, retention, one.evidence) for one in taken]
                batch = batch if all(kept) else batch[: -len(taken)]
                is_full = len(batch) >= _BATCH or store.uncommitted_bytes >= _BATCH_BYTES
                taken = [] if is_full else self._queue.take(0.0, 1)
            self._commit(store)
        except (OSError, sqlite3.Error):
            self._lose(self._queue.put_back(batch), "it could not be written in time")
            raise

    def _write(self, store: Store, retention: Retention, evidence: Evidence) -> bool:
        """False if its evidence is lost. Raises OSError, sqlite3.Error: nothing can be written for now."""
        try:
            packed = pack(evidence, self._draw(evidence))
        except (BundleError, ValueError, TypeError, MemoryError) as error:
            return self._lose([evidence], f"it cannot be written ({error})")
        if not self._has_room(retention, packed) and not self._has_room_after_commit(store, retention, packed):
            return self._lose([evidence], _FULL)
        for is_last in (False, True):
            try:
                store.write(packed)
                return True
            except OSError as error:
                if error.errno not in _NO_ROOM:
                    raise
                # A quota that statvfs knows nothing of.
                if is_last or not self._gave_up(retention, packed):
                    return self._lose([evidence], f"{_FULL} ({error.strerror})")
        return False

    def _draw(self, evidence: Evidence) -> tuple[bytes, str] | None:
        if evidence.overlay is None:
            return None
        try:
            return evidence.overlay()
        except _DRAWING_ERRORS as error:
            self._ledger.no_overlay()
            log.warning("archive_overlay_failed result_id=%s why=%s", evidence.result_id, error)
        return None

    def _has_room(self, retention: Retention, packed: Packed) -> bool:
        try:
            return retention.make_room(packed.record.keep, [len(data) for data in packed.contents.values()])
        except LineclearError as error:
            self._ledger.blocked = f"old evidence is not deleted: {error}"
        return False

    def _has_room_after_commit(self, store: Store, retention: Retention, packed: Packed) -> bool:
        """What was just written can give way too, once it is in the index."""
        if not store.uncommitted_bytes:
            return False
        self._commit(store)
        return self._has_room(retention, packed)

    def _gave_up(self, retention: Retention, packed: Packed) -> bool:
        try:
            return retention.give_up(packed.record.keep, packed.record.size_bytes)
        except LineclearError as error:
            self._ledger.blocked = f"old evidence is not deleted: {error}"
        return False

    def _commit(self, store: Store) -> None:
        missing = self._ledger.take_missing()
        try:
            self._ledger.stored(store.commit(missing))
        except (OSError, sqlite3.Error):
            self._ledger.give_back(missing)
            raise

    def _tell(self, purge: Purge) -> None:
        if self._on_purge is not None:
            self._on_purge(purge)
        self._ledger.purged(sum(purge.results.values()))
        log.info("archive_purge why=%s results=%s bytes=%d", purge.why, dict(purge.results), purge.size_bytes)

    def _lose(self, evidence: Sequence[Evidence], why: str) -> bool:
        self._ledger.lost(evidence, why, microseconds(self._now()))
        return False

    def _report(self, down: str | None) -> None:
        if down != self._ledger.down:
            if down is not None:
                log.error("archive_down folder=%s why=%s", self._folder, down)
            else:
                log.warning("archive_up folder=%s", self._folder)
            self._ledger.down = down

    def _close(self) -> None:
        if self._store is not None:
            with suppress(OSError, sqlite3.Error):
                self._store.close()
        self._store = self._retention = None


def is_full(error: Exception) -> bool:
    """True if the disk, or a quota on it, has no room."""
    return "is full" in str(error) if isinstance(error, sqlite3.Error) else getattr(error, "errno", None) in _NO_ROOM


def meaning(error: OSError | sqlite3.Error | DamagedIndexError | ArchiveError) -> str:
    """Why nothing can be written, and what to do."""
    if isinstance(error, ArchiveError):
        return str(error)
    text = str(error)
    number = error.errno if isinstance(error, OSError) else None
    if is_full(error):
        return f"the disk is full ({text}): free space"
    if number == errno.EROFS or "readonly" in text:
        return f"the disk is read-only ({text}): check the disk and mount it for writing"
    if number in (errno.EACCES, errno.EPERM):
        return f"the folder is not the station's ({text}): check owner and rights"
    if (
        number in (errno.ENOENT, errno.ENODEV, errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ESTALE)
        or "unable to open" in text
    ):
        return f"the folder is gone or cannot be made ({text}): mount its disk, check the path"
    return f"the disk does not do its work ({text}): check the disk"
