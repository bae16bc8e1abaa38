"""How much life the disks have left: eMMC from the kernel, NVMe and SATA from smartctl or nvme."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from edge.doctor.check import Case, Check, fail, ok, skip, warn
from edge.doctor.limits import EMMC_USED, SPARE
from edge.doctor.machine import Machine, whole

_REPLACE = "back up /etc/lineclear and /var/lib/lineclear, and replace it at the next stop of the line"
_SPARES = {1: "", 2: "four fifths of its spare blocks are used", 3: "nearly all of its spare blocks are used"}


def wear(case: Case) -> Iterator[Check]:
    """One line per disk."""
    disks = [name for name in case.machine.names("/sys/block") if _is_disk(name)]
    for name in disks:
        yield _emmc(case.machine, name) if name.startswith("mmcblk") else _asked(case.machine, name)
    if not disks:
        yield skip("disk wear", "no disk of this machine's own is seen (a virtual machine or a container)")


def _is_disk(name: str) -> bool:
    return name.startswith(("nvme", "sd")) or (name.startswith("mmcblk") and "boot" not in name and "rpmb" not in name)


def _emmc(machine: Machine, disk: str) -> Check:
    """life_time: used life of its two kinds of memory in tenths, 0x0B beyond its end; pre_eol_info: its spare blocks."""
    name, folder = f"disk wear {disk}", f"/sys/block/{disk}/device"
    steps = [whole(word, 16) for word in (machine.text(f"{folder}/life_time") or "").split()]
    used = max((step for step in steps if step is not None and 0 < step <= 11), default=None)
    spare = whole(machine.text(f"{folder}/pre_eol_info"), 16)
    if used is None:
        return skip(name, "an SD card or an old eMMC: it does not say how worn it is")
    reached = "its life is used up" if used == 11 else f"{(used - 1) * 10} to {used * 10} % of its life used"
    detail = "; ".join(part for part in (reached, _SPARES.get(spare or 1, "")) if part)
    if used == 11 or spare == 3:
        return fail(name, detail, _REPLACE)
    if (used - 1) * 10 >= EMMC_USED.value or spare == 2:
        return warn(name, detail, _REPLACE)
    return ok(name, detail)


def _asked(machine: Machine, disk: str) -> Check:
    name = f"disk wear {disk}"
    for command in (("smartctl", "-j", "-H", "-A", f"/dev/{disk}"), ("nvme", "smart-log", "-o", "json", f"/dev/{disk}")):
        answer = machine.tool(*command) if command[0] == "smartctl" or disk.startswith("nvme") else None
        found = smart(answer.out) if answer is not None else None
        if found is not None:
            return _judged(name, found)
    return skip(name, "smartctl does not say (apt-get install smartmontools, and run the doctor with sudo)")


def smart(text: str) -> Mapping[str, Any] | None:
    """The figures of `smartctl -j` or `nvme smart-log -o json` that matter, None where there are none.

    used, spare: in %; passed: the disk's own verdict; damaged: errors of its memory.
    """
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict):
        return None
    inner = said.get("nvme_smart_health_information_log", said)
    log = inner if isinstance(inner, dict) else {}
    status = said.get("smart_status")
    found = {
        "used": _figure(log, "percentage_used", "percent_used"),
        "spare": _figure(log, "available_spare", "avail_spare"),
        "damaged": _figure(log, "media_errors"),
        "alarms": _figure(log, "critical_warning"),
        "passed": status.get("passed") if isinstance(status, dict) else None,
    }
    return found if any(value is not None for value in found.values()) else None


def _judged(name: str, found: Mapping[str, Any]) -> Check:
    used, spare = found["used"], found["spare"]
    words = [f"{used:g} % of its life used" if used is not None else "", f"{spare:g} % spare" if spare is not None else ""]
    words += [f"{found['damaged']:g} damaged blocks" if found["damaged"] else ""]
    detail = ", ".join(word for word in words if word) or "it says that it is well"
    if found["passed"] is False or found["alarms"]:
        return fail(name, f"{detail}; the disk says that it is failing", _REPLACE)
    if (used or 0) >= EMMC_USED.value or (spare if spare is not None else 100) < SPARE.value or found["damaged"]:
        return warn(name, detail, _REPLACE)
    return ok(name, detail)


def _figure(log: Mapping[str, Any], *names: str) -> float | None:
    for name in names:
        value = log.get(name)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e30:
            return float(value)
    return None
