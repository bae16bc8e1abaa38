"""The line before the judge: bounded, first in first out, and the newest frame stays."""

import threading
from datetime import datetime, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.loop.tickets import Ticket, TicketCounter
from edge.loop.waiting import Errand, Job, Line
from edge.types import Frame

NOW = datetime.now(timezone.utc)


def job(number: int, view: str = "front", clearance: str | None = None) -> Job:
    image = np.zeros((2, 2), np.uint8)
    return Job(Ticket(view, number, 0, clearance), Frame(image, view, number, 0, NOW))


def errand() -> Errand:
    return Errand(lambda: None, lambda _code, _why: None)


def numbers(line: Line) -> list[int]:
    return [item.ticket.number for item in line.take_all() if isinstance(item, Job)]


def test_it_is_first_in_first_out_for_frames_and_errands() -> None:
    line, work = Line({"front": 5}), errand()
    first, second = job(1), job(2)
    assert line.put(first) is None
    assert line.send(work)
    assert line.put(second) is None
    assert [line.take(0) for _ in range(4)] == [first, work, second, None]


def test_the_oldest_gives_way_to_the_newest() -> None:
    line = Line({"front": 2, "back": 1})
    jobs = [job(number) for number in range(1, 6)]
    assert [line.put(each) for each in jobs] == [None, None, jobs[0], jobs[1], jobs[2]]
    assert line.put(job(9, "back")) is None, "another view has its own room"
    assert numbers(line) == [4, 5, 9]


def test_frames_of_a_clearance_never_give_way() -> None:
    line = Line({"front": 2})
    asked = [job(1, clearance="c"), job(3, clearance="c")]
    plain = [job(2), job(4), job(5)]
    assert line.put(asked[0]) is None
    assert line.put(plain[0]) is None
    assert line.put(plain[1]) is plain[0]
    assert line.put(asked[1]) is plain[1]
    assert line.put(plain[2]) is plain[2], "nothing else can"
    third = job(6, clearance="c")
    assert line.put(third) is third
    assert numbers(line) == [1, 3]


def test_closing_wakes_who_waits_and_lets_nothing_in() -> None:
    line, found = Line({"front": 1}), []
    waiting = threading.Thread(target=lambda: found.append(line.take(60)))
    waiting.start()
    line.close()
    waiting.join(20)
    assert found == [None]
    with pytest.raises(RuntimeError):
        line.put(job(1))
    assert not line.send(errand())


@given(st.lists(st.tuples(st.sampled_from(["put", "ask", "take"]), st.sampled_from(["a", "b"])), max_size=60))
def test_every_job_comes_out_once_and_no_view_exceeds_its_room(steps: list[tuple[str, str]]) -> None:
    limits = {"a": 1, "b": 3}
    line, put, out = Line(limits), [], []
    for number, (step, view) in enumerate(steps):
        if step == "take":
            taken = line.take(0)
            out += [taken] if taken is not None else []
            continue
        new = job(number, view, "c" if step == "ask" else None)
        put.append(new)
        loser = line.put(new)
        out += [loser] if loser is not None else []
        inside = [each for each in put if each not in out]
        assert all(sum(each.ticket.view == name for each in inside) <= limit for name, limit in limits.items())
    out += line.take_all()
    assert len(out) == len(put)
    assert {id(each) for each in out} == {id(each) for each in put}


def test_a_ticket_is_claimed_once_however_many_try() -> None:
    ticket = TicketCounter("front").issue(0)
    claimed: list[bool] = []
    barrier = threading.Barrier(8)

    def claim() -> None:
        barrier.wait(20)
        claimed.append(ticket.claim())

    threads = [threading.Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(claimed) == [False] * 7 + [True]
