"""Over random faults, restarts, SIGSTOP and kill -9, the relay is never energised without a fresh CLEAR.

Every step is done to real processes; the relay is a file that keeps its level when its writer dies, and counts how often it
was switched on: more often than fresh CLEARs were given would show, however short it was.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from edge.types import ClearanceOutcome, Outcome
from tests.io.building import until
from tests.io.lives import Life

GUARD_MS = 1000


class FailSafe(RuleBasedStateMachine):
    """The model: whether a fresh CLEAR is in force, and how often one was."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.sequence = 0
        self.running = ""
        self.cleared = False
        self.ill = False
        self.stopped = False
        self.fresh = 0

    @initialize()
    def begins(self) -> None:
        self.life = Life(self.folder / "lines", GUARD_MS)

    @precondition(lambda self: not self.stopped)
    @rule()
    def a_clearance_starts(self) -> None:
        self.running = f"r{self.sequence + 1}"
        self.cleared = False
        self.life.say(f"start {self.running}")

    @precondition(lambda self: not self.stopped)
    @rule(
        outcome=st.sampled_from([ClearanceOutcome.CLEAR] * 4 + list(ClearanceOutcome)),
        step=st.sampled_from([1, 1, 1, 2, 0, -1]),
        age_s=st.sampled_from([0, 0, 0, 0, 30, -30]),
        ours=st.sampled_from([True, True, True, False]),
    )
    def an_answer_comes(self, outcome: ClearanceOutcome, step: int, age_s: int, ours: bool) -> None:
        sequence = self.sequence + step
        request = self.running if ours and self.running else "another"
        is_fresh = outcome is ClearanceOutcome.CLEAR and step > 0 and age_s == 0 and request == self.running and not self.ill
        if request == self.running:
            self.running = ""
        self.sequence = max(self.sequence, sequence)
        self.cleared = is_fresh
        self.fresh += is_fresh
        self.life.say(f"done {sequence} {outcome.value} {request} {age_s}")

    @precondition(lambda self: not self.stopped)
    @rule(what=st.sampled_from(["drop", f"verdict {Outcome.FAIL.value}", f"verdict {Outcome.UNDECIDED.value}"]))
    def something_happens(self, what: str) -> None:
        self.cleared = False
        self.life.say(what)

    @precondition(lambda self: not self.stopped)
    @rule()
    def a_view_passes(self) -> None:
        self.life.say(f"verdict {Outcome.PASS.value}")

    @precondition(lambda self: not self.stopped)
    @rule(why=st.sampled_from(["camera_lost", "engine_fault", "raise"]))
    def the_station_falls_ill(self, why: str) -> None:
        self.ill, self.cleared = True, False
        self.life.say(f"ill {why}")
        until(lambda: not self.life.state()["permitted"])

    @precondition(lambda self: self.ill and not self.stopped)
    @rule()
    def the_station_is_well(self) -> None:
        self.ill = False
        self.life.say("well")

    @rule(end=st.sampled_from(["kill", "kill", "crash", "exit", "vanish"]))
    def the_station_dies_and_comes_back(self, end: str) -> None:
        if end == "kill" or self.stopped:
            self.life.kill()
        else:
            self.life.say(end)
            self.life.ended()
        self.cleared = self.ill = self.stopped = False
        self.running = ""
        assert not self.life.is_energised(), "before anybody starts it again"
        self.life = Life(self.folder / "lines", GUARD_MS)

    @precondition(lambda self: not self.stopped)
    @rule()
    def the_station_stands_still(self) -> None:
        self.life.signal(signal.SIGSTOP)
        self.stopped, self.cleared = True, False

    @precondition(lambda self: self.stopped)
    @rule()
    def the_station_goes_on(self) -> None:
        self.life.signal(signal.SIGCONT)
        self.stopped = False
        until(lambda: not self.life.state()["permitted"])

    @precondition(lambda self: not self.stopped)
    @rule(how=st.sampled_from([signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM]))
    def the_guard_dies_or_hangs(self, how: int) -> None:
        guard = self.life.state()["guard"]
        self.cleared = False
        os.kill(guard, how)
        until(lambda: self.life.state()["guard"] not in (guard, None) and not self.life.state()["ill"], "no new guard")

    @invariant()
    def the_relay_is_energised_only_by_a_fresh_clear(self) -> None:
        if not hasattr(self, "life"):
            return
        if self.cleared:
            until(self.life.is_energised, "a fresh CLEAR did not release")
        else:
            until(lambda: not self.life.is_energised(), "energised without a fresh CLEAR")
        assert self.life.relay().energised_count <= self.fresh, "it was energised more often than it was cleared"

    def teardown(self) -> None:
        if hasattr(self, "life"):
            self.life.kill()
            assert not self.life.is_energised()
        shutil.rmtree(self.folder)


TestFailSafe = pytest.mark.slow(FailSafe.TestCase)
TestFailSafe.settings = settings(max_examples=6, stateful_step_count=16, deadline=None, suppress_health_check=list(HealthCheck))
