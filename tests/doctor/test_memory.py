"""Memory, swap, processes that were killed, and a control group's limits."""

from pathlib import Path

import pytest

from edge.doctor.check import Status
from edge.doctor.memory import allowance, meminfo, memory
from tests.doctor.trees import CONTAINER, RTX, case, checked, grow


def info(available: int, swap: tuple[int, int] = (0, 0)) -> str:
    return f"MemTotal: 16000000 kB\nMemAvailable: {available} kB\nSwapTotal: {swap[0]} kB\nSwapFree: {swap[1]} kB\n"


@pytest.mark.parametrize(("kb", "status"), [(8_000_000, "OK"), (480_000, "WARN"), (140_000, "FAIL"), (0, "FAIL")])
def test_memory_runs_out(tmp_path: Path, kb: int, status: str) -> None:
    found = checked(memory(case(grow(tmp_path, {"/proc/meminfo": info(kb)}))))
    assert found["memory"].status.value == status


def test_memory_that_is_there_and_still_is_waited_for(tmp_path: Path) -> None:
    stalls = "some avg10=9.1 avg60=8.0 avg300=7.50 total=1\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0"
    found = checked(memory(case(grow(tmp_path, {**RTX, "/proc/pressure/memory": stalls}))))["memory"]
    assert (found.status, "8 % of the last 5 minutes" in found.detail) == (Status.WARN, True)


@pytest.mark.parametrize(
    ("swaps", "used", "status"),
    [
        ("/dev/zram0 partition 1000000 0 5", 10, "OK"),
        ("/dev/zram0 partition 1000000 0 5", 60, "WARN"),
        ("/swapfile file 1000000 0 -2", 10, "OK"),
        ("/dev/mmcblk0p3 partition 1000000 0 -2", 10, "WARN"),
    ],
)
def test_swap(tmp_path: Path, swaps: str, used: int, status: str) -> None:
    tree = {"/proc/meminfo": info(8_000_000, (100, 100 - used)), "/proc/swaps": f"Filename Type Size Used Priority\n{swaps}\n"}
    found = checked(memory(case(grow(tmp_path, tree))))["swap"]
    assert (found.status.value, found.detail.startswith(f"{used} %")) == (status, True)


def test_processes_that_the_kernel_killed(tmp_path: Path) -> None:
    tree = {**RTX, "/proc/vmstat": "pgfault 77\noom_kill 3\n", "/proc/uptime": "172800.1 5.0"}
    found = checked(memory(case(grow(tmp_path, tree))))["killed for memory"]
    assert (found.status, found.detail) == (Status.WARN, "3 processes since the machine started 2.0 days ago")


def test_the_old_control_groups(tmp_path: Path) -> None:
    base = "/sys/fs/cgroup/memory"
    tree = {f"{base}/memory.limit_in_bytes": "4000000000", f"{base}/memory.usage_in_bytes": "1000000000"}
    (found,) = allowance(case(grow(tmp_path, tree)))
    assert (found.status, found.detail) == (Status.OK, "memory 4.0 GB, 1.0 GB used")
    grow(tmp_path, {f"{base}/memory.limit_in_bytes": "9223372036854771712"})
    (found,) = allowance(case(grow(tmp_path, {})))
    assert found.detail == "no limit of memory or processors"


@pytest.mark.parametrize(
    ("quota", "status"), [("150000 100000", "WARN"), ("200000 100000", "OK"), ("max 100000", "OK"), ("1", "OK")]
)
def test_a_quota_of_processors(tmp_path: Path, quota: str, status: str) -> None:
    tree = {**CONTAINER, "/sys/fs/cgroup/memory.max": "max", "/sys/fs/cgroup/cpu.max": quota}
    (found,) = allowance(case(grow(tmp_path, tree)))
    assert found.status.value == status


def test_what_is_no_number_is_left_out() -> None:
    assert meminfo("MemTotal: many kB\nMemAvailable:\nA: -5 kB\nB: 7 kB\nline\n") == {"B": 7}
    assert meminfo(None) == {}
