"""All that the doctor looks at, in the order in which it tells it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from edge.doctor.check import Case, Check
from edge.doctor.examining import Examination, examine
from edge.doctor.libraries import REQUIRED

MACHINE: Final = (
    Examination("libraries", "python", ("python",)),
    Examination("libraries", "required", tuple(REQUIRED), limit_s=30),
    Examination("libraries", "conflicts", ("genicam", "opencv")),
    Examination("libraries", "wheels", ("wheels",)),
    Examination("clock", "clock", ("clock",), limit_s=15),
    Examination("memory", "memory", ("memory", "swap", "killed for memory")),
    Examination("memory", "allowance", ("control group",)),
    Examination("heat", "temperature", ("temperature",)),
    Examination("heat", "throttling", ("throttling",)),
    Examination("heat", "power", ("clocks", "power mode"), limit_s=10),
    Examination("wear", "wear", ("disk wear",), limit_s=15),
    Examination("gpu", "gpu", ("gpu", "gpu load", "tensorrt", "tensorrt-rtx", "pycuda", "cuda-bindings"), limit_s=15),
    Examination("network", "network", ("network",)),
    Examination("network", "usb", ("usb", "usbfs_memory_mb")),
    Examination("service", "user", ("user",)),
)
STATION: Final = (
    Examination("config", "config", ("config", "publisher", "simulated", "engine choice", "archive")),
    Examination("network", "buffers", ("rmem_max", "rp_filter", "socket buffers", "network backlog")),
    Examination("disk", "room", ("disk",)),
    Examination("disk", "filesystem", ("filesystem",)),
    Examination("disk", "speed", ("disk speed",), needs_config=True, limit_s=10),
    Examination("service", "service", ("service", "timers"), needs_config=True, limit_s=20),
    Examination("service", "memlock", ("memlock",), needs_config=True, limit_s=10),
    Examination(
        "views", "recipes", ("recipe", "reference", "calibration", "challenge", "parity"), needs_config=True, limit_s=30
    ),
    Examination("golden", "golden", ("golden",), needs_config=True, limit_s=60),
    Examination("engine_cache", "engines", ("engine cache", "engine"), needs_config=True, limit_s=30),
    Examination("cameras", "cameras", ("producers", "producer", "cameras", "camera", "link"), limit_s=30),
    Examination(
        "broker",
        "broker",
        ("broker", "broker certificate", "broker rights", "station certificate", "authority", "station", "alarm", "frames"),
        needs_config=True,
        limit_s=40,
    ),
    Examination("history", "outbox", ("outbox",), needs_config=True),
    Examination("history", "audit", ("audit",), needs_config=True, limit_s=20),
    Examination("clock", "jumps", ("clock jumps",), needs_config=True, limit_s=10),
    Examination("history", "checkups", ("checkup",), needs_config=True),
    Examination("history", "last_good", ("last good",), needs_config=True),
    Examination("history", "last_fault", ("last fault",), needs_config=True),
)


def machine(case: Case) -> Iterator[Check]:
    """What needs neither a config nor the libraries of the runtime."""
    for examination in MACHINE:
        yield from examine(examination, case)


def station(case: Case) -> Iterator[Check]:
    """What a config names, or what is there without one; every library that the runtime needs is there."""
    for examination in STATION:
        if not examination.needs_config or case.config is not None:
            yield from examine(examination, case)


def kinds() -> tuple[str, ...]:
    """Every kind of check, in order."""
    return tuple(dict.fromkeys(kind for examination in MACHINE + STATION for kind in examination.kinds))
