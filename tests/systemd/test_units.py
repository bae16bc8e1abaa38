"""Every unit beside the station's own: systemd accepts it, it is hardened, and it leaves the station what it needs."""

import configparser
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.systemd.boxes import SYSTEMD, need

SERVICES = sorted(SYSTEMD.glob("*.service"))
TIMERS = sorted(SYSTEMD.glob("*.timer"))
# The tuning of an interface runs once as root and must write to the kernel's settings.
EXPOSURE = {"lineclear-gige@.service": "30"}
CHECKS = ("lineclear-drift@", "lineclear-archive-verify@")
BREAKS_CUDA = {"MemoryDenyWriteExecute", "PrivateDevices", "PrivateNetwork", "PrivateUsers", "ProtectClock"}
NEWER_THAN_249 = {
    "RestartSteps",
    "RestartMaxDelaySec",
    "RestartMode",
    "MemoryPressureWatch",
    "ExtensionDirectories",
    "OpenFile",
}


def settings(path: Path, section: str = "Service") -> dict[str, str]:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(path)
    return dict(parser[section])


def here(path: Path, folder: Path) -> Path:
    """The unit as an instance of this machine: verify looks for the programs and the user."""
    text = path.read_text().replace("User=lineside", "User=daemon")
    for program in ("lineclear-calibrate", "lineclear"):
        text = text.replace(f"/opt/lineclear/bin/{program} ", "/bin/true ")
    made = folder / path.name.replace("@.", "@feeder.")
    made.write_text(text)
    return made


def analyzed(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    need("systemd-analyze")
    return subprocess.run(["systemd-analyze", *map(str, arguments)], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("path", [*SERVICES, *TIMERS], ids=lambda path: path.name)
def test_systemd_accepts_it(path, tmp_path):
    for other in SERVICES:  # a timer's service must be there
        here(other, tmp_path)
    made = here(path, tmp_path)
    done = analyzed("verify", made)
    assert done.returncode == 0, done.stderr
    assert not [line for line in done.stderr.splitlines() if "lineclear" in line]
    made.write_text(made.read_text().replace("Description=", "Descripsion="))
    assert "Descripsion" in analyzed("verify", made).stderr


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_it_is_hardened(path, tmp_path):
    made = here(path, tmp_path)
    threshold = EXPOSURE.get(path.name, "20")
    done = analyzed("security", "--offline=true", "--no-pager", f"--threshold={threshold}", made)
    assert done.returncode == 0, done.stdout[-200:]
    found = json.loads(analyzed("security", "--offline=true", "--no-pager", "--json=short", made).stdout)
    assert any(item["name"] == "NoNewPrivileges=" and item["set"] for item in found)
    assert not NEWER_THAN_249 & {key for section in ("Unit", "Service") for key in settings(path, section)}


@pytest.mark.parametrize("name", CHECKS)
def test_the_checks_take_what_the_station_leaves(name):
    service = settings(SYSTEMD / f"{name}.service")
    assert (service["Nice"], service["IOSchedulingClass"], service["User"]) == ("19", "idle", "lineside")
    assert int(service["CPUWeight"]) < 100
    assert int(service["OOMScoreAdjust"]) > 0 > int(settings(SYSTEMD / "lineclear@.service")["OOMScoreAdjust"])
    assert service["ReadWritePaths"] == "/var/lib/lineclear/%i"
    assert service["PrivateNetwork"] == "yes"
    assert "3" not in service["SuccessExitStatus"].split()
    timer = settings(SYSTEMD / f"{name}.timer", "Timer")
    assert timer["Persistent"] == "true"
    assert analyzed("calendar", timer["OnCalendar"]).returncode == 0
    assert settings(SYSTEMD / f"{name}.timer", "Install")["WantedBy"] == "timers.target"


def test_the_commands_of_the_checks_are_ones_that_there_are(tmp_path):
    from calibration.__main__ import build_parser
    from edge.cli.main import build_parser as build_edge_parser

    for name, parser in (("drift", build_parser()), ("archive-verify", build_edge_parser())):
        command = settings(SYSTEMD / f"lineclear-{name}@.service")["ExecStart"].split()
        assert parser.parse_args(command[1:]).keep is True


def test_the_page_is_skipped_until_it_is_there(tmp_path):
    service = settings(SYSTEMD / "lineclear-web@.service")
    assert not BREAKS_CUDA & set(service)
    assert (service["IPAddressDeny"], service["IPAddressAllow"]) == ("any", "localhost")
    assert int(service["Nice"]) > 0
    condition = service["ExecCondition"]
    assert condition.startswith("/bin/sh -c '")
    script = condition.removeprefix("/bin/sh -c '").removesuffix("'")
    for status, wanted in ((3, 3), (0, 0)):
        program = tmp_path / "lineclear-calibrate"
        program.write_text(f"#!/bin/sh\nexit {status}\n")
        program.chmod(0o755)
        asked = script.replace("/opt/lineclear/bin/lineclear-calibrate", str(program))
        assert asked != script
        # systemd: 1 to 254 skips the unit without a failure
        assert subprocess.run(["/bin/sh", "-c", asked], check=False).returncode == wanted


@pytest.mark.parametrize("path", sorted((SYSTEMD / "examples").glob("*.conf")), ids=lambda path: path.name)
def test_a_drop_in_is_accepted_beside_the_unit(path, tmp_path):
    if path.name == "devices.conf" and shutil.which("getent") is None:
        pytest.skip("getent is not installed")
    made = here(SYSTEMD / "lineclear@.service", tmp_path)
    folder = tmp_path / f"{made.name}.d"
    folder.mkdir()
    (folder / path.name).write_text(path.read_text())
    done = analyzed("verify", made)
    assert not [line for line in done.stderr.splitlines() if path.name in line], done.stderr
    (folder / path.name).write_text(path.read_text() + "\n[Service]\nNonsense=1\n")
    assert "Nonsense" in analyzed("verify", made).stderr


def test_folders_of_the_box_belong_to_root():
    lines = [line.split() for line in (SYSTEMD / "lineclear.tmpfiles").read_text().splitlines() if not line.startswith("#")]
    assert {(line[1], line[2], line[3], line[4]) for line in lines} == {
        ("/etc/lineclear", "0750", "root", "lineside"),
        ("/var/lib/lineclear", "0750", "root", "lineside"),
    }


def test_the_rules_are_whole():
    text = (SYSTEMD / "70-lineclear-usb3vision.rules").read_text()
    rules = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert all(line.count('"') % 2 == 0 for line in rules)
    assert any('GROUP="plugdev"' in line and 'MODE="0660"' in line for line in rules)
    sysctl = [line for line in (SYSTEMD / "60-lineclear-gige.conf").read_text().splitlines() if not line.startswith("#")]
    assert all(Path("/proc/sys", line.split(" = ")[0].replace(".", "/")).parent.is_dir() for line in sysctl)
