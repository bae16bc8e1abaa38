"""When the watchdog is fed, when the service is ready, and how a station that hangs comes to its end."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.supervision import HUNG, OPENING, Bomb, Late, Notifier, Pulses, Supervisor


class Fuse(Bomb):
    """Notes what is done to it."""

    def __init__(self) -> None:
        self.armed: list[float] = []
        self.disarmed = 0

    def arm(self, after_s: float) -> None:
        self.armed.append(after_s)

    def disarm(self) -> None:
        self.disarmed += 1


class Manager:
    """The service manager's end of the socket."""

    def __init__(self, inbox: socket.socket) -> None:
        self._inbox = inbox
        self.said: list[str] = []

    def until(self, condition: Callable[[list[str]], bool]) -> list[str]:
        while not condition(self.said):
            self.said += self._inbox.recv(65536).decode().splitlines()
        return self.said

    def hears(self, line: str) -> None:
        self.until(lambda said: line in said)


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as inbox:
        inbox.bind(str(tmp_path / "notify"))
        inbox.settimeout(20)
        yield Manager(inbox)


@pytest.fixture
def notifier(tmp_path: Path, manager: Manager) -> Notifier:
    return Notifier(str(tmp_path / "notify"), watchdog_s=7.0)


def test_ready_comes_with_the_views_and_not_before_the_doors_are_open(manager: Manager, notifier: Notifier) -> None:
    fuse = Fuse()
    with Supervisor(Pulses(), notifier, fuse) as supervisor:
        manager.until(lambda said: said.count("WATCHDOG=1") >= 2)
        supervisor.told("ready", "")
        manager.until(lambda said: said.count("WATCHDOG=1") >= 4)
        assert "READY=1" not in manager.said
        assert "EXTEND_TIMEOUT_USEC=30000000" in manager.said
        supervisor.counts = lambda: "3 verdicts: PASS 3"
        supervisor.opened()
        manager.hears("READY=1")
    assert "STATUS=ready; 3 verdicts: PASS 3" in manager.said
    assert manager.said.index("STATUS=ready; 3 verdicts: PASS 3") < manager.said.index("READY=1")
    assert fuse.disarmed == 1


@pytest.mark.parametrize("status", ["degraded", "safe_mode"])
def test_a_station_that_works_in_part_is_ready_and_says_why_only_in_part(
    manager: Manager, notifier: Notifier, status: str
) -> None:
    with Supervisor(Pulses(), notifier, Fuse()) as supervisor:
        supervisor.opened()
        supervisor.told("starting", "front: camera opening")
        manager.hears("STATUS=starting: front: camera opening")
        assert "READY=1" not in manager.said
        supervisor.told(status, "front: camera lost: unplugged")
        manager.hears("READY=1")
    assert f"STATUS={status}: front: camera lost: unplugged" in manager.said


def test_an_engine_that_is_built_has_its_time_and_is_shown(manager: Manager, notifier: Notifier) -> None:
    pulses, fuse = Pulses(), Fuse()
    with Supervisor(pulses, notifier, fuse) as supervisor:
        pulse = pulses.pulse("judge")
        with pulse.step("opening engine abc", 600, OPENING):
            assert fuse.armed[-1] == 610
            supervisor.progress("building layers", 3, 12)
            manager.until(lambda said: any("building layers 3/12" in line for line in said))
            assert fuse.armed[-1] == 610, "while it is built nobody shortens its time"
    announced = manager.said.index("EXTEND_TIMEOUT_USEC=610000000")
    assert manager.said[announced + 1 : announced + 3] == ["WATCHDOG_USEC=610000000", "WATCHDOG=1"]
    assert any(line.startswith("STATUS=starting; opening engine abc since ") for line in manager.said)
    manager.hears("WATCHDOG_USEC=7000000")


def test_what_hangs_is_told_ended_in_time_and_no_more_fed(manager: Manager, notifier: Notifier) -> None:
    pulses, fuse, exited, failed = Pulses(), Fuse(), threading.Event(), []
    statuses: list[int] = []

    def exit_now(status: int) -> None:
        statuses.append(status)
        exited.set()

    stuck = threading.Event()
    supervisor = Supervisor(pulses, notifier, fuse, exit_now=exit_now, ending_s=0.3)

    def fail(late: Late) -> None:
        failed.append(late)
        stuck.wait(30)  # what should close the station hangs as well

    supervisor.failed = fail
    with supervisor:
        manager.hears("WATCHDOG=1")
        pulse = pulses.pulse("judge", 0.2)
        with pulse.step("a call of engine abc", 0.2, "engine"):
            assert exited.wait(20)
    stuck.set()
    assert statuses == [HUNG]
    assert [late.kind for late in failed] == ["engine"]
    assert supervisor.fatal is failed[0]
    manager.until(lambda said: any(line.startswith("STATUS=ending: judge hangs: a call of engine abc") for line in said))
    ending = next(number for number, line in enumerate(manager.said) if line.startswith("STATUS=ending"))
    assert "WATCHDOG=1" not in manager.said[ending:]
    assert fuse.armed[-1] == pytest.approx(10.3)
    assert fuse.disarmed == 0


def test_what_is_only_told_is_an_alarm_and_ends_nothing(
    manager: Manager, notifier: Notifier, caplog: pytest.LogCaptureFixture
) -> None:
    pulses = Pulses()
    age = [10.0]
    pulses.probe("archive", lambda: age[0], 5, "its disk does not answer", is_fatal=False)
    with Supervisor(pulses, notifier, Fuse()) as supervisor:
        manager.until(lambda said: said.count("WATCHDOG=1") >= 3)
        assert supervisor.alarms() == {"supervision": "archive hangs: its disk does not answer for 10.0 s (limit 5 s)"}
        age[0] = 0.0
        caplog.set_level("INFO")
        while "part_goes_on name=archive" not in caplog.text:
            known = manager.said.count("WATCHDOG=1")
            manager.until(lambda said: said.count("WATCHDOG=1") > known)  # noqa: B023
        assert supervisor.alarms() == {"supervision": None}
    assert supervisor.fatal is None
    assert caplog.text.count("part_hangs name=archive") == 1


def test_a_thread_that_never_beats_is_found_without_any_call_of_its_own(notifier: Notifier, manager: Manager) -> None:
    pulses, exited = Pulses(), threading.Event()
    pulses.pulse("report", 0.1)
    began_s = time.monotonic()
    with Supervisor(pulses, notifier, Fuse(), exit_now=lambda _status: exited.set(), ending_s=0.05) as supervisor:
        assert exited.wait(20)
    assert supervisor.fatal is not None
    assert supervisor.fatal.for_s <= time.monotonic() - began_s
    assert "READY=1" not in manager.said


@pytest.mark.parametrize(("lasting_s", "times"), [(0.0, 1), (3600.0, 0)])
def test_a_start_counts_as_one_that_succeeded_once_the_station_stayed_ready(
    manager: Manager, notifier: Notifier, lasting_s: float, times: int
) -> None:
    called: list[bool] = []
    with Supervisor(Pulses(), notifier, Fuse(), lasting_s=lasting_s) as supervisor:
        supervisor.lasting = lambda: called.append(True)
        supervisor.told("ready", "")
        manager.until(lambda said: said.count("WATCHDOG=1") >= 2)
        assert not called, "it is not open yet"
        supervisor.opened()
        manager.hears("READY=1")
        fed = manager.said.count("WATCHDOG=1")
        manager.until(lambda said: said.count("WATCHDOG=1") >= fed + 3)
    assert len(called) == times
