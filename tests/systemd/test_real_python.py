"""The installer with a real Python, pip and wheel: what the stand-in of the other tests cannot show."""

import base64
import hashlib
import os
import subprocess
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.systemd.boxes import ROOT, need

VERSION = "9.9.9"


def write_wheel(folder: Path, name: str, files: dict[str, str], version: str = "1.0", extra: str = "") -> None:
    """A wheel, as PEP 427 has it."""
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{extra}"
    files = {
        **files,
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for path, text in files.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            record += f"{path},sha256={digest},{len(text.encode())}\n"
            wheel.writestr(path, text)
        wheel.writestr(f"{info}/RECORD", record + f"{info}/RECORD,,\n")


@pytest.fixture
def wheelhouse(tmp_path):
    """Ours, as it is in the repository, and one that lends the libraries of the Python that runs the tests."""
    folder = tmp_path / "wheel house"
    folder.mkdir()
    ours = {
        str(path.relative_to(ROOT)): path.read_text()
        for package in ("edge", "calibration", "export")
        for path in (ROOT / package).rglob("*.py")
    }
    programs = {"lineclear": "edge", "lineclear-calibrate": "calibration", "lineclear-export": "export"}
    scripts = "[console_scripts]\n" + "".join(f"{name} = {package}.__main__:main\n" for name, package in programs.items())
    write_wheel(
        folder,
        "lineclear",
        {**ours, f"lineclear-{VERSION}.dist-info/entry_points.txt": scripts},
        VERSION,
        "Provides-Extra: pdf\n",
    )
    write_wheel(folder, "lineclear_lender", {"lender.pth": sysconfig.get_path("purelib") + "\n"})
    return folder


def install(box: Path, wheelhouse: Path, *more: str) -> "subprocess.CompletedProcess[str]":
    pip = "--no-deps lineclear-lender"
    command = [
        str(ROOT / "systemd/install.sh"),
        "--destdir",
        str(box),
        "--wheelhouse",
        str(wheelhouse),
        "--no-lock",
        "--extras",
        "pdf",
    ]
    quick = box.parent / "quick"  # a sync of the whole disk waits for whoever else writes to it
    quick.mkdir(exist_ok=True)
    (quick / "sync").write_text("#!/bin/sh\n")
    (quick / "sync").chmod(0o755)
    environment = {**os.environ, "PIP_CONFIG_FILE": os.devnull, "PATH": f"{quick}:{os.environ['PATH']}"}
    return subprocess.run(
        [*command, "--station", "feeder", "--pip-args", pip, *more],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )


@pytest.mark.slow
def test_a_release_is_installed_from_the_wheelhouse_and_runs(tmp_path, wheelhouse):
    need("flock")
    box = tmp_path / "box"
    done = install(box, wheelhouse)
    assert done.returncode == 0, done.stderr
    program = box / "opt/lineclear/bin/lineclear"
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    assert said.stdout == f"lineclear {VERSION}\n"
    config = box / "etc/lineclear/feeder.yaml"
    refused = subprocess.run([program, "validate", config], capture_output=True, text=True, check=False)
    assert refused.stderr.count("\n") == 1
    assert "is no recipe" in refused.stderr
    interpreter = box / "opt/lineclear/current/bin/python"
    where = subprocess.run(
        [interpreter, "-c", "import edge; print(edge.__file__)"], capture_output=True, text=True, cwd="/", check=True
    )
    assert where.stdout.startswith(str(box / "opt/lineclear/"))
    assert list((box / "opt/lineclear/current/").rglob("edge/__pycache__/app.*.pyc"))
    (wheelhouse / f"lineclear-{VERSION}-py3-none-any.whl").unlink()
    refused = install(box, wheelhouse, "--dry-run")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "holds no lineclear wheel" in refused.stderr
