"""The way of the frames: network interfaces, socket buffers, USB."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from edge.doctor.check import Case, Check, fail, ok, skip, warn
from edge.doctor.limits import DROPS, GIGE_SPEED, RMEM, USB_SPEED, USBFS
from edge.doctor.machine import Machine, whole

NET, USB = "/sys/class/net", "/sys/bus/usb/devices"
_TUNE = (
    "sudo systemd/install.sh --gige INTERFACE, or copy systemd/60-lineclear-gige.conf to /etc/sysctl.d and run sysctl --system"
)
_ERRORS = ("rx_dropped", "rx_missed_errors", "rx_fifo_errors", "rx_crc_errors")


def interfaces(machine: Machine) -> tuple[str, ...]:
    """Those that are hardware."""
    return tuple(name for name in machine.names(NET) if machine.has(f"{NET}/{name}/device"))


def wants_gige(case: Case) -> bool:
    """True where GigE Vision cameras are to be expected: a producer of a vendor's, or nobody says."""
    if case.config is None:
        return True
    cameras = [view.camera for view in case.config.views.values()]
    return any(camera.kind == "genicam" and camera.producers != ("viky",) for camera in cameras)


def network(case: Case) -> Iterator[Check]:
    """Speed, packet size and lost packets of every network interface."""
    machine = case.machine
    found = interfaces(machine)
    for name in found:
        yield _interface(machine, name)
    if not found:
        yield skip("network", "no network interface of this machine's own is seen")


def _interface(machine: Machine, interface: str) -> Check:
    name, base = f"network {interface}", f"{NET}/{interface}"
    if machine.text(f"{base}/operstate") not in ("up", "unknown"):
        return skip(name, "no cable, or switched off")
    speed, mtu = machine.number(f"{base}/speed"), machine.number(f"{base}/mtu")
    words = [
        f"{speed} Mbit/s" if speed is not None and speed > 0 else "speed unknown",
        f"MTU {mtu if mtu is not None else '?'}",
    ]
    packets = machine.number(f"{base}/statistics/rx_packets") or 0
    counts = {kind: machine.number(f"{base}/statistics/{kind}") or 0 for kind in _ERRORS}
    lost = [f"{count} {kind}" for kind, count in counts.items() if count > 0]
    detail = ", ".join(words + lost)
    if speed is not None and 0 < speed < GIGE_SPEED.value:
        return warn(name, detail, "for cameras: a cable of category 5e or better, and a gigabit switch")
    if sum(counts.values()) > max(10.0, packets * DROPS.value / 100):
        remedy = f"ethtool -G {interface} rx 4096 for a larger ring; rx_crc_errors: change the cable"
        return warn(name, f"{detail} of {packets} packets", remedy)
    return ok(name, detail)


def buffers(case: Case) -> Iterator[Check]:
    """What the kernel holds for a camera's process that is busy."""
    machine = case.machine
    if not wants_gige(case):
        yield skip("rmem_max", "no camera of this config is on the network")
        yield skip("rp_filter", "no camera of this config is on the network")
        return
    most = machine.number("/proc/sys/net/core/rmem_max")
    if most is None:
        yield skip("rmem_max", "the kernel does not say")
    elif most < RMEM.value * (1 << 20):
        yield warn("rmem_max", f"{most / (1 << 20):.1f} MiB", f"GigE cameras lose packets below {RMEM}: {_TUNE}")
    else:
        yield ok("rmem_max", f"{most / (1 << 20):.0f} MiB")
    yield from _losses(machine)
    yield _filter(machine)


def _losses(machine: Machine) -> Iterator[Check]:
    overrun = udp_errors(machine.text("/proc/net/snmp"))
    if overrun:
        yield warn("socket buffers", f"{overrun} packets found their socket's buffer full since the start", _TUNE)
    squeezed = softnet_drops(machine.text("/proc/net/softnet_stat"))
    if squeezed:
        yield warn("network backlog", f"{squeezed} packets dropped: net.core.netdev_max_backlog is too small", _TUNE)


def udp_errors(text: str | None) -> int:
    """RcvbufErrors of UDP in /proc/net/snmp; 0 where it does not say."""
    rows = [line.split() for line in (text or "").splitlines() if line.startswith("Udp:")]
    if len(rows) < 2 or "RcvbufErrors" not in rows[0]:
        return 0
    at = rows[0].index("RcvbufErrors")
    return (whole(rows[1][at]) or 0) if at < len(rows[1]) else 0


def softnet_drops(text: str | None) -> int:
    """Sum over processors of the second column of /proc/net/softnet_stat, which is hexadecimal."""
    columns = (line.split() for line in (text or "").splitlines())
    return sum(whole(row[1], 16) or 0 for row in columns if len(row) > 1)


def _filter(machine: Machine) -> Check:
    """The kernel takes the larger of `all` and the interface's own; 1 throws away what comes from an unexpected address."""
    base = "/proc/sys/net/ipv4/conf"
    everywhere = machine.number(f"{base}/all/rp_filter")
    if everywhere is None:
        return skip("rp_filter", "the kernel does not say")
    found = {name: max(everywhere, machine.number(f"{base}/{name}/rp_filter") or 0) for name in interfaces(machine)}
    strict = [name for name, value in found.items() if value == 1]
    if strict:
        detail = f"strict on {', '.join(strict)}: a camera with a link-local or foreign address is not heard"
        return warn("rp_filter", detail, f"set it to 2: {_TUNE}")
    return ok("rp_filter", f"{everywhere}, strict on no interface")


def interface_to(machine: Machine, address: str) -> str | None:
    """The interface on which an IPv4 address is reached, by the longest route of /proc/net/route; None if there is none."""
    best: tuple[int, str] | None = None
    try:
        wanted = int(ipaddress.IPv4Address(address))
    except ValueError:
        return None
    for line in (machine.text("/proc/net/route") or "").splitlines()[1:]:
        fields = line.split()
        target, mask = (_little(fields[1]), _little(fields[7])) if len(fields) > 7 else (None, None)
        if target is not None and mask is not None and wanted & mask == target & mask and (best is None or mask > best[0]):
            best = (mask, fields[0])
    return best[1] if best else None


def _little(text: str) -> int | None:
    """/proc/net/route writes addresses as the machine holds them, lowest byte first."""
    try:
        return int.from_bytes(bytes.fromhex(text), "little") if len(text) == 8 else None
    except ValueError:
        return None


def usb(case: Case) -> Iterator[Check]:
    """USB3 Vision cameras: their speed, their sleep, the memory for their frames."""
    machine = case.machine
    cameras = usb_cameras(machine)
    if not cameras:
        yield skip("usb", "no USB3 Vision camera is plugged in")
        return
    size = machine.number("/sys/module/usbcore/parameters/usbfs_memory_mb")
    remedy = "copy systemd/70-lineclear-usb3vision.rules to /etc/udev/rules.d and plug the camera in again"
    if size is not None and 0 < size < USBFS.value:  # 0 is no limit
        yield warn("usbfs_memory_mb", f"{size} MB for all USB cameras", remedy)
    elif size is not None:
        yield ok("usbfs_memory_mb", f"{size} MB" if size else "no limit")
    for device in cameras:
        yield _usb_camera(machine, device, remedy)


def usb_cameras(machine: Machine) -> tuple[str, ...]:
    """Devices with an interface of class EF, subclass 05: the standard's own."""
    found = []
    for name in machine.names(USB):
        base = f"{USB}/{name}"
        if (machine.text(f"{base}/bInterfaceClass"), machine.text(f"{base}/bInterfaceSubClass")) == ("ef", "05"):
            found.append(name.partition(":")[0])
    return tuple(dict.fromkeys(found))


def _usb_camera(machine: Machine, device: str, rules: str) -> Check:
    base = f"{USB}/{device}"
    name = f"usb {machine.text(f'{base}/serial') or device}"
    speed = machine.number(f"{base}/speed")
    detail = f"{machine.text(f'{base}/product') or 'camera'} at {speed or '?'} Mbit/s"
    if speed is not None and speed < USB_SPEED.value:
        return fail(name, detail, "plug it into a USB3 port (blue, or SS) with a USB3 cable of at most 3 m")
    if machine.text(f"{base}/power/control") == "auto":
        return warn(name, f"{detail}, and the kernel may put it to sleep", rules)
    return ok(name, detail)
