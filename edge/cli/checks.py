"""The checks behind `lineclear doctor`: each looks at one thing and says what to do about it."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from enum import Enum
from pathlib import Path

from edge.errors import LineclearError
from edge.publishers.probe import probe
from edge.settings.mqtt import MqttSettings

MIN_FREE_BYTES = 2_000_000_000


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
        return Check("python", Status.FAIL, version, "install Python 3.10 or newer")
    return Check("python", Status.OK, f"{version} at {sys.executable}")


def libraries() -> Iterator[Check]:
    """What the runtime is made of, with versions, and the one clash that pip allows."""
    for name in ("numpy", "opencv-python-headless", "onnxruntime", "pydantic", "paho-mqtt"):
        version = _version(name)
        if version is not None:
            yield Check(name, Status.OK, version)
        elif name == "opencv-python-headless" and _version("opencv-python"):
            detail = "the GUI build opencv-python is installed instead"
            yield Check(name, Status.WARN, detail, "it needs libGL and X11 libraries")
        else:
            yield Check(name, Status.FAIL, "not installed", f"pip install {name}")
    if _version("opencv-python") and _version("opencv-python-headless"):
        remedy = "pip uninstall opencv-python opencv-python-headless; pip install opencv-python-headless"
        yield Check("opencv", Status.FAIL, "both OpenCV builds are installed and overwrite each other", remedy)
    if _version("harvesters") and _version("genicam"):
        yield Check("genicam", Status.OK, f"harvesters {_version('harvesters')}, genicam {_version('genicam')}")
    else:
        yield Check("genicam", Status.WARN, "not installed, so no GenICam camera", "pip install 'lineclear[genicam]'")


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
        synchronised = "unknown"
    else:
        synchronised = answer.stdout.strip()
    if synchronised == "yes":
        return Check("clock", Status.OK, f"{now:%Y-%m-%d %H:%M} UTC, synchronised")
    remedy = "run chrony or systemd-timesyncd"
    return Check("clock", Status.WARN, f"{now:%Y-%m-%d %H:%M} UTC, synchronised: {synchronised or 'unknown'}", remedy)


def disk(state_dir: Path) -> Check:
    """The state folder can be written and has room."""
    folder = state_dir
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not os.access(folder, os.W_OK):
        return Check("disk", Status.FAIL, f"{folder} cannot be written", "give it to the station's user")
    free = shutil.disk_usage(folder).free
    if free < MIN_FREE_BYTES:
        remedy = "free some space: verdicts wait there for the broker"
        return Check("disk", Status.WARN, f"{free >> 20} MB free at {folder}", remedy)
    return Check("disk", Status.OK, f"{free >> 30} GB free at {folder}")


def cameras(producers: tuple[str, ...]) -> tuple[dict[str, str], Check]:
    """Serial -> description of every camera that the producers see.

    In a process of its own, with a time limit: a broken producer may crash or hang whoever loads it.
    """
    if _version("harvesters") is None:
        return {}, Check("cameras", Status.WARN, "not looked for: no GenICam support", "pip install 'lineclear[genicam]'")
    script = "import sys; from edge.cameras.producers import main; main(sys.argv[1:])"
    try:
        done = subprocess.run(
            [sys.executable, "-c", script, *producers], capture_output=True, text=True, timeout=30, check=False
        )
        found = json.loads(done.stdout) if done.returncode == 0 else None
    except (subprocess.TimeoutExpired, ValueError):
        found = None
        done = None
    if found is None:
        why = done.stderr.strip().splitlines()[-1:] if done else ["no answer in 30 s"]
        remedy = "check the producer (.cti) with its vendor's viewer"
        return {}, Check("cameras", Status.FAIL, why[0] if why else "the producer crashed", remedy)
    if not found:
        return {}, Check("cameras", Status.WARN, "none seen", "set GENICAM_GENTL64_PATH, or name producers in the config")
    seen = {entry["serial"]: f"{entry['vendor']} {entry['model']}" for entry in found}
    return seen, Check("cameras", Status.OK, ", ".join(f"{serial} ({what})" for serial, what in seen.items()))


def broker(settings: MqttSettings, client_id: str) -> Check:
    """A real MQTT connection with the station's own settings, under another client id."""
    where = f"{settings.host}:{settings.effective_port}"
    try:
        probe(settings, client_id)
    except (LineclearError, OSError) as error:
        return Check("broker", Status.FAIL, f"{where}: {error}", "the station runs without it and keeps its results")
    return Check("broker", Status.OK, f"{where}, MQTT {settings.protocol}" + (", TLS" if settings.tls else ", no TLS"))


def gpu() -> Iterator[Check]:
    """What a GPU station would find; nothing here is needed for the CPU engine."""
    for name in ("tensorrt", "tensorrt-rtx", "pycuda"):
        version = _version(name)
        if version is not None:
            yield Check(name, Status.OK, version)
    if shutil.which("nvidia-smi") is None and not Path("/dev/nvhost-gpu").exists():
        yield Check("gpu", Status.OK, "none found; the CPU engine needs none")


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
