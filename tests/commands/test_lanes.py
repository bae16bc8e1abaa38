"""The threads behind the desk: bounded, in order, and closed in bounded time."""

from __future__ import annotations

import logging
import threading

import pytest

from edge.commands.lanes import _QUIET_S, Bucket, Lane, Tally
from tests.commands.parts import until


def test_work_is_done_in_order_and_more_than_fits_is_refused() -> None:
    lane, hold, done = Lane("test", 3), threading.Event(), []
    assert lane.offer(lambda: bool(hold.wait(20)))
    offered = [lane.offer(lambda number=number: done.append(number)) for number in range(5)]
    assert offered == [True, True, False, False, False]
    assert lane.offer(lambda: done.append("urgent"), urgent=True)
    hold.set()
    until(lambda: len(done) == 3)
    assert done == [0, 1, "urgent"]
    until(lambda: lane.offer(lambda: None))
    assert lane.close(5)
    assert not lane.offer(lambda: None, urgent=True)


def test_work_that_ends_before_it_is_noted_does_not_block_the_lane() -> None:
    """A callback that runs in the offering thread must not wait for a lock that this thread holds."""
    lane = Lane("test", 10_000)
    for _ in range(2000):
        assert lane.offer(lambda: None)
    until(lambda: lane._waiting == 0)
    assert lane.close(5)


def test_a_fault_is_logged_and_the_lane_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    lane, done = Lane("test", 3), threading.Event()
    lane.offer(lambda: {}["no such key"])
    lane.offer(done.set)
    assert done.wait(20)
    assert lane.close(5)
    assert "command_failed lane=test" in caplog.text
    assert "KeyError" in caplog.text


def test_closing_drops_what_waits_and_leaves_what_does_not_end() -> None:
    lane, hold, began, done = Lane("test", 3), threading.Event(), threading.Event(), []

    def work() -> None:
        began.set()
        hold.wait(20)

    lane.offer(work)
    lane.offer(lambda: done.append(1))
    assert began.wait(20)
    assert not lane.close(0.05)
    hold.set()
    for thread in lane._pool._threads:
        thread.join(20)
    assert not done


def test_a_bucket_gives_so_many_at_once_and_so_many_a_second() -> None:
    now = [0.0]
    bucket = Bucket(2.0, 3, lambda: now[0])
    assert [bucket.take() for _ in range(5)] == [True, True, True, False, False]
    now[0] = 0.5
    assert [bucket.take() for _ in range(2)] == [True, False]
    now[0] = 1000.0
    assert [bucket.take() for _ in range(5)] == [True, True, True, False, False]


def test_names_that_nobody_knows_count_as_one() -> None:
    tally = Tally(("state",))
    for name in ("state", "state", "x" * 1000, "y", "../.."):
        tally.count(name, "ok")
    assert tally.values() == {"commands.state.ok": 2, "commands.unknown.ok": 3}


def test_the_log_is_told_once_and_then_how_often(caplog: pytest.LogCaptureFixture, monkeypatch) -> None:
    tally, now = Tally(()), [100.0]
    monkeypatch.setattr("edge.commands.lanes.time.monotonic", lambda: now[0])
    for _ in range(50):
        tally.say("malformed", logging.WARNING, "refused name=%r", "state")
    tally.say("no_right", logging.WARNING, "refused too")
    now[0] += _QUIET_S
    tally.say("malformed", logging.WARNING, "refused name=%r", "mask")
    assert [record.getMessage() for record in caplog.records] == [
        "refused name='state' silenced=0",
        "refused too silenced=0",
        "refused name='mask' silenced=49",
    ]
