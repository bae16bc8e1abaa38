"""What counts as progress, and what as hanging."""

import pytest

from edge.supervision import ENGINE, OPENING, Late, Pulse, Pulses


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_thread_without_a_beat_is_late_and_one_with_beats_is_not(clock: Clock) -> None:
    pulse = Pulse("judge", 10, clock)
    clock.now_s += 9
    assert pulse.late() is None
    clock.now_s += 2
    assert pulse.late() == Late("judge", "no sign of progress", 11, 10)
    pulse.beat()
    assert pulse.late() is None


def test_the_innermost_step_counts_and_its_end_is_progress(clock: Clock) -> None:
    pulse = Pulse("judge", 10, clock)
    with pulse.step("a frame", 20):
        clock.now_s += 15
        assert pulse.late() is None
        with pulse.step("a call", 100, ENGINE):
            clock.now_s += 99
            assert pulse.late() is None
            clock.now_s += 2
            late = pulse.late()
        assert pulse.late() is None
        clock.now_s += 21
        outer = pulse.late()
    assert (late.what, late.kind, late.limit_s) == ("a call", ENGINE, 100)
    assert (outer.what, outer.kind) == ("a frame", "")
    assert pulse.late() is None
    assert str(late) == "judge hangs: a call for 101.0 s (limit 100 s)"


def test_a_beat_within_a_step_gives_it_time_again(clock: Clock) -> None:
    pulse = Pulse("judge", 10, clock)
    with pulse.step("building", 100):
        for _ in range(5):
            clock.now_s += 90
            pulse.beat()
        assert pulse.late() is None


def test_a_step_that_fails_is_over_too(clock: Clock) -> None:
    pulse = Pulse("judge", 10, clock)
    with pytest.raises(ZeroDivisionError), pulse.step("a frame", 1):
        raise ZeroDivisionError
    clock.now_s += 5
    assert pulse.late() is None


def test_all_that_is_late_is_told_and_what_ended_is_missed_no_more(clock: Clock) -> None:
    pulses = Pulses(10, clock)
    pulses.pulse("judge")
    pulses.pulse("slow", 1000)
    ages = {"archive": 3.0, "sender": 1.0}
    pulses.probe("archive", lambda: ages["archive"], 5, "its disk hangs", is_fatal=False)
    pulses.probe("sender", lambda: ages["sender"], 5, "nothing is sent")
    assert pulses.late() == ()
    clock.now_s += 11
    ages["archive"] = 6.0
    assert [(late.name, late.is_fatal) for late in pulses.late()] == [("judge", True), ("archive", False)]
    pulses.forget("judge")
    pulses.forget("archive")
    assert pulses.late() == ()
    assert pulses.ages() == {"pulse.slow": 11.0}


def test_what_opens_is_known_and_announced_before_it_begins(clock: Clock) -> None:
    pulses = Pulses(10, clock)
    told: list[tuple[str, bool]] = []
    pulses.on_step = lambda step, begins: told.append((step.what, begins))
    pulse = pulses.pulse("judge")
    assert pulses.at(OPENING) is None
    with pulse.step("opening engine abc", 3600, OPENING):
        assert told == [("opening engine abc", True)]
        found = pulses.at(OPENING)
        assert found is not None
        assert found.what == "opening engine abc"
    assert told[-1] == ("opening engine abc", False)
    assert pulses.at(OPENING) is None
