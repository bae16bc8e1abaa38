"""Every number that a check holds something against, with the reason; docs/doctor.md has the same table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Limit:
    """name: as in the docs. value in `unit`. why: in one phrase."""

    name: str
    value: float
    unit: str
    why: str

    def __str__(self) -> str:
        return f"{self.value:g} {self.unit}"


DISK_FREE: Final = Limit("disk free", 2000, "MB", "verdicts wait on the disk while the broker is away")
DISK_LEAST: Final = Limit("disk least", 200, "MB", "below it a verdict may not be recorded, and is UNDECIDED")
INODES_FREE: Final = Limit("files free", 2, "%", "a disk without free inodes is full, whatever room it has")
FSYNC: Final = Limit("disk answer", 50, "ms", "each verdict waits for the disk once before it counts")
EMMC_USED: Final = Limit("disk life used", 80, "%", "order its replacement while it still works")
SPARE: Final = Limit("disk spare", 20, "%", "an NVMe that runs out of spare blocks turns read-only")
MEMORY_FREE: Final = Limit("memory available", 500, "MB", "an engine that is opened beside another needs it")
MEMORY_LEAST: Final = Limit("memory least", 150, "MB", "the kernel begins to kill processes")
SWAP_USED: Final = Limit("swap used", 50, "%", "a judge whose memory is on a disk answers late")
STALLED: Final = Limit("memory stalls", 5, "%", "share of the last 5 minutes in which something waited for memory")
HEADROOM: Final = Limit("heat headroom", 10, "K", "below the zone's own limit: a summer's day away from throttling")
HOT: Final = Limit("hot", 90, "°C", "for a zone that names no limit")
RMEM: Final = Limit("rmem_max", 32, "MiB", "a burst of GigE frames waits there while the camera's process is busy")
USBFS: Final = Limit("usbfs_memory_mb", 1000, "MB", "the default of 16 is less than two frames of 12 MP")
GIGE_SPEED: Final = Limit("network speed", 1000, "Mbit/s", "GigE Vision's least; 100 means a bad cable or an old switch")
USB_SPEED: Final = Limit("USB speed", 5000, "Mbit/s", "480 means a USB2 port or cable: a tenth of the frames")
JUMBO: Final = Limit("MTU", 8000, "bytes", "jumbo frames: six times fewer packets and interrupts")
DROPS: Final = Limit("packets dropped", 0.001, "%", "each lost packet is a damaged frame, or waits to be sent again")
FRAMES_LOST: Final = Limit("frames lost", 0.1, "%", "of a camera's frames since the station started")
CERTIFICATE: Final = Limit("certificate", 30, "days", "time enough to have a new one signed")
MEMLOCK: Final = Limit("memlock", 64, "MB", "pinned memory of CUDA and of GigE Vision")
CARD_AGE: Final = Limit("thresholds' age", 365, "days", "lamps age and lenses collect dust: look at drift, then confirm them")
CHALLENGE_AGE: Final = Limit("challenge's age", 31, "days", "known frames that nobody runs prove nothing")
DRIFT_AGE: Final = Limit("drift's age", 3, "days", "its timer runs every night, and a weekend on top")
VERIFY_AGE: Final = Limit("archive's age", 16, "days", "its timer runs every week, and a holiday on top")
JUMPS: Final = Limit("clock jumps", 7, "days", "how far back they are looked for")
WAITING: Final = Limit("outbox", 1000, "rows", "that many results have not reached the broker")
LIMITS: Final = tuple(value for value in globals().values() if isinstance(value, Limit))
