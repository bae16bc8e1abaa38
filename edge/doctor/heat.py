"""Temperature, throttling, power mode, clocks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edge.doctor.check import Case, Check, fail, ok, skip, warn
from edge.doctor.limits import HEADROOM, HOT
from edge.doctor.machine import Machine

_COOL = "clean filters and fans, shade the cabinet, or lower the load; a hot box judges late"
_LEAST_TRIP = 45_000  # some firmware names limits that no running machine is below
_TRIPS = ("critical", "hot", "passive")
_CPU = "/sys/devices/system/cpu"
_DYNAMIC = ("intel_pstate", "intel_cpufreq", "amd-pstate-epp", "amd-pstate")


@dataclass(frozen=True)
class Zone:
    """One thermal zone in degrees Celsius. limit: the lowest of its trip points that slow or stop the machine."""

    name: str
    celsius: float
    limit: float | None


def zones(machine: Machine) -> tuple[Zone, ...]:
    """Every zone that says something that a machine survives."""
    found = []
    for folder in machine.names("/sys/class/thermal", "thermal_zone"):
        base = f"/sys/class/thermal/{folder}"
        milli = machine.number(f"{base}/temp")
        if milli is None or not -60_000 <= milli <= 200_000:
            continue
        limits = [
            trip / 1000
            for name in machine.names(base, "trip_point_")
            if name.endswith("_type") and machine.text(f"{base}/{name}") in _TRIPS
            if (trip := machine.number(f"{base}/{name.removesuffix('_type')}_temp")) is not None and trip >= _LEAST_TRIP
        ]
        found.append(Zone(machine.text(f"{base}/type") or folder, milli / 1000, min(limits, default=None)))
    return tuple(found)


def temperature(case: Case) -> Iterator[Check]:
    """The hottest zone, by how far it is from its limit."""
    found = zones(case.machine)
    if not found:
        yield skip("temperature", "this machine tells none (a virtual machine or a container)")
        return
    worst = max(found, key=lambda zone: zone.celsius - (zone.limit or HOT.value))
    limit = worst.limit or HOT.value
    detail = f"{worst.name} {worst.celsius:.0f} °C, its limit is {limit:.0f} °C ({len(found)} zones)"
    if worst.celsius >= limit:
        yield fail("temperature", detail, _COOL)
    elif worst.celsius >= limit - HEADROOM.value:
        yield warn("temperature", detail, _COOL)
    else:
        yield ok("temperature", detail)


def throttling(case: Case) -> Iterator[Check]:
    """Whether the machine slows itself down now, or did since it started."""
    machine, words = case.machine, []
    for folder in machine.names("/sys/class/thermal", "cooling_device"):
        base = f"/sys/class/thermal/{folder}"
        kind = (machine.text(f"{base}/type") or "").lower()
        if (
            any(word in kind for word in ("processor", "cpu", "gpu", "devfreq"))
            and (machine.number(f"{base}/cur_state") or 0) > 0
        ):
            words.append(f"{kind} is slowed down now")
    counts = (
        machine.number(f"{_CPU}/{core}/thermal_throttle/{kind}_throttle_count") or 0
        for core in machine.names(_CPU, "cpu")
        for kind in ("core", "package")
    )
    if (hottest := max(counts, default=0)) > 0:
        words.append(f"a processor was slowed down {hottest} times since the machine started")
    for folder in machine.names("/sys/class/hwmon", "hwmon"):  # Jetson: over-current, under-voltage
        base = f"/sys/class/hwmon/{folder}"
        events = [machine.number(f"{base}/{name}") or 0 for name in machine.names(base, "oc") if name.endswith("_event_cnt")]
        if sum(events) > 0:
            words.append(f"the board was slowed down {sum(events)} times for too much current")
    if words:
        yield warn("throttling", "; ".join(words), _COOL + "; on a Jetson check the power supply too")
    else:
        yield ok("throttling", "no sign of it")


def power(case: Case) -> Iterator[Check]:
    """A Jetson's power mode and clocks; a PC's processor governor."""
    machine = case.machine
    jetson = machine.has("/etc/nv_tegra_release")
    if jetson:
        yield _power_mode(machine)
    policies = [f"{_CPU}/cpufreq/{name}" for name in machine.names(f"{_CPU}/cpufreq", "policy")]
    if not policies:
        yield skip("clocks", "this machine does not tell its processor's clocks")
        return
    governors = sorted({machine.text(f"{policy}/scaling_governor") or "unknown" for policy in policies})
    fixed = all(_is_fixed(machine, policy) for policy in policies)
    drivers = {machine.text(f"{policy}/scaling_driver") or "" for policy in policies}
    detail = f"governor {', '.join(governors)}" + (", clocks fixed" if fixed else "")
    if fixed or governors == ["performance"]:
        yield ok("clocks", detail)
    elif jetson:
        remedy = "the first verdict after a pause is late: sudo jetson_clocks (systemd/examples/jetson-clocks.conf)"
        yield warn("clocks", detail, remedy)
    elif "powersave" in governors and not drivers & set(_DYNAMIC):
        yield warn("clocks", detail, "sudo cpupower frequency-set -g performance")
    else:
        yield ok("clocks", detail)


def _power_mode(machine: Machine) -> Check:
    answer = machine.tool("nvpmodel", "-q")
    lines = answer.out.splitlines() if answer is not None and answer.status == 0 else []
    name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("NV Power Mode:")), "")
    if not name:
        return skip("power mode", "nvpmodel does not say (run the doctor with sudo)")
    if name.upper().startswith("MAXN"):
        return ok("power mode", name)
    remedy = "it limits the clocks: if that is not wanted, sudo nvpmodel -m 0 (/etc/nvpmodel.conf lists the modes)"
    return warn("power mode", name, remedy)


def _is_fixed(machine: Machine, policy: str) -> bool:
    low, high = machine.number(f"{policy}/scaling_min_freq"), machine.number(f"{policy}/scaling_max_freq")
    return low is not None and low == high
