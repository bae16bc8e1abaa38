"""Requests, faults, cancels, reviews and restarts in any order: what must hold after each of them."""

import shutil
import tempfile
from datetime import timedelta
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edge.clearance import ClearanceBusy, ClearanceRefused, ClearanceRequest, Handle, ReviewOrder, Snapshot
from edge.clearance.review import Reviewer, Snapshots
from edge.types import Clearance, ClearanceOutcome, Outcome, Reason, ReasonCode
from tests.clearance.parts import VIEWS, Bench

FRAMES = st.sampled_from(["PASS", "PASS", "PASS", "FAIL", "not_registered", "camera_lost", "engine_fault"])
FAULTS = st.sampled_from(["", "", "", "disk", "clock", "camera", "card", "check"])
WRITES = st.sampled_from(["", "", "", "begin", "decide", "announce", "outbox"])
IDS = st.integers(0, 5)


class Life(RuleBasedStateMachine):
    """One station over its lives; `told` has every answer that anybody was given."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="lineclear-machine-"))
        self.bench = Bench(self.folder)
        self.bench.parts["reviewer"] = Reviewer(snapshots=Snapshots(), may=lambda who, right: who == "Chef")
        self.sick: list[Reason] = []
        self.bench.checks.append(lambda: self.sick[0] if self.sick else None)
        self.bench.start()
        self.told: dict[str, list[Clearance]] = {}
        self.batches: dict[str, str] = {}
        self.snapshots = 0

    def teardown(self) -> None:
        self.bench.book.fails, self.bench.disk.fails = frozenset(), False
        self.bench.stop()
        shutil.rmtree(self.folder)

    @rule(number=IDS, batch=st.sampled_from(["B1", "B2"]), front=FRAMES, back=FRAMES, fault=FAULTS, write=WRITES)
    def asks(self, number: int, batch: str, front: str, back: str, fault: str, write: str) -> None:
        last = self.bench.book.last_time()
        self._break(fault, write)
        if fault == "clock" and (last is None or self.bench.clock.moment > last - timedelta(seconds=2)):
            fault = ""  # there is nothing that the clock could be known to be wrong by
        self.bench.station.script = {"front": [front], "back": [back]}
        asked = len(self.bench.station.asked)
        request_id = f"r{number}"
        accepted = self.bench.clearances.request(ClearanceRequest(request_id, batch, "aspirin", "Anna"))
        self._mend()
        if isinstance(accepted, ClearanceRefused):
            assert self.batches[request_id] != batch
            return
        assert isinstance(accepted, Handle)
        answer = accepted.answer.result(30)
        self.batches.setdefault(request_id, batch)
        sound = not fault and (front, back) == ("PASS", "PASS") and write in ("", "announce")
        if not accepted.repeated:
            assert (answer.outcome is ClearanceOutcome.CLEAR) == sound
            fresh = [view for view in answer.views if view.verdicts]
            if answer.outcome is ClearanceOutcome.CLEAR:
                assert sorted(view.view for view in fresh) == sorted(VIEWS)
                assert all(view.outcome is Outcome.PASS for view in fresh)
        else:
            assert len(self.bench.station.asked) == asked  # nothing is run again
        self._tell(answer)

    @rule(number=IDS, kill=st.booleans())
    def is_interrupted(self, number: int, kill: bool) -> None:
        """A clearance waits for a view when the station is stopped, or dies."""
        request_id = f"r{number}"
        self.bench.station.held, self.bench.station.script = {"back"}, {}
        accepted = self.bench.clearances.request(ClearanceRequest(request_id, "B1", "aspirin", "Anna"))
        if isinstance(accepted, Handle) and not accepted.repeated and not accepted.answer.done():
            assert self.bench.station.someone_waits.wait(30)
            self.batches.setdefault(request_id, "B1")
            other = self.bench.clearances.request(ClearanceRequest("another", "B1", "aspirin"))
            assert isinstance(other, ClearanceBusy)
            assert other.request_id == request_id
        self._restart(kill)
        if isinstance(accepted, Handle):
            self._tell(accepted.answer.result(30))
        self.bench.station.held = set()
        self.bench.station.let_go()

    @rule(number=IDS)
    def is_cancelled(self, number: int) -> None:
        request_id = f"r{number}"
        self.bench.station.held, self.bench.station.script = {"front"}, {}
        accepted = self.bench.clearances.request(ClearanceRequest(request_id, "B2", "aspirin", "Anna"))
        if isinstance(accepted, Handle) and not accepted.repeated:
            assert self.bench.station.someone_waits.wait(30)
            self.batches.setdefault(request_id, "B2")
            assert self.bench.clearances.cancel(request_id, "Bert")
            answer = accepted.answer.result(30)
            assert answer.reasons[-1].code is ReasonCode.CANCELLED
            self._tell(answer)
        self.bench.station.held = set()
        self.bench.station.let_go()

    @rule(kill=st.booleans())
    def restarts(self, kill: bool) -> None:
        self._restart(kill)

    @precondition(lambda self: self.bench.published)
    @rule(
        number=st.integers(0, 1),
        views=st.sampled_from([("front",), ("back",), VIEWS]),
        who=st.sampled_from(["Chef", "Chef", "Anna"]),
        looks=st.sampled_from(["", "", "never", "before", "elsewhere"]),
        fault=FAULTS,
        write=WRITES,
        newest=st.integers(0, 3),
    )
    def is_reviewed(
        self, number: int, views: tuple[str, ...], who: str, looks: str, fault: str, write: str, newest: int
    ) -> None:
        answered = self.bench.published[-1 - newest % len(self.bench.published) if newest == 3 else -1]
        shots = {view: self._snapshot(view, looks) for view in views}
        order = ReviewOrder(
            request_id=f"v{len(self.bench.published)}-{number}",
            result_id=answered["resultId"],
            views=views,
            action="false_alarm",
            who=who,
            why="a reflection",
            snapshots=shots,
        )
        self._break(fault, write)
        accepted = self.bench.clearances.review(order)
        self._mend()
        if not isinstance(accepted, Handle):
            assert isinstance(accepted, ClearanceRefused)
            assert accepted.problems
            return
        answer = accepted.answer.result(30)
        self._tell(answer)
        if answer.outcome is ClearanceOutcome.RELEASED_BY and not accepted.repeated:
            assert (who, looks, fault) == ("Chef", "", "")
            assert answered["outcome"] in ("NOT_CLEAR", "UNDECIDED")
            assert answer.previous == answered["resultId"]
            assert all(view.outcome is Outcome.PASS or view.release is not None for view in answer.views)

    @invariant()
    def the_sequence_only_grows(self) -> None:
        numbers = [body["sequence"] for body in self.bench.published]
        assert numbers == sorted(set(numbers))

    @invariant()
    def a_request_has_one_result_and_one_answer(self) -> None:
        ids = [body["requestId"] for body in self.bench.published]
        assert len(ids) == len(set(ids))
        announced = {body["requestId"]: body["outcome"] for body in self.bench.published}
        for request_id, answers in self.told.items():
            assert len({answer.outcome for answer in answers}) == 1
            if request_id in announced:
                assert announced[request_id] == answers[0].outcome.value

    @invariant()
    def nobody_is_told_clear_that_was_not_announced(self) -> None:
        announced = {body["requestId"] for body in self.bench.published if body["outcome"] in ("CLEAR", "RELEASED_BY")}
        ways_on = (ClearanceOutcome.CLEAR, ClearanceOutcome.RELEASED_BY)
        assert {name for name, answers in self.told.items() if answers[0].outcome in ways_on} <= announced

    def _tell(self, answer: Clearance) -> None:
        self.told.setdefault(answer.request_id, []).append(answer)

    def _snapshot(self, view: str, looks: str) -> str:
        self.snapshots += 1
        name = f"shot-{self.snapshots}"
        now = self.bench.clock() - timedelta(hours=1 if looks == "before" else 0)
        if looks != "never":
            self.bench.clearances.note_snapshot(Snapshot(name, "attic" if looks == "elsewhere" else view, now))
        return name

    def _restart(self, kill: bool) -> None:
        (self.bench.die if kill else self.bench.stop)()
        self.bench.start()

    def _break(self, fault: str, write: str) -> None:
        self.bench.free_bytes = 10 if fault == "disk" else 10**12
        self.bench.seats["back"].camera.status = "lost" if fault == "camera" else "live"
        self.bench.seats["front"].trouble = "card_stale" if fault == "card" else ""
        if fault == "clock":
            self.bench.clock.moment -= timedelta(days=1)
        if fault == "check":
            self.sick.append(Reason(ReasonCode.NOT_FIT, "the audit log cannot be written"))
        self.write = write
        self.bench.disk.fails = write == "outbox"
        self.bench.book.fails = frozenset({write}) if write not in ("", "outbox") else frozenset()

    def _mend(self) -> None:
        """Once what was asked has been answered: the disk fails for one request at most."""
        thread = self.bench.clearances._desk._thread
        if thread is not None:
            thread.join(30)
        if self.bench.clock.moment.day == 21:
            self.bench.clock.moment += timedelta(days=1)
        self.bench.disk.fails, self.bench.book.fails = False, frozenset()
        self.sick.clear()
        self._break("", "")


TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=20,
    stateful_step_count=15,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
