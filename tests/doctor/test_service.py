"""The unit as systemctl shows it, timers, user, pinned memory."""

import os
from pathlib import Path

import pytest

from edge.config import load_config
from edge.doctor.check import Case, Status
from edge.doctor.machine import Answer, Machine
from edge.doctor.service import memlock, service, user
from tests.cli.running import station
from tests.doctor.trees import RTX, RTX_TOOLS, checked, grow

SHOWN = RTX_TOOLS["systemctl"].out
CONFIG = Path("/etc/lineclear/feeder.yaml")


def shown(tmp_path: Path, unit: str, timers: str = "ActiveState=active") -> Case:
    """systemctl answers of the service so, and of its timers so."""
    asked: list[str] = []

    def tools(command: tuple[str, ...]) -> Answer | None:
        asked.append(command[-1])
        return Answer(0, unit if command[-1] == "lineclear@feeder.service" else timers)

    return Case(Machine(grow(tmp_path, RTX).root, tools, {}), config_path=CONFIG)


@pytest.mark.parametrize(
    ("old", "new", "status", "word"),
    [
        ("", "", "OK", "lineclear@feeder.service is active (running), ready, 1234 verdicts"),
        ("WatchdogUSec=30s", "WatchdogUSec=0", "WARN", "no watchdog"),
        ("NRestarts=0", "NRestarts=7", "WARN", "started it again 7 times"),
        ("UnitFileState=enabled", "UnitFileState=disabled", "WARN", "does not start with the machine"),
        ("ActiveState=active", "ActiveState=inactive", "WARN", "is inactive"),
        ("Result=success", "Result=watchdog", "WARN", "it ended with watchdog"),
        ("Result=success\nNRestarts=0\nWatchdogUSec=30s\nUnitFileState=enabled\nExecMainStatus=0",
         "Result=exit-code\nExecMainStatus=4", "WARN", "a part of it hung"),
        ("LoadState=loaded", "LoadState=not-found", "SKIP", "is not installed"),
    ],
)  # fmt: skip
def test_the_unit(tmp_path: Path, old: str, new: str, status: str, word: str) -> None:
    found = checked(service(shown(tmp_path, SHOWN.replace(old, new))))["service"]
    assert (found.status.value, word in found.detail) == (status, True), found


def test_timers_that_are_off_are_named(tmp_path: Path) -> None:
    found = checked(service(shown(tmp_path, SHOWN, "ActiveState=inactive")))["timers"]
    assert found.status is Status.WARN
    assert found.remedy == ("sudo systemctl enable --now lineclear-drift@feeder.timer lineclear-archive-verify@feeder.timer")
    assert checked(service(shown(tmp_path, SHOWN)))["timers"].status is Status.OK


def test_where_systemd_does_not_run(tmp_path: Path) -> None:
    (found,) = service(Case(grow(tmp_path, {}), config_path=CONFIG))
    assert found.status is Status.SKIP
    (found,) = service(Case(grow(tmp_path, RTX)))
    assert found.detail == "no config named"
    (found,) = service(Case(grow(tmp_path, RTX), config_path=CONFIG))
    assert "is not installed" in found.detail


@pytest.mark.parametrize(("limit", "status"), [("infinity", "OK"), ("8388608", "WARN"), ("67108864", "OK")])
def test_pinned_memory_of_a_service_that_needs_it(tmp_path: Path, limit: str, status: str) -> None:
    config = load_config(station(tmp_path, engine={"kind": "tensorrt"}))
    told = shown(tmp_path, SHOWN.replace("LimitMEMLOCK=infinity", f"LimitMEMLOCK={limit}"))
    (found,) = memlock(Case(told.machine, config, CONFIG))
    assert (found.status.value, "the service" in found.detail) == (status, True)


def test_pinned_memory_where_nothing_needs_it(tmp_path: Path) -> None:
    (found,) = memlock(Case(grow(tmp_path / "root", {}), load_config(station(tmp_path)), CONFIG))
    assert found.status is Status.OK
    assert "this process" in found.detail


def test_root_is_not_the_station(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    (found,) = user(Case(grow(tmp_path, {})))
    assert (found.status, "sudo -u lineside" in found.detail) == (Status.SKIP, True)


def test_a_user_without_the_groups_of_the_devices(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    monkeypatch.setattr(os, "getgroups", lambda: [54321])
    tree = {"/dev/video0": "", "/dev/dri/renderD128": "", "/sys/bus/usb/devices/usb1/speed": "480"}
    (found,) = user(Case(grow(tmp_path, tree)))
    assert found.status is Status.WARN
    assert "uid 12345 is not in video" in found.detail
    (found,) = user(Case(grow(tmp_path / "bare", {})))
    assert (found.status, found.detail) == (Status.OK, "uid 12345, in 54321")
