"""What the kernel says of this process, its cameras' processes and the machine. What it does not say is left out."""

from __future__ import annotations

import os
import re
import resource
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from edge.health import Value

PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
TICKS_HZ: Final = os.sysconf("SC_CLK_TCK")
MAX_ZONES: Final = 32
PROC: Final = Path("/proc")
ZONES: Final = Path("/sys/class/thermal")


def process_values(proc: Path = PROC) -> dict[str, Value]:
    """Memory, descriptors, threads, processor time of this process."""
    values: dict[str, Value] = {"process.cpu_s": round(time.process_time(), 2)}
    values["process.max_open_files"] = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if (resident := resident_bytes("self", proc)) is not None:
        values["process.resident_bytes"] = resident
    with suppress(OSError):
        values["process.open_files"] = len(os.listdir(proc / "self/fd"))
    with suppress(OSError, ValueError, IndexError):
        # The name of the process comes first, in brackets, and may hold anything.
        fields = (proc / "self/stat").read_text().rpartition(")")[2].split()
        values["process.threads"] = int(fields[17])
        since_boot_s = time.clock_gettime(time.CLOCK_BOOTTIME)
        values["process.started_s"] = round(time.time() - since_boot_s + int(fields[19]) / TICKS_HZ, 1)
    return values


def resident_bytes(pid: int | str, proc: Path = PROC) -> int | None:
    """Memory of a process; None if there is none."""
    with suppress(OSError, ValueError, IndexError):
        return int((proc / f"{pid}/statm").read_text().split()[1]) * PAGE_BYTES
    return None


def camera_memory(pids: Mapping[str, int | None]) -> dict[str, Value]:
    """pids: of each view's camera, None where there is no process."""
    found = {view: resident_bytes(pid) for view, pid in pids.items() if pid is not None}
    return {f"camera.{view}.resident_bytes": size for view, size in found.items() if size is not None}


def machine_values(state_dir: Path, proc: Path = PROC, zones: Path = ZONES) -> dict[str, Value]:
    """Memory, temperatures in degrees Celsius, and the disk of the state folder. No other folder: a disk that hangs would
    hold who asks.
    """
    values: dict[str, Value] = {}
    with suppress(OSError, ValueError, IndexError):
        lines = dict(line.split(":", 1) for line in (proc / "meminfo").read_text().splitlines() if ":" in line)
        for name, key in (("memory_bytes", "MemTotal"), ("memory_available_bytes", "MemAvailable")):
            if key in lines:
                values[f"machine.{name}"] = int(lines[key].split()[0]) * 1024
    with suppress(OSError):
        disk = os.statvfs(state_dir)
        values["disk.state.size_bytes"] = disk.f_blocks * disk.f_frsize
        values["disk.state.free_bytes"] = disk.f_bavail * disk.f_frsize
    return {**values, **_temperatures(zones)}


def _temperatures(zones: Path) -> dict[str, Value]:
    """A zone that is switched off gives an error, or a number that no machine survives."""
    values: dict[str, Value] = {}
    with suppress(OSError):
        for folder in sorted(zones.glob("thermal_zone*"), key=lambda path: (len(path.name), path.name))[:MAX_ZONES]:
            with suppress(OSError, ValueError):
                kind = re.sub(r"[^A-Za-z0-9_-]+", "_", (folder / "type").read_text().strip())[:40] or "zone"
                celsius = int((folder / "temp").read_text()) / 1000
                name = f"machine.temperature_c.{kind}"
                if name in values:
                    name = f"{name}_{folder.name.removeprefix('thermal_zone')}"
                if -60 <= celsius <= 200:
                    values[name] = round(celsius, 1)
    return values
