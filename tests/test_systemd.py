"""The unit is one that systemd accepts."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

UNIT = Path(__file__).resolve().parent.parent / "systemd" / "lineclear@.service"


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed: bash .ci/install-system-packages")
    unit = tmp_path / "lineclear@feeder.service"
    # verify looks for the program and the user: those of this machine stand in for the box's.
    text = UNIT.read_text().replace("/opt/lineclear/bin/lineclear", sys.executable).replace("User=lineside", "User=root")
    unit.write_text(text)
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    ours = [line for line in done.stderr.splitlines() if "lineclear" in line]
    assert done.returncode == 0, done.stderr
    assert not ours
    unit.write_text(text.replace("KillMode=mixed", "KillMood=mixed"))
    broken = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert "KillMood" in broken.stderr


def test_the_station_ends_its_cameras_itself() -> None:
    assert "KillMode=mixed" in UNIT.read_text()
