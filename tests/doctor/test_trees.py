"""Whole machines: what the doctor says of a Jetson, an RTX box and a container, line by line."""

from pathlib import Path

import pytest

from edge.doctor.check import Case, Check, Status
from edge.doctor.examinations import MACHINE, kinds
from edge.doctor.examining import examine
from edge.doctor.network import buffers
from tests.doctor.trees import CONTAINER, JETSON, JETSON_TOOLS, RTX, RTX_TOOLS, Tree, checked, grow

OWN = {"python", "genicam", "wheels", "user", "numpy"}


def looked_at(machine) -> dict[str, Check]:
    case = Case(machine)
    found = [check for each in MACHINE if each.module != "libraries" for check in examine(each, case)]
    return checked([*found, *buffers(case)])


def statuses(found: dict[str, Check]) -> dict[str, str]:
    skipped = {"user", "tensorrt", "tensorrt-rtx", "pycuda", "cuda-bindings"}
    return {name: check.status.value for name, check in found.items() if name not in skipped}


def test_a_jetson_with_a_good_day(tmp_path: Path) -> None:
    found = looked_at(grow(tmp_path, JETSON, JETSON_TOOLS))
    assert statuses(found) == {
        "clock": "OK",
        "memory": "OK",
        "swap": "OK",
        "killed for memory": "OK",
        "control group": "OK",
        "temperature": "OK",
        "throttling": "OK",
        "power mode": "OK",
        "clocks": "WARN",
        "disk wear mmcblk0": "OK",
        "disk wear nvme0n1": "OK",
        "gpu": "SKIP",
        "network eth0": "OK",
        "usbfs_memory_mb": "OK",
        "usb 22045679": "OK",
        "rmem_max": "OK",
        "rp_filter": "OK",
    }
    assert found["temperature"].detail == "cpu-thermal 52 °C, its limit is 99 °C (2 zones)"
    assert "jetson_clocks" in found["clocks"].remedy
    assert found["disk wear mmcblk0"].detail == "10 to 20 % of its life used"
    assert found["disk wear nvme0n1"].detail == "3 % of its life used, 100 % spare"
    assert found["usb 22045679"].detail == "acA1920-40uc at 5000 Mbit/s"
    assert found["network eth0"].detail == "1000 Mbit/s, MTU 9000"


def test_an_rtx_box_whose_network_was_never_tuned(tmp_path: Path) -> None:
    found = looked_at(grow(tmp_path, RTX, RTX_TOOLS))
    assert statuses(found) == {
        "clock": "OK",
        "memory": "OK",
        "swap": "OK",
        "killed for memory": "OK",
        "control group": "OK",
        "temperature": "OK",
        "throttling": "OK",
        "clocks": "OK",  # powersave of intel_pstate changes its clocks
        "disk wear nvme0n1": "OK",
        "disk wear sda": "OK",
        "gpu": "SKIP",
        "gpu load": "OK",
        "network enp3s0": "OK",
        "network enp4s0": "SKIP",
        "usb": "SKIP",
        "rmem_max": "WARN",
        "socket buffers": "WARN",
        "network backlog": "WARN",
        "rp_filter": "WARN",
    }
    assert found["clock"].detail.endswith("synchronised by chrony (stratum 3, 0.1 ms apart)")
    assert found["rmem_max"].detail == "0.2 MiB"
    assert found["socket buffers"].detail.startswith("7 packets")
    assert found["network backlog"].detail.startswith("31 packets")
    assert "strict on enp3s0" in found["rp_filter"].detail
    assert "--gige" in found["rp_filter"].remedy
    assert found["gpu load"].detail == "0: 64 °C, P8, 512 of 20475 MB used"


def test_a_bare_container(tmp_path: Path) -> None:
    found = looked_at(grow(tmp_path, CONTAINER))
    assert statuses(found) == {
        "clock": "WARN",
        "memory": "OK",
        "swap": "OK",
        "killed for memory": "OK",
        "control group": "WARN",
        "temperature": "SKIP",
        "throttling": "OK",
        "clocks": "SKIP",
        "disk wear": "SKIP",
        "gpu": "SKIP",
        "network": "SKIP",
        "usb": "SKIP",
        "rmem_max": "SKIP",
        "rp_filter": "SKIP",
    }
    assert found["control group"].detail == "memory 2.1 GB, 2.0 GB used; 1.5 processors"


def test_a_machine_with_nothing_at_all(tmp_path: Path) -> None:
    """Not one file: every check says that it could not look, and none fails."""
    found = looked_at(grow(tmp_path, {}))
    assert {check.status for check in found.values()} <= {Status.OK, Status.SKIP, Status.WARN}
    assert found["memory"].status is Status.SKIP
    assert [name for name, check in found.items() if check.status is Status.WARN] in (["clock"], ["clock", "user"])


@pytest.mark.parametrize("tree", [JETSON, RTX, CONTAINER])
def test_every_name_is_of_a_kind_that_the_docs_have(tmp_path: Path, tree: Tree) -> None:
    known = kinds()
    for name in looked_at(grow(tmp_path, tree)):
        assert any(name == kind or name.startswith(f"{kind} ") for kind in known), name


def test_a_file_that_is_a_folder_is_no_surprise(tmp_path: Path) -> None:
    for name in ("/proc/meminfo", "/proc/net/snmp", "/sys/class/thermal/thermal_zone0/temp", "/proc/self/mountinfo"):
        (tmp_path / name.lstrip("/")).mkdir(parents=True)
    found = looked_at(grow(tmp_path, {}))
    assert found["memory"].status is Status.SKIP
    assert "could not be made" not in " ".join(check.detail for check in found.values())
