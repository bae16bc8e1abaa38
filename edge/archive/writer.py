"""The archive as the station uses it: evidence is handed over and written in a thread of its own, never in the judge's way."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TypeVar

from numpy.typing import NDArray
from typing_extensions import Self

from edge.archive.evidence import Evidence
from edge.archive.ledger import Ledger, Values
from edge.archive.packing import clean, microseconds
from edge.archive.retention import Purge
from edge.archive.waiting import Queue
from edge.archive.worker import RETRY_S, Worker
from edge.settings.archive import ArchiveSettings

log = logging.getLogger(__name__)
DRAIN_S: Final = 10.0
_LAST_WAIT_S: Final = 1.0
Array = TypeVar("Array", bound=NDArray[Any])


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(timezone.utc)


class Archive:
    """Writes evidence while it is entered. Neither entering nor anything else raises for the disk's sake: see `alarm`.

    folder: made if need be. now: wall clock with a zone. on_purge: told before evidence is deleted, in the archive's thread; if
    it raises LineclearError nothing is deleted. retry_s: how long after a fault the disk is tried again.
    """

    def __init__(
        self,
        folder: Path,
        settings: ArchiveSettings,
        now: Callable[[], datetime] = utc_now,
        on_purge: Callable[[Purge], None] | None = None,
        retry_s: float = RETRY_S,
    ) -> None:
        self._settings = settings
        self._now = now
        self._ledger = Ledger()
        self._queue = Queue(settings.queue_bytes)
        self._worker = Worker(folder, settings, self._queue, self._ledger, now, on_purge, retry_s)
        self._thread = threading.Thread(target=self._worker.run, name="archive", daemon=True)

    def __enter__(self) -> Self:
        """Start the thread; it opens the folder."""
        if self._settings.enabled:
            self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Write what waits, for at most 10 s; what is left then is missing."""
        if not self._settings.enabled:
            return
        self._queue.stop()
        self._thread.join(DRAIN_S)
        if self._thread.is_alive():
            left = [one.evidence for one in self._queue.take(0.0, len(self._queue))]
            self._lose(left, "the station stopped")
            self._thread.join(_LAST_WAIT_S)

    def wants(self, evidence: Evidence) -> bool:
        """False for what `submit` would pass over: ask before a frame is copied for it. Arrays need not be there yet."""
        if not self._settings.enabled:
            return False
        if evidence.keep != "pass":
            return True
        drawn = hashlib.sha256(f"{self._settings.pass_seed}:{clean(evidence.result_id)}".encode()).digest()
        return int.from_bytes(drawn[:8], "big") < self._settings.pass_share * 2**64

    def submit(self, evidence: Evidence, *, asked: bool = False) -> None:
        """Hand over one result. Never blocks; arrays are copied unless they are read-only and own their memory.

        PASS verdicts outside clearances are kept as the settings' sample says, and where a person asked for this one.
        """
        if not (self._settings.enabled if asked else self.wants(evidence)):
            return
        if self._queue.stopped:
            self._lose([evidence], "the station stopped")
            return
        try:
            kept = replace(
                evidence,
                document=dict(evidence.document),
                frame=_own(evidence.frame),
                anomaly_map=_own(evidence.anomaly_map),
                judged=_own(evidence.judged),
                map_to_reference=_own(evidence.map_to_reference),
            )
        except MemoryError:
            self._lose([evidence], "there was no memory for it")
            return
        self._lose(self._queue.put(kept), "more came than could be written: a faster disk, or a larger archive.queue_bytes")

    def health(self) -> Values:
        """Counters and sizes for the health topic: archive.stored, archive.missing, archive.waiting, archive.free_bytes, ..."""
        return self._ledger.values(len(self._queue), self._queue.size_bytes) if self._settings.enabled else {}

    @property
    def idle_s(self) -> float:
        """Seconds since its thread last made a turn; 0 while it does not run."""
        return time.monotonic() - self._worker.turned_s if self._thread.is_alive() else 0.0

    @property
    def alarm(self) -> str | None:
        """What is wrong with the evidence and what to do, None if nothing is."""
        if (
            self._settings.enabled
            and self._thread.ident is not None
            and not self._thread.is_alive()
            and not self._queue.stopped
        ):
            return "evidence is not being kept: the archive's thread ended (see the log): restart the station, report this"
        return self._ledger.alarm

    def _lose(self, evidence: list[Evidence], why: str) -> None:
        self._ledger.lost(evidence, why, microseconds(self._now()))


def _own(array: Array | None) -> Array | None:
    if array is None or (array.flags.owndata and not array.flags.writeable):
        return array
    kept: Array = array.copy()
    kept.flags.writeable = False
    return kept
