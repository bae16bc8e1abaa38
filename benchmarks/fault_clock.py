"""The wall clock jumps under a running station, and nothing else does: its C library tells another time of day.

A library of twenty lines is compiled and preloaded; it adds a number of seconds, which lies in a file, to CLOCK_REALTIME.
(libfaketime 0.9.10 breaks Python's time.sleep: OSError, invalid argument.)
"""

from __future__ import annotations

import shutil
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.fault_rig import LeftOut, Rig, Row, rig

HOUR_S, ACTS_S = 3600, 5.0
SOURCE = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static volatile long long *offset;
__attribute__((constructor)) static void begin(void) {
    int file = open(getenv("OFFSET_FILE"), O_RDONLY | O_CLOEXEC);
    void *found = mmap(0, 8, PROT_READ, MAP_SHARED, file, 0);
    if (found != MAP_FAILED) offset = found;
    close(file);
}
int clock_gettime(clockid_t clock, struct timespec *now) {
    int status = (int)syscall(SYS_clock_gettime, clock, now);
    if (!status && clock == CLOCK_REALTIME && offset) now->tv_sec += *offset;
    return status;
}
time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}
"""


class Offset:
    """How far the station's clock is from ours."""

    def __init__(self, folder: Path) -> None:
        """LeftOut: there is no C compiler."""
        compiler = shutil.which("cc")
        if compiler is None:
            raise LeftOut("another time of day needs a C compiler: apt-get install gcc")
        source, self._library, self._file = folder / "clock.c", folder / "clock.so", folder / "offset"
        source.write_text(SOURCE)
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(self._library), str(source)], check=True)
        self._file.write_bytes(bytes(8))

    @property
    def environment(self) -> dict[str, str]:
        """For the station."""
        return {"LD_PRELOAD": str(self._library), "OFFSET_FILE": str(self._file)}

    def set(self, seconds: int) -> None:
        """It jumps there."""
        with self._file.open("r+b") as file:
            file.write(struct.pack("q", seconds))


def clock(folder: Path) -> Iterator[Row]:
    """On one station: an hour ahead, an hour back, 1970, each for 5 s, and right again."""
    folder = folder / "clock"
    folder.mkdir()
    offset = Offset(folder)
    with rig(folder, environment=offset.environment) as (station, _):
        for name, seconds, does in (
            ("+1 h", HOUR_S, "judges on with the new time; it times by the steady clock and deletes nothing for it"),
            ("-1 h", -HOUR_S, "judges on with the new time; result ids stay unique"),
            ("1970", -int(time.time()) + HOUR_S, "UNDECIDED(clock): a result with that date could not be signed"),
        ):
            yield jump(station, offset, name, seconds, does)


def jump(station: Rig, offset: Offset, name: str, seconds: int, does: str) -> Row:
    """There and back again."""
    station.calm()
    offset.set(seconds)
    at, began_s = station.last(), time.monotonic()

    def says(off_s: float, *outcomes: str) -> bool:
        near = (one for one in station.seen(at) if abs(one.decided_at - time.time() - off_s) < HOUR_S / 2)
        return any(not outcomes or one.outcome in outcomes for one in near)

    station.until(lambda: says(seconds), "a verdict with the new time")
    detect_s = station.until(lambda: station.outcome(at, "clock"), "UNDECIDED(clock)") if name == "1970" else None
    if detect_s is not None:
        detect_s = time.monotonic() - began_s
    station.until(lambda: time.monotonic() - began_s > ACTS_S and len(station.seen(at)) > 10, "verdicts")
    offset.set(0)
    at = station.last()
    recover_s = station.until(lambda: says(0.0, "FAIL"), "a FAIL with the right time")
    return station.row(f"clock jumps: {name}", does, detect_s, recover_s)
