"""One at a time, one answer per request, whatever is asked in between and whatever fails."""

import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from edge.clearance import ClearanceBusy, ClearanceRefused, ClearanceRequest, ClearanceSettings, Handle
from edge.errors import ConfigError, StationBusy
from edge.settings.judging import VoteRule
from edge.types import ClearanceOutcome, Outcome, Reason, ReasonCode
from tests.clearance.parts import Bench
from tests.schemas import validate_message

FIRST = ClearanceRequest("r1", "B1204", "aspirin", "Anna", "after cleaning")
SECOND = ClearanceRequest("r2", "B1205", "aspirin")


@pytest.fixture
def bench(tmp_path: Path):
    with Bench(tmp_path) as made:
        yield made


def hold(bench: Bench, request: ClearanceRequest = FIRST, view: str = "back") -> Handle:
    """A clearance that waits for one view."""
    bench.station.held = {view}
    handle = bench.clearances.request(request)
    assert isinstance(handle, Handle)
    assert bench.station.someone_waits.wait(10)
    return handle


def test_a_clearance_says_who_what_and_with_what(bench: Bench) -> None:
    clearance = bench.clearances.run(FIRST)
    assert clearance.outcome is ClearanceOutcome.CLEAR
    (body,) = bench.published
    validate_message("clearance/result", json.dumps(body).encode())
    assert (body["requestId"], body["batch"], body["operator"], body["note"]) == ("r1", "B1204", "Anna", "after cleaning")
    assert body["resultId"] == clearance.result_id
    assert [view["parts"]["recipeVersion"] for view in body["views"]] == [1, 1]
    assert set(body["views"][0]["parts"]["hashes"]) >= {"bundle", "reference", "masks", "recipe"}
    assert set(body["stageMs"]) == {"fitness", "frames"}


def test_one_at_a_time(bench: Bench) -> None:
    handle = hold(bench)
    busy = bench.clearances.request(SECOND)
    assert isinstance(busy, ClearanceBusy)
    assert (busy.request_id, busy.result_id) == ("r1", handle.result_id)
    with pytest.raises(StationBusy, match="clearance r1 is at work"):
        bench.clearances.run(SECOND)
    bench.station.let_go()
    assert handle.answer.result(10).outcome is ClearanceOutcome.CLEAR
    bench.station.held = set()
    assert bench.clearances.run(SECOND).sequence == 2


def test_the_same_request_twice_has_one_answer(bench: Bench) -> None:
    handle = hold(bench)
    meanwhile = bench.clearances.request(FIRST)
    assert isinstance(meanwhile, Handle)
    assert meanwhile.repeated
    assert meanwhile.answer is handle.answer
    bench.station.let_go()
    answer = handle.answer.result(10)
    again = bench.clearances.request(FIRST)
    assert isinstance(again, Handle)
    assert (again.repeated, again.answer.result(10)) == (True, answer)
    assert len(bench.published) == 1
    assert bench.station.asked == ["front", "back"]


def test_the_same_request_after_a_restart_has_the_same_answer(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.station.script = {"back": ["FAIL"]}
    with bench:
        first = bench.clearances.run(FIRST)
    with bench:
        handle = bench.clearances.request(FIRST)
        assert isinstance(handle, Handle)
        again = handle.answer.result(10)
    assert handle.repeated
    assert (again.result_id, again.sequence, again.outcome) == (first.result_id, 1, ClearanceOutcome.NOT_CLEAR)
    assert [view.outcome for view in again.views] == [Outcome.PASS, Outcome.FAIL]
    assert again.views[1].verdicts[0].judgement.regions == first.views[1].verdicts[0].judgement.regions
    assert len(bench.published) == 1


@pytest.mark.parametrize("restarts", [False, True])
def test_an_id_is_not_used_for_two_batches(tmp_path: Path, restarts: bool) -> None:
    """Else the CLEAR of one batch could be read as that of another."""
    bench = Bench(tmp_path)
    bench.start()
    bench.clearances.run(FIRST)
    if restarts:
        bench.stop()
        bench.start()
    refused = bench.clearances.request(ClearanceRequest("r1", "B9999", "aspirin"))
    assert isinstance(refused, ClearanceRefused)
    assert "was used before, for clearance of batch 'B1204'" in refused.problems[0]
    with pytest.raises(ConfigError, match="use a new one"):
        bench.clearances.run(ClearanceRequest("r1", "B9999", "aspirin"))
    bench.stop()


def test_cancel_ends_it_whatever_its_frames_showed(bench: Bench) -> None:
    handle = hold(bench)
    assert not bench.clearances.cancel("another", "Anna")
    assert bench.clearances.cancel("r1", "Anna")
    assert not bench.clearances.cancel("r1", "Bert")
    answer = handle.answer.result(10)
    assert answer.outcome is ClearanceOutcome.UNDECIDED
    assert [reason.code for reason in answer.reasons] == [ReasonCode.CANCELLED]
    assert "cancelled by Anna" in answer.reasons[0].detail
    assert {view.outcome for view in answer.views} == {Outcome.UNDECIDED}
    assert len(answer.views[0].verdicts) == 1  # kept as evidence
    assert not bench.clearances.cancel("r1", "Anna")
    bench.station.let_go()  # too late, and nobody listens
    assert bench.published[-1]["outcome"] == "UNDECIDED"


def test_stopping_answers_what_runs(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.start()
    handle = hold(bench)
    bench.stop()
    answer = handle.answer.result(0)
    assert answer.reasons[0].code is ReasonCode.STOPPED
    assert bench.states[-1]["state"] == "stopped"
    assert isinstance(bench.clearances.request(SECOND), (ClearanceRefused, Handle))


def test_what_ran_when_the_machine_died_is_answered_once_and_not_run_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.start()
    handle = hold(bench)
    bench.die()
    assert handle.answer.result(10).outcome is ClearanceOutcome.UNDECIDED
    bench.station.held, asked = set(), len(bench.station.asked)
    with bench:
        (body,) = bench.published
        assert (body["outcome"], body["requestId"]) == ("UNDECIDED", "r1")
        assert body["resultId"] == handle.result_id
        assert [reason["code"] for reason in body["reasons"]] == ["stopped"]
        assert bench.clearances.run(FIRST).outcome is ClearanceOutcome.UNDECIDED
        assert len(bench.station.asked) == asked
        assert bench.clearances.run(SECOND).sequence == body["sequence"] + 1
    assert len(bench.published) == 2


def test_a_clear_that_was_decided_but_never_announced_is_not_announced_later(tmp_path: Path) -> None:
    """The machine died between the book and the outbox: nobody has heard of this CLEAR, and its frames are old by now."""
    bench = Bench(tmp_path)
    bench.start()
    bench.disk.fails = True
    real = bench.book.decide

    def decide_once(*values: object) -> None:
        real(*values)  # type: ignore[arg-type]
        bench.book.fails = frozenset({"decide", "announce"})

    bench.book.decide = decide_once  # type: ignore[method-assign]
    told = bench.clearances.run(FIRST)
    assert told.outcome is ClearanceOutcome.UNDECIDED
    found = bench.book.find("r1")
    assert found is not None
    assert found.body is not None
    assert (found.state, found.body["outcome"]) == ("decided", "CLEAR")
    bench.die()
    with bench:
        (body,) = bench.published
        assert (body["outcome"], body["reasons"][0]["code"]) == ("UNDECIDED", "stopped")
        assert bench.clearances.run(FIRST).outcome is ClearanceOutcome.UNDECIDED


def test_a_clear_that_was_announced_stays_the_answer(tmp_path: Path) -> None:
    """The machine died between the outbox and the last note in the book: the result has left, so it stands."""
    bench = Bench(tmp_path)
    bench.start()
    bench.book.fails = frozenset({"announce"})
    assert bench.clearances.run(FIRST).outcome is ClearanceOutcome.CLEAR
    bench.die()
    with bench:
        assert [body["outcome"] for body in bench.published] == ["CLEAR"]
        assert bench.clearances.run(FIRST).outcome is ClearanceOutcome.CLEAR
        found = bench.book.find("r1")
        assert found is not None
        assert found.state == "announced"


@pytest.mark.parametrize("step", ["begin", "decide", "outbox", "sequence"])
def test_a_disk_that_fails_never_gives_clear(bench: Bench, step: str) -> None:
    if step == "outbox":
        bench.disk.fails = True
    elif step == "sequence":
        (bench.folder / "n.json").write_text("{broken")
    else:
        bench.book.fails = frozenset({step})
    answer = bench.clearances.run(FIRST)
    assert (answer.outcome, answer.sequence) == (ClearanceOutcome.UNDECIDED, 0)
    assert answer.reasons[-1].code is ReasonCode.NOT_RECORDED
    assert bench.published == []
    again = bench.clearances.run(FIRST)
    assert again.outcome is ClearanceOutcome.UNDECIDED
    bench.disk.fails, bench.book.fails = False, frozenset()
    (bench.folder / "n.json").unlink(missing_ok=True)
    assert bench.clearances.run(SECOND).outcome is ClearanceOutcome.CLEAR
    assert [body["sequence"] for body in bench.published] == sorted(body["sequence"] for body in bench.published)


def test_an_error_that_nobody_foresaw_is_an_answer_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda arguments: None)
    bench = Bench(tmp_path)
    faulty = [True]
    bench.checks.append(lambda: 1 / 0 if faulty.pop() else None)  # type: ignore[arg-type, return-value]
    with bench:
        answer = bench.clearances.run(FIRST)
        assert answer.reasons[0].code is ReasonCode.INTERNAL
        bench.checks.clear()
        faulty.append(False)
        assert bench.clearances.run(SECOND).outcome is ClearanceOutcome.CLEAR
    assert [body["outcome"] for body in bench.published] == ["UNDECIDED", "CLEAR"]


def test_progress_says_what_a_plc_waits_for(bench: Bench) -> None:
    bench.clearances.run(FIRST)
    for body in bench.states:
        validate_message("clearance/state", json.dumps(body).encode())
    assert [bench.states[0]["state"], bench.states[0]["sequence"]] == ["ready", 0]
    assert [bench.states[-1]["state"], bench.states[-1]["sequence"]] == ["ready", 1]
    running = [body for body in bench.states if body["requestId"] == "r1"]
    assert [body["state"] for body in running][:2] == ["fitness", "frames"]
    assert running[-1]["state"] == "recording"
    assert {body["resultId"] for body in running} == {bench.published[0]["resultId"]}
    assert {(view["view"], view["framesDone"], view["frames"]) for view in running[-1]["views"]} == {
        ("front", 1, 1),
        ("back", 1, 1),
    }


def test_a_listener_hears_each_result_after_it_is_durable(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    heard: list[tuple[str, int]] = []
    done = threading.Event()

    def hear(clearance: object) -> None:
        heard.append((clearance.outcome.value, len(bench.published)))  # type: ignore[attr-defined]
        done.set()

    bench.parts["on_result"] = hear
    with bench:
        bench.clearances.run(FIRST)
        assert done.wait(10)
        assert heard == [("CLEAR", 1)]
        bench.disk.fails = True
        bench.clearances.run(SECOND)
    assert len(heard) == 1


def test_answers_of_an_old_recipe_do_not_count(bench: Bench) -> None:
    """A changeover came between the look at the station and the frames."""
    handle = hold(bench)
    bench.station.waiting = [
        (answer, replace(verdict, origin=bench.seats["back"].origin.__class__("back", 1, 1, None)))
        for answer, verdict in bench.station.waiting
    ]
    bench.station.let_go()
    answer = handle.answer.result(10)
    assert answer.outcome is ClearanceOutcome.UNDECIDED
    assert answer.views[1].reason is not None
    assert answer.views[1].reason.code is ReasonCode.RECIPE_INVALID
    assert "changed while the clearance ran" in answer.views[1].reason.detail


def test_votes_that_are_enough_for_fail_need_no_more(tmp_path: Path) -> None:
    rule = VoteRule(frames=3, pass_votes=2, fail_votes=2)
    with Bench(tmp_path, settings=ClearanceSettings(rule, timeout_s=0.01), views=("front",)) as bench:
        bench.station.script = {"front": ["FAIL", "FAIL", "PASS"]}
        assert bench.clearances.run(FIRST).outcome is ClearanceOutcome.NOT_CLEAR
        bench.station.script = {"front": ["PASS", "FAIL", "camera_lost"]}
        assert bench.clearances.run(SECOND).views[0].reason == Reason(
            ReasonCode.VOTE_SPLIT,
            "1 pass (needs 2), 1 fail (needs 2), 1 undecided, first: camera_lost: scripted",
        )


def test_a_recheck_names_the_newest_clearance_of_its_batch(bench: Bench) -> None:
    bench.station.script = {"front": ["FAIL"]}
    first = bench.clearances.run(FIRST)
    bench.station.script = {}
    for wrong in ("clearance-x", first.result_id):
        batch = "B1204" if wrong == "clearance-x" else "B1"
        refused = bench.clearances.request(ClearanceRequest("r9", batch, "aspirin", recheck_of=wrong))
        assert isinstance(refused, ClearanceRefused)
        assert refused.problems[0].startswith("recheck_of: ")
    second = bench.clearances.run(ClearanceRequest("r9", "B1204", "aspirin", recheck_of=first.result_id))
    assert (second.previous, second.outcome) == (first.result_id, ClearanceOutcome.CLEAR)
    assert bench.published[-1]["previousResultId"] == first.result_id
    assert isinstance(
        bench.clearances.request(ClearanceRequest("r10", "B1204", "aspirin", recheck_of=first.result_id)), ClearanceRefused
    )
