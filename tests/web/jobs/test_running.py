"""Long work: one at a time, in order, stopped when asked, each failure in words, and gone with the page."""

from __future__ import annotations

import errno
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.progress import Progress
from calibration.web.jobs import Job, Jobs, JobsFull
from calibration.web.jobs.running import KEPT_FOR, MAX_KEPT, MAX_WAITING
from edge.errors import Cancelled, ConfigError, LineclearError

WAIT_S = 10.0


@pytest.fixture
def jobs() -> Iterator[Jobs]:
    made = Jobs()
    yield made
    made.close()


class Held:
    """Work that begins, says so, and goes on when it is let."""

    def __init__(self) -> None:
        self.begun, self.go = threading.Event(), threading.Event()
        self.closed = threading.Event()

    def __call__(self, progress: Progress) -> str:
        self.begun.set()
        try:
            assert self.go.wait(WAIT_S)
            progress(1, 2, "one")
            progress(2, 2, "two")
            return "fine"
        finally:
            self.closed.set()


def over(jobs: Jobs, job: Job) -> Job:
    found = jobs.wait(job.id, WAIT_S)
    assert found is not None
    assert found.is_over
    return found


def test_work_is_done_and_its_result_is_kept(jobs: Jobs) -> None:
    job = over(jobs, jobs.start("measure", "tina", lambda progress: progress(3, 3, "x") or 42))
    assert (job.state, job.result, job.done, job.total, job.what) == ("done", 42, 3, 3, "x")
    assert job.started_at is not None
    assert job.ended_at is not None
    assert job.error is None


def test_one_at_a_time_in_the_order_of_asking(jobs: Jobs) -> None:
    held, order = Held(), []
    first = jobs.start("a", "tina", held)
    others = [jobs.start("b", "tina", lambda _p, n=n: order.append(n)) for n in range(3)]
    assert held.begun.wait(WAIT_S)
    assert [jobs.get(job.id).state for job in others] == ["waiting"] * 3  # type: ignore[union-attr]
    assert jobs.running("a") is not None
    held.go.set()
    assert over(jobs, first).state == "done"
    for job in others:
        over(jobs, job)
    assert order == [0, 1, 2]
    assert jobs.running("a") is None


def test_stopped_at_the_next_step_and_what_it_opened_is_closed(jobs: Jobs) -> None:
    held = Held()
    job = jobs.start("a", "tina", held)
    assert held.begun.wait(WAIT_S)
    jobs.cancel(job.id)
    held.go.set()
    ended = over(jobs, job)
    assert ended.state == "cancelled"
    assert isinstance(ended.error, Cancelled)
    assert held.closed.is_set()
    assert over(jobs, jobs.start("b", "tina", lambda _p: 1)).state == "done"  # the thread lives on


def test_what_waits_is_stopped_before_it_begins(jobs: Jobs) -> None:
    held, ran = Held(), []
    jobs.start("a", "tina", held)
    waiting = jobs.start("b", "tina", lambda _p: ran.append(1))
    jobs.cancel(waiting.id)
    held.go.set()
    assert over(jobs, waiting).state == "cancelled"
    assert not ran


def test_stopping_what_is_over_or_unknown_does_nothing(jobs: Jobs) -> None:
    job = over(jobs, jobs.start("a", "tina", lambda _p: 1))
    jobs.cancel(job.id)
    jobs.cancel("no-such-job")
    assert jobs.get(job.id).state == "done"  # type: ignore[union-attr]
    assert jobs.get("no-such-job") is None


@pytest.mark.parametrize(
    ("error", "part"),
    [
        (ConfigError("too few", remedy="more"), "too few"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left"),
        (MemoryError(), "memory"),
        (ZeroDivisionError("1/0"), "inside the page"),
        (SystemExit(3), "inside the page"),
    ],
)
def test_every_failure_has_words_and_the_next_one_runs(jobs: Jobs, error: BaseException, part: str) -> None:
    def work(_progress: Progress) -> None:
        raise error

    job = over(jobs, jobs.start("a", "tina", work))
    assert job.state == "failed"
    assert isinstance(job.error, LineclearError)
    assert part in job.error.message
    assert job.error.remedy
    assert over(jobs, jobs.start("b", "tina", lambda _p: 1)).state == "done"


def test_no_more_is_taken_than_can_wait(jobs: Jobs) -> None:
    held = Held()
    for _ in range(MAX_WAITING + 1):
        jobs.start("a", "tina", held)
    with pytest.raises(JobsFull, match="wait already"):
        jobs.start("a", "tina", held)
    held.go.set()


def test_closing_stops_what_runs_and_what_waits() -> None:
    jobs, held = Jobs(), Held()
    first, second = jobs.start("a", "tina", held), jobs.start("b", "tina", lambda _p: 1)
    assert held.begun.wait(WAIT_S)
    closer = threading.Thread(target=jobs.close)
    closer.start()
    held.go.set()
    closer.join(WAIT_S)
    assert not closer.is_alive()
    assert [jobs.get(job.id).state for job in (first, second)] == ["cancelled", "cancelled"]  # type: ignore[union-attr]
    with pytest.raises(JobsFull, match="being stopped"):
        jobs.start("c", "tina", held)


def test_old_ones_are_forgotten() -> None:
    clock = [datetime(2026, 11, 22, tzinfo=timezone.utc)]
    jobs = Jobs(lambda: clock[0])
    try:
        first = over(jobs, jobs.start("a", "tina", lambda _p: 1))
        clock[0] += KEPT_FOR + timedelta(seconds=1)
        second = over(jobs, jobs.start("a", "tina", lambda _p: 1))
        assert jobs.get(first.id) is None
        for _ in range(MAX_KEPT + 1):
            over(jobs, jobs.start("a", "tina", lambda _p: 1))
        assert jobs.get(second.id) is None
    finally:
        jobs.close()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(-5, 10**9), st.integers(-5, 10**9), st.text(max_size=400)), max_size=8))
def test_whatever_work_says_of_itself_can_be_shown(steps: list[Any]) -> None:
    jobs = Jobs()

    def work(progress: Progress) -> int:
        for step in steps:
            progress(*step)
        return len(steps)

    try:
        job = over(jobs, jobs.start("a", "tina", work))
        assert job.result == len(steps)
        assert len(job.what) <= 200
    finally:
        jobs.close()
