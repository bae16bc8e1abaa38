"""The page's long work. One thread does it, the rest waits its turn; what came of it is kept for a while.

Everything that work opens it closes itself, in its own thread: an engine is never shared between two requests.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Final, Literal, TypeVar

from calibration.progress import Progress
from edge.errors import Cancelled, LineclearError

log = logging.getLogger(__name__)

State = Literal["waiting", "running", "done", "failed", "cancelled"]
T = TypeVar("T")
Clock = Callable[[], datetime]

MAX_WAITING: Final = 8
MAX_KEPT: Final = 40
KEPT_FOR: Final = timedelta(hours=2)
_WHAT_CHARS: Final = 200


class JobsFull(LineclearError):
    """So much work waits already that no more is taken."""


@dataclass(frozen=True)
class Job:
    """One piece of work as it is now. id: cannot be guessed. who: the sign-in name of the person who started it.

    done of total steps are through, what: the last of them. result: what the work gave, None until it is done. error: why it
    failed, or that it was stopped; None otherwise.
    """

    id: str
    kind: str
    who: str
    state: State = "waiting"
    done: int = 0
    total: int = 0
    what: str = ""
    result: object | None = None
    error: LineclearError | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def is_over(self) -> bool:
        """Nothing of it changes any more."""
        return self.state in ("done", "failed", "cancelled")


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(timezone.utc)


class Jobs:
    """Takes work and does it, one piece after the other. Any thread may ask. `close` stops what runs and what waits."""

    def __init__(self, now: Clock = utc_now) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._jobs: dict[str, Job] = {}
        self._stopped: set[str] = set()
        self._futures: dict[str, Future[None]] = {}
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="page-job")
        self._closed = False

    def start(self, kind: str, who: str, work: Callable[[Progress], T]) -> Job:
        """Put work into the queue. It gets a Progress that raises `Cancelled` once a person stopped it, and what it returns
        becomes the job's result. JobsFull: the queue is full, or the page is being stopped.
        """
        job = Job(secrets.token_urlsafe(16), kind, who)
        with self._lock:
            waiting = sum(not other.is_over for other in self._jobs.values())
            if self._closed or waiting > MAX_WAITING:
                message = "the page is being stopped" if self._closed else f"{waiting} pieces of work wait already"
                raise JobsFull(message, where="long work", remedy="wait until some of it is done, then try again")
            self._forget()
            self._jobs[job.id] = job
            future = self._worker.submit(self._do, job.id, work)
            self._futures[job.id] = future
        future.add_done_callback(lambda done: self._ended(job.id, done))
        return job

    def get(self, job_id: str) -> Job | None:
        """How it is; None: there never was one, or it is so long over that it is forgotten."""
        with self._lock:
            return self._jobs.get(job_id)

    def cancel(self, job_id: str) -> None:
        """Stop it at its next step; nothing happens where it is over or unknown."""
        with self._lock:
            job, future = self._jobs.get(job_id), self._futures.get(job_id)
            if job is None or job.is_over:
                return
            self._stopped.add(job_id)
        if future is not None:
            future.cancel()

    def running(self, kind: str) -> Job | None:
        """The newest job of this kind that is not over."""
        with self._lock:
            return next((job for job in reversed(self._jobs.values()) if job.kind == kind and not job.is_over), None)

    def wait(self, job_id: str, timeout_s: float) -> Job | None:
        """As `get`, once it is over or the time is up."""
        with self._changed:
            self._changed.wait_for(lambda: (job := self._jobs.get(job_id)) is None or job.is_over, timeout_s)
            return self._jobs.get(job_id)

    def close(self) -> None:
        """Stop everything; returns when the thread has ended."""
        with self._lock:
            self._closed = True
            self._stopped.update(self._jobs)
        self._worker.shutdown(wait=True, cancel_futures=True)

    def _do(self, job_id: str, work: Callable[[Progress], object]) -> None:
        self._set(job_id, state="running", started_at=self._now())

        def progress(done: int, total: int, what: str = "") -> None:
            with self._lock:
                stopped = job_id in self._stopped
            if stopped:
                raise _cancelled()
            self._set(job_id, done=done, total=total, what=what[:_WHAT_CHARS])

        result = work(progress)
        self._set(job_id, state="done", result=result, ended_at=self._now())

    def _ended(self, job_id: str, future: Future[None]) -> None:
        """Called once for every job, whatever came of it."""
        error = _cancelled() if future.cancelled() else future.exception()
        if error is not None:
            worded = _worded(error)
            state: State = "cancelled" if isinstance(worded, Cancelled) else "failed"
            self._set(job_id, state=state, error=worded, ended_at=self._now())
        with self._changed:
            self._futures.pop(job_id, None)
            self._stopped.discard(job_id)
            self._changed.notify_all()

    def _set(self, job_id: str, **changes: object) -> None:
        with self._changed:
            if job_id in self._jobs:
                self._jobs[job_id] = replace(self._jobs[job_id], **changes)  # type: ignore[arg-type]
            self._changed.notify_all()

    def _forget(self) -> None:
        """The oldest that are over."""
        over = [job for job in self._jobs.values() if job.is_over]
        late = self._now() - KEPT_FOR
        for number, job in enumerate(over):
            if len(over) - number > MAX_KEPT or (job.ended_at is not None and job.ended_at < late):
                del self._jobs[job.id]


def _cancelled() -> Cancelled:
    return Cancelled("was stopped", remedy="nothing was changed; start it again when you like")


def _worded(error: BaseException) -> LineclearError:
    """Every failure as a person reads it; what nobody foresaw is in the page's log with all that is known of it."""
    if isinstance(error, LineclearError):
        return error
    if isinstance(error, MemoryError):
        return LineclearError("there is not enough memory for it", remedy="take fewer frames, or close other programs")
    if isinstance(error, OSError):
        where = str(error.filename or "")
        return LineclearError(f"the disk refused ({error.strerror or error})", where=where, remedy="check space and rights")
    log.error("job_failed why=%r", error, exc_info=error)
    return LineclearError("something went wrong inside the page", remedy="try again; the page's log says more")
