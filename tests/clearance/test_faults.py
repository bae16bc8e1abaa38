"""What goes wrong in a clearance's own machinery: every request is answered, in order, and an old CLEAR is never told again."""

import sqlite3
import threading
from pathlib import Path

import pytest

from edge.clearance import ClearanceBusy, ClearanceRefused, ClearanceRequest, Handle
from edge.clearance.book import Book
from edge.errors import StationBusy
from edge.publishers.clearance_payloads import ClearancePhase, ClearanceProgress
from edge.types import Clearance, ClearanceOutcome, ReasonCode
from tests.clearance.parts import Bench

STEPS = ("begin", "decide", "announce", "outbox", "sequence")


def request(number: int, batch: str = "B1") -> ClearanceRequest:
    return ClearanceRequest(f"r{number}", batch, "aspirin", "Anna")


def break_step(bench: Bench, step: str) -> None:
    if step == "outbox":
        bench.disk.fails = True
    elif step == "sequence":
        (bench.folder / "n.json").write_text("{broken")
    else:
        bench.book.fails = frozenset({step})


def mend(bench: Bench, number: str | None) -> None:
    bench.disk.fails, bench.book.fails = False, frozenset()
    if number is None:
        (bench.folder / "n.json").unlink(missing_ok=True)
    else:
        (bench.folder / "n.json").write_text(number)


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("step", STEPS)
def test_whatever_step_fails_one_answer_per_request_and_numbers_only_rise(tmp_path: Path, step: str, restarts: bool) -> None:
    bench = Bench(tmp_path)
    heard: list[Clearance] = []
    bench.parts["on_result"] = heard.append
    bench.start()
    assert bench.clearances.run(request(1)).outcome is ClearanceOutcome.CLEAR
    number = (tmp_path / "n.json").read_text()
    break_step(bench, step)
    told = bench.clearances.run(request(2))
    assert (told.outcome is ClearanceOutcome.CLEAR) == (step == "announce")
    if restarts:
        bench.stop()
    mend(bench, number if step == "sequence" else (tmp_path / "n.json").read_text())
    if restarts:
        bench.start()
    again = bench.clearances.run(request(2))
    # A question that could not even be written down was never asked, as far as the next life knows: it is answered anew.
    is_new = step == "begin" and restarts
    assert is_new or again.outcome is told.outcome
    assert bench.clearances.run(request(3)).outcome is ClearanceOutcome.CLEAR
    bench.stop()
    bodies = bench.published
    outcomes = {body["requestId"]: body["outcome"] for body in bodies}
    assert len(bodies) == len({body["resultId"] for body in bodies})
    assert (outcomes["r1"], outcomes["r3"]) == ("CLEAR", "CLEAR")
    assert is_new or outcomes.get("r2") in (None, told.outcome.value)
    numbers = [body["sequence"] for body in bodies]
    assert numbers == sorted(set(numbers))
    # A CLEAR is heard at most once, in its own life: an output that it opens must not open again.
    cleared = [clearance.request_id for clearance in heard if clearance.outcome is ClearanceOutcome.CLEAR]
    assert len(cleared) == len(set(cleared))


def test_what_a_former_life_left_open_is_heard_as_undecided(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    heard: list[Clearance] = []
    bench.parts["on_result"] = heard.append
    bench.start()
    bench.station.held = {"back"}
    bench.clearances.request(request(1))
    assert bench.station.someone_waits.wait(30)
    bench.die()
    heard.clear()
    bench.station.held.clear()
    bench.start()
    assert [(one.request_id, one.outcome, one.reasons[0].code) for one in heard] == [
        ("r1", ClearanceOutcome.UNDECIDED, ReasonCode.STOPPED)
    ]
    bench.stop()


def test_an_answer_that_cannot_be_read_keeps_nobody_else_waiting(tmp_path: Path) -> None:
    """Another version wrote the book, and the machine died before the answer was announced."""
    bench = Bench(tmp_path)
    with Book(tmp_path / "book.sqlite3") as book:
        book.begin("old", {"kind": "clearance", "batch": "B0"}, "clearance-old", bench.clock())
        book.decide("old", 41, {"outcome": "CLEAR", "resultId": "clearance-old"}, bench.clock())
    with bench:
        assert bench.clearances.run(request(1)).sequence == 42
        assert [(body["requestId"], body["outcome"], body["sequence"]) for body in bench.published] == [
            ("old", "UNDECIDED", 41),
            ("r1", "CLEAR", 42),
        ]


def test_an_announced_answer_that_cannot_be_read_is_no_answer(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    with bench:
        bench.clearances.run(request(1))
    with sqlite3.connect(tmp_path / "book.sqlite3") as connection:
        connection.execute("UPDATE requests SET body = '{}'")
    connection.close()
    with bench:
        again = bench.clearances.run(request(1))
        assert (again.outcome, again.reasons[0].code) == (ClearanceOutcome.UNDECIDED, ReasonCode.NOT_RECORDED)
        assert bench.clearances.run(request(2)).outcome is ClearanceOutcome.CLEAR


def test_an_error_that_nobody_foresaw_is_announced_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda arguments: None)
    bench = Bench(tmp_path)
    bench.checks.append(lambda: 1 / 0)  # type: ignore[arg-type, return-value]
    with bench:
        answer = bench.clearances.run(request(1))
        assert answer.reasons[0].code is ReasonCode.INTERNAL
        assert [(body["requestId"], body["sequence"]) for body in bench.published] == [("r1", answer.sequence)]


def test_ready_is_said_before_the_next_request_can_be_accepted(tmp_path: Path) -> None:
    """Said later, a PLC would read ready while its own request is at work, and the progress would lose whose it is."""
    bench = Bench(tmp_path)
    tried: list[bool] = []

    def hear(progress: ClearanceProgress) -> None:
        if progress.phase is ClearancePhase.READY and hasattr(bench, "clearances"):
            tried.append(bench.clearances._desk._lock.acquire(blocking=False))
            if tried[-1]:
                bench.clearances._desk._lock.release()

    bench.parts["on_progress"] = hear
    with bench:
        bench.clearances.run(request(1))
        with bench.clearances.paused():
            pass
    assert tried == [False, False]


def test_a_changeover_is_nobodys_request(tmp_path: Path) -> None:
    with Bench(tmp_path) as bench, bench.clearances.paused():
        assert not bench.clearances.cancel("changeover", "Anna")
        accepted = bench.clearances.request(ClearanceRequest("changeover", "B1", "aspirin"))
        assert isinstance(accepted, ClearanceBusy)
    # and once it is over that id is as good as any other
    with Bench(tmp_path) as bench:
        assert isinstance(bench.clearances.request(ClearanceRequest("changeover", "B1", "aspirin")), Handle)


def test_nothing_begins_while_the_station_stops(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    with bench:
        pass
    with pytest.raises(StationBusy, match="being stopped"), bench.clearances.paused():
        pass
    bench.book.__enter__()
    assert isinstance(bench.clearances.request(request(1)), ClearanceRefused)
    bench.book.__exit__(None, None, None)


def test_who_asks_while_ready_is_being_said_is_not_told_of_an_old_one(tmp_path: Path) -> None:
    """Many requests by two askers at once: whoever is at work, the state names it until it is recorded."""
    with Bench(tmp_path) as bench:

        def ask(first: int) -> None:
            for number in range(first, first + 15):
                accepted = bench.clearances.request(request(number))
                if isinstance(accepted, Handle):
                    accepted.answer.result(30)

        askers = [threading.Thread(target=ask, args=(first,)) for first in (100, 200)]
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join(60)
        states = bench.states
    at_work = [body for body in states if body["state"] not in ("ready", "stopped")]
    assert all(body["requestId"] for body in at_work)
    ready = [body["sequence"] for body in states if body["state"] == "ready"]
    assert ready == sorted(ready)


@pytest.mark.parametrize("restarts", [False, True])
def test_a_disk_that_complains_and_keeps_it_all_the_same_stops_no_later_answer(tmp_path: Path, restarts: bool) -> None:
    bench = Bench(tmp_path)
    bench.start()
    bench.disk.fails_after = True
    told = bench.clearances.run(request(1))
    assert told.outcome is ClearanceOutcome.UNDECIDED
    assert ReasonCode.NOT_RECORDED in {reason.code for reason in told.reasons}
    bench.disk.fails_after = False
    if restarts:
        bench.stop()
        bench.start()
    for number in (2, 3):
        answer = bench.clearances.run(request(number))
        assert answer.outcome is ClearanceOutcome.CLEAR
        assert answer.sequence > told.sequence
