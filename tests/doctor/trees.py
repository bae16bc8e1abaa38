"""Machines as trees of files and answers of programs: a Jetson Orin and an RTX box from public documents, a bare container."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from edge.doctor.check import Case, Check
from edge.doctor.machine import Answer, Machine

Tree = Mapping[str, str]
CPU = "/sys/devices/system/cpu"
MOUNTS = (
    "22 1 259:1 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p1 rw\n"
    "30 22 0:25 / /sys rw shared:7 - sysfs sysfs rw\n"
    "41 22 259:9 / /srv/evid\\040ence rw,noatime shared:9 - xfs /dev/sda1 rw\n"
)

JETSON: Tree = {
    "/etc/nv_tegra_release": "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64",
    "/proc/meminfo": "MemTotal:       15656664 kB\nMemFree: 801000 kB\nMemAvailable:    9012340 kB\n"
    "SwapTotal:       7828320 kB\nSwapFree:        7828320 kB\n",
    "/proc/swaps": "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
    "/dev/zram0                              partition\t978540\t\t0\t\t5\n",
    "/proc/vmstat": "nr_free_pages 200000\noom_kill 0\n",
    "/proc/pressure/memory": "some avg10=0.00 avg60=0.00 avg300=0.02 total=1\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0",
    "/proc/self/cgroup": "0::/user.slice",
    "/sys/fs/cgroup/user.slice/memory.max": "max",
    "/sys/fs/cgroup/user.slice/cpu.max": "max 100000",
    "/proc/self/mountinfo": MOUNTS,
    "/sys/class/thermal/thermal_zone0/type": "cpu-thermal",
    "/sys/class/thermal/thermal_zone0/temp": "52343",
    "/sys/class/thermal/thermal_zone0/trip_point_0_type": "critical",
    "/sys/class/thermal/thermal_zone0/trip_point_0_temp": "104500",
    "/sys/class/thermal/thermal_zone0/trip_point_1_type": "passive",
    "/sys/class/thermal/thermal_zone0/trip_point_1_temp": "99000",
    "/sys/class/thermal/thermal_zone1/type": "gpu-thermal",
    "/sys/class/thermal/thermal_zone1/temp": "49000",
    "/sys/class/thermal/thermal_zone1/trip_point_0_type": "passive",
    "/sys/class/thermal/thermal_zone1/trip_point_0_temp": "99000",
    "/sys/class/thermal/thermal_zone2/type": "cv0-thermal",
    "/sys/class/thermal/thermal_zone2/temp": "-256000",  # switched off
    "/sys/class/thermal/cooling_device0/type": "cpufreq-cpu0",
    "/sys/class/thermal/cooling_device0/cur_state": "0",
    "/sys/class/hwmon/hwmon4/name": "soctherm_oc",
    "/sys/class/hwmon/hwmon4/oc1_event_cnt": "0",
    "/sys/class/hwmon/hwmon4/oc3_event_cnt": "0",
    f"{CPU}/cpufreq/policy0/scaling_governor": "schedutil",
    f"{CPU}/cpufreq/policy0/scaling_driver": "tegra194-cpufreq",
    f"{CPU}/cpufreq/policy0/scaling_min_freq": "729600",
    f"{CPU}/cpufreq/policy0/scaling_max_freq": "1984000",
    "/sys/block/mmcblk0/device/life_time": "0x01 0x02",
    "/sys/block/mmcblk0/device/pre_eol_info": "0x01",
    "/sys/block/mmcblk0boot0/size": "8192",
    "/sys/block/nvme0n1/size": "1000215216",
    "/sys/block/loop0/size": "0",
    "/sys/class/net/eth0/device/uevent": "DRIVER=nvethernet",
    "/sys/class/net/eth0/operstate": "up",
    "/sys/class/net/eth0/speed": "1000",
    "/sys/class/net/eth0/mtu": "9000",
    "/sys/class/net/eth0/statistics/rx_packets": "51234567",
    "/sys/class/net/eth0/statistics/rx_dropped": "0",
    "/sys/class/net/lo/mtu": "65536",
    "/proc/sys/net/core/rmem_max": "33554432",
    "/proc/sys/net/ipv4/conf/all/rp_filter": "2",
    "/proc/sys/net/ipv4/conf/eth0/rp_filter": "1",
    "/proc/net/route": "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
    "eth0\t0000FEA9\t00000000\t0001\t0\t0\t100\t0000FFFF\t0\t0\t0\n"
    "wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n",
    "/sys/module/usbcore/parameters/usbfs_memory_mb": "1000",
    "/sys/bus/usb/devices/2-1/speed": "5000",
    "/sys/bus/usb/devices/2-1/product": "acA1920-40uc",
    "/sys/bus/usb/devices/2-1/serial": "22045679",
    "/sys/bus/usb/devices/2-1/power/control": "on",
    "/sys/bus/usb/devices/2-1:1.0/bInterfaceClass": "ef",
    "/sys/bus/usb/devices/2-1:1.0/bInterfaceSubClass": "05",
    "/sys/bus/usb/devices/usb2/speed": "10000",
    "/run/systemd/timesync/synchronized": "",
}
JETSON_TOOLS = {
    "nvpmodel": Answer(0, "NV Power Mode: MAXN\n0\n"),
    "timedatectl": Answer(0, "yes\n"),
    "smartctl": Answer(
        0,
        '{"smart_status": {"passed": true}, "nvme_smart_health_information_log": '
        '{"critical_warning": 0, "available_spare": 100, "percentage_used": 3, "media_errors": 0}}',
    ),
}
RTX: Tree = {
    "/proc/meminfo": "MemTotal:       32768000 kB\nMemAvailable:   24000000 kB\nSwapTotal: 2097148 kB\nSwapFree: 2097148 kB\n",
    "/proc/swaps": "Filename Type Size Used Priority\n/swapfile file 2097148 0 -2\n",
    "/proc/vmstat": "oom_kill 0\n",
    "/proc/self/cgroup": "0::/system.slice/ssh.service",
    "/proc/self/mountinfo": MOUNTS,
    "/sys/class/thermal/thermal_zone0/type": "x86_pkg_temp",
    "/sys/class/thermal/thermal_zone0/temp": "61000",
    "/sys/class/thermal/cooling_device0/type": "Processor",
    "/sys/class/thermal/cooling_device0/cur_state": "0",
    f"{CPU}/cpu0/thermal_throttle/core_throttle_count": "0",
    f"{CPU}/cpu0/thermal_throttle/package_throttle_count": "0",
    f"{CPU}/cpufreq/policy0/scaling_governor": "powersave",
    f"{CPU}/cpufreq/policy0/scaling_driver": "intel_pstate",
    f"{CPU}/cpufreq/policy0/scaling_min_freq": "800000",
    f"{CPU}/cpufreq/policy0/scaling_max_freq": "4900000",
    "/sys/block/nvme0n1/size": "1000215216",
    "/sys/block/sda/size": "1000215216",
    "/sys/class/net/enp3s0/device/vendor": "0x8086",
    "/sys/class/net/enp3s0/operstate": "up",
    "/sys/class/net/enp3s0/speed": "2500",
    "/sys/class/net/enp3s0/mtu": "1500",
    "/sys/class/net/enp4s0/device/vendor": "0x8086",
    "/sys/class/net/enp4s0/operstate": "down",
    "/proc/sys/net/core/rmem_max": "212992",
    "/proc/sys/net/ipv4/conf/all/rp_filter": "0",
    "/proc/sys/net/ipv4/conf/enp3s0/rp_filter": "1",
    "/proc/net/snmp": "Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors\nUdp: 100 1 7 90 7 0\n",
    "/proc/net/softnet_stat": "0000a1b2 00000000 00000001\n0000ffff 0000001f 00000000\n",
    "/run/systemd/system/x": "",
}
RTX_TOOLS = {
    "chronyc": Answer(
        0,
        "Reference ID    : C0A80001 (192.168.0.1)\nStratum         : 3\nRef time (UTC)  : Sun Nov 22 11:00:00 2026\n"
        "System time     : 0.000120301 seconds slow of NTP time\nLeap status     : Normal\n",
    ),
    "nvidia-smi": Answer(0, "0, NVIDIA RTX 4000 Ada Generation, 580.65.06, 64, 0x0000000000000001, P8, 512, 20475\n"),
    "smartctl": Answer(0, '{"smart_status": {"passed": true}}'),
    "systemctl": Answer(
        0,
        "LoadState=loaded\nActiveState=active\nSubState=running\nResult=success\nNRestarts=0\nWatchdogUSec=30s\n"
        "UnitFileState=enabled\nExecMainStatus=0\nStatusText=ready, 1234 verdicts\nLimitMEMLOCK=infinity\n",
    ),
}
CONTAINER: Tree = {
    "/proc/meminfo": "MemTotal: 8000000 kB\nMemAvailable: 6000000 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n",
    "/proc/self/cgroup": "0::/",
    "/sys/fs/cgroup/memory.max": "2147483648",
    "/sys/fs/cgroup/memory.current": "2000000000",
    "/sys/fs/cgroup/cpu.max": "150000 100000",
    "/proc/self/mountinfo": "1 0 0:1 / / rw - overlay overlay rw,lowerdir=/a\n",
}


def nothing(_: tuple[str, ...]) -> Answer | None:
    return None


def answering(tools: Mapping[str, Answer]) -> Callable[[tuple[str, ...]], Answer | None]:
    return lambda command: tools.get(command[0])


def grow(folder: Path, tree: Tree, tools: Mapping[str, Answer] | None = None) -> Machine:
    """The tree as files below `folder`."""
    for name, text in tree.items():
        path = folder / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Machine(folder, answering(tools or {}), {})


def checked(found: Iterable[Check]) -> dict[str, Check]:
    """By name; each name once."""
    listed = list(found)
    names = [check.name for check in listed]
    assert len(set(names)) == len(names), names
    for check in listed:
        assert check.remedy or check.status.value in ("OK", "SKIP"), f"{check} says not what to do"
        assert check.detail, check
    return {check.name: check for check in listed}


def case(machine: Machine, **more: object) -> Case:
    return Case(machine=machine, **more)  # type: ignore[arg-type]
