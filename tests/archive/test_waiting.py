from __future__ import annotations

import threading
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from edge.archive.waiting import Queue
from tests.archive.samples import bare, evidence, frame, running, until

ONE = 16 * 1024  # what a result without arrays counts


def ids(taken: list[object]) -> list[str]:
    return [one.evidence.result_id for one in taken]  # type: ignore[attr-defined]


def test_results_come_out_in_the_order_they_came_in_whatever_their_kind() -> None:
    queue = Queue(10 * ONE)
    for number, outcome in enumerate(("FAIL", "PASS", "UNDECIDED", "PASS", "FAIL")):
        assert queue.put(bare(number, outcome=outcome)) == []
    assert len(queue) == 5
    assert ids(queue.take(0.0, 2)) == ["result-0", "result-1"]
    assert ids(queue.take(0.0, 9)) == ["result-2", "result-3", "result-4"]
    assert (len(queue), queue.size_bytes) == (0, 0)


def test_what_is_put_back_comes_out_first_again() -> None:
    queue = Queue(10 * ONE)
    for number in range(4):
        queue.put(bare(number))
    taken = queue.take(0.0, 2)
    queue.put(bare(9))
    assert queue.put_back(taken) == []
    assert ids(queue.take(0.0, 9)) == ["result-0", "result-1", "result-2", "result-3", "result-9"]


def test_what_is_put_back_into_a_full_queue_gives_way_by_its_worth() -> None:
    queue = Queue(2 * ONE)
    queue.put(bare(0, outcome="PASS"))
    taken = queue.take(0.0, 1)
    queue.put(bare(1))
    queue.put(bare(2))
    assert [one.result_id for one in queue.put_back(taken)] == ["result-0"]


def test_arrays_count() -> None:
    queue = Queue(1 << 30)
    one = evidence(1, frame=frame(1, (100, 50)))
    queue.put(one)
    assert one.anomaly_map is not None
    assert queue.size_bytes == ONE + 100 * 50 * 3 + one.anomaly_map.nbytes + one.anomaly_map.size


def test_stopping_wakes_who_waits() -> None:
    queue = Queue(ONE)
    waiting = threading.Thread(target=lambda: (queue.take(60.0, 1), queue.pause(60.0)))
    waiting.start()
    queue.stop()
    waiting.join(20)
    assert not waiting.is_alive()
    assert queue.stopped


@given(st.lists(st.sampled_from(["PASS", "UNDECIDED", "FAIL", "C"]), max_size=30), st.integers(1, 8))
def test_the_bound_holds_and_nothing_gives_way_to_what_is_worth_less(outcomes: list[str], room: int) -> None:
    queue = Queue(room * ONE)
    worth = {"pass": 0, "undecided": 1, "fail": 2, "clearance": 3}
    kept: list[tuple[int, int]] = []
    for number, outcome in enumerate(outcomes):
        one = bare(number, outcome=outcome, clearance_id="c" if outcome == "C" else None)
        kept.append((worth[one.keep], number))
        for gone in queue.put(one):
            dropped = (worth[gone.keep], int(gone.result_id.removeprefix("result-")))
            assert dropped == min(kept)  # the least worth, and of those the oldest
            kept.remove(dropped)
        assert queue.size_bytes <= room * ONE
    assert len(queue) == len(kept) == min(room, len(outcomes))


def test_a_disk_that_hangs_never_holds_up_who_hands_in(tmp_path: Path) -> None:
    """The archive's thread stands still in the middle of a result; thousands more are handed in meanwhile."""
    begun, go_on = threading.Event(), threading.Event()

    def hang() -> tuple[bytes, str]:
        begun.set()
        assert go_on.wait(60)
        return b"picture", "image/jpeg"

    with running(tmp_path, queue_bytes=20 * ONE) as archive:
        archive.submit(evidence(0, overlay=hang))
        assert begun.wait(30)
        for number in range(1, 3001):
            archive.submit(bare(number, clearance_id="c" if number <= 5 else None))
        health = archive.health()
        assert (health["archive.waiting"], health["archive.missing"]) == (20, 2980)
        assert health["archive.missing_clearance"] == 0
        assert "more came than could be written" in (archive.alarm or "")
        go_on.set()
        until(lambda: archive.health()["archive.stored"] == 21)
    assert archive.health()["archive.missing"] == 2980
