"""The faults of benchmarks/faults.py that a running station gets over within seconds, for real."""

import os
import signal

import pytest

from benchmarks import fault_broker, fault_cameras, fault_frames, fault_machine
from benchmarks.fault_outbox import locked
from benchmarks.fault_rig import Rig, Row
from benchmarks.station import Broker


def check(row: Row, *codes: str) -> None:
    """Nothing lost, no wrong PASS, and it was said what was wrong."""
    assert row.lost == 0, row
    assert row.wrong == 0, row
    assert row.triggers == row.verdicts + row.not_recorded
    assert set(codes) <= set(row.codes), row
    assert row.codes.get("FAIL"), "it judged before and after"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_camera_process_that_dies(station: Rig, number: signal.Signals) -> None:
    check(fault_cameras.hurt(station, number, "dies", ""), "camera_lost")


@pytest.mark.slow
def test_a_camera_process_that_is_stopped(station: Rig) -> None:
    before = station.camera.pid
    check(fault_cameras.stopped(station), "camera_lost")
    assert station.camera.pid != before


@pytest.mark.parametrize("kind", ["black", "torn", "wrong_size", "damaged"])
def test_frames_that_are_bad(station: Rig, kind: str) -> None:
    check(fault_frames.bad_frames(station, kind, "", count=3))


def test_a_broker_that_is_killed(station: Rig, broker: Broker) -> None:
    connections = len(station.mes.results)
    times = fault_broker.away(station, lambda: broker.stop(signal.SIGKILL), broker.start, 0.2)
    check(station.row("killed", "", *times))
    assert len(station.mes.results) > connections


def test_an_outbox_that_somebody_holds(station: Rig) -> None:
    row = locked(station, 0.5)
    check(row)
    assert row.not_recorded > 0
    assert "not_recorded" not in row.codes, "what is on the disk is no verdict that could not be recorded"


def test_memory_that_is_refused(station: Rig) -> None:
    check(fault_machine.without_memory(station, 1.0))
    assert station.running.process.poll() is None


def test_a_second_station_on_the_same_folder(station: Rig) -> None:
    check(fault_machine.twice(station))


def test_its_own_process_was_never_another(station: Rig) -> None:
    """After all of the above it is the one that was started: nothing here was mended by a restart."""
    os.kill(station.pid, 0)
    assert station.running.process.poll() is None
