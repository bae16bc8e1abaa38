"""Memory, swap, and what this process is allowed of it."""

from __future__ import annotations

from collections.abc import Iterator

from edge.doctor.check import Case, Check, fail, ok, skip, warn
from edge.doctor.limits import MEMORY_FREE, MEMORY_LEAST, STALLED, SWAP_USED
from edge.doctor.machine import Machine, number, table, whole

_LESS = "close other programs, give the box more memory, or lower changeover.warm_engines_mb"
_UNLIMITED = 1 << 60


def meminfo(text: str | None) -> dict[str, int]:
    """/proc/meminfo in kB by name; lines of another form are left out."""
    found = {key: whole((value.split() or [""])[0]) for key, value in table(text).items()}
    return {key: value for key, value in found.items() if value is not None and value >= 0}


def memory(case: Case) -> Iterator[Check]:
    """What is available, how much waits on swap, and whether the kernel had to kill for it."""
    found = meminfo(case.machine.text("/proc/meminfo"))
    if "MemAvailable" not in found or "MemTotal" not in found:
        yield skip("memory", "/proc/meminfo does not say")
        return
    free_mb, all_mb = found["MemAvailable"] * 1024 / 1e6, found["MemTotal"] * 1024 / 1e6
    detail = f"{free_mb / 1000:.1f} of {all_mb / 1000:.1f} GB available"
    stalled = _stalled(case.machine.text("/proc/pressure/memory"))
    if free_mb < MEMORY_LEAST.value:
        yield fail("memory", detail, _LESS)
    elif free_mb < MEMORY_FREE.value:
        yield warn("memory", detail, _LESS)
    elif stalled > STALLED.value:
        yield warn("memory", f"{detail}, but {stalled:.0f} % of the last 5 minutes something waited for it", _LESS)
    else:
        yield ok("memory", detail)
    yield _swap(found, case.machine.text("/proc/swaps"))
    yield _killed(case.machine)


def _swap(found: dict[str, int], swaps: str | None) -> Check:
    total, free = found.get("SwapTotal", 0), found.get("SwapFree", 0)
    if total == 0:
        return ok("swap", "none")
    places = [line.split()[0] for line in (swaps or "").splitlines()[1:] if line.split()]
    on_disk = [place for place in places if "zram" not in place]
    used = 100 * (total - free) / total
    where = ", ".join(places) or "unknown"
    detail = f"{used:.0f} % of {total * 1024 / 1e9:.1f} GB used ({where})"
    if used > SWAP_USED.value:
        return warn("swap", detail, _LESS)
    if any(place.startswith("/dev/mmcblk") for place in on_disk):
        return warn("swap", detail, "swap wears an eMMC or SD card out: use zram (apt-get install zram-tools)")
    return ok("swap", detail)


def _killed(machine: Machine) -> Check:
    """By the kernel, for want of memory."""
    counts = table(machine.text("/proc/vmstat"), " ")
    killed = whole(counts.get("oom_kill")) or 0
    if killed > 0:
        remedy = "look which: journalctl -k --grep 'Out of memory|oom-kill'; " + _LESS
        return warn("killed for memory", f"{killed} processes since the machine started{_uptime(machine)}", remedy)
    return ok("killed for memory", "none since the machine started")


def _uptime(machine: Machine) -> str:
    up_s = number((machine.text("/proc/uptime") or "").partition(" ")[0])
    return f" {up_s / 86_400:.1f} days ago" if up_s is not None else ""


def allowance(case: Case) -> Iterator[Check]:
    """The limits of the control group that this process is in: a container, a unit."""
    folder = _group(case.machine)
    limit, used = _memory_limit(case.machine, folder)
    quota = (case.machine.text(f"{folder}/cpu.max") or "").split()
    cores = None
    if len(quota) == 2 and (of := whole(quota[0])) is not None and (period := whole(quota[1])):
        cores = of / period
    words = []
    if limit is not None:
        words.append(f"memory {limit / 1e9:.1f} GB" + (f", {used / 1e9:.1f} GB used" if used is not None else ""))
    if cores is not None:
        words.append(f"{cores:g} processors")
    if not words:
        yield ok("control group", "no limit of memory or processors")
    elif limit is not None and used is not None and limit - used < MEMORY_FREE.value * 1e6:
        yield warn("control group", "; ".join(words), "give the container or unit more memory (MemoryMax=)")
    elif cores is not None and cores < 2:
        yield warn("control group", "; ".join(words), "cameras and judge need two processors: raise CPUQuota= or --cpus")
    else:
        yield ok("control group", "; ".join(words))


def _group(machine: Machine) -> str:
    for line in (machine.text("/proc/self/cgroup") or "").splitlines():
        if line.startswith("0::/"):
            return "/sys/fs/cgroup" + line[3:].rstrip("/")
    return "/sys/fs/cgroup"


def _memory_limit(machine: Machine, folder: str) -> tuple[int | None, int | None]:
    for limit, used in (
        (f"{folder}/memory.max", f"{folder}/memory.current"),
        ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ):
        found = machine.number(limit)
        if found is not None and 0 < found < _UNLIMITED:
            return found, machine.number(used)
    return None, None


def _stalled(text: str | None) -> float:
    """`some avg10=0.00 avg60=0.00 avg300=1.20 total=1`: the third; 0 where the kernel does not say."""
    for line in (text or "").splitlines():
        if line.startswith("some "):
            return number(table("\n".join(line.split()), "=").get("avg300")) or 0.0
    return 0.0
