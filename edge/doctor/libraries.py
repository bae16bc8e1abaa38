"""Python and what is installed for it. Standard library only."""

from __future__ import annotations

import importlib
import importlib.metadata
import re
import sys
import sysconfig
from collections.abc import Iterator
from typing import Final

from edge.doctor.check import Case, Check, fail, ok, skip, warn

NEWEST_PYTHON: Final = (3, 13)
REQUIRED: Final = {
    "numpy": "numpy",
    "opencv-python-headless": "cv2",
    "onnxruntime": "onnxruntime",
    "pydantic": "pydantic",
    "pyyaml": "yaml",
    "paho-mqtt": "paho.mqtt.client",
    "prometheus-client": "prometheus_client",
}
"""Distribution -> the module that must load."""
OPENCV: Final = ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless")
PINS: Final = ".pins"
"""Written into the virtual environment by systemd/install.sh: what its lock file says."""


def python(_: Case) -> Iterator[Check]:
    """The interpreter: 3.10 to 3.13, with its lock."""
    version = sys.version.split()[0]
    if sys.version_info < (3, 10):  # noqa: UP036 - the doctor must be able to say so
        yield fail("python", version, "install Python 3.10 to 3.13")
    elif sys.version_info[:2] > NEWEST_PYTHON:
        yield warn("python", f"{version} is newer than what is tested", "install Python 3.10 to 3.13")
    elif sysconfig.get_config_var("Py_GIL_DISABLED"):
        yield warn("python", f"{version} is a free-threaded build, which nobody tested", "install the usual build")
    else:
        yield ok("python", f"{version} at {sys.executable}")


def required(_: Case) -> Iterator[Check]:
    """What the runtime is made of, each loaded once."""
    for name, module in REQUIRED.items():
        yield _library(name, module)


def conflicts(_: Case) -> Iterator[Check]:
    """The one clash that pip allows, and what cameras need."""
    builds = [name for name in OPENCV if version_of(name)]
    if len(builds) > 1:
        remedy = f"pip uninstall {' '.join(builds)}; pip install opencv-python-headless"
        yield fail("opencv", f"{' and '.join(builds)} are installed and overwrite each other", remedy)
    if version_of("harvesters") and version_of("genicam"):
        yield ok("genicam", f"harvesters {version_of('harvesters')}, genicam {version_of('genicam')}")
    else:
        yield warn("genicam", "not installed, so no GenICam camera", "pip install harvesters genicam")


def wheels(case: Case) -> Iterator[Check]:
    """What is installed against what the lock file of this release says."""
    text = case.machine.text(f"{sys.prefix}/{PINS}")
    if text is None:
        yield skip("wheels", "this environment was not made by systemd/install.sh from a lock file")
        return
    pins = dict(re.findall(r"^([A-Za-z0-9._-]+)==(\S+)$", text, re.MULTILINE))
    other = [
        f"{name} {found} instead of {version}"
        for name, version in pins.items()
        if (found := version_of(name)) is not None and found != version
    ]
    missing = [name for name in pins if version_of(name) is None]
    told = other + [f"{name} is missing" for name in missing]
    if told:
        more = f" and {len(told) - 4} more" if len(told) > 4 else ""
        yield warn("wheels", "; ".join(told[:4]) + more, "what runs here was never tested together: run install.sh again")
    else:
        yield ok("wheels", f"all {len(pins)} as in the lock file")


def _library(name: str, module: str) -> Check:
    version = version_of(name)
    if version is None and not (name == "opencv-python-headless" and version_of("opencv-python")):
        return fail(name, "not installed", f"pip install {name}")
    try:
        importlib.import_module(module)
    except (ImportError, OSError, AttributeError, RuntimeError, SyntaxError, TypeError, ValueError) as error:
        detail = f"{version or 'installed'}, but it cannot be loaded ({error})"
        return fail(name, detail, f"pip install --force-reinstall {name}")
    if version is None:
        detail = "the GUI build opencv-python is installed instead"
        return warn(name, detail, "it needs libGL and X11 libraries; pip install opencv-python-headless")
    return ok(name, version)


def version_of(name: str) -> str | None:
    """The installed version of a distribution, None where there is none."""
    try:
        return importlib.metadata.version(name)
    except (importlib.metadata.PackageNotFoundError, OSError, ValueError):
        return None
