"""Faults of a camera and of its process, each on a station that runs."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.fault_rig import LEAFLET, Rig, Row, rig, view

SPAWN: dict[str, Any] = {
    "faults": [
        {"kind": "lost", "frames": [120], "life": 0},
        *({"kind": "not_there", "frames": [0], "life": life} for life in (1, 2)),
    ]
}
LOST = ("camera_lost", "frame_timeout")


def cameras(folder: Path) -> Iterator[Row]:
    """On one station, one after the other: each begins when the last is mended."""
    with rig(folder / "cameras") as (station, _):
        for number, fault, does in (
            (signal.SIGKILL, "camera process: SIGKILL", "UNDECIDED(camera_lost), alarm, another process after 0.5 s"),
            (
                signal.SIGSEGV,
                "camera process: segmentation fault",
                "UNDECIDED(camera_lost), alarm, another process after 0.5 s",
            ),
        ):
            yield hurt(station, number, fault, does)
        yield stopped(station)
        yield stalled(station)
        yield hung(station)
    yield another_serial(folder / "serial")


def hurt(station: Rig, number: signal.Signals, fault: str, does: str) -> Row:
    """A signal that ends it."""
    station.calm()
    at = station.last()
    os.kill(station.camera.pid, number)
    detect_s = station.until(lambda: station.outcome(at, *LOST), "that its camera is lost")
    return station.row(fault, does, detect_s, station.back())


def stopped(station: Rig) -> Row:
    """SIGSTOP: it is silent before it is lost."""
    station.calm()
    os.kill(station.camera.pid, signal.SIGSTOP)
    detect_s = station.until(lambda: "silent" in station.running.status, "that its camera is silent")
    recover_s = station.back()
    does = "`silent`, then killed after 3 s and started again; UNDECIDED(frame_timeout, camera_lost)"
    return station.row("camera process: SIGSTOP", does, detect_s, recover_s)


def stalled(station: Rig) -> Row:
    """No frames, no error, a heart that beats."""
    station.calm()
    station.show(LEAFLET, fault="stall")
    detect_s = station.until(lambda: "silent" in station.running.status, "that its camera is silent")
    at = station.last()
    station.until(lambda: station.outcome(at, "camera_lost"), "that it is started again")
    station.show(LEAFLET)
    does = "`silent`; after 3 s without a frame its process is replaced; UNDECIDED(frame_timeout, camera_lost)"
    return station.row("camera: silent stall", does, detect_s, station.back())


def hung(station: Rig) -> Row:
    """Its process blocks every signal and never returns from its driver."""
    station.calm()
    station.show(LEAFLET, fault="hang")
    detect_s = station.until(lambda: "silent" in station.running.status, "that its camera is silent")
    station.show(LEAFLET)
    does = "`silent`, then SIGKILL after 3 s and another process"
    return station.row("camera: driver call hangs", does, detect_s, station.back())


def another_serial(folder: Path) -> Row:
    """It is unplugged, and what comes back has another serial number: twice it is not there, then it is."""
    with rig(folder, views={"feeder": view(folder, **SPAWN)}) as (station, _):
        at = station.last()
        detect_s = station.until(lambda: station.outcome(at, "camera_lost"), "that its camera is lost")
        recover_s = station.back()
        does = "UNDECIDED(camera_lost), names the camera that is missing; tries again until it is there"
        return station.row("camera back with another serial", does, detect_s, recover_s)
