"""The checks of `lineclear doctor` that look at the machine alone; standard library only, so that they always run."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from enum import Enum
from pathlib import Path

MIN_FREE_BYTES = 2_000_000_000
NEWEST_PYTHON = (3, 13)
REQUIRED = {
    "numpy": "numpy",
    "opencv-python-headless": "cv2",
    "onnxruntime": "onnxruntime",
    "pydantic": "pydantic",
    "pyyaml": "yaml",
    "paho-mqtt": "paho.mqtt.client",
    "prometheus-client": "prometheus_client",
}
"""Distribution -> the module that must load."""


class Status(str, Enum):
    """FAIL: the station cannot do its work. WARN: it can, but somebody should know."""

    OK = "OK"
    WARN = "WARN"
    FAIL = "FAIL"


@dataclass(frozen=True)
class Check:
    """One line of the doctor's report."""

    name: str
    status: Status
    detail: str
    remedy: str = ""

    def __str__(self) -> str:
        remedy = f": {self.remedy}" if self.remedy else ""
        return f"{self.status.value:4} {self.name}: {self.detail}{remedy}"


def python() -> Check:
    """The interpreter: 3.10 to 3.13."""
    version = sys.version.split()[0]
    if sys.version_info < (3, 10):  # noqa: UP036 - the doctor must be able to say so
        return Check("python", Status.FAIL, version, "install Python 3.10 to 3.13")
    if sys.version_info[:2] > NEWEST_PYTHON:
        return Check("python", Status.WARN, f"{version} is newer than what is tested", "install Python 3.10 to 3.13")
    return Check("python", Status.OK, f"{version} at {sys.executable}")


def libraries() -> Iterator[Check]:
    """What the runtime is made of, each loaded once, and the one clash that pip allows."""
    for name, module in REQUIRED.items():
        yield _library(name, module)
    if version_of("opencv-python") and version_of("opencv-python-headless"):
        remedy = "pip uninstall opencv-python opencv-python-headless; pip install opencv-python-headless"
        yield Check("opencv", Status.FAIL, "both OpenCV builds are installed and overwrite each other", remedy)
    if version_of("harvesters") and version_of("genicam"):
        yield Check("genicam", Status.OK, f"harvesters {version_of('harvesters')}, genicam {version_of('genicam')}")
    else:
        yield Check("genicam", Status.WARN, "not installed, so no GenICam camera", "pip install harvesters genicam")


def _library(name: str, module: str) -> Check:
    version = version_of(name)
    if version is None and not (name == "opencv-python-headless" and version_of("opencv-python")):
        return Check(name, Status.FAIL, "not installed", f"pip install {name}")
    try:
        importlib.import_module(module)
    except ImportError as error:
        remedy = f"pip install --force-reinstall {name}"
        return Check(name, Status.FAIL, f"{version or 'installed'}, but it cannot be loaded ({error})", remedy)
    if version is None:
        detail = "the GUI build opencv-python is installed instead"
        return Check(name, Status.WARN, detail, "it needs libGL and X11 libraries; pip install opencv-python-headless")
    return Check(name, Status.OK, version)


def clock() -> Check:
    """A wall clock that was set, and somebody who keeps it right."""
    now = datetime.now(timezone.utc)
    if now.year < 2025:
        return Check("clock", Status.FAIL, f"says {now:%Y-%m-%d}", "set it: timedatectl set-time, or connect a time server")
    try:
        answer = subprocess.run(
            ["timedatectl", "show", "-p", "NTPSynchronized", "--value"], capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        synchronised = ""
    else:
        synchronised = answer.stdout.strip()
    if synchronised == "yes":
        return Check("clock", Status.OK, f"{now:%Y-%m-%d %H:%M} UTC, synchronised")
    how = "not synchronised" if synchronised == "no" else "nobody says whether it is synchronised"
    return Check("clock", Status.WARN, f"{now:%Y-%m-%d %H:%M} UTC, {how}", "run chrony or systemd-timesyncd")


def disk(state_dir: Path) -> Check:
    """The state folder can be written and has room."""
    folder = state_dir
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        return Check("disk", Status.FAIL, f"{folder} is no folder", "correct state_dir")
    if not os.access(folder, os.W_OK | os.X_OK):
        return Check("disk", Status.FAIL, f"{folder} cannot be written", "give it to the station's user")
    free = shutil.disk_usage(folder).free
    if free < MIN_FREE_BYTES:
        remedy = "free some space: verdicts wait there for the broker"
        return Check("disk", Status.WARN, f"{free >> 20} MB free at {folder}", remedy)
    return Check("disk", Status.OK, f"{free >> 30} GB free at {folder}")


def gpu() -> Iterator[Check]:
    """What a GPU station would find; nothing here is needed for the CPU engine."""
    for name in ("tensorrt", "tensorrt-rtx", "pycuda"):
        version = version_of(name)
        if version is not None:
            yield Check(name, Status.OK, version)
    found = shutil.which("nvidia-smi") is not None or Path("/dev/nvhost-gpu").exists()
    yield Check("gpu", Status.OK, "found, but engines run on the CPU" if found else "none found, and none is needed")


def version_of(name: str) -> str | None:
    """The installed version of a distribution, None where there is none."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
