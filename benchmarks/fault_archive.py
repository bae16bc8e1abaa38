"""Faults of the archive's disk: evidence may be missing and says so, the judge goes on."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.fault_disks import Ext4, fill
from benchmarks.fault_rig import Rig, Row, rig

DISK_MB = 96


def archives(folder: Path) -> Iterator[Row]:
    """On one station, one after the other."""
    with Ext4(folder / "disk", DISK_MB) as disk:
        place = disk.folder / "archive"
        with rig(folder / "station", archive={"path": str(place), "min_free_bytes": 0}) as (station, _):
            station.calm()
            filler = fill(disk.folder)
            does = "evidence gives way (oldest PASS first), then is missing, said so (alarm `evidence`)"
            yield _told(station, "archive: disk full", does, place, lambda: filler.unlink(missing_ok=True))
            station.calm()
            disk.fail()
            does = "alarm `evidence`; evidence waits in memory (256 MB), the disk is tried again every 5 s"
            yield _told(station, "archive: disk fails and is read-only", does, place, disk.mend)
            station.calm()
            while place.exists():  # the station still writes into it
                shutil.rmtree(place, ignore_errors=True)
            yield _told(station, "archive: folder removed", "alarm `evidence`; makes it anew within 5 s", place, lambda: None)


def _told(station: Rig, fault: str, does: str, place: Path, mend: Callable[[], object]) -> Row:
    """The alarm `evidence` comes; after the mending evidence is written again; verdicts come all the while."""
    detect_s = station.until(lambda: station.mes.alarms.get("evidence") or station.warned("archive_down"), "the alarm", 120)
    at, began = station.last(), time.time()
    mend()

    def is_written() -> bool:
        return any(path.stat().st_mtime > began for path in place.rglob("*.json")) and station.outcome(at, "FAIL")

    recover_s = station.until(is_written, "that evidence is written again", 120)
    return station.row(fault, does, detect_s, recover_s)
