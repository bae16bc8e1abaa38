"""The station's unit: one that systemd accepts, that is hardened, and that leaves CUDA and cameras alone."""

import configparser
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edge.supervision.supervisor import ENDING_S, TICK_S

UNIT = Path(__file__).resolve().parent.parent / "systemd" / "lineclear@.service"
BREAKS_CUDA = ("MemoryDenyWriteExecute", "PrivateDevices", "PrivateNetwork", "PrivateUsers", "ProtectClock", "DeviceAllow")
NEWER_THAN_249 = ("RestartSteps", "RestartMaxDelaySec", "RestartMode", "MemoryPressureWatch", "ExtensionDirectories")


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit as it would be on this machine: verify looks for the program and the user."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed: bash .ci/install-system-packages")
    path = tmp_path / "lineclear@feeder.service"
    text = UNIT.read_text().replace("/opt/lineclear/bin/lineclear", sys.executable).replace("User=lineside", "User=daemon")
    path.write_text(text)
    return path


def analyzed(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False)


def settings(section: str) -> dict[str, str]:
    """Of one section; where a key stands twice, its last value."""
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(UNIT)
    return dict(parser[section])


def test_systemd_accepts_the_unit(unit: Path) -> None:
    done = analyzed("verify", unit)
    assert done.returncode == 0, done.stderr
    assert not [line for line in done.stderr.splitlines() if "lineclear" in line]
    unit.write_text(unit.read_text().replace("KillMode=mixed", "KillMood=mixed"))
    assert "KillMood" in analyzed("verify", unit).stderr


def test_it_is_hardened(unit: Path) -> None:
    done = analyzed("security", "--offline=true", "--no-pager", "--threshold=20", unit)
    assert done.returncode == 0, done.stdout[-200:]
    found = analyzed("security", "--offline=true", "--no-pager", "--json=short", unit)
    assert {item["name"] for item in json.loads(found.stdout)} >= {"NoNewPrivileges=", "ProtectSystem="}
    unit.write_text(unit.read_text().replace("ProtectSystem=strict", "").replace("NoNewPrivileges=yes", ""))
    assert analyzed("security", "--offline=true", "--no-pager", "--threshold=20", unit).returncode != 0


def test_nothing_in_it_breaks_cuda_or_a_camera() -> None:
    service = settings("Service")
    assert not set(BREAKS_CUDA) & set(service)
    assert service["DevicePolicy"] == "auto"
    assert service["LimitMEMLOCK"] == "infinity"
    assert {"video", "plugdev"} <= set(service["SupplementaryGroups"].split())
    assert "AF_NETLINK" in service["RestrictAddressFamilies"]


def test_it_knows_nothing_that_ubuntu_22_04_does_not() -> None:
    assert not set(NEWER_THAN_249) & set(settings("Service"))


def test_the_watchdog_comes_after_the_stations_own_end() -> None:
    service = settings("Service")
    assert service["Type"] == "notify"
    assert float(service["WatchdogSec"]) > ENDING_S + 10 * TICK_S, "else systemd cuts off the answers to who waits"
    assert float(service["TimeoutStopSec"]) >= 60


def test_it_never_gives_up_and_ends_its_cameras_itself() -> None:
    assert settings("Unit")["StartLimitIntervalSec"] == "0"
    service = settings("Service")
    assert (service["Restart"], service["KillMode"], service["OOMPolicy"]) == ("always", "mixed", "continue")


def test_what_it_writes_is_where_it_may() -> None:
    service = settings("Service")
    assert service["ProtectSystem"] == "strict"
    assert {service[f"{kind}Directory"] for kind in ("State", "Cache", "Runtime")} == {"lineclear/%i"}
    assert service["RuntimeDirectoryPreserve"] == "restart"
