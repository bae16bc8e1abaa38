"""The station as a service: its unit, its timers, its rights."""

from __future__ import annotations

import grp
import os
import pwd
import resource
from collections.abc import Iterator
from typing import Final

from edge.doctor.check import Case, Check, ok, skip, warn
from edge.doctor.limits import MEMLOCK
from edge.doctor.machine import table, whole

_ASKED: Final = (
    "LoadState", "ActiveState", "SubState", "Result", "NRestarts", "WatchdogUSec", "UnitFileState", "ExecMainStatus",
    "StatusText", "NotifyAccess", "LimitMEMLOCK",
)  # fmt: skip
_STATUS: Final = {"3": "it cannot start", "4": "a part of it hung", "1": "its interpreter was held by a library"}
TIMERS: Final = ("lineclear-drift", "lineclear-archive-verify")


def show(case: Case, unit: str) -> dict[str, str]:
    """`systemctl show` of one unit; empty where nobody answers."""
    answer = case.machine.tool("systemctl", "show", "-p", ",".join(_ASKED), unit)
    return table(answer.out, "=") if answer is not None and answer.status == 0 else {}


def service(case: Case) -> Iterator[Check]:
    """The unit of this config: it runs, it is watched, it comes back after a power cut."""
    if not case.machine.has("/run/systemd/system"):
        yield skip("service", "systemd does not run here")
        return
    if case.config_path is None:
        yield skip("service", "no config named")
        return
    unit = f"lineclear@{case.config_path.stem}.service"
    found = show(case, unit)
    if found.get("LoadState") != "loaded":
        yield skip("service", f"{unit} is not installed")
        return
    yield _unit(unit, found)
    yield from _timers(case)


def _unit(unit: str, found: dict[str, str]) -> Check:
    state = f"{found.get('ActiveState', 'unknown')} ({found.get('SubState', 'unknown')})"
    said = found.get("StatusText", "")
    detail = f"{unit} is {state}" + (f", {said}" if said else "")
    journal = f"journalctl -u {unit} -n 50"
    status = found.get("ExecMainStatus", "0")
    if found.get("ActiveState") == "failed" or found.get("Result", "success") != "success":
        why = _STATUS.get(status, f"status {status}")
        return warn("service", f"{detail}; it ended with {found.get('Result', 'a failure')} ({why})", f"look why: {journal}")
    restarts = whole(found.get("NRestarts")) or 0
    if restarts > 0:
        return warn("service", f"{detail}; systemd started it again {restarts} times", f"look why: {journal}")
    if found.get("WatchdogUSec") in ("0", "", None):
        return warn("service", f"{detail}, and no watchdog looks after it", "WatchdogSec=30 in the unit")
    if found.get("UnitFileState") not in ("enabled", "enabled-runtime"):
        return warn("service", f"{detail}, but it does not start with the machine", f"sudo systemctl enable {unit}")
    if found.get("ActiveState") != "active":
        return warn("service", detail, f"sudo systemctl start {unit}")
    return ok("service", detail)


def _timers(case: Case) -> Iterator[Check]:
    assert case.config_path is not None  # noqa: S101
    off = []
    for name in TIMERS:
        timer = f"{name}@{case.config_path.stem}.timer"
        if show(case, timer).get("ActiveState") != "active":
            off.append(timer)
    if off:
        yield warn("timers", f"{', '.join(off)} off", f"sudo systemctl enable --now {' '.join(off)}")
    else:
        yield ok("timers", "drift and archive are looked at")


def user(case: Case) -> Iterator[Check]:
    """Who is asked for, and which devices that user may open."""
    name, groups = _who()
    if os.geteuid() == 0:
        yield skip("user", "root: what the station's user may do was not looked at (sudo -u lineside lineclear doctor)")
        return
    needed = {"video": case.machine.has("/dev/video0") or case.machine.has("/dev/nvidia0") or case.machine.has("/dev/nvmap")}
    needed["render"] = case.machine.has("/dev/dri/renderD128")
    needed["plugdev"] = bool(case.machine.names("/sys/bus/usb/devices"))
    lacking = [group for group, wanted in needed.items() if wanted and group not in groups and _exists(group)]
    if lacking:
        yield warn(
            "user", f"{name} is not in {', '.join(lacking)}", f"sudo usermod -aG {','.join(lacking)} {name}, then log in again"
        )
    else:
        yield ok("user", f"{name}, in {', '.join(sorted(groups)) or 'no group'}")


def memlock(case: Case) -> Iterator[Check]:
    """How much memory may be pinned: by the service where there is one, else by this process."""
    soft = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
    whose = "this process"
    if case.config_path is not None and case.machine.has("/run/systemd/system"):
        said = show(case, f"lineclear@{case.config_path.stem}.service")
        if said.get("LoadState") == "loaded" and (text := said.get("LimitMEMLOCK")):
            whose, soft = "the service", resource.RLIM_INFINITY if text == "infinity" else (whole(text) or 0)
    if soft == resource.RLIM_INFINITY or soft >= (1 << 63) - 1:
        yield ok("memlock", f"{whose} may pin all memory")
        return
    detail = f"{whose} may pin {soft / 1e6:.1f} MB"
    if soft < MEMLOCK.value * 1e6 and _pins(case):
        yield warn("memlock", detail, "LimitMEMLOCK=infinity in the unit, or `ulimit -l unlimited`")
    else:
        yield ok("memlock", detail)


def _pins(case: Case) -> bool:
    """True where a GPU's engine or a vendor's producer is named."""
    if case.config is None:
        return False
    gpu = case.config.engine.kind in ("tensorrt", "tensorrt_rtx", "auto")
    return gpu or any(
        view.camera.kind == "genicam" and view.camera.producers != ("viky",) for view in case.config.views.values()
    )


def _who() -> tuple[str, frozenset[str]]:
    try:
        name = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        name = f"uid {os.geteuid()}"
    found = set()
    for number in os.getgroups():
        try:
            found.add(grp.getgrgid(number).gr_name)
        except KeyError:
            found.add(str(number))
    return name, frozenset(found)


def _exists(group: str) -> bool:
    try:
        grp.getgrnam(group)
    except KeyError:
        return False
    return True
