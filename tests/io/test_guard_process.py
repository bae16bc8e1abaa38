"""The guard for real: a station that is killed, stopped, crashes or ends, and a guard that is killed or stopped."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.io.building import AMBER, BUZZER, GREEN, RED, WATCHDOG, until
from tests.io.lives import Life


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    station = Life(tmp_path / "lines", guard_ms=500)
    try:
        yield station
    finally:
        if station._process.poll() is None:
            station.kill()
    assert not station.is_energised()
    assert not station.shows(WATCHDOG)


def test_kill_9_of_the_station_drops_the_release(life: Life) -> None:
    life.release(1)
    life.kill()
    assert not life.is_energised()
    assert not life.shows(GREEN)


def test_a_station_that_stands_still_drops_it_and_gets_it_back_only_with_a_new_clearance(life: Life) -> None:
    life.release(1)
    life.signal(signal.SIGSTOP)
    until(lambda: not life.is_energised())
    until(lambda: life.shows(RED), "the guard shows the fault of a station that hangs")
    count = life.relay().energised_count
    life.signal(signal.SIGCONT)
    until(lambda: not life.shows(RED))
    until(lambda: not life.state()["permitted"])
    assert "stood still" in life.state()["why"]
    assert (life.is_energised(), life.relay().energised_count) == (False, count)
    life.release(2)


@pytest.mark.parametrize("end", ["crash", "exit", "vanish"])
def test_however_the_station_ends_the_release_drops(life: Life, end: str) -> None:
    life.release(1)
    assert life.say(end) == {}
    life.ended()
    assert not life.is_energised()


def test_sigterm_and_ctrl_c_end_it_too(life: Life) -> None:
    life.release(1)
    life.signal(signal.SIGINT)
    life.ended()
    assert not life.is_energised()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM, signal.SIGSEGV])
def test_a_guard_that_dies_or_hangs_is_replaced_and_the_release_stays_off(life: Life, how: int) -> None:
    life.release(1)
    guard, count = life.state()["guard"], life.relay().energised_count
    os.kill(guard, how)
    until(lambda: life.state()["guard"] not in (guard, None) and not life.state()["ill"], "no new guard")
    until(lambda: not life.is_energised())
    assert life.state()["restarts"] >= 1
    assert not life.state()["permitted"]
    assert life.relay().energised_count == count
    life.release(2)


def test_a_guard_that_stands_still_while_the_station_is_killed_wakes_up_and_switches_off(life: Life) -> None:
    life.release(1)
    os.kill(life.state()["guard"], signal.SIGSTOP)
    life.kill()
    assert not life.is_energised()


@pytest.mark.parametrize(
    ("commands", "why"),
    [
        (["start r2"], "clearance r2 started"),
        (["drop"], "changeover"),
        (["verdict FAIL"], "view front is FAIL"),
        (["verdict UNDECIDED"], "view front is UNDECIDED"),
        (["ill camera_lost"], "camera_lost"),
        (["ill raise", "well"], "the engine failed"),
        (["done 1 CLEAR r1 0"], "not the one"),
    ],
)
def test_whatever_happens_drops_it(life: Life, commands: list[str], why: str) -> None:
    life.release(1)
    count = life.relay().energised_count
    for command in commands:
        life.say(command)
        until(lambda: not life.state()["permitted"])
    until(lambda: not life.is_energised())
    assert why in life.state()["why"]
    life.say("well")
    assert life.relay().energised_count == count


@pytest.mark.parametrize(
    "words",
    ["done 2 NOT_CLEAR r2 0", "done 2 UNDECIDED r2 0", "done 2 RELEASED_BY r2 0", "done 2 CLEAR r2 9", "done 1 CLEAR r2 0"],
)
def test_no_other_answer_releases(life: Life, words: str) -> None:
    life.release(1)
    life.say("start r2")
    until(lambda: not life.is_energised())
    count = life.relay().energised_count
    assert not life.say(words)["permitted"]
    until(lambda: not life.state()["released"])
    assert life.relay().energised_count == count


def test_a_passing_view_keeps_it(life: Life) -> None:
    life.release(1)
    assert life.say("verdict PASS")["permitted"]
    assert life.is_energised()


def test_the_watched_relay_sees_edges_only_while_it_is_released(life: Life) -> None:
    assert not life.shows(WATCHDOG)
    life.release(1)
    until(lambda: life.shows(WATCHDOG))
    until(lambda: not life.shows(WATCHDOG))
    until(lambda: life.shows(WATCHDOG), "it toggles")
    life.say("drop")
    until(lambda: not life.is_energised())
    assert not life.shows(WATCHDOG)


def test_the_stack_light_follows(life: Life) -> None:
    until(lambda: not life.shows(RED))
    life.say("start r1")
    until(lambda: life.shows(AMBER))
    life.say("done 1 NOT_CLEAR r1 0")
    until(lambda: life.shows(RED) and not life.shows(AMBER))
    until(lambda: not life.shows(BUZZER), "a pulse ends")
    life.release(2)
    until(lambda: life.shows(GREEN) and not life.shows(RED))
    life.say("ill engine_fault")
    until(lambda: life.shows(RED) and not life.shows(GREEN))


def test_a_board_that_is_unplugged_is_said_and_taken_again(life: Life) -> None:
    life.release(1)
    life.lines.unlink()
    until(lambda: "gone" in life.state()["ill"])
    until(lambda: life.state()["ill"] == "")
    assert not life.is_energised()
