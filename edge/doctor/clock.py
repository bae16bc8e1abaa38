"""The wall clock: is it set, does somebody keep it right, did it jump."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from edge.doctor.check import Case, Check, fail, ok, skip, warn
from edge.doctor.limits import JUMPS
from edge.doctor.machine import Machine, number, table

_RUN = "run chrony or systemd-timesyncd, and name a time server that this network reaches"
_TIME_ERROR, _UNSYNCHRONISED = 5, 0x40


@dataclass(frozen=True)
class Kept:
    """Who says so. is_right None: nobody says. detail: in words."""

    is_right: bool | None
    detail: str


class _Timex(ctypes.Structure):
    """The head of Linux's struct timex; the tail is room."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_long * 40),
    )


def clock(case: Case) -> Iterator[Check]:
    """A wall clock that was set, and somebody who keeps it right."""
    shown = f"{case.now:%Y-%m-%d %H:%M} UTC"
    if case.now.year < 2025:
        yield fail("clock", f"says {case.now:%Y-%m-%d}", "set it: timedatectl set-time, or connect a time server")
        return
    kept = synchronisation(case.machine)
    if kept.is_right:
        yield ok("clock", f"{shown}, {kept.detail}")
    else:
        yield warn("clock", f"{shown}, {kept.detail}", _RUN)


def synchronisation(machine: Machine) -> Kept:
    """The first that knows: systemd, chrony, the kernel. systemd knows nothing of a chrony that lost its server."""
    asked = machine.tool("chronyc", "-n", "tracking")
    if asked is not None and asked.status == 0:
        return chrony(asked.out)
    asked = machine.tool("timedatectl", "show", "-p", "NTPSynchronized", "--value")
    said = asked.out.strip() if asked is not None else ""
    if said == "yes" or machine.has("/run/systemd/timesync/synchronized"):
        return Kept(True, "synchronised")
    if said == "no":
        return Kept(False, "not synchronised")
    return _kernel() if machine.is_this_one else Kept(None, "nobody says whether it is synchronised")


def chrony(text: str) -> Kept:
    """`chronyc tracking` in words."""
    said = table(text)
    offset = number((said.get("System time", "").split() or [""])[0])
    if said.get("Leap status") in (None, "Not synchronised"):
        return Kept(False, "chrony runs and has no time server that answers")
    apart = f", {offset * 1000:.1f} ms apart" if offset is not None else ""
    return Kept(True, f"synchronised by chrony (stratum {said.get('Stratum', '?')}{apart})")


def _kernel() -> Kept:
    try:
        state = _Timex()
        answer = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(state))
    except (OSError, AttributeError):
        return Kept(None, "nobody says whether it is synchronised")
    if answer < 0:
        return Kept(None, "nobody says whether it is synchronised")
    if answer == _TIME_ERROR or state.status & _UNSYNCHRONISED:
        return Kept(False, "not synchronised, says the kernel")
    return Kept(True, f"kept right, says the kernel (at most {state.maxerror / 1000:.0f} ms off)")


def jumps(case: Case) -> Iterator[Check]:
    """What the station wrote down when somebody set the clock, and a clock that is behind what it wrote."""
    from edge.audit import Action, AuditError, entries

    assert case.config is not None and case.state_dir is not None  # noqa: S101, PT018
    folder = case.config.audit.folder(case.state_dir)
    if not folder.is_dir():
        yield skip("clock jumps", f"no audit log yet in {folder}")
        return
    last, found = None, []
    try:
        for entry in entries(folder):
            last = entry
            if entry.action is Action.CLOCK_JUMP and entry.at > case.now - timedelta(days=JUMPS.value):
                found.append(entry)
    except AuditError as error:
        yield skip("clock jumps", str(error))
        return
    if last is not None and last.at > case.now + timedelta(seconds=2):
        detail = f"the audit log's last entry is of {last.at:%Y-%m-%d %H:%M:%S}, which is still to come"
        yield fail("clock jumps", detail, "the clock was set back: set it right before the station writes more; " + _RUN)
    elif found:
        what = "; ".join(f"{entry.at:%Y-%m-%d %H:%M} {entry.why}" for entry in found[-3:])
        yield warn("clock jumps", f"{len(found)} within {JUMPS}, last: {what}", _RUN)
    else:
        yield ok("clock jumps", f"none within {JUMPS}")
