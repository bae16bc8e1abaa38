"""Faults of the outbox, the one place that a verdict must reach: what is not recorded is never PASS, and is said."""

from __future__ import annotations

import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from benchmarks.fault_disks import fill, small_disk
from benchmarks.fault_rig import NOT_RECORDED, RECORDED, Rig, Row, rig
from benchmarks.station import Broker
from edge.publishers.mqtt import OUTBOX_FILE
from tests.supervision.systemd import service

HELD_S, DISK_MB = 5.0, 24


def outboxes(folder: Path) -> Iterator[Row]:
    """Locked, full, corrupt."""
    with rig(folder / "locked") as (station, _):
        yield locked(station)
    place = folder / "full"
    with (
        small_disk(place / "disk", DISK_MB) as disk,
        rig(place, state_dir=str(disk / "state"), archive={"enabled": False}) as (station, served),
    ):
        yield full(station, served, disk)
    yield corrupt(folder / "corrupt")


def _refused(station: Rig) -> bool:
    return NOT_RECORDED.search(station.running.logged) is not None


def full(station: Rig, served: Broker, disk: Path) -> Row:
    """Another program fills its disk while the broker is away."""
    station.calm()
    served.stop(signal.SIGKILL)
    station.excuse()
    filler = fill(disk)
    detect_s = station.until(lambda: _refused(station), "a verdict that cannot be recorded", 300)
    time.sleep(HELD_S)
    filler.unlink()
    recover_s = station.back()
    served.start()
    does = "what can still be written is; then UNDECIDED(not_recorded) to who asked, logged and counted; comes back by itself"
    note = "detected: the first result that found no room"
    return station.row("outbox: disk full", does, detect_s, recover_s, note=note)


def locked(station: Rig, held_s: float = HELD_S) -> Row:
    """Somebody opened it in a database browser and holds it."""
    station.calm()
    with closing(sqlite3.connect(station.state / OUTBOX_FILE, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        detect_s = station.until(lambda: _refused(station), "a verdict that cannot be recorded")
        began_s = time.monotonic()
        station.until(lambda: time.monotonic() - began_s > held_s, "a while")
        other.execute("ROLLBACK")
    does = "waits 1 s (busy_timeout_s), then UNDECIDED(not_recorded) to who asked, never PASS; logged and counted"
    return station.row("outbox: locked by another program for 5 s", does, detect_s, station.back())


def corrupt(folder: Path) -> Row:
    """Zeros over the middle of the file while the station runs; then it is started again."""
    with rig(folder) as (station, _):
        station.until(lambda: station.waiting() == 0, "an empty outbox")
        kept = len(station.seen())
        path = station.state / OUTBOX_FILE
        with closing(sqlite3.connect(path, timeout=30)) as file:  # else all of it may still be in the write-ahead log
            file.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        with path.open("r+b") as raw:
            raw.seek(4096)
            raw.write(bytes(max(4096, path.stat().st_size - 4096)))
        at_s = time.monotonic()
        station.until(lambda: _refused(station) or time.monotonic() - at_s > HELD_S, "that it notices")
        detect_s = time.monotonic() - at_s if _refused(station) else None
        refused = len(NOT_RECORDED.findall(station.running.logged))
        station.running.process.send_signal(signal.SIGTERM)
        station.running.ended()
        said = set(RECORDED.findall(station.running.logged))
        with service(station.config, folder) as again:
            other = station.restarted(again)
            recover_s = other.until(lambda: again.ready, "READY")
            other._from = 0
            aside = list(station.state.glob(f"{OUTBOX_FILE}.damaged-*"))
            assert aside, "the damaged file was not set aside"
            recover_s += other.back()
            does = f"UNDECIDED(not_recorded) while it runs ({refused}); the next start sets the file aside and begins another"
            note = f"{kept} verdicts of the damaged file had been sent"
            row = other.row("outbox: file corrupt", does, detect_s, recover_s, note=note)
            return replace(row, lost=row.lost + len(said - station.mes.results.keys()))
