"""Finding GenTL producers (.cti files) and the cameras behind them.

The vendor packages are imported here and in genicam.py only, and only when a camera is opened. A .cti is probed before
the GenICam library sees it: that library crashes the process on a file that is a shared library but no producer.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edge.errors import CameraLost, CameraRefused, LineclearError

log = logging.getLogger(__name__)

SEARCH_VARIABLE = "GENICAM_GENTL64_PATH"
SIMULATOR = "viky"
_ACCESS = ("unknown", "free", "read-only", "no access", "in use", "open here", "open here, read-only")


@dataclass(frozen=True)
class CameraInfo:
    """One camera as its producer announces it. access: free, in use, no access, ..."""

    serial: str
    vendor: str
    model: str
    producer: str
    access: str

    def __str__(self) -> str:
        return f'"{self.serial}" ({self.vendor} {self.model}, {self.access})'


@dataclass(frozen=True)
class Vendor:
    """The vendor modules, imported late. `errors`: every exception type that they raise on purpose."""

    core: Any
    gentl: Any
    genapi: Any
    errors: tuple[type[Exception], ...]


def load_vendor() -> Vendor:
    """Import harvesters and genicam; CameraRefused says what to install."""
    try:
        core = importlib.import_module("harvesters.core")
        gentl = importlib.import_module("genicam.gentl")
        genapi = importlib.import_module("genicam.genapi")
    except ImportError as error:
        raise CameraRefused(
            f"GenICam support is not installed ({error})", remedy="run: pip install harvesters genicam"
        ) from error
    return Vendor(core, gentl, genapi, (gentl.GenericException, genapi.GenericException))


def simulator_path() -> Path:
    """viky.cti of the genicam package; CameraRefused if this version has none (before 1.6)."""
    load_vendor()
    path = _simulator()
    if not path.is_file():
        raise CameraRefused("this genicam package has no simulator", where=str(path), remedy="pip install 'genicam>=1.6'")
    return path


def find_producers(named: Sequence[str] = ()) -> tuple[Path, ...]:
    """The .cti files to load, each once: the named ones, or all that GENICAM_GENTL64_PATH leads to.

    A named file that is no GenTL producer is a CameraRefused; one that was only found is left out with a warning, for a
    broken driver of another vendor must not stop this camera. CameraRefused if none is left.
    """
    if named:
        paths = [simulator_path() if name == SIMULATOR else Path(name).expanduser() for name in named]
        for path in paths:
            if fault := _fault(path):
                raise CameraRefused(fault, where=str(path), remedy="name the .cti file of the camera vendor's GenTL producer")
        return _unique(paths)
    found, broken = [], []
    for path in _on_search_path():
        if fault := _fault(path):
            log.warning("producer_left_out file=%s why=%s", path, fault)
            broken.append(f"{path}: {fault}")
        else:
            found.append(path)
    if not found:
        listed = os.environ.get(SEARCH_VARIABLE)
        seen = f"; left out: {'; '.join(broken)}" if broken else ""
        raise CameraRefused(
            "no GenTL producer (.cti file) was found" + seen,
            where=f"{SEARCH_VARIABLE}={listed}" if listed else f"{SEARCH_VARIABLE} is not set",
            remedy="install the camera vendor's GenTL producer or write its path as `producers` in the config",
        )
    return _unique(found)


def devices(harvester: Any) -> list[tuple[CameraInfo, Any]]:
    """Every camera of an updated Harvester, with the vendor's own description of it."""
    return [(_describe(device), device) for device in harvester.device_info_list]


def find_serial(harvester: Any, paths: Sequence[Path], serial: str) -> tuple[CameraInfo, Any]:
    """The one camera of that serial number. CameraLost if it is not seen, CameraRefused if it is seen more than once."""
    seen = devices(harvester)
    matching = [(info, device) for info, device in seen if info.serial == serial]
    if len(matching) == 1:
        return matching[0]
    where = f'camera "{serial}"'
    if matching:
        ways = ", ".join(info.producer for info, _ in matching)
        raise CameraRefused(
            f"is seen {len(matching)} times, through {ways}", where=where, remedy="name one .cti as `producers` in the config"
        )
    listed = ", ".join(str(info) for info, _ in seen) or "none"
    raise CameraLost(
        f"is not there; cameras seen: {listed}; producers: {', '.join(map(str, paths))}",
        where=where,
        remedy="check cable, power and network, and the serial in the config",
    )


def is_simulator(path: Path) -> bool:
    """True if that producer is the simulator of the genicam package, by whatever path it was named."""
    return path.resolve() == _simulator().resolve()


def list_cameras(producers: Sequence[str] = ()) -> list[CameraInfo]:
    """Every camera that the producers see. Call it in a process of its own: producers leak and may crash.

    CameraRefused: nothing to load. CameraLost: the producers raised.
    """
    paths = find_producers(producers)
    vendor = load_vendor()
    harvester = open_harvester(vendor, paths)
    try:
        return [info for info, _ in devices(harvester)]
    finally:
        harvester.reset()


def main(arguments: Sequence[str]) -> None:
    """list_cameras for a parent process: the producers as arguments, a JSON list on standard output, exit 1 on an error."""
    try:
        found = list_cameras(arguments)
    except LineclearError as error:
        sys.exit(str(error))
    sys.stdout.write(json.dumps([asdict(info) for info in found]) + "\n")


def open_harvester(vendor: Vendor, paths: Sequence[Path]) -> Any:
    """A Harvester that has loaded the producers and enumerated their cameras. CameraLost if enumeration raised."""
    parameters = vendor.core.ParameterSet({vendor.core.ParameterKey.LOGGER: _quiet_logger()})
    harvester = vendor.core.Harvester(config=parameters)
    try:
        for path in paths:
            harvester.add_file(str(path))
        harvester.update()
    except vendor.errors as error:
        harvester.reset()
        raise _not_enumerated(paths, f" ({first_line(error)})") from error
    if not harvester.has_revised_device_info_list:  # update() logs what went wrong, and goes on
        harvester.reset()
        raise _not_enumerated(paths)
    return harvester


def _not_enumerated(paths: Sequence[Path], why: str = "") -> CameraLost:
    return CameraLost(
        f"the GenTL producer failed while it looked for cameras{why}",
        where=", ".join(map(str, paths)),
        remedy="check the cameras' cables, power and network",
    )


def first_line(error: BaseException) -> str:
    """The vendor's message without the C++ file names that follow it."""
    text = (str(error).splitlines() or [""])[0].split(" : ", 1)[0].removeprefix("GenTL exception: ").strip()
    return text or type(error).__name__


def _simulator() -> Path:
    return Path(str(importlib.import_module("genicam").__file__)).with_name("viky.cti")


def _quiet_logger() -> logging.Logger:
    # Harvesters logs whole tracebacks of errors that it then raises; we report those once, as ours.
    logger = logging.getLogger(f"{__name__}.harvesters")
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.CRITICAL)
    return logger


def _on_search_path() -> list[Path]:
    paths: list[Path] = []
    for entry in os.environ.get(SEARCH_VARIABLE, "").split(os.pathsep):
        if not entry.strip():
            continue
        place = Path(entry.strip())
        paths += [place] if place.suffix == ".cti" and place.is_file() else sorted(place.glob("*.cti"))
    return paths


def _unique(paths: Sequence[Path]) -> tuple[Path, ...]:
    return tuple({path.resolve(): path for path in paths}.values())


def _fault(path: Path) -> str:
    if not path.is_file():
        return "there is no such file"
    try:
        library = ctypes.CDLL(str(path.resolve()))
    except OSError as error:
        return f"it cannot be loaded as a library ({str(error).removeprefix(f'{path.resolve()}: ')})"
    return "" if hasattr(library, "GCInitLib") else "it is a library, but no GenTL producer"


def _describe(device: Any) -> CameraInfo:
    known = device.property_dict
    access = known.get("access_status")
    return CameraInfo(
        serial=str(known.get("serial_number") or ""),
        vendor=str(known.get("vendor") or "unknown vendor"),
        model=str(known.get("model") or "unknown model"),
        producer=str(device.parent.parent.parent.path_name),
        access=_ACCESS[access] if isinstance(access, int) and 0 <= access < len(_ACCESS) else _ACCESS[0],
    )
