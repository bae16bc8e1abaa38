"""Faults of the machine: no memory, no time, and somebody who starts the station twice."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from benchmarks.fault_rig import LeftOut, Rig, Row, rig
from tests.supervision.systemd import service

ACTS_S, HOGS, ROOM_BYTES = 8.0, 4, 1 << 18
CGROUP = Path("/sys/fs/cgroup/memory")


def machine(folder: Path) -> Iterator[Row]:
    """On one station, then one that the kernel ends."""
    with rig(folder / "machine") as (station, _):
        yield twice(station)
        yield hogged(station)
        yield without_memory(station)
    yield ended_by_the_kernel(folder / "cgroup")


def twice(station: Rig) -> Row:
    """A second `lineclear run` with the same state folder."""
    station.calm()
    began_s = time.monotonic()
    other = station.folder / "second"
    other.mkdir()
    with service(station.config, other) as second:
        status = second.ended()
        assert status == 3, second.logged[-500:]
        assert f"in use by process {station.pid}" in second.logged, second.logged[-500:]
    does = "the second ends with 3 and names the first's process; the first goes on"
    return station.row("two stations on one state folder", does, time.monotonic() - began_s, station.back())


def hogged(station: Rig) -> Row:
    """Four programs beside it that compute for ever."""
    station.calm()
    at = station.last()
    hogs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(HOGS)]
    try:
        time.sleep(ACTS_S)
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()
    assert station.outcome(at, "FAIL")
    does = "slower; what it cannot judge in time is UNDECIDED(overrun)"
    return station.row(f"{HOGS} programs beside it take 100 % of every core", does, None, station.back())


def without_memory(station: Rig, acts_s: float = ACTS_S) -> Row:
    """RLIMIT_AS below what it has already: every larger allocation fails."""
    station.calm()
    at, began_s = station.last(), time.monotonic()
    before = resource.prlimit(station.pid, resource.RLIMIT_AS)
    limit = psutil.Process(station.pid).memory_info().vms // 2
    resource.prlimit(station.pid, resource.RLIMIT_AS, (limit, before[1]))
    try:
        time.sleep(acts_s)
        assert station.running.process.poll() is None, f"it ended: {station.running.logged[-2000:]}"
        bad = [one for one in station.seen(at) if one.outcome == "UNDECIDED" and one.code != "overrun"]
    finally:
        resource.prlimit(station.pid, resource.RLIMIT_AS, before)
    failed = station.running.logged.count("MemoryError")
    note = f"{len(bad)} UNDECIDED meanwhile, MemoryError {failed} times in the log; {time.monotonic() - began_s:.0f} s"
    does = "what finds no memory ends as UNDECIDED; a thread that fails comes back; the station lives"
    if not bad and not failed:
        does = "lives on with what it has: the verdicts need no more"
    return station.row("no memory (RLIMIT_AS) for 8 s", does, None, station.back(), note=note)


def ended_by_the_kernel(folder: Path) -> Row:
    """A cgroup that may take ROOM_BYTES more: the kernel kills it, systemd starts it again."""
    with rig(folder) as (station, _), group(ROOM_BYTES) as tasks:
        station.calm()
        at_s = time.monotonic()
        tasks.write_text(str(station.pid))
        while station.running.process.poll() is None:
            if time.monotonic() - at_s > ACTS_S:
                break
            station.running._listen(0.05)
        killed = station.running.process.poll() == -signal.SIGKILL
        detect_s = time.monotonic() - at_s if killed else None
        if not killed:
            does = f"lives on within the {ROOM_BYTES >> 10} kB more that it may take"
            return station.row("memory limit of a cgroup", does, None, station.back())
        with service(station.config, folder) as again:
            other = station.restarted(again)
            recover_s = other.until(lambda: again.ready, "READY") + other.back()
            does = "the kernel kills it, systemd starts it again, its state is whole"
            return other.row("memory limit of a cgroup", does, detect_s, recover_s)


@contextmanager
def group(limit_bytes: int) -> Iterator[Path]:
    """A memory cgroup (version 1); write a process id into what it gives."""
    place = CGROUP / f"lineclear-{time.monotonic_ns()}"
    try:
        place.mkdir()
        (place / "memory.limit_in_bytes").write_text(str(limit_bytes))
    except OSError as error:
        raise LeftOut(f"no memory cgroup can be made here ({error.strerror})") from None
    try:
        yield place / "cgroup.procs"
    finally:
        for pid in (place / "cgroup.procs").read_text().split():
            (CGROUP / "cgroup.procs").write_text(pid)
        place.rmdir()
